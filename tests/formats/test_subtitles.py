from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from tests.formats.files import read, refused, said, times, utterances

SRT = """1
00:00:01,000 --> 00:00:02,500
MONICA: There's nothing
to tell!

2
00:00:02,600 --> 00:00:03,000 X1:40 X2:600 Y1:20 Y2:50
{\\an8}<i>He's just</i> <font color="#fff">some guy</font> &amp; so on

3
00:00:04,000 --> 00:00:05,000
- Come on!
- JOEY: Where
are you?
"""


def test_srt(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.srt", SRT)
    assert said(transcript) == [
        ("MONICA", "There's nothing to tell!"),
        ("MONICA", "He's just some guy & so on"),
        ("MONICA", "Come on!"),
        ("JOEY", "Where are you?"),
    ]
    assert times(transcript) == [(1, 2.5), (2.6, 3), (4, 5), (4, 5)]
    assert transcript.notes == ["a.srt: 2 of 4 utterances have no speaker name: assigned to the previous speaker"]


def test_srt_as_found_in_the_wild(tmp_path: Path) -> None:
    """Points for commas, no counters, no empty line between cues, one inside of a cue, numbers that are said."""
    content = """00:00:01.000 --> 00:00:02.000
Ann: How many?

42
00:00:03,000 --> 00:00:04,000
Bob: 17

or so
3
00:00:05,000-->00:00:06,000
Ann: a --> b
"""
    transcript = read(tmp_path, "a.srt", content)
    assert said(transcript) == [("Ann", "How many?"), ("Bob", "17 or so"), ("Ann", "a --> b")]
    assert transcript.notes == []


def test_several_names_in_a_cue(tmp_path: Path) -> None:
    cues = ["Ann: Hi.\nBob: Oh, hi.\nHow are", "Bob: You?", "Ann: One word: no"]
    content = "\n".join(f"00:00:0{n},000 --> 00:00:0{n},900\n{cue}\n" for n, cue in enumerate(cues))
    transcript = read(tmp_path, "a.srt", content)
    assert said(transcript) == [
        ("Ann", "Hi."), ("Bob", "Oh, hi. How are"), ("Bob", "You?"), ("Ann", "One word: no"),
    ]  # fmt: skip
    assert times(transcript)[:2] == [(0, 0.9), (0, 0.9)]


@pytest.mark.parametrize(
    ("cue", "texts"),
    [
        ("- Who?\n- Me.", ["Who?", "Me."]),
        ("-Who?\n-Me.", ["Who?", "Me."]),
        ("Who?\n– Me.", ["Who?", "Me."]),
        ("— Who is\nthere?\n— Me.", ["Who is there?", "Me."]),
        ("<i>- Who?</i>\n<i>- Me.</i>", ["Who?", "Me."]),
        ("It is\n-5 degrees", ["It is -5 degrees"]),
        ("and so\n--no", ["and so --no"]),
        ("I <3 you\na < b > c", ["I <3 you a < b > c"]),
        ("R&not AT&T &lt;b&gt; &#39;x&#x27; &nbsp;&hearts;", ["R&not AT&T <b> 'x' ♥"]),
        ("He said: no", ["He said: no"]),
    ],
)
@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_cue_texts(tmp_path: Path, cue: str, texts: list[str], suffix: str) -> None:
    head = "WEBVTT\n\n" if suffix == "vtt" else "1\n"
    transcript = read(tmp_path, f"a.{suffix}", f"{head}00:00:01.000 --> 00:00:02.000\n{cue}\n")
    assert [text for _, text in said(transcript)] == texts


def test_a_first_line_that_holds_a_time(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no utterances"):
        read(tmp_path, "a.vtt", "WEBVTT[00:00:03.000 --> 00:00:05.000] BEN: Oh")


WEBVTT = """WEBVTT - a title
Kind: captions

NOTE a comment
of two lines

STYLE
::cue(.loud) { color: red }

REGION
id:fred

first
00:01.000 --> 00:02.000 align:left position:10%
<v Ann &amp; Bob>Hi <b>there</b>, <00:01.500>you</v>

01:00:02.000 --> 01:00:03.000
<v.loud.first Esme (O'Neil)>Hey
you</v>
<v Ann>So: <lang en>what</lang>

01:00:04.000 --> 01:00:05.000
no one
"""


def test_webvtt(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.vtt", WEBVTT)
    assert said(transcript) == [
        ("Ann & Bob", "Hi there, you"),
        ("Esme (O'Neil)", "Hey you"),
        ("Ann", "So: what"),
        ("Ann", "no one"),
    ]
    assert times(transcript) == [(1, 2), (3602, 3603), (3602, 3603), (3604, 3605)]
    assert [utterance.id for utterance in utterances(transcript)] == ["0", "1", "2", "3"]


def test_webvtt_identifiers(tmp_path: Path) -> None:
    content = "WEBVTT\n\nutt 7\n00:01.000 --> 00:02.000\n<v Ann>a\n\nutt 3\n00:03.000 --> 00:04.000\n<v Ann>b"
    assert [utterance.id for utterance in utterances(read(tmp_path, "a.vtt", content))] == ["utt 7", "utt 3"]
    twice = content.replace("utt 7", "utt 3")
    assert [utterance.id for utterance in utterances(read(tmp_path, "a.vtt", twice))] == ["0", "1"]


def test_rolling_captions_say_everything_once(tmp_path: Path) -> None:
    cues = [
        "00:00.160 --> 00:02.070 align:start\n \nso<00:00.320><c> this</c><00:00.480><c> is</c>",
        "00:02.070 --> 00:02.080 align:start\nso this is\n ",
        "00:02.080 --> 00:04.000 align:start\nso this is\na<00:02.320><c> test</c>",
        "00:04.000 --> 00:05.000 align:start\na test\n[Music]",
    ]
    transcript = read(tmp_path, "a.vtt", "WEBVTT\nKind: captions\n\n" + "\n\n".join(cues) + "\n")
    assert [text for _, text in said(transcript)] == ["so this is", "a test"]
    assert times(transcript) == [(0.16, 2.07), (2.08, 4)]
    assert transcript.notes[0] == "a.vtt: rolling captions: repeated lines ignored: 3"
    plain = read(tmp_path, "b.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nNo.\n\n00:02.000 --> 00:03.000\nNo.\n")
    assert [text for _, text in said(plain)] == ["No.", "No."]


def test_webvtt_without_its_first_line(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.vtt", "00:01.000 --> 00:02.000\nAnn: a\n\nlost\n\n00:03.000 --> 00:04.000\nBob: b")
    assert said(transcript) == [("Ann", "a"), ("Bob", "b")]
    assert transcript.notes == [
        "a.vtt: the first line is not WEBVTT; read as WebVTT nevertheless",
        "a.vtt: lines outside of cues ignored: 1, first in line 4",
    ]


@pytest.mark.parametrize(
    "time",
    [
        "00:00:0x,000 --> 00:00:02,000",
        "00:00:01,000 --> ",
        "00:00:01,000 -->",
        "--> 00:00:02,000",
        "00:61:01,000 --> 00:00:02,000",
        "00:00:01, 000 --> 00:00:02,000",
    ],
)
@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_broken_times(tmp_path: Path, time: str, suffix: str) -> None:
    head = "WEBVTT\n\n" if suffix == "vtt" else ""
    line = 6 if head else 4
    content = f"{head}00:00:01.000 --> 00:00:02.000\nAnn: a\n\n{time}\nBob: b\n"
    assert f"a.{suffix}, line {line}: {time.strip()!r}" in refused(tmp_path, f"a.{suffix}", content)


def test_an_end_before_the_start(tmp_path: Path) -> None:
    message = refused(tmp_path, "a.srt", SRT.replace("00:00:03,000", "00:00:02,500"))
    assert "a.srt, line 7: end 2.5 is before start 2.6" in message


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_a_time_right_after_a_time(tmp_path: Path, suffix: str) -> None:
    head = "WEBVTT\n\n" if suffix == "vtt" else ""
    content = f"{head}00:00:01.000 --> 00:00:02.000\n00:00:03.000 --> 00:00:04.000\nAnn: a\n"
    assert times(read(tmp_path, f"a.{suffix}", content)) == [(3, 4)]


def test_no_subtitles(tmp_path: Path) -> None:
    assert "a.srt, line 1: expected a cue" in refused(tmp_path, "a.srt", "Ann: Hi\n\nBob: Oh")
    assert "no utterances" in refused(tmp_path, "a.vtt", "WEBVTT\n\nAnn: Hi")
    assert "no utterances" in refused(tmp_path, "b.vtt", "WEBVTT")


def test_empty_cues_are_left_out(tmp_path: Path) -> None:
    transcript = read(tmp_path, "a.srt", "1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n\n" + SRT)
    assert len(said(transcript)) == 4
    assert "a.srt: cues without text ignored: 1" in transcript.notes


def test_a_corrected_emotion_is_a_label_and_a_predicted_one_is_not(tmp_path: Path) -> None:
    cues = ["[very sad, corrected] Go [now].", "[joy 0.83] Ha!", "[sighs, loudly] No.", "[anger, corrected]"]
    timed = [f"00:0{k}.000 --> 00:0{k + 1}.000\n<v Ann><c.x>{text}</c>" for k, text in enumerate(cues)]
    transcript = read(tmp_path, "a.vtt", "WEBVTT\n\n" + "\n\n".join(timed) + "\n")
    said = [(u.text, u.label) for u in transcript.conversations[0].utterances]
    assert said == [("Go [now].", "very sad"), ("Ha!", None), ("[sighs, loudly] No.", None), (None, "anger")]
