"""SBV, LRC, and ASS and SSA, which pysubs2 reads the same."""

from __future__ import annotations

from pathlib import Path

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdt.formats import read_transcript
from sdt.formats.ass import read as read_ass
from sdt.formats.lrc import read as read_lrc
from sdt.formats.parsing.decoding import decode_text
from sdt.formats.sbv import read as read_sbv
from sdt.formats.transcript import tidy
from tests.formats.files import read, refused, said, times, utterances

TIMES = [(1, 2.5), (3, 4.25)]


def test_sbv(tmp_path: Path) -> None:
    content = "0:00:01.000,0:00:02.500\nANN: Hi\n\nthere[br]you\n\n0:00:03.000,0:00:04.250\nBEN: No\n"
    for name in ("a.sbv", "a.txt"):
        transcript = read(tmp_path, name, content)
        assert said(transcript) == [("ANN", "Hi there you"), ("BEN", "No")]
        assert times(transcript) == TIMES
    assert "line 2: 'x' is not a cue timing" in refused(tmp_path, "a.sbv", "\nx\n0:00:01.000,0:00:02.500\nHi\n")
    assert "line 1: end 1.0 is before start 2.0" in refused(tmp_path, "a.sbv", "0:00:02.000,0:00:01.000\nHi\n")


def test_lrc(tmp_path: Path) -> None:
    content = "[ti:Talk]\n[by:a tool]\n[00:01.00]Ann: Hi\n[00:02.50]\n[00:03.00] Ben: No\n[00:04.25]Ann: So\n"
    transcript = read(tmp_path, "a.txt", content)
    assert said(transcript) == [("Ann", "Hi"), ("Ben", "No"), ("Ann", "So")]
    assert times(transcript) == [*TIMES, (4.25, None)]


def test_repeated_lines_and_the_offset_of_lrc(tmp_path: Path) -> None:
    content = "[offset:+500]\n[00:10.50][75:01.00]Oh\n[00:11.50]No\n"
    transcript = read(tmp_path, "a.lrc", content)
    assert [text for _, text in said(transcript)] == ["Oh", "No", "Oh"]
    assert times(transcript) == [(10, 11), (11, 4500.5), (4500.5, None)]
    assert times(read(tmp_path, "a.lrc", "[00:10:50]Oh\n"))[0][0] == 10.5


def test_words_of_lrc(tmp_path: Path) -> None:
    content = "[la:en]\n[00:01.00]<00:01.00>Hi <00:01.50>there\n[00:02.50]\n[00:03.00]No <00:03.50>way<00:04.00>\n"
    first, second = utterances(read(tmp_path, "a.lrc", content))
    assert [(w.text, w.start, w.end) for w in first.words] == [("Hi", 1, 1.5), ("there", 1.5, 2.5)]
    assert [(w.text, w.start, w.end) for w in second.words] == [("No", 3, 3.5), ("way", 3.5, 4)]
    assert (first.text, second.text) == ("Hi there", "No way")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[ti:a]\nHi\n", "line 2: 'Hi' has no time"),
        ("[offset:soon]\n[00:01.00]Hi\n", "line 1: offset 'soon'"),
        ("[ti:a]\n[00:01.00]Ho <00:99.00>x\n", "line 2: [00:99.00] is not a time"),
    ],
)
def test_damaged_lrc(tmp_path: Path, content: str, message: str) -> None:
    assert message in refused(tmp_path, "a.lrc", content)


ASS = """[Script Info]
; comment
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:03.00,0:00:04.25,Default,Ben,0,0,0,,{\\i1}No{\\i0}, a < b {\\p1}m 0 0 l 1 1{\\p0}& c
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,ignored
Dialogue: 0,0:00:01.00,0:00:02.50,Default,Ann,0,0,0,,Hi,\\Nthere\\hyou
"""


