"""Faces found, put level, linked over time, and the speaker's one chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.faces import speaker_face, track_faces
from sdt.encoders.visual_cascade import CascadeDetector
from sdt.encoders.visual_detect import EYES_IN_CROP, Box
from sdt.errors import InputError, MissingDependencyError
from sdt.media.clip import MediaProblem
from tests.encoders.drawn import bursts, face, film, scene

DETECTOR = CascadeDetector()
LARGEST, SPEAKING = FaceSettings(), FaceSettings.parse("speaking")


@pytest.mark.parametrize("name", ["", "speaking", "fps=8", "speaking,fps=12", "fps=2.5"])
def test_settings_come_back_as_they_were_written(name: str) -> None:
    assert str(FaceSettings.parse(name)) == name


def test_settings_that_are_the_default_anyway_are_left_out_of_the_name() -> None:
    assert str(FaceSettings.parse("fps=4")) == ""
    assert str(FaceSettings.parse("fps=8,speaking")) == "speaking"
    assert FaceSettings.parse("speaking").per_second == 8


@pytest.mark.parametrize("name", ["speakin", "fps", "fps=0", "fps=100", "fps=nan", "fps=many", "speaking=yes"])
def test_unknown_settings_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(InputError, match=r"faces:.*unknown setting") as caught:
        FaceSettings.parse(name)
    assert "\n" not in str(caught.value)


def test_overlap_of_boxes() -> None:
    box = Box(0, 0, 10)
    assert box.overlap(box) == 1
    assert box.overlap(Box(5, 0, 10)) == pytest.approx(50 / 150)
    assert box.overlap(Box(10, 0, 10)) == 0


@pytest.mark.parametrize("side", [80, 160, 400])
def test_a_face_is_found_at_its_place_with_its_eyes(side: int) -> None:
    found = DETECTOR.detect(scene((face(side), 30, 20), height=side + 60, width=side + 100))
    assert len(found) == 1
    box, eyes = found[0].box, found[0].eyes
    assert box.x + box.side / 2 == pytest.approx(30 + side / 2, abs=0.06 * side)
    assert eyes is not None
    in_picture = np.array([box.x, box.y]) + eyes * box.side
    expected = np.array([30, 20]) + side * np.array([[0.375, 0.425], [0.625, 0.425]])
    np.testing.assert_allclose(in_picture, expected, atol=0.04 * side)


def test_nothing_is_found_where_nobody_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)
    assert DETECTOR.detect(noise) == []
    assert DETECTOR.detect(np.zeros((120, 160, 3), dtype=np.uint8)) == []
    assert DETECTOR.detect(np.zeros((16, 24, 3), dtype=np.uint8)) == []


@pytest.mark.parametrize("degrees", [-12, 0, 12])
def test_the_eyes_of_a_crop_are_level_and_in_place(degrees: int) -> None:
    picture = scene((face(200), 60, 20))
    turn = cv2.getRotationMatrix2D((160, 120), degrees, 1.0)
    turned = np.asarray(cv2.warpAffine(picture, turn, (320, 240), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)
    [found] = DETECTOR.detect(turned)
    assert found.eyes is not None
    apart, down = found.eyes[1] - found.eyes[0]
    assert np.degrees(np.arctan2(-down, apart)) == pytest.approx(degrees, abs=4)
    crop = DETECTOR.crop(turned, found, found.eyes, 96)
    assert crop.shape == (96, 96, 3)
    # The pupils are the darkest points of the middle band; the brows lie above it, the hair beside it.
    dark = cv2.GaussianBlur(crop, (0, 0), 1.0).mean(axis=2)
    for expected_x, expected_y in EYES_IN_CROP * 96:
        left = round(expected_x) - 12
        row, column = np.unravel_index(np.argmin(dark[32:44, left : left + 24]), (12, 24))
        assert column + left == pytest.approx(expected_x, abs=7)
        assert row + 32 == pytest.approx(expected_y, abs=4)


def test_a_crop_reaches_beyond_the_border_and_shrinks_without_noise() -> None:
    picture = scene((face(400), 0, 0), height=400, width=400)
    [found] = DETECTOR.detect(picture)
    crop = DETECTOR.crop(picture, found, None, 32)
    assert crop.shape == (32, 32, 3)
    larger = DETECTOR.crop(picture, found, None, 128)
    np.testing.assert_allclose(cv2.resize(larger, (32, 32), interpolation=cv2.INTER_AREA), crop, atol=40)


def test_a_moving_face_is_one_track(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", lambda time: scene((face(140), 20 + round(60 * time), 40)))
    tracks, shape, pictures = track_faces(clip, DETECTOR, 4, 96)
    assert shape == (240, 320)
    assert pictures in (8, 9)
    assert [len(track.faces) for track in tracks] == [pictures]
    places = [seen.found.box.x for seen in tracks[0].faces]
    assert places == sorted(places)
    assert [seen.index for seen in tracks[0].faces] == list(range(pictures))


def test_a_face_lost_for_a_moment_is_the_same_one(tmp_path: Path) -> None:
    there, away = scene((face(140), 90, 40)), scene()
    clip = film(tmp_path / "a.mp4", lambda time: away if 0.9 < time < 1.2 else there)
    [track], _, pictures = track_faces(clip, DETECTOR, 4, 96)
    assert [seen.index for seen in track.faces] == [index for index in range(pictures) if index != 4]


def test_a_face_is_followed_between_searches_of_the_whole_picture(tmp_path: Path) -> None:
    searched = []

    class Counting(CascadeDetector):
        def detect(self, picture: Any, known: Any = ()) -> Any:
            searched.append(len(known))
            return super().detect(picture, known)

    clip = film(tmp_path / "a.mp4", lambda time: scene((face(140), 20 + round(40 * time), 40)), 2.9)
    [track], _, pictures = track_faces(clip, Counting(), 8, 96)
    assert len(track.faces) == pictures == 23
    # Every sixth picture, that is every 0.75 s, and each time the face had been found already but for the first.
    assert searched == [0, 1, 1, 1]


def test_who_enters_is_seen_at_the_next_search_and_who_leaves_is_not_made_up(tmp_path: Path) -> None:
    def picture(time: float) -> Any:
        small, large = (face(130), 5, 40), (face(160), 150, 40)
        return scene(*[small] * (time < 2.2), *[large] * (time > 0.9), width=480, height=360)

    tracks, _, pictures = track_faces(film(tmp_path / "a.mp4", picture, 4.0), DETECTOR, 4, 96)
    seen = {track.faces[0].found.box.x > 100: [face.index for face in track.faces] for track in tracks}
    assert seen[False] == list(range(9))
    assert seen[True] == list(range(seen[True][0], pictures))
    assert seen[True][0] in (4, 5, 6)


def test_a_cut_ends_a_track_even_where_the_next_head_is_at_the_same_place(tmp_path: Path) -> None:
    day, night = scene((face(140), 90, 40)), scene()[:, ::-1].copy()
    night[42:182, 95:235] = face(140)
    clip = film(tmp_path / "a.mp4", lambda time: day if time < 1 else night)
    tracks, _, _ = track_faces(clip, DETECTOR, 4, 96)
    assert len(tracks) == 2
    assert [seen.index for seen in tracks[0].faces] == [0, 1, 2, 3]
    assert tracks[1].faces[0].index == 4


def test_the_largest_steady_face_is_the_speakers(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", lambda _: scene((face(100), 10, 40), (face(160), 140, 40)))
    speaker = speaker_face(clip, DETECTOR, LARGEST, 96)
    assert speaker.tracks == 2
    assert speaker.share == 1
    assert all(seen.found.box.x > 120 for seen in speaker.faces)


def test_a_large_face_that_is_hardly_there_is_not_the_speakers(tmp_path: Path) -> None:
    def picture(time: float) -> Any:
        small, large = (face(130), 5, 40), (face(160), 150, 40)
        return scene(small, large, width=480, height=360) if time > 1.4 else scene(small, width=480, height=360)

    speaker = speaker_face(film(tmp_path / "a.mp4", picture), DETECTOR, LARGEST, 96)
    assert all(seen.found.box.x < 100 for seen in speaker.faces)
    assert speaker.tracks == 2
    assert speaker.share == 1


def _two_mouths(path: Path, moving: float, sounding: float) -> Any:
    """The small face's mouth moves around one time, the large one's hardly, and there is sound around another."""

    def picture(time: float) -> Any:
        open_now = float(abs(time - moving) < 0.4 and int(time * 8) % 2)
        return scene((face(110, mouth=open_now), 5, 40), (face(160), 140, 40))

    return film(path, picture, 2.0, bursts(lambda times: (np.abs(times - sounding) < 0.4).astype(np.float64), 2.0))


def test_the_face_whose_mouth_moves_with_the_sound_is_the_speakers_where_asked(tmp_path: Path) -> None:
    clip = _two_mouths(tmp_path / "a.mp4", moving=1.0, sounding=1.0)
    assert speaker_face(clip, DETECTOR, LARGEST, 96).faces[0].found.box.x > 120
    assert speaker_face(clip, DETECTOR, SPEAKING, 96).faces[0].found.box.x < 100


def test_a_mouth_that_moves_in_silence_does_not_speak(tmp_path: Path) -> None:
    clip = _two_mouths(tmp_path / "a.mp4", moving=0.5, sounding=1.5)
    assert speaker_face(clip, DETECTOR, SPEAKING, 96).faces[0].found.box.x > 120


def test_without_sound_the_largest_face_is_the_speakers(tmp_path: Path) -> None:
    def picture(time: float) -> Any:
        return scene((face(110, mouth=float(int(time * 8) % 2)), 5, 40), (face(160), 140, 40))

    clip = film(tmp_path / "a.mp4", picture, 0.8)
    assert speaker_face(clip, DETECTOR, SPEAKING, 96).faces[0].found.box.x > 120


def test_no_face_or_one_single_sight_is_a_reason_not_a_face(tmp_path: Path) -> None:
    with pytest.raises(MediaProblem, match="no face in view"):
        speaker_face(film(tmp_path / "a.mp4", lambda _: scene()), DETECTOR, LARGEST, 96)
    once = film(tmp_path / "b.mp4", lambda time: scene((face(140), 90, 40)) if 0.4 < time < 0.7 else scene())
    with pytest.raises(MediaProblem, match="no face in view"):
        speaker_face(once, DETECTOR, LARGEST, 96)


def test_a_film_of_one_picture_may_show_its_face_once(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", lambda _: scene((face(140), 90, 40)), 0.1)
    assert len(speaker_face(clip, DETECTOR, LARGEST, 96).faces) == 1


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[media\]"):
        CascadeDetector()
