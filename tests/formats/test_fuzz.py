"""Whatever a file holds, it is read or refused with one line; nothing else happens."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.errors import InputError
from sdt.formats import Transcript, read_transcript
from sdt.formats.read import NAMES
from tests.formats import test_annotation, test_elan, test_emotionml, test_textgrid
from tests.formats.test_read import CONTENTS

PIECES = st.sampled_from([
    "<", "/>", "<TIER>", "ts99", "-5", "size = ", "IntervalTier", "\x15", "\x155_4\x15", "*CHI:\t", "%xfld:\t", "[: ",
    "\n", "\n\n", "\r\n", "WEBVTT\n", "NOTE", "00:00:01,000", "00:01.5", " --> ", "-->", "1\n",
    "[00:01]", "[00:01 - 0:02]", "\u2028",
    "Ann: ", "BOB:", "：", "- ", "<v ", "<v Ann>", "</v>", "<", ">", "&amp;", "&#", "99999999999;", "{\\an8}", "{", "}",
    ">> ", "[SPEAKER_00]: ", "(BEN) ", "**Ann:** ", "Ann Lee  0:05\n", "0:05\n", "Ann\n", "1. ", "[Music]",
    "♪", "<u>", "</u>", "310", "start\tend\ttext\n", "<?xml ",
    "12/03/24, 10:15 - ", "\u200e", '{"segments": [', "]}", '{"start": 0, "end": 1, "text": "a"}',
    '"', ",", "\t", ";", "text", "speaker", "start", "utterance", "order", "media", "conversation", "Dialogue_ID",
    "Utterance_ID", '{"text": "a"}', '{"start": ', "[[", "NaN", "1e999", "\x85", "\x92", "\0", "\ud7ff", "\ufeff",
])  # fmt: skip
TEXTS = st.lists(PIECES | st.text(max_size=4), max_size=20).map("".join)
ANNOTATION = (
    test_elan.FOREIGN, test_textgrid.LONG, test_textgrid.SHORT, test_annotation.CHAT_FILE, test_annotation.CTM_FILE,
    test_annotation.STM_FILE, test_annotation.LABELS_FILE, test_annotation.RTTM_FILE, test_emotionml.FOREIGN,
)  # fmt: skip
DAMAGED = st.builds(
    lambda content, place, piece: content[: place % len(content)] + piece + content[place % len(content) + 1 :],
    st.sampled_from([*CONTENTS.values(), *ANNOTATION]),
    st.integers(0, 6000),
    PIECES,
)


def read_or_refuse(folder: Path, content: bytes, format: str | None) -> None:
    path = folder / "fuzz.bin"
    path.write_bytes(content)
    try:
        transcript = read_transcript(path, format=format)
    except InputError as error:
        message = str(error)
    else:
        check(transcript)
        return
    assert "\n" not in message
    assert str(path) in message
    assert len(message) < 1000


def check(transcript: Transcript) -> None:
    assert transcript.conversations
    for conversation in transcript.conversations:
        assert len({utterance.id for utterance in conversation.utterances}) == len(conversation) > 0
        for utterance in conversation.utterances:
            assert utterance.speaker
            assert utterance.text is None or utterance.text == " ".join(utterance.text.split())
            assert utterance.start is None or utterance.end is None or 0 <= utterance.start <= utterance.end


@settings(max_examples=250, deadline=None)
@given(content=TEXTS | DAMAGED, format=st.sampled_from([None, *NAMES]))
def test_texts(tmp_path_factory: pytest.TempPathFactory, content: str, format: str | None) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        read_or_refuse(tmp_path_factory.getbasetemp(), content.encode("utf-8"), format)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=60), bom=st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]))
def test_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes, bom: bytes) -> None:
    for format in (None, *NAMES):
        read_or_refuse(tmp_path_factory.getbasetemp(), bom + content, format)
