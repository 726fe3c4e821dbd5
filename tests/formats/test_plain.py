from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.files import read, refused, said, times, utterances


def test_speakers_and_lines_that_go_on(tmp_path: Path) -> None:
    transcript = read(tmp_path, "chat.txt", "Monica: Hi!\n\nRoss: I said: no.\n  It's 10:30\nand late.\nMonica:\nOh\n")
    assert said(transcript) == [("Monica", "Hi!"), ("Ross", "I said: no. It's 10:30 and late."), ("Monica", "Oh")]
    assert [utterance.id for utterance in utterances(transcript)] == ["0", "1", "2"]
    assert transcript.conversations[0].id == "chat"
    assert transcript.notes == []
    assert times(transcript) == [(None, None)] * 3


def test_no_speakers(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "We met at 10:30.\nHe said: no.\nhttp://example.org\n")
    assert said(transcript) == [
        ("Speaker 1", "We met at 10:30."), ("Speaker 1", "He said: no."), ("Speaker 1", "http://example.org"),
    ]  # fmt: skip
    assert transcript.notes == ["a.txt: no speaker names found: all 3 utterances are assigned to one speaker"]


def test_a_heading_before_the_first_speaker(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "At the cafe\nJoey: Hey\nRoss: Hi\nJoey: So\nSpeaker 1: What")
    assert said(transcript)[:2] == [("Speaker 2", "At the cafe"), ("Joey", "Hey")]
    assert transcript.notes == ["a.txt: 1 of 5 utterances have no speaker name: assigned to the previous speaker"]


@pytest.mark.parametrize("dash", [" - ", "-", " – ", " --> ", " to "])
def test_times(tmp_path: Path, dash: str) -> None:
    content = f"[00:01:02{dash}00:01:03.5] Ann: Hi\n[1:04{dash}1:05,25] Bob: Oh\nyes\n[70.5{dash}72] Ann: [laughs] no\n"
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == [("Ann", "Hi"), ("Bob", "Oh yes"), ("Ann", "[laughs] no")]
    assert times(transcript) == [(62, 63.5), (64, 65.25), (70.5, 72)]
    assert transcript.notes == []


def test_beginnings_alone_last_until_the_next(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "[00:01] Ann: Hi\n[00:03] Bob: Oh\n[00:03] no\n[00:09.5] Ann: So\n")
    assert times(transcript) == [(1, 3), (3, None), (3, 9.5), (9.5, None)]
    assert said(transcript)[2] == ("Bob", "no")
    assert transcript.notes == [
        "a.txt: 1 of 4 utterances have no speaker name: assigned to the previous speaker",
        "a.txt: utterances without an end: 3, first in line 1; each lasts until the next one starts",
    ]


@pytest.mark.parametrize("brackets", ["{}", "({})", "[{}]"])
def test_times_before_names(tmp_path: Path, brackets: str) -> None:
    first, second = brackets.format("00:01:02"), brackets.format("01:04.5")
    transcript = read(tmp_path, "a.txt", f"{first} Ann: Hi\n{second} Bob: Oh\nand\n")
    assert said(transcript) == [("Ann", "Hi"), ("Bob", "Oh and")]
    assert times(transcript) == [(62, 64.5), (64.5, None)]


@pytest.mark.parametrize(
    "date",
    [
        "[12/03/2024, 10:15:32] ",
        "\u200e[12.03.24, 10:15:32] ",
        "12/03/2024, 10:15 - ",
        "3/12/24, 10:15\u202fPM - ",
        "2024-03-12 10:15:32 ",
    ],
)
def test_dates_of_messages_are_no_times(tmp_path: Path, date: str) -> None:
    transcript = read(tmp_path, "a.txt", f"{date}Ann: Hi\n{date}Bob: Oh\nand\n{date}Ann: 10:15 it is\n")
    assert said(transcript) == [("Ann", "Hi"), ("Bob", "Oh and"), ("Ann", "10:15 it is")]
    assert times(transcript) == [(None, None)] * 3
    uncertain = ["a.txt: dates before messages ignored: day/month or month/day is uncertain"]
    assert transcript.notes == ([] if date.startswith("2024") else uncertain)


