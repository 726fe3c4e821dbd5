"""The interface of face detectors, and the alignment of the faces that they detect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt

from sdt.errors import MissingDependencyError

Picture = npt.NDArray[np.uint8]
"""[height, width, 3], RGB."""
Points = npt.NDArray[np.float64]
"""[2, 2] x and y of the left and the right eye, as seen in the picture."""

SAME_FACE = 0.3
"""Two boxes of a picture with at least this overlap are the same face."""
EYES_IN_BOX: Points = np.array([[0.31, 0.39], [0.69, 0.39]])
"""The default eyes in the box, in units of its side."""
EYES_IN_CROP: Points = np.array([[0.3, 0.36], [0.7, 0.36]])
"""The eyes in an aligned crop, in units of its side; the brows are at 0.23, the mouth at 0.77, the chin at the edge."""


@dataclass(frozen=True)
class Box:
    """A square in a picture, in pixels."""

    x: float
    y: float
    side: float

    def overlap(self, other: Box) -> float:
        """Intersection over union, from 0 to 1."""
        width = min(self.x + self.side, other.x + other.side) - max(self.x, other.x)
        height = min(self.y + self.side, other.y + other.side) - max(self.y, other.y)
        if width <= 0 or height <= 0:
            return 0.0
        return width * height / (self.side**2 + other.side**2 - width * height)


@dataclass(frozen=True)
class DetectedFace:
    """A detected face in a picture."""

    box: Box
    frontal: bool
    """Whether the face is seen from the front; otherwise it is a profile."""
    eyes: Points | None
    """The eyes in units of the side of the box, from its corner; None if no plausible pair was detected."""


class FaceDetector(ABC):
    """Detects faces in pictures and cuts them out; several threads can use it."""

    def __init__(self) -> None:
        self._cv2 = opencv()

    @abstractmethod
    def detect(self, picture: Picture, known: Sequence[DetectedFace] = ()) -> list[DetectedFace]:
        """Detect the faces of a picture, from left to right.

        Args:
            picture: [height, width, 3].
            known: Faces of the picture from `track`, which are part of the result.
        """

    @abstractmethod
    def track(self, picture: Picture, faces: Sequence[DetectedFace]) -> list[DetectedFace | None]:
        """Detect faces near their positions in the previous frame, which is several times faster than `detect`.

        Returns:
            The faces in this order; None for a face that is not found.
        """

    def crop(self, picture: Picture, face: DetectedFace, eyes: Points | None, size: int) -> Picture:
        """Cut out a face with level eyes at a fixed position; beyond the picture, its border is repeated.

        Args:
            picture: [height, width, 3].
            face: A face of the picture.
            eyes: The eyes in units of the side of the box; None uses `EYES_IN_BOX`, and the box of a profile as it is.
            size: The side of the crop in pixels.

        Returns:
            [size, size, 3], RGB.
        """
        cv2 = self._cv2
        corner = np.array([face.box.x, face.box.y])
        target = EYES_IN_CROP if face.frontal or eyes is not None else EYES_IN_BOX
        source = EYES_IN_BOX if eyes is None else _with_default_distance(eyes)
        transform = _similarity(corner + source * face.box.side, target * size)
        # Large faces are reduced first, because sampling them at few points would cause aliasing.
        shrinking = float(np.hypot(transform[0, 0], transform[0, 1]))
        if shrinking < 0.5:
            # A crop extends beyond the box by at most its side.
            left, top = (max(0, int(edge - face.box.side)) for edge in corner)
            right, bottom = (int(edge + 2 * face.box.side) for edge in corner)
            transform[:, 2] += transform[:, :2] @ [left, top]
            picture, transform = _reduce(cv2, picture[top:bottom, left:right], transform, shrinking)
        crop: Picture = cv2.warpAffine(
            picture, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return crop


def opencv() -> ModuleType:
    """The module `cv2`.

    Raises:
        MissingDependencyError: OpenCV is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise MissingDependencyError(
            "visual features: OpenCV is not installed; install it with: pip install 'sdt-erc[media]'"
        ) from None
    return cv2


def _with_default_distance(eyes: Points) -> Points:
    """Set the distance of a pair to the default, because the distance of the eyes varies with the yaw of the head."""
    middle, apart = eyes.mean(axis=0), eyes[1] - eyes[0]
    half = apart / np.hypot(*apart) * (EYES_IN_BOX[1, 0] - EYES_IN_BOX[0, 0]) / 2
    return np.array([middle - half, middle + half])


def _similarity(source: Points, target: Points) -> npt.NDArray[np.float64]:
    """The similarity transform [2, 3] that maps two points to two points (as complex numbers, z -> a z + b)."""
    start, end = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    a = (end[1] - end[0]) / (start[1] - start[0])
    b = end[0] - a * start[0]
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _reduce(
    cv2: ModuleType, picture: Picture, transform: npt.NDArray[np.float64], shrinking: float
) -> tuple[Picture, npt.NDArray[np.float64]]:
    """Reduce a picture by averaging; also return the remaining transform."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * shrinking)), max(1, round(height * shrinking)))
    rest = transform.copy()
    rest[:, 0] *= width / size[0]
    rest[:, 1] *= height / size[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), rest
