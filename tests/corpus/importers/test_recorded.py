"""Anyone's own table of utterances, its recordings encoded while it is imported."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.corpus.importers import ImportOptions
from sdt.corpus.importing import import_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from tests.encoders.clips import write_clip
from tests.encoders.drawn import face, scene
from tests.encoders.voices import syllables, vowel

HEADER = ["conversation", "speaker", "label", "split", "start", "end", "media"]
ENCODERS = ImportOptions(audio_encoder="prosody", visual_encoder="faces")


def table(folder: Path, rows: list[list[str]]) -> Path:
    path = folder / "mine.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`talk.mp4`, two seconds of a face and a voice of 120 and then 240 Hz; `one.wav`, a voice alone."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "media").mkdir()
    voice = np.concatenate([vowel(1, 120), vowel(1, 240)])
    picture = scene((face(140), 90, 40))
    write_clip(folder / "media" / "talk.mp4", voice[None], pictures=[picture] * 16, per_second=8)
    write_clip(folder / "media" / "one.wav", syllables(4)[None])
    return folder


@pytest.fixture
def mine(folder: Path) -> Path:
    return table(
        folder,
        [
            ["a", "Ann", "calm", "train", "0", "1", "media/talk.mp4"],
            ["a", "Bob", "cross", "train", "1", "2", "media/talk.mp4"],
            ["b", "Ann", "calm", "dev", "5", "6", "media/one.wav"],
            ["c", "Ann", "cross", "test", "", "", "media/gone.mp4"],
            ["c", "Bob", "calm", "test", "", "", ""],
        ],
    )


def test_the_recordings_that_a_table_names_are_encoded(mine: Path) -> None:
    builder = import_corpus([mine], ENCODERS)
    builder.check()
    assert {name: table.encoder for name, table in builder.features.items()} == {"audio": "prosody", "visual": "faces"}
    assert builder.features["audio"].present.tolist() == [True, True, True, False, False]
    assert builder.features["visual"].present.tolist() == [True, True, False, False, False]
    audio = next(note for note in builder.notes if note.startswith("audio: missing for 2 of 5"))
    assert re.search(r"file not found in \S+ \(c/0\)", audio)
    assert "no recording (c/1)" in audio
    visual = next(note for note in builder.notes if note.startswith("visual: missing for 3 of 5"))
    assert "no video track (b/0)" in visual
    from sdt.encoders.audio_prosody import Prosody

    pitch = builder.features["audio"].features[:2, Prosody().names.index("pitch_mean")]
    np.testing.assert_allclose(pitch[1] - pitch[0], 12, atol=0.5)  # the shared file was cut where the table says


def test_a_file_or_a_folder_instead_of_the_column(folder: Path) -> None:
    rows = [[*row, ""] for row in (["a", "Ann", "calm", "test", "0", "1"], ["a", "Bob", "cross", "test", "1", "2"])]
    path = table(folder, rows)
    one = ImportOptions(audio_encoder="prosody", media=folder / "media" / "talk.mp4")
    assert import_corpus([path], one).features["audio"].present.all()
    with pytest.raises(InputError, match="no recording of any utterance"):
        import_corpus([path], ImportOptions(audio_encoder="prosody", media=folder / "media"))
    with pytest.raises(InputError, match=r"mine\.csv: --audio-encoder requires recordings; .* column 'media'"):
        import_corpus([path], ImportOptions(audio_encoder="prosody"))


def test_features_of_files_give_way_and_text_comes_first(mine: Path, tmp_path: Path) -> None:
    matrix = tmp_path / "audio.npy"
    np.save(matrix, np.zeros((5, 3), dtype=np.float32))
    builder = import_corpus([mine, matrix], ImportOptions(audio_encoder="prosody"))
    assert builder.features["audio"].features.shape == (5, 174)
    assert any(note.startswith("audio: ") and "'prosody'" in note for note in builder.notes)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (ImportOptions(audio_encoder="faces"), "--audio-encoder faces: encodes visual, not audio"),
        (ImportOptions(visual_encoder="face"), "'face'.*; did you mean 'faces'"),
        (ImportOptions(media=Path("x.mp4")), "--media x.mp4: "),
        (ImportOptions(audio_encoder="prosody", media=Path("x.mp4")), "x.mp4: file or folder not found"),
    ],
)
def test_what_cannot_be_done(mine: Path, options: ImportOptions, says: str) -> None:
    with pytest.raises(InputError, match=says):
        import_corpus([mine], options)


def test_a_file_that_several_utterances_name_needs_times(folder: Path) -> None:
    path = table(folder, [["a", name, label, "test", "", "", "media/talk.mp4"] for name, label in ("Ac", "Bd")])
    with pytest.raises(InputError, match=r"talk\.mp4: is the recording of 2 utterances"):
        import_corpus([path], ENCODERS)


def test_no_recording_at_all_is_an_error(folder: Path) -> None:
    path = table(folder, [["a", name, label, "test", "", "", f"{name}.wav"] for name, label in ("Ac", "Bd")])
    with pytest.raises(InputError, match=f"audio .* a/0: file not found in {re.escape(str(folder))}$"):
        import_corpus([path], ENCODERS)


@pytest.mark.slow
def test_the_command_keeps_what_is_done(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["corpus", "import", str(mine), "--audio-encoder", "prosody", "--cache", str(tmp_path / "cache")]
    assert main([*command, "--output", str(tmp_path / "one")]) == 0
    assert "audio: missing for 2 of 5 utterances" in capsys.readouterr().out
    monkeypatch.setattr("sdt.encoders.audio_prosody.describe", None)  # nothing is described again
    assert main([*command, "--output", str(tmp_path / "two")]) == 0
    one, two = (Corpus.open(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.modalities["audio"].rows(slice(0, 5)), two.modalities["audio"].rows(slice(0, 5)))
