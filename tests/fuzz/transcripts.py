"""Transcripts of every format that has a suffix."""

from __future__ import annotations

import json
import random
from pathlib import Path

from sdt.formats import read_transcript
from sdt.formats.read import SUFFIXES
from tests.formats.test_read import CONTENTS
from tests.fuzz.mutations import TEXTS, json_bytes, mutate_bytes, mutate_json, mutate_lines
from tests.fuzz.speech_services import SEEDS

_SEEDS = [
    *CONTENTS.values(),
    "[00:00:01.500 --> 00:00:03.000] ANN: Hi there\n[00:00:03.000 --> 00:00:05.000] BEN (ON PHONE): Oh\n",
    "12/01/2024, 10:15 - Ann: hi\n12/01/2024, 10:16 - Ben: <Media omitted>\n",
    "Ann Smith  0:03\nHello there.\n\nBen Jones  0:07\nOh.\nWell.\n",
    "start\tend\ttext\n310\t1200\t[SPEAKER_00]: Hi\n1200\t2400\tOh\n",
    "1\n00:00:00,000 --> 00:00:02,000\nthe cat\n\n2\n00:00:02,000 --> 00:00:04,000\nthe cat\nsat down\n",
    "WEBVTT\nKind: captions\n\nNOTE x\n\n00:00.000 --> 00:02.000 align:start\n<00:00:00.500><c>the</c> <b>cat</b>\n",
    '{"segments": [{"start": 0.31, "end": 1.2, "text": "Hi", "speaker": "SPEAKER_00", "words": [{"word": "Hi"}]}]}',
    "Ses01F_impro01_F000 [006.29-008.23]: Excuse me.\n",
    "conversation;speaker;text;start;end\nx;Ann;Hi, you;0,5;1,5\n",
    "*PAR:\tuh hello . \x15123_456\x15\n@End\n",
    '<?xml version="1.0"?><ANNOTATION_DOCUMENT><TIER/></ANNOTATION_DOCUMENT>',
    *SEEDS,
    "0:00:00.310,0:00:02.100\nANN: Hi[br]there\n\n0:00:02.400,0:00:04.900\nNo\n",
    "[ti:a]\n[offset:+500]\n[00:01.00]<00:01.00>Hi <00:01.50>there\n[00:02.50][00:07.00]Ann: No\n",
    "[Script Info]\n\n[Events]\nFormat: Layer, Start, End, Name, Text\n"
    "Dialogue: 0,0:00:01.00,0:00:02.50,Ann,{\\i1}Hi\\Nthere{\\p1}m 0 0{\\p0}\nComment: 0,0:00:01.00,0:00:02.50,,x\n",
    "[13/03/2024, 10:15:32 PM] Ann: hi\n13.3.2024 klo 22.15 - Ben: <Medien ausgeschlossen>\n",
    '10:05:22 From  Ann  to  Everyone:\n\tReplying to "Hi"\n\t\n\tNo\n',
    'File type = "ooTextFile"\nObject class = "TextGrid"\nxmin = 0\nxmax = 1\n',
]
_PIECES = [
    *(
        *TEXTS,
        "00:00:01,000",
        "99:99:99.999",
        "-1:00",
        "-->",
        "00:01 -->",
        "WEBVTT",
        "NOTE",
        "[00:01]",
        "[SPEAKER_00]:",
    ),
    *(
        "Ann:",
        "BOB:",
        "：",
        "- ",
        ">>",
        "<v Ann>",
        "</v>",
        "<",
        "&amp;",
        "&#99999999999;",
        "{\\an8}",
        "♪",
        "[door slams]",
    ),
    *(
        '"',
        ",",
        "\t",
        ";",
        "text",
        "speaker",
        "start",
        "{",
        "[[",
        "NaN",
        "1e999",
        "\x92",
        "\ufeff",
        "9" * 500,
        "9" * 6000,
    ),
    *("1.", "(" * 3000, "<" * 3000, "a: " * 2000, " " * 5000, "- " * 2000, "0:" * 3000, "__eou__", "\x15", "&" * 3000),
]
_NAMES = [
    *(f"t{suffix}" for suffix in SUFFIXES),
    "t.txt",
    "t",
    "t.json",
    "t.log",
    "t.TextGrid",
    "t.eaf",
    "t.cha",
    "t.sbv",
    "t.lrc",
    "t.ass",
]


def make(draw: random.Random) -> dict[str, bytes]:
    """A transcript."""
    text = draw.choice(_SEEDS)
    if text.startswith(("{", "[{")) and draw.random() < 0.5:
        values = [mutate_json(draw, json.loads(line)) for line in text.splitlines()]
        return {draw.choice(_NAMES): b"\n".join(json_bytes(draw, value) for value in values)}
    if draw.random() < 0.85:
        text = mutate_lines(draw, text, _PIECES)
    if draw.random() < 0.02:
        text *= min(draw.choice((100, 5000)), 1 + 1_000_000 // (len(text) + 1))
    encoding = draw.choice(
        ("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "gb18030")
    )
    data = text.encode(encoding, "replace") if draw.random() < 0.9 else text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.25:
        data = mutate_bytes(draw, data, [piece.encode("utf-8", "replace") for piece in _PIECES])
    return {draw.choice(_NAMES): data}


def check(folder: Path) -> None:
    """Read it; its content can be written again."""
    (path,) = folder.iterdir()
    transcript = read_transcript(path)
    for conversation in transcript.conversations:
        assert len(conversation) > 0, "a conversation without utterances"
        for utterance in conversation.utterances:
            times = [time for time in (utterance.start, utterance.end) if time is not None]
            assert times == sorted(times), f"times {times}"
            assert all(0 <= time < float("inf") for time in times), f"times {times}"
            f"{conversation.id}{utterance.id}{utterance.speaker}{utterance.text}{utterance.label}".encode()
