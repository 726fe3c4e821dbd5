"""Transcripts of common tools, each with what it says: speaker, words, start and end; or why it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.formats import read_transcript
from tests.faults import FAULTS
from tests.formats.files import times, utterances

Said = list[tuple[str, str, float | None, float | None]]
FOLDER = FAULTS / "transcripts"
JOB, KIDDING, SCARED = "I got the job!", "You are kidding, that is wonderful!", (
    "They want me on Monday and I am scared to death."
)  # fmt: skip
READ: dict[str, Said] = {
    "captions.sbv": [("Speaker 1", JOB, 0.31, 2.1), ("Speaker 1", "You are kidding!", 2.4, 4.9)],
    "cc_chevrons.srt": [
        ("Speaker 1", "I GOT THE JOB!", 0.31, 2.1),
        ("Speaker 2", "YOU ARE KIDDING, THAT IS WONDERFUL!", 2.4, 4.9),
        ("Reporter", "HOW DO YOU FEEL?", 5.4, 7.9),
        ("Speaker 2", "SCARED.", 5.4, 7.9),
    ],
    "comma.vtt": [
        ("Lee, Ann", JOB, 5.79, 8.514),
        ("Fox, Ben", "You are kidding!", 9, 11),
        ("Lee, Ann", "I am scared.", 12, 14),
    ],
    "convokit.jsonl": [("Ann", JOB, None, None), ("Ben", "You are kidding!", None, None)],
    "iemocap.txt": [
        ("F", "Excuse me.", 6.2901, 8.2357),
        ("M", "Do you have your forms?", 7.5712, 10.475),
        ("F", "Yeah.", 10.01, 11.3925),
        ("M", "Let me see them.", 10.9266, 14.6649),
    ],
    "longname.txt": [
        ("Anna Maria de la Cruz", JOB, None, None),
        ("Ben", "You are kidding!", None, None),
        ("Anna Maria de la Cruz", "I am scared.", None, None),
        ("Ben", "Do not be.", None, None),
    ],
    "longname.vtt": [
        ("Anna Maria de la Cruz", JOB, 5.79, 8.514),
        ("Ben Fox", "You are kidding!", 9, 11),
        ("Anna Maria de la Cruz", "I am scared.", 12, 14),
        ("Ben Fox", "Do not be.", 15, 17),
    ],
    "noscribe.vtt": [("S04", JOB, 1.4, 3.18), ("S05", "You are kidding!", 3.4, 5.18)],
    "otter.txt": [("Ann Lee", JOB, 5, 9), ("Ben Fox", KIDDING, 9, 15), ("Ann Lee", SCARED, 15, None)],
    "phone.vtt": [
        ("Ann Lee", JOB, 5.79, 8.514),
        ("+49170123****", "You are kidding!", 9, 11),
        ("Ann Lee", "I am scared.", 12, 14),
        ("+49170123****", "Do not be.", 15, 17),
    ],
    "podcast2.txt": [("Ann", JOB, 5, 8), ("Ben", "You are kidding!", 9, 11)],
    "rev.csv": [("Ann", JOB, 0, 2), ("Ben", "You are kidding!", 2, 4)],
    "rev.txt": [("Ann Lee", JOB, 5, 9), ("Ben Fox", KIDDING, 9, 15), ("Ann Lee", SCARED, 15, None)],
    "teams_copy.txt": [("Ann Lee", JOB, 5, 9), ("Ben Fox", KIDDING, 9, 15), ("Ann Lee", SCARED, 15, None)],
    "talk.TextGrid": [("Ann", JOB, 0, 2)],
    "talk.cha": [
        ("MOT", "what do you want?", 2.041, 3),
        ("CHI", "more cookie.", 3.1, 4),
        ("MOT", "no more cookies today!", None, None),
    ],
    "talk.eaf": [("Ann", JOB, 0, 2)],
    "whatsapp_android.txt": [
        ("Ann Lee", JOB, None, None),
        ("+49 170 1234567", "You are kidding!", None, None),
        ("Ann Lee", "I am scared. and happy: both at once", None, None),
    ],
    "whisper.json": [("SPEAKER_00", JOB, 0.31, 2.1), ("SPEAKER_01", "You are kidding.", 2.4, 4.9)],
    "whisper.tsv": [
        ("Speaker 1", JOB, 0.31, 2.1),
        ("Speaker 1", KIDDING, 2.4, 4.9),
        ("Speaker 1", SCARED, 5.1, 8),
    ],
    "whisper_words.srt": [("Speaker 1", JOB, 0.31, 2.1), ("Speaker 1", "You are kidding.", 2.4, 4.9)],
    "whisperx.srt": [
        ("SPEAKER_00", JOB, 0.31, 2.1),
        ("SPEAKER_01", KIDDING, 2.4, 4.9),
        ("SPEAKER_00", SCARED, 5.1, 8),
    ],
    "whisperx.txt": [
        ("SPEAKER_00", JOB, None, None),
        ("SPEAKER_01", KIDDING, None, None),
        ("SPEAKER_00", SCARED, None, None),
    ],
    "youtube_auto.srt": [
        ("Speaker 1", "hello everybody and welcome back", 0.16, 2.869),
        ("Speaker 1", "I am so happy to be here today", 2.879, 5.27),
        ("Speaker 1", "because we have great news", 5.28, 8),
    ],
    "zoom_cc.txt": [
        ("Ann Lee", JOB, 37925, 37929),
        ("Ben Fox", KIDDING, 37929, 37935),
        ("Ann Lee", SCARED, 37935, None),
    ],
}
REFUSED = {
    "dailydialog.txt": "DailyDialog",
    "gb.srt": "--encoding, for example cp949, gb18030",
}
NOTES = {
    "noscribe.vtt": ["descriptions of sounds ignored: 1, first in line 9"],
    "otter.txt": ["lines that name the tool ignored: 1, first in line 10"],
    "whatsapp_android.txt": [
        "dates before messages ignored: day/month or month/day is uncertain",
        "notices and omitted media ignored: 3, first in line 1",
    ],
    "whisper.tsv": ["times are milliseconds"],
    "whisper_words.srt": ["captions with a highlighted word: cues joined into utterances: 6"],
    "youtube_auto.srt": ["rolling captions: repeated lines ignored: 4"],
    "rev.csv": ["times end with frames of unknown rate: read as whole seconds"],
    "cc_chevrons.srt": [
        "changes of speaker without a name: 3; assigned to the speaker before the previous one"
    ],
}  # fmt: skip


def test_every_file_has_its_reading() -> None:
    assert {file.name for file in FOLDER.iterdir()} == READ.keys() | REFUSED.keys()


@pytest.mark.parametrize("name", READ)
def test_what_is_said(name: str) -> None:
    transcript = read_transcript(FOLDER / name)
    found = utterances(transcript)
    assert [(u.speaker, u.text, u.start, u.end) for u in found] == READ[name]
    assert {f"{name}: {note}" for note in NOTES.get(name, [])} <= set(transcript.notes)
    if name == "iemocap.txt":
        assert [u.id for u in found] == [f"Ses01F_impro01_{id}" for id in ("F000", "M000", "F001", "M001")]


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name: str) -> None:
    with pytest.raises(InputError) as error:
        read_transcript(FOLDER / name)
    assert REFUSED[name] in str(error.value)


@pytest.mark.parametrize("name", sorted(REFUSED.keys() - {"gb.srt"}))
@pytest.mark.parametrize("suffix", [".txt", ".csv", ".srt", ""])
def test_the_content_is_refused_whatever_the_file_is_called(tmp_path: Path, name: str, suffix: str) -> None:
    (path := tmp_path / f"talk{suffix}").write_bytes((FOLDER / name).read_bytes())
    with pytest.raises(InputError) as error:
        read_transcript(path)
    assert REFUSED[name] in str(error.value)


def test_an_encoding_that_is_given() -> None:
    transcript = read_transcript(FOLDER / "gb.srt", encoding="gb2312")
    assert [u.text for u in utterances(transcript)] == ["你好，我得到了工作！", "真的吗？"]
    assert times(transcript) == [(0.31, 2.1), (2.4, 4.9)]
