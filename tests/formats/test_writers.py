from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sdt.conversation import Conversation, Prediction, Review, Utterance
from sdt.errors import InputError
from sdt.formats import read_transcript, write_predictions
from sdt.formats.transcript import tidy
from tests.formats.files import ODD_LABELS

LABELS = ("neutral", "very happy", "so [so]")
TALK = Conversation(
    "talk",
    (
        Utterance("a", "Ann", "Hi <b>you</b> & AT&amp;T {\\an8}: - ok", "neutral", 1, 2.5),
        Utterance("b", "Bob O'Neil", None, None, 2, 3600.125),
        Utterance("c", "Ann", "10:30 --> 11:00", None, 3601, 3602),
    ),
)


def predictions(conversations: Sequence[Conversation]) -> list[Prediction]:
    shares = {"neutral": 0.1, "very happy": 0.8333333333, "so [so]": 0.0666666667}
    return [
        Prediction(c.id, u.id, "very happy", shares, {"text": shares, "audio": shares}, {"text": 0.75, "audio": 0.25})
        for c in conversations
        for u in c.utterances
    ]


def written(folder: Path, name: str, *conversations: Conversation, format: str | None = None) -> Path:
    write_predictions(folder / name, conversations, predictions(conversations)[::-1], format)
    return folder / name


@pytest.mark.parametrize("name", ["a.jsonl", "a.ndjson"])
def test_json_lines(tmp_path: Path, name: str) -> None:
    lines = [json.loads(line) for line in written(tmp_path, name, TALK).read_text("utf-8").splitlines()]
    assert lines[0] == {
        "conversation": "talk", "utterance": "a", "speaker": "Ann", "text": TALK.utterances[0].text,
        "start": 1, "end": 2.5, "label": "neutral", "emotion": "very happy", "probability": 0.833333,
        "probabilities": {"neutral": 0.1, "very happy": 0.833333, "so [so]": 0.0666667},
        "branches": {m: {"neutral": 0.1, "very happy": 0.833333, "so [so]": 0.0666667} for m in ("text", "audio")},
        "weights": {"text": 0.75, "audio": 0.25},
    }  # fmt: skip
    assert lines[1]["text"] is None
    assert not {"label", "review"} & set(lines[1])
    assert json.loads(written(tmp_path, "a.json", TALK).read_text("utf-8")) == lines
    assert json.loads(written(tmp_path, "none.json").read_text("utf-8")) == []


def test_csv(tmp_path: Path) -> None:
    with written(tmp_path, "a.csv", TALK).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["emotion"] for row in rows] == ["very happy"] * 3
    assert rows[0]["p_very happy"] == rows[0]["audio_p_very happy"] == rows[0]["probability"] == "0.833333"
    assert rows[0]["text_weight"] == "0.75"
    assert [row["label"] for row in rows] == ["neutral", "", ""]
    assert rows[1]["text"] == ""


def test_csv_holds_nothing_that_a_spreadsheet_runs(tmp_path: Path) -> None:
    texts = ('=HYPERLINK("http://x")', " +1", "-1", "@SUM(A1)", "\uff1d1", "a=1", "1-1")
    talk = Conversation("=talk", tuple(Utterance(str(row), "-Ann", text) for row, text in enumerate(texts)))
    path = written(tmp_path, "a.csv", talk)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"].startswith("\t") for row in rows] == [True] * 5 + [False] * 2
    assert {(row["conversation"], row["speaker"]) for row in rows} == {("\t=talk", "\t-Ann")}
    (read,) = read_transcript(path).conversations
    assert (read.id, {u.speaker for u in read.utterances}) == ("=talk", {"-Ann"})
    assert [u.text for u in read.utterances] == [tidy(text) for text in texts]


def test_webvtt(tmp_path: Path) -> None:
    assert written(tmp_path, "a.vtt", TALK).read_text("utf-8") == (
        "WEBVTT\n\n"
        "a\n00:00:01.000 --> 00:00:02.500\n"
        "<v Ann><c.neutral>[neutral, labelled] Hi &lt;b&gt;you&lt;/b&gt; &amp; AT&amp;amp;T &#123;\\an8}: - ok</c>\n\n"
        "b\n00:00:02.000 --> 01:00:00.125\n<v Bob O'Neil><c.very-happy>[very happy 0.83]</c>\n\n"
        "c\n01:00:01.000 --> 01:00:02.000\n<v Ann><c.very-happy>[very happy 0.83] 10:30 --&gt; 11:00</c>\n"
    )


def test_srt(tmp_path: Path) -> None:
    assert written(tmp_path, "a.srt", TALK).read_text("utf-8") == (
        "1\n00:00:01,000 --> 00:00:02,500\n"
        "Ann: [neutral, labelled] Hi &lt;b>you&lt;/b> & AT&amp;amp;T &#123;\\an8}: - ok\n\n"
        "2\n00:00:02,000 --> 01:00:00,125\nBob O'Neil: [very happy 0.83]\n\n"
        "3\n01:00:01,000 --> 01:00:02,000\nAnn: [very happy 0.83] 10:30 --> 11:00\n\n"
    )


def test_webvtt_is_in_the_order_of_time_and_every_cue_lasts(tmp_path: Path) -> None:
    talk = Conversation(
        "t",
        (
            Utterance("NOTE", "Ann", "b", None, 5, 5),
            Utterance("x", "Ann", "a", None, 1),
            Utterance("y", "Ann", "c", None, 9),
        ),
    )
    lines = written(tmp_path, "a.vtt", talk).read_text("utf-8").splitlines()
    assert [line for line in lines if "-->" in line] == [
        "00:00:01.000 --> 00:00:04.000",
        "00:00:05.000 --> 00:00:05.001",
        "00:00:09.000 --> 00:00:12.000",
    ]
    assert "NOTE" not in lines


