"""Faces in one picture: found by OpenCV's Haar cascades, eyes put level, cut out at a fixed size.

The cascades come with the package `opencv-python-headless` (Viola and Jones, "Rapid object detection using a boosted
cascade of simple features", CVPR 2001): nothing is fetched and nothing is learned here. They are small and old: a head
tilted by more than about 20 degrees or turned away is missed, which the tracks in `sdt.encoders.faces` bridge.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.errors import MissingDependencyError

Picture = npt.NDArray[np.uint8]
"""[height, width, 3], RGB."""
Grey = npt.NDArray[np.uint8]
"""[height, width]."""
Points = npt.NDArray[np.float64]
"""[2, 2]: x and y of the eye at the left of the picture, then of the other."""

SEARCHED_SIDE = 480
"""Pixels: pictures whose longer side is longer are made smaller before the search; four times cheaper than 1280."""
SECOND_SEARCHED_SIDE = 320
"""The same for the second cascade and for faces seen from the side: three more searches where nobody is in view."""
SEARCH_STEP = 1.2
"""Ratio of the sizes looked for; 1.1 takes twice as long and, with the second cascade to help out, finds no more."""
SMALLEST_FACE = 1 / 16
"""The smallest face looked for, as a share of the longer side: 30 pixels of 480."""
SAME_FACE = 0.3
"""Overlap of two boxes in a picture from which they are one face."""
EYES_IN_BOX: Points = np.array([[0.31, 0.39], [0.69, 0.39]])
"""Where the eyes are in a frontal cascade's box, in units of its side, when they cannot be found."""
EYES_IN_CROP: Points = np.array([[0.3, 0.36], [0.7, 0.36]])
"""Where the eyes are put in the crop, in units of its side: brows at 0.23, mouth at 0.77, chin just inside."""
REFINED_SIDE = 80
"""Pixels: side of the face box when it is looked for a second time, in small steps."""
REFINED_MARGIN = 0.2
"""How far around its first box it is looked for, in units of the box' side."""
FOLLOWED_MARGIN = 0.3
"""The same around the box of a moment before: heads move."""
EYE_SEARCH_SIDE = 100
"""Pixels: side of the face box in which eyes are looked for; 120 finds no more and takes half as long again."""
LARGEST_ROLL = 0.45
"""Radians (26 degrees): beyond that the cascades find no face, so such eyes are nostrils or brows."""


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
class FoundFace:
    """A face in a picture."""

    box: Box
    frontal: bool
    """False: found by the profile cascade alone."""
    eyes: Points | None
    """In units of the box' side from its corner; None where no plausible pair was found."""


