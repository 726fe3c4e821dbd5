"""`speech:MODEL`: the mean of the last hidden layer of a Hugging Face speech encoder.

`MODEL` is a folder or a pinned revision on the hub; see `sdt.encoders.pretrained`. Every model of the library with
single-channel sound as input is supported: wav2vec 2.0, HuBERT, WavLM, Data2Vec, the encoder of Whisper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.encoder import Encoded, Progress, Source, Vector, encode_each
from sdt.encoders.pretrained import find_model, quiet_transformers
from sdt.errors import InputError
from sdt.media.audio import Samples, decode_audio
from sdt.media.clip import Clip, MediaProblem

SHORTEST = 0.1
"""The shortest utterance in seconds; some models have no frame for less."""
LONGEST = 20.0
"""The longest input in seconds. Longer utterances are split into equal parts, since memory is quadratic in the
length."""
WHISPER_FRAMES = 50
"""Frames per second of the encoder of Whisper, which pads all input to 30 seconds."""


class Speech:
    """The feature encoder `speech:MODEL`.

    Utterances are encoded one by one, because padding would change their features.

    Raises:
        InputError: The model does not exist, cannot be loaded, or does not process sound.
    """

    modality = "audio"
    licence_note = None

    def __init__(self, name: str) -> None:
        folder, model, exact = find_model("speech", name.partition(":")[2])
        self.name = f"speech:{exact}"
        self._is_whisper = bool(model.config.is_encoder_decoder)
        self._model: Any = model.get_encoder() if self._is_whisper else model
        self._preprocess: Any = _preprocessor(self.name, folder)
        self._rate = int(self._preprocess.sampling_rate)
        try:
            self.width = self._hidden(np.zeros(self._rate, dtype=np.float32)).shape[1]
        except Exception as error:  # a model of text or images, or the preprocessor of another model
            raise InputError(
                f"feature encoder {self.name!r}: the model cannot process a second of sound "
                f"({type(error).__name__}: {' '.join(str(error).split())[:200]})"
            ) from None

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the sound of n utterances."""
        return encode_each(sources, self.width, lambda clip: mean_over_frames(clip, self._rate, self._hidden), progress)

    def _hidden(self, samples: Samples) -> npt.NDArray[np.float32]:
        """The frames of the last layer, [T, D]."""
        import torch

        inputs = self._preprocess(samples, sampling_rate=self._rate, return_tensors="pt")
        inputs = {key: value for key, value in inputs.items() if key in ("input_values", "input_features")}
        device = next(self._model.parameters()).device
        with torch.inference_mode():
            hidden = self._model(**{key: value.to(device) for key, value in inputs.items()}).last_hidden_state[0]
        if self._is_whisper:
            hidden = hidden[: math.ceil(len(samples) / self._rate * WHISPER_FRAMES)]
        frames: npt.NDArray[np.float32] = hidden.float().cpu().numpy()
        return frames


def mean_over_frames(clip: Clip, rate: int, hidden: Callable[[Samples], npt.NDArray[np.float32]]) -> Vector:
    """The mean hidden state of a clip [D] over its frames; a long clip is split into equal parts.

    Args:
        clip: The clip.
        rate: Samples per second of the model.
        hidden: The model: samples [n] to frames [T, D].

    Raises:
        MediaProblem: The clip is too short, or cannot be decoded.
    """
    samples = decode_audio(clip).mono(rate)
    if len(samples) < SHORTEST * rate:
        raise MediaProblem(f"shorter than {SHORTEST} s")
    parts = np.array_split(samples, math.ceil(len(samples) / (LONGEST * rate)))
    pooled: Vector = np.concatenate([hidden(part) for part in parts]).mean(axis=0)
    return pooled


def _preprocessor(name: str, folder: Path) -> Any:  # noqa: ANN401 - transformers has no types
    import transformers

    extractor: Any = transformers.AutoFeatureExtractor  # its functions are not typed
    try:
        with quiet_transformers():
            preprocessor = extractor.from_pretrained(folder, local_files_only=True)
        if not isinstance(preprocessor.sampling_rate, int):
            raise ValueError("sampling_rate is missing or not an integer")
    except Exception as error:  # damaged files make the loader raise any error
        raise InputError(
            f"feature encoder {name!r}: {folder / 'preprocessor_config.json'} is missing or invalid "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]})"
        ) from None
    return preprocessor
