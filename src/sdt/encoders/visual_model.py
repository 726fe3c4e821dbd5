"""The visual encoder `face-model:MODEL`: a Hugging Face image encoder of the speaker's face.

`MODEL` is a folder on this machine or a pinned revision on the hub; see `sdt.encoders.pretrained`. Settings precede it:
`face-model:speaking,fps=8:MODEL`. All image encoders of the library are supported: ViT, BEiT, Swin, ConvNeXt, ...

The last hidden state is pooled over the picture (the class token if the model has one, otherwise the mean), and then
over the frames. The preprocessing of the model is implemented here, following its `preprocessor_config.json`, so that
only OpenCV is required and the face can be cut out at the size of the model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.encoder import Encoded, Progress, Source, Vector
from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.faces import SpeakerFace
from sdt.encoders.pretrained import find_model
from sdt.encoders.visual import encode_speakers
from sdt.errors import InputError

BATCH = 32
"""The number of faces in a batch."""
LARGEST_SIDE = 1024
"""The largest side of a picture in pixels; published face models use at most 518."""


@dataclass(frozen=True)
class Preprocessing:
    """The settings of `preprocessor_config.json`."""

    resized: int
    """The side of the picture in pixels before the centre crop."""
    size: int
    """The side of the input of the model in pixels."""
    scale: float
    """The factor of the pixel values."""
    mean: npt.NDArray[np.float32]
    """[3]."""
    deviation: npt.NDArray[np.float32]
    """[3]."""

    @classmethod
    def read(cls, path: Path) -> Preprocessing:
        """Read `preprocessor_config.json`.

        Raises:
            InputError: The file is missing or invalid.
        """
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            resized = _side(config["size"])
            size = _side(config["crop_size"]) if config.get("do_center_crop") else resized
            # ConvNeXt: resized to size / crop_pct, and the centre cropped, below 384 pixels.
            if config.get("crop_pct") and "shortest_edge" in config["size"] and size < 384:
                resized = round(size / float(config["crop_pct"]))
            scale = float(config.get("rescale_factor", 1 / 255)) if config.get("do_rescale", True) else 1.0
            normalised = config.get("do_normalize", True)
            mean = np.array(config["image_mean"] if normalised else [0.0] * 3, dtype=np.float32)
            deviation = np.array(config["image_std"] if normalised else [1.0] * 3, dtype=np.float32)
            if not (1 <= size <= resized <= LARGEST_SIDE and mean.shape == deviation.shape == (3,) and deviation.all()):
                raise ValueError(f"{resized} and {size} pixels, mean {mean}, deviation {deviation}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: missing or invalid ({type(error).__name__}: {error}); it must contain 'size', 'image_mean' "
                "and 'image_std', as the files of Hugging Face's image processors do"
            ) from None
        return cls(resized, size, scale, mean, deviation)

    def apply(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Convert RGB crops [F, resized, resized, 3] to the input of the model, [F, 3, size, size]."""
        edge = (self.resized - self.size) // 2
        middle = crops[:, edge : edge + self.size, edge : edge + self.size].astype(np.float32)
        normalised = (middle * self.scale - self.mean) / self.deviation
        return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), dtype=np.float32)


class FaceModel:
    """The feature encoder `face-model:MODEL`."""

    modality = "visual"
    licence_note = None

    def __init__(self, name: str) -> None:
        settings = name.partition(":")[2]
        head, colon, rest = settings.partition(":")
        # The path of a folder can contain a colon, so that only a valid list of settings is one.
        has_settings = bool(colon) and all(map(FaceSettings.is_setting, head.split(",")))
        self._settings = FaceSettings.parse(head if has_settings else "", encoder="face-model")
        model = rest if has_settings else settings
        folder, self._model, model = find_model("face-model", model)
        self.name = ":".join(filter(None, ["face-model", str(self._settings), model]))
        self._preprocessing = Preprocessing.read(folder / "preprocessor_config.json")
        blank = np.zeros((1, self._preprocessing.resized, self._preprocessing.resized, 3), dtype=np.uint8)
        try:
            self.width = int(self._hidden(blank).shape[1])
        except Exception as error:  # a model of sound or text, or another input size
            raise InputError(
                f"feature encoder {self.name!r}: the model cannot process pictures of {self._preprocessing.size} "
                f"pixels, the size in its preprocessor_config.json ({' '.join(str(error).split())[:200]})"
            ) from None

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the clips of n utterances; an utterance without a face in view is missing."""
        return encode_speakers(
            sources, self._settings, self._preprocessing.resized, self.width, self._describe, progress
        )

    def _describe(self, speaker: SpeakerFace) -> Vector:
        crops = np.stack([face.crop for face in speaker.faces])
        hidden = [self._hidden(crops[first : first + BATCH]) for first in range(0, len(crops), BATCH)]
        pooled: Vector = np.concatenate(hidden).mean(axis=0)
        return pooled

    def _hidden(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The pooled last hidden state of each face: [F, D]."""
        import torch

        pictures = torch.from_numpy(self._preprocessing.apply(crops)).to(next(self._model.parameters()).device)
        with torch.inference_mode():
            state = self._model(pixel_values=pictures).last_hidden_state  # [F, tokens, D] or [F, D, height, width]
        if state.ndim == 4:
            state = state.mean(dim=(2, 3))
        else:
            state = state[:, 0] if _has_class_token(self._model) else state.mean(dim=1)
        hidden: npt.NDArray[np.float32] = state.float().cpu().numpy()
        return hidden


def _has_class_token(model: Any) -> bool:  # noqa: ANN401
    return any(name.rpartition(".")[2] == "cls_token" for name, _ in model.named_parameters())


def _side(size: Any) -> int:  # noqa: ANN401 - untrusted JSON
    """The side in pixels, from any of the formats that the image processors of the library have used."""
    if isinstance(size, int):
        return size
    return int(size["height"] if "height" in size else size["shortest_edge"])