@pytest.mark.parametrize("suffix", ["srt", "vtt"])
def test_subtitles_need_times_and_one_conversation(tmp_path: Path, suffix: str) -> None:
    timeless = Conversation("t", (*TALK.utterances, Utterance("d", "Ann", "no")))
    with pytest.raises(InputError, match=r"utterance 'd' has no time, which .* requires; write jsonl or csv"):
        written(tmp_path, f"a.{suffix}", timeless)
    with pytest.raises(InputError, match="one conversation each"):
        written(tmp_path, f"a.{suffix}", TALK, Conversation("t", TALK.utterances))
    assert list(tmp_path.iterdir()) == []


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"format 'vt' is unknown; did you mean 'vtt'\?"):
        written(tmp_path, "a.vt", TALK, format="vt")
    for name in ("a.xlsm", "a.rttm", "a.txt", "a", ".csv"):
        with pytest.raises(InputError, match="no output format has the suffix") as caught:
            written(tmp_path, name, TALK)
        assert all(known in str(caught.value) for known in (".jsonl", ".json,", ".csv", ".tsv", ".vtt", ".srt"))
    assert not list(tmp_path.iterdir())
    assert written(tmp_path, "a.xlsx", TALK, format="csv").read_text("utf-8").startswith("conversation,")
    with pytest.raises(ValueError, match="no prediction for utterance 'a' of conversation 'talk'"):
        write_predictions(tmp_path / "a.jsonl", [TALK], [])


def numbered(conversation: Conversation) -> Conversation:
    return Conversation(
        conversation.id, tuple(replace(u, id=str(number)) for number, u in enumerate(conversation.utterances))
    )


def test_what_was_written_can_be_read(tmp_path: Path) -> None:
    for suffix in ("jsonl", "json", "csv"):
        transcript = read_transcript(written(tmp_path, f"talk.{suffix}", TALK))
        assert (transcript.conversations, transcript.clips) == ([TALK], {})
        (note,) = transcript.notes
        assert f"first in line {3 if suffix == 'csv' else 2}; times kept" in note
    assert read_transcript(written(tmp_path, "talk.vtt", TALK)).conversations == [TALK]
    assert read_transcript(written(tmp_path, "talk.srt", TALK)).conversations == [numbered(TALK)]


CHARACTERS = st.characters(codec="utf-8")
PIECES = st.sampled_from([
    "<b>", "</v>", "<v Bob>", "&amp;", "&#65;", "&lt", "-->", "\n\n", "- ", "{\\an8}", "[joy 0.50] ", "Ann: ", "1\n",
    ",", '"', "NOTE", "\u2028", "\x85", "WEBVTT", "[joy, labelled] ", "[no emotion] ",
])  # fmt: skip
TEXT = st.lists(PIECES | st.text(CHARACTERS, max_size=6), max_size=6).map("".join).map(tidy)
NAMES = st.sampled_from(["Ann", "Bob O'Neil", "the other one", "MAN #2", "Zoë", "王"])
MILLISECONDS = st.integers(0, 10**7)
EMOTIONS = st.none() | (st.sampled_from(ODD_LABELS) | TEXT.filter(bool)).map(tidy)
REVIEWS: st.SearchStrategy[Review | None] = st.sampled_from([None, "corrected", "confirmed"])


@st.composite
def talks(draw: st.DrawFn, *, names: st.SearchStrategy[str], timed: bool) -> Conversation:
    utterances = []
    now = 0
    for number in range(draw(st.integers(1, 5))):
        now += draw(MILLISECONDS)
        start, end = (
            (now / 1000, (now + 1 + draw(MILLISECONDS)) / 1000) if timed or draw(st.booleans()) else (None, None)
        )
        label = draw(EMOTIONS)
        review = draw(REVIEWS) if label else None
        utterances.append(Utterance(f"u{number}", draw(names), draw(TEXT) or None, label, start, end, review))
    return Conversation("talk", tuple(utterances))


@settings(max_examples=60, deadline=None)
@given(talk=talks(names=TEXT.filter(bool), timed=False), suffix=st.sampled_from(["jsonl", "json", "csv"]))
def test_round_trip_of_tables(tmp_path_factory: pytest.TempPathFactory, talk: Conversation, suffix: str) -> None:
    path = written(tmp_path_factory.getbasetemp(), f"talk.{suffix}", talk)
    assert read_transcript(path).conversations == [talk]


@settings(max_examples=60, deadline=None)
@given(talk=talks(names=TEXT.filter(bool), timed=True))
def test_round_trip_of_webvtt(tmp_path_factory: pytest.TempPathFactory, talk: Conversation) -> None:
    path = written(tmp_path_factory.getbasetemp(), "talk.vtt", talk)
    assert read_transcript(path).conversations == [talk]


@settings(max_examples=60, deadline=None)
@given(talk=talks(names=NAMES, timed=True))
@example(talk=Conversation("talk", (Utterance("u0", "Ann", ">> - so", None, 0.0, 1.0),)))
def test_round_trip_of_srt(tmp_path_factory: pytest.TempPathFactory, talk: Conversation) -> None:
    path = written(tmp_path_factory.getbasetemp(), "talk.srt", talk)
    assert read_transcript(path).conversations == [numbered(talk)]
