"""The visual encoder `face-model:MODEL`: a Hugging Face facial-expression model looks at the speaker's face.

`MODEL` is a folder on this machine or a pinned revision on the hub, as `sdt.encoders.pretrained` says. Settings go
between: `face-model:speaking,fps=8:MODEL`. Any image encoder of the library will do: ViT, BEiT, Swin, ConvNeXt, ...
Its last hidden state is pooled over the picture (the class token where the model has one, else the mean) and then
over the pictures. What the model's preprocessor would do is done here, as its file says, so that nothing but OpenCV
is needed; the face is cut out at the very size that the model takes.
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
from sdt.encoders.faces import FaceSettings, SpeakerFace
from sdt.encoders.pretrained import find_model
from sdt.encoders.visual import encode_speakers
from sdt.errors import InputError

BATCH = 32
"""Faces in one pass."""
LARGEST_SIDE = 1024
"""Pixels; no published face model looks at more than 518."""


@dataclass(frozen=True)
class Preprocessing:
    """What `preprocessor_config.json` asks for."""

    resized: int
    """Side of the picture, in pixels, before its middle is cut out."""
    size: int
    """Side of what the model sees, in pixels."""
    scale: float
    mean: npt.NDArray[np.float32]
    """[3]"""
    deviation: npt.NDArray[np.float32]
    """[3]"""

    @classmethod
    def read(cls, path: Path) -> Preprocessing:
        """Read `preprocessor_config.json`.

        Raises:
            InputError: The file is missing or says nothing that can be followed.
        """
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            resized = _side(said["size"])
            size = _side(said["crop_size"]) if said.get("do_center_crop") else resized
            # ConvNeXt's way of saying it: resized to size / crop_pct, and the middle cut out, below 384 pixels.
            if said.get("crop_pct") and "shortest_edge" in said["size"] and size < 384:
                resized = round(size / float(said["crop_pct"]))
            scale = float(said.get("rescale_factor", 1 / 255)) if said.get("do_rescale", True) else 1.0
            normalised = said.get("do_normalize", True)
            mean = np.array(said["image_mean"] if normalised else [0.0] * 3, dtype=np.float32)
            deviation = np.array(said["image_std"] if normalised else [1.0] * 3, dtype=np.float32)
            if not (1 <= size <= resized <= LARGEST_SIDE and mean.shape == deviation.shape == (3,) and deviation.all()):
                raise ValueError(f"{resized} and {size} pixels, mean {mean}, deviation {deviation}")
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"{path}: cannot be followed ({type(error).__name__}: {error}); it has to give 'size', 'image_mean' "
                "and 'image_std' as Hugging Face's image processors do"
            ) from None
        return cls(resized, size, scale, mean, deviation)

    def apply(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """From RGB crops [F, resized, resized, 3] to what the model takes, [F, 3, size, size]."""
        edge = (self.resized - self.size) // 2
        middle = crops[:, edge : edge + self.size, edge : edge + self.size].astype(np.float32)
        normalised = (middle * self.scale - self.mean) / self.deviation
        return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2), dtype=np.float32)


class FaceModel:
    """Describes the speaker's face by a trained image model."""

    modality = "visual"
    licence_note = None

    def __init__(self, name: str) -> None:
        settings = name.partition(":")[2]
        head, colon, rest = settings.partition(":")
        # A folder's path may hold a colon: only what reads as settings is taken for settings.
        has_settings = bool(colon) and all(part == "speaking" or part.startswith("fps=") for part in head.split(","))
        self._settings = FaceSettings.parse(head if has_settings else "", encoder="face-model")
        model = rest if has_settings else settings
        folder, self._model, model = find_model("face-model", model)
        self.name = ":".join(filter(None, ["face-model", str(self._settings), model]))
        self._preprocessing = Preprocessing.read(folder / "preprocessor_config.json")
        blank = np.zeros((1, self._preprocessing.resized, self._preprocessing.resized, 3), dtype=np.uint8)
        try:
            self.width = int(self._hidden(blank).shape[1])
        except Exception as error:  # a model of sound or text, or a size that is not the model's
            raise InputError(
                f"feature encoder {self.name!r}: the model cannot look at a picture of {self._preprocessing.size} "
                f"pixels as its preprocessor_config.json makes them ({' '.join(str(error).split())[:200]})"
            ) from None

    def encode(self, sources: Sequence[Source], progress: Progress | None = None) -> Encoded:
        """Encode the clips of n utterances; one without a face in view is missing."""
        return encode_speakers(
            sources, self._settings, self._preprocessing.resized, self.width, self._describe, progress
        )

    def _describe(self, speaker: SpeakerFace) -> Vector:
        crops = np.stack([face.crop for face in speaker.faces])
        hidden = [self._hidden(crops[first : first + BATCH]) for first in range(0, len(crops), BATCH)]
        pooled: Vector = np.concatenate(hidden).mean(axis=0)
        return pooled

    def _hidden(self, crops: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The model's view of faces: [F, D]."""
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


def _side(size: Any) -> int:  # noqa: ANN401 - whatever a file says
    """Pixels, from the ways of saying it that the library's image processors have had over time."""
    if isinstance(size, int):
        return size
    return int(size["height"] if "height" in size else size["shortest_edge"])
