"""Every cell of the table of formats: a file of each holds what its row says, no less and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sdt.conversation import Annotation, Conversation, Prediction, Span, Tier, Utterance, Word
from sdt.formats.format import Format, Holds
from sdt.formats.overview import held_names
from sdt.formats.parsing.decoding import decode
from sdt.formats.read import detect_file, detect_format, read_transcript
from sdt.formats.table import BUILTIN
from sdt.formats.transcript import Transcript
from tests.formats.conversations import render

WORDS = (Word("Hi", 0.5, 0.75, 0.9), Word("Ben.", 0.75, 1.25, 0.8))
_KEYS = [{"text": one.text, "start": one.start, "end": one.end, "confidence": one.probability} for one in WORDS]
_MS = [one | {"start": 500, "end": 750} for one in _KEYS]
_GOOGLE = [{"word": one.text, "startTime": f"{one.start}s", "endTime": f"{one.end}s"} for one in WORDS]
_AZURE = {"offsetMilliseconds": 500, "durationMilliseconds": 750}


def _sentence(text: str, start: int, speaker: int) -> dict[str, object]:
    return {"text": text, "start": start, "end": start + 100, "timestamp": [[start, start + 100]], "spk": speaker}


def _rev(speaker: int, text: str, start: float) -> dict[str, object]:
    element = {"type": "text", "value": text, "ts": start, "end_ts": start + 0.5, "confidence": 0.9}
    return {"speaker": speaker, "elements": [element]}


READ_ONLY: dict[str, object] = {
    "stm": "one A ann 0.5 1.25 <o> Hi Ben.\none A ben 2.0 2.5 <o> No.\ntwo A ann 0.5 1.25 <o> Hi.\n",
    "ctm": "one A 0.50 0.25 Hi 0.9\none A 0.75 0.50 Ben. 0.8\ntwo A 0.50 0.25 No. 0.9\n",
    "funasr": [
        {"key": "one", "text": "", "sentence_info": [_sentence("<|HAPPY|>Hi", 500, 0), _sentence("No", 700, 1)]},
        {"key": "two", "text": "<|en|><|SAD|>No."},
    ],
    "deepgram": {
        "results": {
            "channels": [
                {"alternatives": [{"words": [
                    one | {"word": one["text"], "speaker": n} for n, one in enumerate(_KEYS)]}]}
            ]
        }
    },
    "assemblyai": {
        "audio_url": "https://example.org/talk.mp3",
        "status": "completed",
        "words": [one | {"speaker": "AB"[n]} for n, one in enumerate(_MS)],
        "utterances": [
            {"text": one["text"], "start": 500, "end": 750, "speaker": "AB"[n], "words": [one | {"speaker": "AB"[n]}]}
            for n, one in enumerate(_MS)
        ],
    },
    "aws": {
        "jobName": "j",
        "results": {
            "items": [
                {"type": "pronunciation", "start_time": str(one.start), "end_time": str(one.end), "speaker_label": n,
                 "alternatives": [{"confidence": "0.9", "content": one.text}]}
                for one, n in zip(WORDS, ("spk_0", "spk_1"), strict=True)
            ]
        },
    },
    "google": {
        "results": {
            f"gs://b/{name}.wav": {
                "transcript": {
                    "results": [
                        {"alternatives": [{"transcript": "Hi Ben.", "words": [
                            one | {"speakerTag": n, "confidence": 0.9} for n, one in enumerate(_GOOGLE, 1)]}]}
                    ]
                }
            }
            for name in ("one", "two")
        }
    },
    "azure": {
        "source": "https://example.org/talk.wav",
        "recognizedPhrases": [
            {"recognitionStatus": "Success", "speaker": n, "offset": f"PT{one.start}S", "duration": "PT0.25S",
             "nBest": [{"confidence": 0.9, "display": one.text, "displayWords": [
                 {"displayText": one.text, "offsetInTicks": 5_000_000, "durationInTicks": 2_500_000,
                  "confidence": 0.9}]}]}
            for n, one in enumerate(WORDS)
        ],
    },
    "rev": {"monologues": [_rev(0, "Hi", 0.5), _rev(1, "No", 2.0)]},
    "sbv": "0:00:00.500,0:00:01.250\nANN: Hi\n\n0:00:02.000,0:00:02.500\nBEN: No\n",
    "lrc": "[by:a tool]\n[00:00.50]Ann: <00:00.50>Hi <00:00.75>Ben.\n[00:01.25]\n"
    "[00:02.00]Ben: <00:02.00>No.\n[00:02.50]\n",
    "ass": "[Script Info]\nScriptType: v4.00+\n\n[Events]\nFormat: Layer, Start, End, Style, Name, Text\n"
    "Dialogue: 0,0:00:00.50,0:00:01.25,Default,Ann,Hi\nDialogue: 0,0:00:02.00,0:00:02.50,Default,Ben,No\n",
}  # fmt: skip
"""A file of each format that is only read, with everything that it holds."""


def everything() -> Transcript:
    """Two conversations with all that a format can hold."""

    def conversation(name: str) -> Conversation:
        rated = (Annotation("Rita", "joy", 0.5), Annotation("Tom", "sadness"))
        first = Utterance("a", "Ann", "Hi Ben.", "joy", 0.5, 1.25, None, WORDS, rated, {"topic": "work"})
        second = Utterance("b", "Ben", "No.", None, 2.0, 2.5)
        tier = Tier("gesture", (Span("nods", 0.0, 1.0),))
        return Conversation(name, (first, second), (tier,), "talk.wav", {"place": "home"})

    one, two = conversation("talk"), conversation("other")
    predictions = [
        Prediction(of.id, "b", "anger", {"anger": 0.75, "joy": 0.25}).with_utterance(of.utterances[1])
        for of in (one, two)
    ]
    return Transcript([one, two], predictions=predictions)


def content(transcript: Transcript) -> Holds:
    """What a transcript has."""
    rows = [one for _, one, _ in transcript.rows()]
    conversations = transcript.conversations
    has = {
        Holds.SPEAKERS: len({one.speaker for one in rows}) > 1,
        Holds.TEXT: any(one.text for one in rows),
        Holds.STARTS: any(one.start is not None for one in rows),
        Holds.TIMES: conversations[0].utterances[-1].end is not None,  # others may last until the next one
        Holds.WORDS: any(one.words for one in rows),
        Holds.WORD_CONFIDENCES: any(word.probability is not None for one in rows for word in one.words),
        Holds.LABELS: any(one.label for one in rows),
        Holds.ANNOTATORS: any(one.annotations for one in rows),
        Holds.CONFIDENCES: any(of.confidence is not None for one in rows for of in one.annotations),
        Holds.PREDICTIONS: bool(transcript.predictions),
        Holds.PROBABILITIES: any(len(one.probabilities) > 1 for one in transcript.predictions),
        Holds.EXTRA: any(one.extra for one in rows),
        Holds.CONVERSATION_EXTRA: any(of.extra for of in conversations),
        Holds.TIERS: any(of.tiers for of in conversations),
        Holds.MEDIA: any(of.media for of in conversations),
        Holds.SEVERAL: len(conversations) > 1,
    }
    return Holds(sum(flag.value for flag, present in has.items() if present))


SEEN = content(everything()) | Holds.SEVERAL
"""What `content` can tell."""


def write_sample(format: Format, path: Path) -> None:
    """A file of a format with everything that it holds."""
    if format.name in READ_ONLY:
        sample = READ_ONLY[format.name]
        path.write_text(sample if isinstance(sample, str) else json.dumps(sample), encoding="utf-8")
        return
    transcript = everything()
    if Holds.SEVERAL not in format.holds:
        first = transcript.conversations[0]
        own = [one for one in transcript.predictions if one.conversation == first.id]
        transcript = replace(transcript, conversations=[first], predictions=own)
    render(path, transcript, format)


def sample(format: Format, folder: Path, suffix: str) -> Path:
    """`write_sample` with a suffix, or the part of a ConvoKit corpus that is read alone."""
    path = folder / f"talk{suffix}"
    if format.name != "convokit-utterances":
        write_sample(format, path)
        return path
    (folder / "corpus").mkdir()
    write_sample(next(one for one in BUILTIN if one.name == "convokit"), folder / "corpus")
    return (folder / "corpus" / "utterances.jsonl").rename(path)


def rows(part: Callable[[Format], bool] = lambda _: True) -> list[pytest.param]:  # type: ignore[valid-type]
    return [pytest.param(format, id=format.name) for format in BUILTIN if part(format)]


@pytest.mark.parametrize("format", rows())
def test_holds(format: Format, tmp_path: Path) -> None:
    found = read_transcript(sample(format, tmp_path, format.suffix), format=format.name)
    holds = format.holds | Holds.STARTS if Holds.TIMES in format.holds else format.holds
    assert content(found) == holds & SEEN


@pytest.mark.parametrize("format", rows())
def test_suffixes_and_content(format: Format, tmp_path: Path) -> None:
    """A file is recognised under each of its suffixes, and under the wrong one if its content tells."""
    wrong = [".txt"] if format.exclusive or format.certain else []
    for number, suffix in enumerate([*format.suffixes, *wrong] or [""]):
        (folder := tmp_path / str(number)).mkdir()
        path = sample(format, folder, suffix)
        found = detect_file(path) or detect_format(path, decode(path))
        assert found.name == format.name, suffix


@pytest.mark.parametrize("format", rows())
def test_words_of_the_row(format: Format) -> None:
    assert set(held_names(format)) <= {
        "speakers", "text", "times", "starts", "words", "labels", "annotators", "predictions", "fields", "tiers",
        "media", "several",
    }  # fmt: skip
    assert (format.name in READ_ONLY or format.name == "convokit-utterances") != format.writable