def test_ass(tmp_path: Path) -> None:
    for name, content in (("a.ass", ASS), ("a.txt", f"\ufeff{ASS}"), ("a.ass", ASS.replace("Name, M", "Actor, M"))):
        transcript = read(tmp_path, name, content)
        assert said(transcript) == [("Ann", "Hi, there you"), ("Ben", "No, a < b & c")]
        assert times(transcript) == TIMES
    assert "a.ass: comments ignored: 1, first in line 12" in transcript.notes
    prefixed = ASS.replace(",Ben,", ",,").replace(",Ann,", ",,").replace(",,Hi", ",,ANN: Hi").replace(",,{", ",,BEN: {")
    assert [name for name, _ in said(read(tmp_path, "a.ass", prefixed))] == ["ANN", "BEN"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0:00:03.00", "soon", "line 11: 'soon' is not a time"),
        ("0:00:03.00", "0:00:05.00", "line 11: end 4.25 is before start 5.0"),
        ("Default,Ann,0,0,0,,Hi,\\Nthere\\hyou", "Hi", "line 13: 4 fields; expected 10"),
        ("Start, End", "Begin, End", "line 10: the fields lack start"),
    ],
)
def test_damaged_ass(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert message in refused(tmp_path, "a.ass", ASS.replace(old, new))


TEXT = st.text("abhnNp1 äß你好.,!?{}\\<>&;:", min_size=1, max_size=30).filter(lambda text: text.strip())
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 3_500_000).map(lambda t: 10 * t),
        st.integers(1, 900).map(lambda t: 10 * t),
        st.sampled_from(["Ann", "Ben Fox", "Lee <1>"]),
        TEXT,
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("format", ["ass", "ssa"])
@given(events=EVENTS)
def test_ass_is_read_as_by_pysubs2(format: str, events: list[tuple[int, int, str, str]]) -> None:
    file = pysubs2.SSAFile()
    file.events = [pysubs2.SSAEvent(start, start + length, text, name=name) for start, length, name, text in events]
    content = file.to_string(format)
    other = sorted(pysubs2.SSAFile.from_string(content, format), key=lambda event: event.start)
    expected = [
        (event.start / 1000, event.end / 1000, event.name, " ".join(event.plaintext.replace("\\h", " ").split()))
        for event in other
        if event.plaintext.replace("\\h", " ").strip()
    ]
    turns, _ = read_ass(Path("a.ass"), decode_text(Path("a.ass"), content.encode()))
    assert [(turn.start, turn.end, turn.speaker, turn.text) for turn in turns] == expected


WORDS = st.text("abn ä你好.,!?&1", min_size=1, max_size=20).map(tidy).filter(lambda text: text[:1].isalpha())
CUES = st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 99), WORDS), min_size=1, max_size=6)


def clock(hundredths: int) -> str:
    seconds, rest = divmod(hundredths, 100)
    return f"{seconds // 60:02}:{seconds % 60:02}.{rest:02}"


@given(cues=CUES)
def test_times_and_texts_of_sbv(cues: list[tuple[int, int, str]]) -> None:
    spans = [(100 * start, 100 * start + length, text) for start, length, text in sorted(cues)]
    blocks = (f"0:{clock(start)}0,0:{clock(end)}0\n{text}\n" for start, end, text in spans)
    if spans[-1][1] < 360_000:  # the hour is written as 0
        turns, _ = read_sbv(Path("a.sbv"), decode_text(Path("a.sbv"), "\n".join(blocks).encode()))
        texts = {(turn.start, turn.end, turn.text) for turn in turns}
        assert texts <= {(start / 100, end / 100, text) for start, end, text in spans}
        assert {turn.text for turn in turns} == {text for _, _, text in spans}


@given(cues=CUES)
def test_times_and_texts_of_lrc(cues: list[tuple[int, int, str]]) -> None:
    lines = "".join(f"[{clock(100 * start + more)}]{text}\n" for start, more, text in cues)
    turns, _ = read_lrc(Path("a.lrc"), decode_text(Path("a.lrc"), f"[ti:a]\n{lines}".encode()))
    expected = sorted(((100 * start + more) / 100, text) for start, more, text in cues)
    assert sorted((turn.start or 0.0, turn.text) for turn in turns) == expected
    later = sorted({start for start, _ in expected})
    assert all(turn.end == next((one for one in later if one > (turn.start or 0.0)), None) for turn in turns)


def test_a_file_of_pysubs2(tmp_path: Path) -> None:
    file = pysubs2.SSAFile()
    file.events = [pysubs2.SSAEvent(1000, 2500, "Hi\\Nthere", name="Ann")]
    file.save(str(tmp_path / "a.ssa"))
    transcript = read_transcript(tmp_path / "a.ssa")
    assert (said(transcript), times(transcript)) == ([("Ann", "Hi there")], [(1, 2.5)])


def test_times_of_words_without_words(tmp_path: Path) -> None:
    assert "no utterances" in refused(tmp_path, "a.vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\n<00:00.500>\n")
