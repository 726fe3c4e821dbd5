"""Face detection by OpenCV's Haar cascades.

The cascades are part of the package `opencv-python-headless`, so that nothing is downloaded. They miss heads that are
tilted by more than about 20 degrees or turned away; the tracks of `sdt.encoders.faces` bridge such gaps.

References:
    P. Viola and M. Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.visual_detect import EYES_IN_BOX, SAME_FACE, Box, DetectedFace, FaceDetector, Picture, Points

Grey = npt.NDArray[np.uint8]
"""[height, width]."""

SEARCHED_SIDE = 480
"""Larger pictures are reduced to this longer side in pixels before the search; four times faster than 1280."""
SECOND_SEARCHED_SIDE = 320
"""The same for the second frontal cascade and the profile cascade, which search pictures without a frontal face."""
SEARCH_STEP = 1.2
"""The ratio of consecutive face sizes in the search; 1.1 takes twice as long and finds no more faces."""
SMALLEST_FACE = 1 / 16
"""The smallest face as a fraction of the longer side: 30 of 480 pixels."""
REFINED_SIDE = 80
"""The side of the face box in pixels in the second search, which uses small steps."""
REFINED_MARGIN = 0.2
"""The margin of the second search around the first box, in units of its side."""
FOLLOWED_MARGIN = 0.3
"""The margin of the search around the box of the previous frame, in units of its side."""
EYE_SEARCH_SIDE = 100
"""The side of the face box in pixels in the search for eyes; 120 takes 50 % longer and finds no more."""
LARGEST_ROLL = 0.45
"""The largest roll of the head in radians (26 degrees). The cascades find no face beyond it, so that such eyes are
false positives."""


class CascadeDetector(FaceDetector):
    """Detects faces by cascades. Each thread has its own, because OpenCV's are not thread-safe."""

    def __init__(self) -> None:
        super().__init__()
        self._of_thread = threading.local()

    def detect(self, picture: Picture, known: Sequence[DetectedFace] = ()) -> list[DetectedFace]:
        """Detect the faces of a picture, from left to right.

        The other cascades, which are less reliable, are used only if the first cascade and `known` have no face.

        Args:
            picture: [height, width, 3].
            known: Faces of the picture from `track`, which are part of the result.
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
                faces.append(DetectedFace(box, frontal, self._eyes(grey, box) if frontal else None))
        return sorted(faces, key=lambda face: (face.box.x, face.box.y, face.box.side))

    def track(self, picture: Picture, faces: Sequence[DetectedFace]) -> list[DetectedFace | None]:
        """Detect faces near their positions in the previous frame, which is several times faster than `detect`.

        Returns:
            The faces in this order; None for a face that was not frontal, or is not found.
        """
        grey = self._grey(picture)
        found: list[DetectedFace | None] = []
        for face in faces:
            box = self._refined(grey, face.box, FOLLOWED_MARGIN) if face.frontal else None
            taken = box and any(other and box.overlap(other.box) >= SAME_FACE for other in found)
            found.append(None if box is None or taken else DetectedFace(box, True, self._eyes(grey, box)))
        return found

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
        """Detect profiles. The cascade detects faces that look to the left; the mirrored picture has the others."""
        boxes = self._search("profileface", grey, SECOND_SEARCHED_SIDE, neighbours=4)
        mirrored = np.ascontiguousarray(grey[:, ::-1])
        for box in self._search("profileface", mirrored, SECOND_SEARCHED_SIDE, neighbours=4):
            back = Box(grey.shape[1] - box.x - box.side, box.y, box.side)
            if all(back.overlap(known) < SAME_FACE for known in boxes):
                boxes.append(back)
        return boxes

    def _refined(self, grey: Grey, box: Box, margin: float) -> Box | None:
        """Search around a box in small steps, because boxes of the coarse search vary by several percent."""
        left, top = (max(0, round(corner - margin * box.side)) for corner in (box.x, box.y))
        side = round((1 + 2 * margin) * box.side)
        around = grey[top : top + side, left : left + side]
        scale = REFINED_SIDE / box.side
        around = self._resized(around, scale)
        smallest, largest = round(0.8 * REFINED_SIDE), round(1.25 * REFINED_SIDE)
        found = self._cascade("frontalface_alt2").detectMultiScale(
            around, scaleFactor=1.03, minNeighbors=5, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        boxes = [Box(left + float(fx) / scale, top + float(fy) / scale, float(fs) / scale) for fx, fy, fs, _ in found]
        return max([one for one in boxes if one.overlap(box) >= SAME_FACE], key=box.overlap, default=None)

    def _eyes(self, grey: Grey, box: Box) -> Points | None:
        """Detect the most plausible pair of eyes in the upper part of a face, one eye in each half."""
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


def _plausible(eyes: Points) -> bool:
    apart, down = eyes[1] - eyes[0]
    heights_fit = bool((np.abs(eyes[:, 1] - EYES_IN_BOX[:, 1]) < 0.12).all())
    return heights_fit and 0.27 <= apart <= 0.52 and abs(np.arctan2(down, apart)) < LARGEST_ROLL
