"""The offline visual encoder: every utterance gets its row or a reason, and the row follows the expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sdt.encoders.encoder import Source, feature_encoder
from sdt.encoders.face_settings import FaceSettings
from sdt.encoders.faces import speaker_face
from sdt.encoders.visual import Faces
from sdt.encoders.visual_cascade import CascadeDetector
from sdt.encoders.visual_describe import FACE_FEATURES, describe
from sdt.encoders.visual_detect import opencv
from sdt.errors import InputError, MissingDependencyError
from sdt.media.clip import Clip
from tests.encoders.clips import tone, write_clip
from tests.encoders.drawn import face, film, scene, source
from tests.shared import SHARED_DATA

MEDIA = None if SHARED_DATA is None else SHARED_DATA / "media"
needs_media = pytest.mark.skipif(
    MEDIA is None or not MEDIA.is_dir(), reason="needs real clips: set SDT_SHARED_DATA to the folder that holds media/"
)


def _row(clip: Clip, name: str = "faces") -> npt.NDArray[np.float32]:
    encoded = Faces(name).encode([source(clip)])
    assert encoded.present.all(), encoded.problems
    return np.asarray(encoded.features[0])


def _values(row: npt.NDArray[np.float32], *beginnings: str) -> npt.NDArray[np.float32]:
    return row[[name.startswith(beginnings) for name in FACE_FEATURES]]


def test_every_value_has_a_name_of_its_own() -> None:
    assert len(set(FACE_FEATURES)) == len(FACE_FEATURES) == Faces().width == 322


@pytest.mark.parametrize("name", ["faces", "faces:speaking", "faces:fps=8", "faces:speaking,fps=12"])
def test_the_table_makes_the_encoder_of_its_own_name(name: str) -> None:
    encoder = feature_encoder(name)
    assert (encoder.name, encoder.modality, encoder.licence_note) == (name, "visual", None)


def test_a_wrong_setting_is_refused() -> None:
    with pytest.raises(InputError, match="unknown setting 'speking'"):
        feature_encoder("faces:speking")


def test_utterances_without_a_face_are_missing_with_a_reason(tmp_path: Path) -> None:
    corrupt = tmp_path / "corrupt.mp4"
    corrupt.write_bytes(b"\x00\x00\x00\x18ftypmp42" + bytes(200))
    there = film(tmp_path / "face.mp4", lambda _: scene((face(140), 90, 40)), 1.0)
    sources = [
        source(there, "face"),
        source(film(tmp_path / "empty.mp4", lambda _: scene(), 1.0), "empty"),
        source(None, "none"),
        source(Clip(write_clip(tmp_path / "sound.wav", tone(220, 0.5))), "sound"),
        source(Clip(corrupt), "corrupt"),
        source(Clip(there.path, 5.0, 6.0), "beyond"),
        source(Clip(tmp_path / "nowhere.mp4"), "nowhere"),
    ]
    done = []

    def count(finished: int, of: int) -> None:
        done.append((finished, of))

    encoded = Faces().encode(sources, count)
    assert encoded.present.tolist() == [True] + [False] * 6
    assert encoded.features.dtype == np.float32
    assert encoded.features.shape == (7, 322)
    assert not encoded.features[1:].any()
    assert encoded.problems[:3] == [
        "dia0/empty: no face in view",
        "dia0/none: no recording",
        "dia0/sound: no video track",
    ]
    assert [problem.partition(":")[0] for problem in encoded.problems[3:]] == [
        "dia0/corrupt",
        "dia0/beyond",
        "dia0/nowhere",
    ]
    assert done == [(count, 7) for count in range(1, 8)]


def test_no_utterance_changes_another_and_every_run_gives_the_same(tmp_path: Path) -> None:
    def talking(side: int) -> Clip:
        path = tmp_path / f"{side}.mp4"
        return film(path, lambda time: scene((face(side, mouth=time % 0.5), side // 2, 40)), 0.8)

    clips = [talking(side) for side in (120, 140, 150)]
    together = Faces().encode([source(clip) for clip in clips]).features
    alone = Faces().encode([source(clips[1])]).features
    np.testing.assert_array_equal(together[1:2], alone)
    np.testing.assert_array_equal(together[::-1], Faces().encode([source(clip) for clip in clips[::-1]]).features)
    assert np.isfinite(together).all()


def test_opencvs_own_threads_are_left_as_they_were(tmp_path: Path) -> None:
    cv2 = opencv()
    before = cv2.getNumThreads()
    Faces().encode([source(film(tmp_path / "a.mp4", lambda _: scene(), 0.2))])
    assert cv2.getNumThreads() == before


def test_a_smile_shows_at_the_mouth_and_raised_brows_at_the_brows(tmp_path: Path) -> None:
    calm = _row(film(tmp_path / "calm.mp4", lambda _: scene((face(180), 60, 30)), 1.0))
    smile = _row(film(tmp_path / "smile.mp4", lambda _: scene((face(180, smile=1.0), 60, 30)), 1.0))
    raised = _row(film(tmp_path / "raised.mp4", lambda _: scene((face(180, brows=1.0), 60, 30)), 1.0))

    def change(row: npt.NDArray[np.float32], region: str) -> float:
        return float(np.abs(_values(row, f"edge_{region}_") - _values(calm, f"edge_{region}_")).mean())

    assert change(smile, "mouth") > 2 * change(smile, "brows_and_eyes")
    # It is 1.5 times: these faces change less at the brows, relative to the mouth, than at the mouth when they smile.
    assert change(raised, "brows_and_eyes") > 1.25 * change(raised, "mouth")


def test_a_talking_mouth_moves_and_a_still_face_does_not(tmp_path: Path) -> None:
    still = _row(film(tmp_path / "still.mp4", lambda _: scene((face(180), 60, 30)), 1.0))
    talking = _row(
        film(tmp_path / "talk.mp4", lambda time: scene((face(180, mouth=float(int(time * 4) % 2)), 60, 30)), 1.0)
    )
    motion = {region: FACE_FEATURES.index(f"motion_{region}_mean") for region in ("mouth", "brows", "face")}
    assert talking[motion["mouth"]] > 4 * still[motion["mouth"]]
    assert talking[motion["mouth"]] > 2 * talking[motion["brows"]]


def test_light_and_contrast_do_not_change_the_description_of_the_face(tmp_path: Path) -> None:
    bright = scene((face(180), 60, 30))
    dim = np.asarray(20 + 0.5 * bright, dtype=np.uint8)
    one = _row(film(tmp_path / "bright.mp4", lambda _: bright, 1.0))
    two = _row(film(tmp_path / "dim.mp4", lambda _: dim, 1.0))
    smile = _row(film(tmp_path / "smile.mp4", lambda _: scene((face(180, smile=1.0), 60, 30)), 1.0))
    edges = "edge_mouth_"
    light = np.abs(_values(one, edges) - _values(two, edges)).mean()
    assert light < 0.3 * np.abs(_values(one, edges) - _values(smile, edges)).mean()


def test_place_size_and_share_are_what_they_are_called(tmp_path: Path) -> None:
    row = _row(film(tmp_path / "a.mp4", lambda time: scene((face(120), 190, 100)) if time < 1 else scene()))
    named = dict(zip(FACE_FEATURES, row.tolist(), strict=True))
    assert named["place_x_mean"] == pytest.approx(250 / 320, abs=0.03)
    assert named["place_y_mean"] == pytest.approx(160 / 240, abs=0.05)
    assert 0.3 < named["place_size_mean"] < 0.5
    assert named["place_frontal_mean"] == 1
    assert named["place_roll_mean"] == pytest.approx(0, abs=0.06)
    assert named["share_in_view"] == pytest.approx(0.5, abs=0.1)
    assert named["faces_in_view"] == pytest.approx(0.2)
    assert named["motion_face_deviation"] < 0.05


def test_crops_of_another_size_are_described_alike(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", lambda _: scene((face(180), 60, 30)), 1.0)
    detector, cv2 = CascadeDetector(), opencv()
    usual, large = (describe(speaker_face(clip, detector, FaceSettings(), size), cv2) for size in (96, 192))
    assert np.abs(_values(usual, "edge_") - _values(large, "edge_")).mean() < 0.02


def test_without_opencv_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = feature_encoder("faces")
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingDependencyError, match=r"sdt-erc\[media\]"):
        encoder.encode([source(None)])


@pytest.mark.slow
@needs_media
def test_real_clips_show_their_face_or_give_the_reason() -> None:
    assert MEDIA is not None
    names = ["single_face.mp4", "dia1_utt0.mp4", "no_face.mp4", "noise_no_audio.mp4", "dia1_utt1.wav"]
    encoded = Faces().encode([source(Clip(MEDIA / name), name) for name in names])
    assert encoded.present.tolist() == [True, True, False, False, False]
    assert encoded.problems == [
        "dia0/no_face.mp4: no face in view",
        "dia0/noise_no_audio.mp4: no face in view",
        "dia0/dia1_utt1.wav: no video track",
    ]
    share, faces = encoded.features[:2, -2], encoded.features[:2, -1]
    assert (share >= 0.9).all()
    np.testing.assert_array_equal(faces, np.float32(0.2))


@needs_media
def test_the_smile_of_the_real_face_shows_at_its_mouth() -> None:
    assert MEDIA is not None
    path = MEDIA / "single_face.mp4"
    stretches = [(0.0, 0.5), (0.25, 0.7), (1.0, 1.5), (1.25, 1.75)]  # neutral, neutral, smiling, smiling
    sources: list[Source] = [source(Clip(path, start, end), f"{start}") for start, end in stretches]
    encoded = Faces("faces:fps=12").encode(sources)
    mouth = np.stack([_values(row, "edge_mouth_", "texture_mouth_") for row in encoded.features])
    distance = np.abs(mouth[:, None] - mouth[None]).mean(axis=2)
    assert distance[:2, 2:].min() > 2 * max(distance[0, 1], distance[2, 3])
