"""Puppets' faces, and films of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sdt.conversation import Utterance
from sdt.encoders.encoder import Source
from sdt.media.clip import Clip
from sdt.puppets.expressions import Expression
from sdt.puppets.face import Look, draw_face
from tests.encoders.clips import RATE, write_clip

Picture = npt.NDArray[np.uint8]
BACKGROUND = (90, 110, 130)
PER_SECOND = 16
"""Pictures per second of the films."""


@functools.cache
def face(side: int, mouth: float = 0.0, smile: float = 0.0, brows: float = 0.0) -> Picture:
    """A face [side, side, 3]: `mouth` from closed 0 to open 1, `smile` from 0 to 1, `brows` raised by up to 1."""
    shown = Expression(inner_brow=brows, outer_brow=brows, corners=smile, jaw=max(mouth, 0.25 * smile))
    drawn = draw_face(Look(), shown, side)
    share = drawn[..., 3:] / 255
    sharp = np.rint(share * drawn[..., :3] + (1 - share) * BACKGROUND).astype(np.uint8)
    return np.asarray(cv2.GaussianBlur(sharp, (0, 0), 0.006 * side), dtype=np.uint8)


def scene(*placed: tuple[Picture, int, int], height: int = 240, width: int = 320) -> Picture:
    """A picture with faces, each with the x and y of its upper left corner, before a wall that is lit from the left."""
    light = np.linspace(1.6, 0.2, width)[None, :, None] * np.linspace(1.0, 0.6, height)[:, None, None]
    picture = np.asarray(light * np.array(BACKGROUND), dtype=np.uint8)
    for one, x, y in placed:
        picture[y : y + one.shape[0], x : x + one.shape[1]] = one
    return picture


def film(
    path: Path,
    picture_at: Callable[[float], Picture],
    seconds: float = 2.0,
    samples: npt.NDArray[np.float32] | None = None,
) -> Clip:
    """Write a film whose picture is a function of time."""
    pictures = [picture_at(k / PER_SECOND) for k in range(round(seconds * PER_SECOND))]
    return Clip(write_clip(path, samples, pictures=pictures, per_second=PER_SECOND))


def bursts(
    loud: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]], seconds: float
) -> npt.NDArray[np.float32]:
    """Noise [1, n] whose loudness, from 0 to 1, is a function of time."""
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(times))
    return np.asarray(0.2 * noise * loud(times), dtype=np.float32)[None]


def source(clip: Clip | None, utterance: str = "utt0") -> Source:
    """An utterance with this clip."""
    return Source("dia0", Utterance(utterance, "Joey"), clip)
