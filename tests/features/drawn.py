"""Drawn faces that the cascades take for real ones, and films of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from sdt.conversation import Utterance
from sdt.features.encoder import Source
from sdt.features.media import Clip
from tests.features.clips import RATE, write_clip

Picture = npt.NDArray[np.uint8]
BACKGROUND = (90, 110, 130)
PER_SECOND = 16
"""Pictures per second of the films."""


@functools.cache
def face(side: int, mouth: float = 0.0, smile: float = 0.0, brows: float = 0.0) -> Picture:
    """A face [side, side, 3]: `mouth` from closed 0 to open 1, `smile` from 0 to 1, `brows` raised by up to 1."""
    picture = np.full((side, side, 3), BACKGROUND, dtype=np.uint8)

    def blob(x: float, y: float, width: float, height: float, colour: tuple[int, int, int]) -> None:
        centre, axes = (int(x * side), int(y * side)), (max(1, int(width * side)), max(1, int(height * side)))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)

    hair, skin, shade, socket = (50, 35, 25), (225, 180, 150), (194, 155, 129), (162, 130, 108)
    blob(0.5, 0.42, 0.33, 0.4, hair)
    blob(0.5, 0.5, 0.29, 0.38, skin)
    for left_or_right in (-1, 1):
        blob(0.5 + 0.125 * left_or_right, 0.42, 0.085, 0.05, socket)
        blob(0.5 + 0.125 * left_or_right, 0.425, 0.055, 0.025, (245, 245, 245))
        blob(0.5 + 0.125 * left_or_right, 0.425, 0.026, 0.026, (40, 30, 30))
        blob(0.5 + 0.125 * left_or_right, 0.355 - 0.05 * brows, 0.08, 0.02, hair)
        blob(0.5 + 0.05 * left_or_right, 0.6, 0.018, 0.012, socket)
    blob(0.5, 0.56, 0.06, 0.05, shade)
    picture[:] = cv2.GaussianBlur(picture, (0, 0), 0.012 * side)
    if smile:
        blob(0.5, 0.7, 0.1 + 0.03 * smile, 0.02 + 0.04 * smile, (120, 50, 55))
        blob(0.5, 0.7 - 0.03 * smile, 0.1 + 0.03 * smile, 0.03 * smile, skin)
    else:
        blob(0.5, 0.72, 0.1, 0.02 + 0.05 * mouth, (120, 50, 55))
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.006 * side), dtype=np.uint8)


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
