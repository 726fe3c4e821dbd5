"""Features of a face without a trained model: edges, texture, position and motion, pooled over the utterance.

Edges are histograms of oriented gradients of the brows, eyes and mouth; texture is rotation-invariant uniform local
binary patterns. Both use an aligned grey crop with normalised brightness and contrast. `FACE_FEATURES` names every
value.

References:
    N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
    T. Ojala, M. Pietikainen and T. Maenpaa, "Multiresolution gray-scale and rotation invariant texture classification
    with local binary patterns", TPAMI 24 (2002).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.faces import MOUTH, UPPER_FACE, Region, SpeakerFace, consecutive_pairs, crop_region

Vector = npt.NDArray[np.float32]
Crops = npt.NDArray[np.float32]
"""[F, S, S] aligned grey crops of F faces."""

CROP_SIDE = 96
"""The side of a crop in pixels; the eyes are 38 pixels apart."""
BROWS: Region = (0.1, 0.3, 0.06, 0.94)
EYES: Region = (0.28, 0.5, 0.06, 0.94)
BROWS_AND_EYES: Region = (0.12, 0.5, 0.06, 0.94)
CHEEKS: Region = (0.45, 0.7, 0.06, 0.94)
WHOLE: Region = (0.0, 1.0, 0.0, 1.0)
ORIENTATIONS = 6
"""The number of orientations of edges, regardless of their sign: 30 degrees each."""
EDGE_CELLS = {"brows_and_eyes": (BROWS_AND_EYES, 3, 4), "mouth": (MOUTH, 2, 4)}
"""Name to region, rows and columns of cells."""
TEXTURE_REGIONS = {"brows_and_eyes": BROWS_AND_EYES, "cheeks": CHEEKS, "mouth": MOUTH}
MOTION_REGIONS = {"brows": BROWS, "eyes": EYES, "mouth": MOUTH, "face": WHOLE}
PATTERNS = 10
"""Uniform patterns by their number of brighter neighbours, 0 to 8, and one bin for all other patterns."""
LARGEST_SHIFT = 0.08
"""The largest shift between crops that is corrected, as a fraction of the side; larger shifts are motion or errors."""
GEOMETRY = ("size", "x", "y", "eye_distance", "roll", "frontal")


def _names_of_a_face() -> list[str]:
    edges = [
        f"edge_{region}_r{row}c{column}_{180 * orientation // ORIENTATIONS}deg"
        for region, (_, rows, columns) in EDGE_CELLS.items()
        for row in range(rows)
        for column in range(columns)
        for orientation in range(ORIENTATIONS)
    ]
    patterns = [*(f"uniform{count}" for count in range(PATTERNS - 1)), "other"]
    texture = [f"texture_{region}_{pattern}" for region in TEXTURE_REGIONS for pattern in patterns]
    return [*edges, *texture, *(f"place_{name}" for name in GEOMETRY)]


def _names() -> tuple[str, ...]:
    motion = [f"motion_{region}" for region in MOTION_REGIONS]
    pooled = [f"{name}_{pool}" for pool in ("mean", "deviation") for name in [*_names_of_a_face(), *motion]]
    return (*pooled, "share_in_view", "faces_in_view")


FACE_FEATURES = _names()
"""The name of each value of `describe`."""


def describe(speaker: SpeakerFace, cv2: Any) -> Vector:  # noqa: ANN401 - an optional module
    """Compute the features of the speaker's face in an utterance.

    Args:
        speaker: The face in F frames, with crops of any size.
        cv2: The module `cv2`; see `sdt.encoders.visual_detect.opencv`.

    Returns:
        The values named by `FACE_FEATURES` [D]: mean and standard deviation, over the frames, of the features of each
        frame and of the motion between consecutive frames; the fraction of frames with the face; and the number of
        steady faces, at most five, divided by five.
    """
    crops = normalised_crops(speaker, cv2)
    faces = np.concatenate([_edges(crops, cv2), _texture(crops), _geometry(speaker)], axis=1)  # [F, V]
    motions = _motions(speaker, crops, cv2)  # [pairs, R]
    mean = np.concatenate([faces.mean(axis=0), motions.mean(axis=0)])
    deviation = np.concatenate([faces.std(axis=0), motions.std(axis=0)])
    return np.concatenate([mean, deviation, [speaker.share, min(speaker.tracks, 5) / 5]]).astype(np.float32)


def normalised_crops(speaker: SpeakerFace, cv2: Any) -> Crops:  # noqa: ANN401
    """Grey crops [F, S, S], slightly smoothed, each with mean 0 and standard deviation 1."""
    size = (CROP_SIDE, CROP_SIDE)
    grey = [cv2.cvtColor(face.crop, cv2.COLOR_RGB2GRAY).astype(np.float32) for face in speaker.faces]
    grey = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA) if crop.shape != size else crop for crop in grey]
    crops = np.stack([cv2.GaussianBlur(crop, (0, 0), 1.0) for crop in grey])
    centred = crops - crops.mean(axis=(1, 2), keepdims=True)
    normalised: Crops = centred / (centred.std(axis=(1, 2), keepdims=True) + 1.0)
    return normalised


def _edges(crops: Crops, cv2: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401
    """Histograms of edge orientations [F, cells x orientations]; the sum of squares of each region is 1."""
    across = np.stack([cv2.Sobel(crop, cv2.CV_32F, 1, 0) for crop in crops])
    down = np.stack([cv2.Sobel(crop, cv2.CV_32F, 0, 1) for crop in crops])
    strength = np.hypot(across, down)
    # An orientation between two bins counts in both, so that a small rotation causes a small change.
    position = np.mod(np.arctan2(down, across) / np.pi, 1.0) * ORIENTATIONS
    lower = np.floor(position).astype(np.int64)
    share = (position - lower).astype(np.float32)
    layers = np.zeros((*crops.shape[:1], ORIENTATIONS, *crops.shape[1:]), dtype=np.float32)
    for orientation in range(ORIENTATIONS):
        layers[:, orientation] += strength * (1 - share) * (lower % ORIENTATIONS == orientation)
        layers[:, orientation] += strength * share * ((lower + 1) % ORIENTATIONS == orientation)
    histograms = []
    for region, rows, columns in EDGE_CELLS.values():
        inside = crop_region(layers, region)  # [F, O, h, w]
        down_weights, across_weights = _cell_weights(inside.shape[2], rows), _cell_weights(inside.shape[3], columns)
        cells = down_weights @ inside @ across_weights.T  # [F, O, rows, columns]
        flat = cells.transpose(0, 2, 3, 1).reshape(len(crops), -1)
        # The square root of fractions (Hellinger), so that strong edges do not dominate.
        histograms.append(np.sqrt(flat / (flat.sum(axis=1, keepdims=True) + 1e-6)))
    return np.concatenate(histograms, axis=1)


def _cell_weights(points: int, cells: int) -> npt.NDArray[np.float32]:
    """The weight of each point of a line in each cell [cells, points].

    A point between the middles of two cells counts in both, so that small movements change the histograms smoothly.
    """
    position = (np.arange(points) + 0.5) / points * cells - 0.5  # in cells, from the middle of the first one
    position = np.clip(position, 0, cells - 1)
    weights = np.maximum(0.0, 1.0 - np.abs(position - np.arange(cells)[:, None]))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)


def _texture(crops: Crops) -> npt.NDArray[np.float32]:
    """Histograms of local binary patterns [F, regions x patterns], as square roots of fractions."""
    steps = [(-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1)]
    size = crops.shape[1]
    inner = crops[:, 1:-1, 1:-1]
    brighter = np.stack([crops[:, 1 + y : size - 1 + y, 1 + x : size - 1 + x] >= inner for y, x in steps])  # [8, F, ..]
    changes = (brighter != np.roll(brighter, 1, axis=0)).sum(axis=0)
    pattern = np.where(changes <= 2, brighter.sum(axis=0), PATTERNS - 1)  # [F, S-2, S-2]
    one_hot = (pattern[:, None] == np.arange(PATTERNS)[:, None, None]).astype(np.float32)  # [F, patterns, S-2, S-2]
    shares = [crop_region(one_hot, region).mean(axis=(2, 3)) for region in TEXTURE_REGIONS.values()]
    histograms: npt.NDArray[np.float32] = np.sqrt(np.concatenate(shares, axis=1))
    return histograms


def _geometry(speaker: SpeakerFace) -> npt.NDArray[np.float32]:
    """Size and position in the frame, and pose of the head: [F, 6] as named by `GEOMETRY`."""
    rows = []
    for face in speaker.faces:
        box = face.found.box
        x, y = (box.x + box.side / 2) / speaker.width, (box.y + box.side / 2) / speaker.height
        apart, down = (0.38, 0.0) if face.eyes is None else face.eyes[1] - face.eyes[0]
        rows.append([box.side / speaker.height, x, y, apart, float(np.arctan2(down, apart)), float(face.found.frontal)])
    return np.array(rows, dtype=np.float32)


def _motions(speaker: SpeakerFace, crops: Crops, cv2: Any) -> npt.NDArray[np.float32]:  # noqa: ANN401
    """Mean difference of consecutive frames by region [pairs, regions]; one row of zeros without a pair."""
    row_of = {face.index: row for row, face in enumerate(speaker.faces)}
    pairs = [(row_of[one.index], row_of[two.index]) for one, two in consecutive_pairs(speaker.faces)]
    if not pairs:
        return np.zeros((1, len(MOTION_REGIONS)), dtype=np.float32)
    difference = np.stack([np.abs(_align(crops[one], crops[two], cv2) - crops[one]) for one, two in pairs])
    return np.stack([crop_region(difference, region).mean(axis=(1, 2)) for region in MOTION_REGIONS.values()], axis=1)


def _align(
    earlier: npt.NDArray[np.float32],
    later: npt.NDArray[np.float32],
    cv2: Any,  # noqa: ANN401
) -> npt.NDArray[np.float32]:
    """Shift the later crop so that the upper face matches the earlier one, because boxes vary by one or two pixels."""
    one, two = (np.ascontiguousarray(crop_region(crop, UPPER_FACE)) for crop in (earlier, later))
    (x, y), _ = cv2.phaseCorrelate(one, two, cv2.createHanningWindow(one.shape[::-1], cv2.CV_32F))
    if np.hypot(x, y) > LARGEST_SHIFT * CROP_SIDE:
        return later
    shift = np.array([[1, 0, -x], [0, 1, -y]], dtype=np.float64)
    moved: npt.NDArray[np.float32] = cv2.warpAffine(later, shift, later.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return moved