def test_times_without_speakers(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "[00:01 - 00:02] Hi\nthere\n[00:03 - 00:04] One word: no\n")
    assert said(transcript) == [("Speaker 1", "Hi there"), ("Speaker 1", "One word: no")]


@pytest.mark.parametrize(
    "time", ["00:99:99", "1:2:3:4", "00:01 - ", "00:01 - 00:02 - 00:03", "00:01:xx", "10:30 o'clock"]
)
def test_broken_times(tmp_path: Path, time: str) -> None:
    assert f"a.txt, line 2: [{time}] is not a time" in refused(
        tmp_path, "a.txt", f"[00:01] Ann: Hi\n[{time}] Bob: Oh\n"
    )


def test_an_end_before_the_start(tmp_path: Path) -> None:
    assert "a.txt, line 1: end 2.0 is before start 3.0" in refused(tmp_path, "a.txt", "[00:03 - 00:02] Ann: Hi")


def test_brackets_that_are_no_times(tmp_path: Path) -> None:
    assert said(read(tmp_path, "a.txt", "[laughs] Hi\n[1] Oh\n(10:30) no\n")) == [
        ("Speaker 1", "[laughs] Hi"), ("Speaker 1", "[1] Oh"), ("Speaker 1", "(10:30) no"),
    ]  # fmt: skip


def test_unordered_and_overlapping_times_are_noted(tmp_path: Path) -> None:
    content = "[00:05 - 00:09] Ann: a\n[00:08 - 00:10] Bob: b\n[00:02 - 00:03] Ann: c\n"
    transcript = read(tmp_path, "a.txt", content)
    assert [text for _, text in said(transcript)] == ["a", "b", "c"]
    assert transcript.notes == [
        "a.txt: utterances that start before the previous one: 1, first in line 3; order of the file kept",
        "a.txt: utterances that overlap the previous one: 1, first in line 2; times kept",
    ]


def test_nothing_said(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.txt", "Ann: Hi\nBob:\nAnn: Oh\n")
    assert said(transcript) == [("Ann", "Hi"), ("Ann", "Oh")]
    assert transcript.notes == ["a.txt: utterances without text ignored: 1, first in line 2"]
    assert "no utterances" in refused(tmp_path, "a.txt", "Ann:\nBob:\n")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("Ann\tI said: hi\nBen Lee\tHello\nAnn\tBye\n", [("Ann", "I said: hi"), ("Ben Lee", "Hello"), ("Ann", "Bye")]),
        (
            "ann\thi\nben\thello\nann\tbye\nben\tbye\n",
            [("ann", "hi"), ("ben", "hello"), ("ann", "bye"), ("ben", "bye")],
        ),
        ("Ann:\tHi\nBen:\tHello\n", [("Ann", "Hi"), ("Ben", "Hello")]),
        ("Ann\tHi\nHello\n", [("Speaker 1", "Ann Hi"), ("Speaker 1", "Hello")]),  # not every line
        ("Ann\tHi\tthere\nBen\tHello\tyou\n", [("Speaker 1", "Ann Hi there"), ("Speaker 1", "Ben Hello you")]),
        ("1\tHi\n2\tHello\n", [("Speaker 1", "1 Hi"), ("Speaker 1", "2 Hello")]),  # numbers of lines
        (
            "I am here.\tJe suis là.\nYes.\tOui.\n",
            [("Speaker 1", "I am here. Je suis là."), ("Speaker 1", "Yes. Oui.")],
        ),
    ],
)
def test_tabs_between_speaker_and_text(tmp_path: Path, content: str, expected: list[tuple[str, str]]) -> None:
    assert said(read(tmp_path, "a.txt", content)) == expected


def test_the_note_on_a_single_utterance_without_a_speaker(tmp_path: Path) -> None:
    (note,) = read(tmp_path, "a.txt", "Hello.\n").notes
    assert "the utterance is assigned" in note
    assert "1 utterances" not in note
