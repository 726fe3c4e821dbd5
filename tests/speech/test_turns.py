"""Speaker turns: joining, overlap, and RTTM files."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from sdt.conversation import SpeakerTurn
from sdt.errors import InputError
from sdt.formats import rttm as module
from sdt.formats.rttm import read_rttm, rttm_lines
from sdt.speech.turns import joined, overlapped, renamed

TURNS = [SpeakerTurn("Ann", 0.5, 2.25), SpeakerTurn("Ben", 2.0, 3.125), SpeakerTurn("Ann", 10.0, 10.5)]


def rttm(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_turns_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = io.StringIO()
    file.writelines(rttm_lines("talk", TURNS))
    assert read_rttm(rttm(tmp_path / "a.rttm", file.getvalue())) == {"talk": TURNS}


def test_names_with_white_space_keep_the_number_of_fields(tmp_path: Path) -> None:
    file = io.StringIO()
    file.writelines(rttm_lines("a talk", [SpeakerTurn("Ann  Lee", 0, 1), SpeakerTurn(" ", 1, 2)]))
    [(name, turns)] = read_rttm(rttm(tmp_path / "a.rttm", file.getvalue())).items()
    assert (name, [turn.speaker for turn in turns]) == ("a_talk", ["Ann_Lee", "unknown"])


def test_a_file_of_several_recordings_and_other_lines(tmp_path: Path) -> None:
    path = rttm(
        tmp_path / "a.rttm",
        ";; a comment",
        "SPKR-INFO a 1 <NA> <NA> <NA> unknown Ann <NA> <NA>",
        "SPEAKER b 1 4 1 <NA> <NA> Ben <NA> <NA>",
        "",
        "SPEAKER a 1 2.5 1 <NA> <NA> Ann <NA>",
        "SPEAKER a 1 1.5 0 <NA> <NA> Ben",
    )
    assert read_rttm(path) == {
        "b": [SpeakerTurn("Ben", 4, 5)],
        "a": [SpeakerTurn("Ben", 1.5, 1.5), SpeakerTurn("Ann", 2.5, 3.5)],
    }


@pytest.mark.parametrize(
    "line",
    [
        "SPEAKER",
        "SPEAKER a 1 0.0 1.0 <NA> <NA>",
        "SPEAKER a 1 zero 1.0 <NA> <NA> Ann",
        "SPEAKER a 1 -0.1 1.0 <NA> <NA> Ann",
        "SPEAKER a 1 0.0 -1.0 <NA> <NA> Ann",
        "SPEAKER a 1 nan 1.0 <NA> <NA> Ann",
        "SPEAKER a 1 0.0 inf <NA> <NA> Ann",
    ],
)
def test_a_bad_line_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    path = rttm(tmp_path / "a.rttm", "SPEAKER a 1 0 1 <NA> <NA> Ann", "", line)
    with pytest.raises(InputError, match=r"a\.rttm, line 3:"):
        read_rttm(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.rttm.*SPEAKER"):
        read_rttm(rttm(tmp_path / "a.rttm", "Ann: Hello"))
    with pytest.raises(InputError, match=r"missing\.rttm"):
        read_rttm(tmp_path / "missing.rttm")


def test_the_number_of_lines_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TURNS", 3)
    line = "SPEAKER a 1 0 1 <NA> <NA> Ann"
    assert len(read_rttm(rttm(tmp_path / "a.rttm", *3 * [line]))["a"]) == 3
    with pytest.raises(InputError, match=r"a\.rttm.* 3 "):
        read_rttm(rttm(tmp_path / "a.rttm", *4 * [line]))


def test_turns_of_a_speaker_are_joined_across_short_gaps() -> None:
    turns = [
        SpeakerTurn("Ann", 0, 1),
        SpeakerTurn("Ann", 1.25, 2),
        SpeakerTurn("Ben", 1, 1.5),
        SpeakerTurn("Ann", 1.5, 1.75),
        SpeakerTurn("Ann", 2.5, 3),
    ]
    assert joined(turns, 0.25) == [SpeakerTurn("Ann", 0, 2), SpeakerTurn("Ben", 1, 1.5), SpeakerTurn("Ann", 2.5, 3)]


def test_overlap_is_where_two_speak() -> None:
    assert overlapped(TURNS) == [(2.0, 2.25)]
    assert overlapped([SpeakerTurn("Ann", 0, 4), SpeakerTurn("Ben", 1, 3), SpeakerTurn("Cat", 2, 5)]) == [(1, 4)]
    assert overlapped([SpeakerTurn("Ann", 0, 1), SpeakerTurn("Ben", 1, 2)]) == []
    assert overlapped([]) == []


def test_speakers_are_numbered_as_they_begin_to_speak() -> None:
    turns = renamed([SpeakerTurn("x", 3, 4), SpeakerTurn("y", 1, 2), SpeakerTurn("x", 0, 1)])
    assert [(turn.speaker, turn.start) for turn in turns] == [("SPEAKER_00", 0), ("SPEAKER_01", 1), ("SPEAKER_00", 3)]