class FaceFinder:
    """Finds faces and cuts them out. Every thread gets its own cascades, since OpenCV's are not safe to share."""

    def __init__(self) -> None:
        self._cv2 = opencv()
        self._of_thread = threading.local()

    def find(self, picture: Picture, known: Sequence[FoundFace] = ()) -> list[FoundFace]:
        """Find the faces of a picture, from left to right.

        Only where the first cascade and `known` see nothing are the others asked: they are the less certain ones.

        Args:
            picture: [height, width, 3].
            known: Faces in it that `follow` has found; they are among those returned.
        """
        grey = self._grey(picture)
        boxes = self._search("frontalface_alt2", grey, SEARCHED_SIDE, neighbours=3)
        if not boxes and not known:
            boxes = self._search("frontalface_default", grey, SECOND_SEARCHED_SIDE, neighbours=4)
        frontal = bool(boxes or known)
        faces = list(known)
        for box in boxes if frontal else self._profiles(grey):
            if all(box.overlap(face.box) < SAME_FACE for face in known):
                box = (self._refined(grey, box, REFINED_MARGIN) or box) if frontal else box
                faces.append(FoundFace(box, frontal, self._eyes(grey, box) if frontal else None))
        return sorted(faces, key=lambda face: (face.box.x, face.box.y, face.box.side))

    def follow(self, picture: Picture, faces: Sequence[FoundFace]) -> list[FoundFace | None]:
        """Find faces again near where they were a moment ago: several times cheaper than looking everywhere.

        Returns:
            Each of the faces, in this order; None where it was not frontal, or is not there (any more).
        """
        grey = self._grey(picture)
        found: list[FoundFace | None] = []
        for face in faces:
            box = self._refined(grey, face.box, FOLLOWED_MARGIN) if face.frontal else None
            taken = box and any(other and box.overlap(other.box) >= SAME_FACE for other in found)
            found.append(None if box is None or taken else FoundFace(box, True, self._eyes(grey, box)))
        return found

    def crop(self, picture: Picture, face: FoundFace, eyes: Points | None, size: int) -> Picture:
        """Cut out a face, its eyes level and at a fixed place; what lies beyond the picture repeats its border.

        Args:
            picture: [height, width, 3].
            face: A face in it.
            eyes: In units of the box' side; None puts them where they usually are (and keeps a profile's box).
            size: Side of the crop in pixels.

        Returns:
            [size, size, 3], RGB.
        """
        cv2 = self._cv2
        corner = np.array([face.box.x, face.box.y])
        target = EYES_IN_CROP if face.frontal or eyes is not None else EYES_IN_BOX
        source = EYES_IN_BOX if eyes is None else _at_usual_distance(eyes)
        transform = _similarity(corner + source * face.box.side, target * size)
        # Sampling a large face at few points would show its pores as noise.
        shrinking = float(np.hypot(transform[0, 0], transform[0, 1]))
        if shrinking < 0.5:
            # No crop reaches further than a box' side beyond the box.
            left, top = (max(0, int(edge - face.box.side)) for edge in corner)
            right, bottom = (int(edge + 2 * face.box.side) for edge in corner)
            transform[:, 2] += transform[:, :2] @ [left, top]
            picture, transform = _reduced(cv2, picture[top:bottom, left:right], transform, shrinking)
        crop: Picture = cv2.warpAffine(
            picture, transform, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return crop

    def _cascade(self, name: str) -> Any:  # noqa: ANN401 - OpenCV's classes are only known once it is imported
        cascades: dict[str, Any] = self._of_thread.__dict__.setdefault("cascades", {})
        if name not in cascades:
            cascades[name] = self._cv2.CascadeClassifier(f"{self._cv2.data.haarcascades}haarcascade_{name}.xml")
        return cascades[name]

    def _grey(self, picture: Picture) -> Grey:
        grey: Grey = self._cv2.cvtColor(picture, self._cv2.COLOR_RGB2GRAY)
        return grey

    def _resized(self, grey: Grey, scale: float) -> Grey:
        resized: Grey = self._cv2.resize(grey, None, fx=scale, fy=scale, interpolation=self._cv2.INTER_AREA)
        return resized

    def _search(self, name: str, grey: Grey, searched_side: int, neighbours: int) -> list[Box]:
        scale = min(1.0, searched_side / max(grey.shape))
        small = self._resized(grey, scale) if scale < 1 else grey
        smallest = max(24, round(SMALLEST_FACE * max(small.shape)))
        found = self._cascade(name).detectMultiScale(
            small, scaleFactor=SEARCH_STEP, minNeighbors=neighbours, minSize=(smallest, smallest)
        )
        return [Box(float(x) / scale, float(y) / scale, float(side) / scale) for x, y, side, _ in found]

    def _profiles(self, grey: Grey) -> list[Box]:
        """The profile cascade knows faces that look to the left; the mirrored picture shows it the others."""
        boxes = self._search("profileface", grey, SECOND_SEARCHED_SIDE, neighbours=4)
        mirrored = np.ascontiguousarray(grey[:, ::-1])
        for box in self._search("profileface", mirrored, SECOND_SEARCHED_SIDE, neighbours=4):
            back = Box(grey.shape[1] - box.x - box.side, box.y, box.side)
            if all(back.overlap(known) < SAME_FACE for known in boxes):
                boxes.append(back)
        return boxes

    def _refined(self, grey: Grey, box: Box, margin: float) -> Box | None:
        """The box again from a search in small steps around it: the coarse one trembles by several per cent."""
        left, top = (max(0, round(corner - margin * box.side)) for corner in (box.x, box.y))
        side = round((1 + 2 * margin) * box.side)
        around = grey[top : top + side, left : left + side]
        scale = REFINED_SIDE / box.side
        around = self._resized(around, scale)
        smallest, largest = round(0.8 * REFINED_SIDE), round(1.25 * REFINED_SIDE)
        found = self._cascade("frontalface_alt2").detectMultiScale(
            around, scaleFactor=1.03, minNeighbors=5, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        again = [Box(left + float(fx) / scale, top + float(fy) / scale, float(fs) / scale) for fx, fy, fs, _ in found]
        return max([one for one in again if one.overlap(box) >= SAME_FACE], key=box.overlap, default=None)

    def _eyes(self, grey: Grey, box: Box) -> Points | None:
        """The best pair of eyes in the upper part of a face, each looked for in its own half."""
        x, y, side = round(box.x), round(box.y), round(box.side)
        upper = grey[y + round(0.15 * side) : y + round(0.6 * side), x : x + side]
        scale = EYE_SEARCH_SIDE / side
        upper = self._resized(upper, scale)
        found = self._cascade("eye").detectMultiScale(
            upper, scaleFactor=1.1, minNeighbors=2, minSize=(18, 18), maxSize=(40, 40)
        )
        centres = [
            ((ex + ew / 2) / EYE_SEARCH_SIDE, (ey + eh / 2) / EYE_SEARCH_SIDE + 0.15) for ex, ey, ew, eh in found
        ]
        pairs = [np.array([left, right]) for left in centres for right in centres if left[0] < 0.5 <= right[0]]
        plausible = [pair for pair in pairs if _plausible(pair)]
        if not plausible:
            return None
        return min(plausible, key=lambda pair: float(np.abs(pair - EYES_IN_BOX).sum()))


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


def _plausible(eyes: Points) -> bool:
    apart, down = eyes[1] - eyes[0]
    heights_fit = bool((np.abs(eyes[:, 1] - EYES_IN_BOX[:, 1]) < 0.12).all())
    return heights_fit and 0.27 <= apart <= 0.52 and abs(np.arctan2(down, apart)) < LARGEST_ROLL


def _at_usual_distance(eyes: Points) -> Points:
    """The pair's middle and slope kept, its distance not: a head that turns brings its eyes nearer, not its face."""
    middle, apart = eyes.mean(axis=0), eyes[1] - eyes[0]
    half = apart / np.hypot(*apart) * (EYES_IN_BOX[1, 0] - EYES_IN_BOX[0, 0]) / 2
    return np.array([middle - half, middle + half])


def _similarity(source: Points, target: Points) -> npt.NDArray[np.float64]:
    """The turn, scaling and shift [2, 3] that takes two points to two points (complex: z -> a z + b)."""
    start, end = source @ np.array([1, 1j]), target @ np.array([1, 1j])
    a = (end[1] - end[0]) / (start[1] - start[0])
    b = end[0] - a * start[0]
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def _reduced(
    cv2: ModuleType, picture: Picture, transform: npt.NDArray[np.float64], shrinking: float
) -> tuple[Picture, npt.NDArray[np.float64]]:
    """A smaller picture by averaging, and the transform that does the rest from it."""
    height, width = picture.shape[:2]
    size = (max(1, round(width * shrinking)), max(1, round(height * shrinking)))
    rest = transform.copy()
    rest[:, 0] *= width / size[0]
    rest[:, 1] *= height / size[1]
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), rest
