"""Transcripts that are still being written say, line by line, what the reader of whole files says in the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.errors import InputError
from sdt.formats import read_transcript
from sdt.formats.live import LiveTranscript
from sdt.formats.transcript import Turn


def turns(*lines: str | bytes, form: str | None = None) -> list[Turn | None]:
    transcript = LiveTranscript("here", form)  # type: ignore[arg-type]
    return [transcript.turn(line if isinstance(line, bytes) else line.encode() + b"\n") for line in lines]


def said(*lines: str | bytes) -> list[tuple[str | None, str | None, str | None]]:
    return [(turn.conversation, turn.speaker, turn.text) for turn in turns(*lines) if turn is not None]


def test_names_times_and_dates_as_in_files(tmp_path: Path) -> None:
    lines = [
        "[00:01:02] Ann: It is 10:30.",
        "[00:01:05.5 - 00:01:07] Ben Stone: He said: no!",
        "12/03/2024, 10:15 - Ann: Hi",
        "Ben Stone：好",
    ]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    (expected,) = read_transcript(tmp_path / "a.txt").conversations
    found = [turn for turn in turns(*lines) if turn]
    assert [(t.speaker, t.text, t.start) for t in found] == [(u.speaker, u.text, u.start) for u in expected.utterances]


def test_names_are_believed_by_the_lines_so_far() -> None:
    assert said("ann: hello", "well then", "look: a bird", "ann: where?", "Note: nothing") == [
        ("1", "ann", "hello"),  # every line so far begins with a name
        ("1", None, "well then"),
        ("1", None, "look: a bird"),
        ("1", "ann", "where?"),
        ("1", None, "Note: nothing"),
    ]


def test_blank_lines_say_nothing_and_dashes_divide() -> None:
    assert said("Ann: one", "", "   ", "Ann: two", " ---- ", "---", "Ann: three - --", "—–—", "Ann: four") == [
        ("1", "Ann", "one"),
        ("1", "Ann", "two"),
        ("3", "Ann", "three - --"),
        ("4", "Ann", "four"),
    ]


def test_objects() -> None:
    found = turns(
        '{"text": "Hi", "speaker": "Ann", "utterance": 7, "start": "00:00:01.5", "media": "a.wav"}',
        '{"conversation": "b", "text": "Ho", "emotion": "joy", "probability": 0.5, "weights": {"text": 1}}',
        '{"Text": "Ha"}',
    )
    assert [t and (t.conversation, t.id, t.speaker, t.text) for t in found] == [
        ("1", "7", "Ann", "Hi"),
        ("b", None, None, "Ho"),
        ("1", None, None, "Ha"),
    ]
    assert found[0]
    assert (found[0].start, found[0].clip) == (1.5, Path("a.wav"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "cut', "here, line 2: not JSON"),
        ('["text"]', "here, line 2: expected an object"),
        ('{"txet": "a"}', "here, line 2: unknown column 'txet'; did you mean 'text'?"),
        ('{"speaker": "a"}', "here, line 2: column 'text' is missing"),
        ('{"text": ["a"]}', "here, line 2: text is "),
        ('{"text": "a", "start": "soon"}', "here, line 2: start 'soon' is not a time"),
        ("\0", "here, line 2: contains a NUL byte"),
        ("x" * 100_001, "here, line 2: exceeds the limit of 100,000 characters"),
    ],
)
def test_lines_that_cannot_be_read_are_named_and_the_next_can_be(line: str, message: str) -> None:
    transcript = LiveTranscript("here")
    assert transcript.turn(b'{"text": "one"}\n')
    with pytest.raises(InputError) as error:
        transcript.turn(line.encode() + b"\n")
    assert str(error.value).startswith(message)
    assert transcript.turn(b'{"text": "two"}\n')


def test_a_time_that_is_none() -> None:
    with pytest.raises(InputError, match=r"here, line 2: \[00:00:99999\] is not a time|here, line 2: .* is not a time"):
        turns("Ann: hi", "[1:2:3:4] Ann: hi")


def test_bytes() -> None:
    assert said(b"\xef\xbb\xbfAnn: one\r\n", b"Ann: don\x92t\n", "Ann: 好".encode()) == [
        ("1", "Ann", "one"),
        ("1", "Ann", "don’t"),
        ("1", "Ann", "好"),
    ]


def test_a_form_that_was_asked_for() -> None:
    assert turns('{"text": "Hi"}', form="lines")[0] == Turn(1, '{"text": "Hi"}', None, conversation="1")
    with pytest.raises(InputError, match="line 1: not JSON"):
        turns("Ann: Hi", form="json")


def test_names_in_brackets_and_on_lines_of_their_own() -> None:
    lines = ["[SPEAKER_00]: Hi", "[SPEAKER_01]: Ho", "Ann Lee  0:05", "I got the job!", "It is true.", "[Music]"]
    found = [turn and (turn.speaker, turn.text, turn.start) for turn in turns(*lines)]
    assert found == [
        ("SPEAKER_00", "Hi", None),
        ("SPEAKER_01", "Ho", None),
        None,
        ("Ann Lee", "I got the job!", 5),
        (None, "It is true.", None),
        (None, "", None),
    ]


def test_encodings() -> None:
    assert said("Анна: Я получила работу, не могу поверить!".encode("cp1251"))[0][1] == "Анна"
    transcript = LiveTranscript("here", encoding="gb2312")
    turn = transcript.turn("小明：你好\n".encode("gb2312"))
    assert turn
    assert (turn.speaker, turn.text) == ("小明", "你好")
    with pytest.raises(InputError, match=r"here, line 1: .*--encoding"):
        LiveTranscript("here").turn("你好\n".encode("gb2312"))
