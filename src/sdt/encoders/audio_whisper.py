"""`whisper:SIZE`: the mean of the last hidden layer of Whisper's encoder, by CTranslate2, without PyTorch.

| name              | model                        | D   |
|-------------------|------------------------------|-----|
| `whisper:tiny.en` | English, 8 million weights   | 384 |
| `whisper:base`    | 99 languages, 20 million     | 512 |

The weights are those of speech recognition (extra `speech`), in packages whose files are checked by SHA-256, so that a
name always stands for the same features. `speech:MODEL` runs other models of Whisper with PyTorch.

The published program pads all sound to 30 seconds. Here the encoder reads the sound of the utterance alone: its
attention has no silence to read, and an utterance of 2.5 seconds takes a twentieth of the time. See docs/audio.md for
how much the features differ.

References:
    A. Radford et al., "Robust speech recognition via large-scale weak supervision", arXiv 2212.04356.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.audio_speech import mean_over_frames
from sdt.encoders.encoder import Encoded, Progress, Source, encode_each
from sdt.errors import InputError, MissingDependencyError, describe_error, near_miss
from sdt.media.audio import Samples
from sdt.packaged_weights import WHISPER

RATE = 16000
"""Samples per second of the model."""


class Whisper:
    """The feature encoder `whisper:SIZE`, on one core of the CPU in float32.

    Args:
        name: `whisper:` and a name of `WHISPER`.

    Raises:
        InputError: The model is unknown, or its files are damaged.
        MissingDependencyError: faster-whisper or the package with the weights is not installed.
    """

    modality = "audio"
    licence_note = None

    def __init__(self, name: str) -> None:
        size = name.partition(":")[2]
        if size not in WHISPER:
            raise InputError(f"feature encoder {name!r}: unknown model{near_miss(size, WHISPER)}")
        weights = WHISPER[size]
        try:
            import ctranslate2
            from faster_whisper.feature_extractor import FeatureExtractor
        except ImportError:
            raise MissingDependencyError(
                f"feature encoder {name!r}: faster-whisper is not installed; "
                "install it with: pip install 'sdt-erc[speech]'"
            ) from None
        files = {file: io.BytesIO(content) for file, content in weights.read(f"feature encoder {name!r}").items()}
        try:
            self._model: Any = ctranslate2.models.Whisper(
                size, device="cpu", compute_type="float32", intra_threads=1, files=files
            )
        except (RuntimeError, ValueError) as error:
            raise InputError(f"feature encoder {name!r}: cannot be loaded ({describe_error(error)})") from None
        self._to_array: Any = ctranslate2.StorageView.from_array
        self._mel: Any = FeatureExtractor()
        self.name = name
        self.width = self.hidden(np.zeros(RATE, dtype=np.float32)).shape[1]

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the sound of n utterances."""
        return encode_each(sources, self.width, lambda clip: mean_over_frames(clip, RATE, self.hidden), progress)

    def hidden(self, samples: Samples) -> npt.NDArray[np.float32]:
        """The frames of the last layer, 50 a second: [T, D]."""
        mel = np.ascontiguousarray(self._mel(samples, padding=0)[None], dtype=np.float32)  # [1, 80, 2T]
        frames: npt.NDArray[np.float32] = np.array(self._model.encode(self._to_array(mel), to_cpu=True))[0]
        return frames
