"""RTTM, CTM, STM, Audacity's labels and CHAT: what other packages read, and files of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pylangacq
import pytest
from hypothesis import given
from meeteval.io import CTM as MEETEVAL_CTM
from meeteval.io import RTTM as MEETEVAL_RTTM
from meeteval.io import STM as MEETEVAL_STM

from sdt.conversation import Utterance, Word
from sdt.formats import Transcript, read_transcript
from sdt.formats.chat import CHAT
from sdt.formats.chat.cleaning import clean
from sdt.formats.rttm import RTTM
from tests.formats.conversations import NAMES, few, render, transcripts
from tests.formats.files import read, refused, times, utterances

SUFFIXES = ("txt", "csv", "vtt", "json")
"""Suffixes that tell of other formats; the content decides."""
RTTM_FILE = "SPEAKER f 1 0.50 1.20 <NA> <NA> ann <NA> <NA>\nSPEAKER f 1 1.2 2.25 <NA> <NA> ben <NA> <NA>\n"
CTM_FILE = """;; words
f A 0.00 0.20 hello 0.9
f A 0.25 0.30 there 0.8
f B 0.30 0.50 oh NA
f A * * <ALT_BEGIN>
f A 2.00 0.50 bye 0.5
f A * * <ALT>
f A 2.00 0.50 by 0.5
f A * * <ALT_END>
"""
STM_FILE = """;; LABEL "o" "Overall" "all"
f 1 ann 0.00 1.20 <o,f0,female> hello {there / their / @} you
f 1 inter_segment_gap 1.20 1.50 <o,f0,> IGNORE_TIME_SEGMENT_IN_SCORING
g 1 ben 1.50 2.25 hi
"""
LABELS_FILE = (
    "0.310000\t2.100000\tAnn: I got the job!\n\\\t100.0\t200.0\n2.4\t4.9\tBen: No\n5\t5\tAnn: [joy 0.83] yes\n"
)
CHAT_FILE = """@UTF8
@PID:\t11312/c-00000000-1
@Begin
@Languages:\teng
@Participants:\tCHI Ross Target_Child, MOT Mother
@ID:\teng|x|CHI|2;06.||||Target_Child|||
@ID:\teng|x|MOT|||||Mother|||
@Media:\ttalk, audio
@Situation:\tbreakfast
*MOT:\t<what do> [//] what do you want [?] ? \x152041_3000\x15
%mor:\tpro|what v|do
*CHI:\tmore (.) cook(ie) [: cookie]
\t&=points please@f ! \x153100_4000\x15
%com:\tpoints at
\tthe jar
*CHI:\txxx . \x154000_4100\x15
*MOT:\t&-um no +... \x154200_5000\x15
%wor:\tum \x154200_4400\x15 no \x154500_4900\x15 .
@End
"""


@few
@given(transcript=transcripts(without=["untimed", "open", "instant", "fine"], names=NAMES))
def test_meeteval_reads_the_turns_of_rttm(tmp_path_factory: pytest.TempPathFactory, transcript: Transcript) -> None:
    path = tmp_path_factory.getbasetemp() / "talk.rttm"
    render(path, transcript, RTTM)
    lines = MEETEVAL_RTTM.load(path).lines
    (conversation,) = transcript.conversations
    assert [line.speaker_id for line in lines] == ["_".join(one.speaker.split()) for one in conversation.utterances]
    for line, one in zip(lines, conversation.utterances, strict=True):
        assert one.start is not None
        assert one.end is not None
        assert (float(line.begin_time), float(line.duration)) == pytest.approx(
            (one.start, one.end - one.start), abs=1e-6
        )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_formats_are_recognised_by_content(tmp_path: Path, suffix: str) -> None:
    assert [u.speaker for u in utterances(read(tmp_path, f"a.{suffix}", RTTM_FILE))] == ["ann", "ben"]
    assert [u.text for u in utterances(read(tmp_path, f"b.{suffix}", CTM_FILE))] == ["hello there", "oh", "bye"]
    assert len(read(tmp_path, f"c.{suffix}", STM_FILE).conversations) == 2
    assert [u.text for u in utterances(read(tmp_path, f"d.{suffix}", LABELS_FILE))] == ["I got the job!", "No", "yes"]
    assert [u.speaker for u in utterances(read(tmp_path, f"e.{suffix}", CHAT_FILE))] == ["MOT", "CHI", "MOT"]


def test_rttm(tmp_path: Path) -> None:
    transcript = read(tmp_path, "talk.rttm", RTTM_FILE + "SPEAKER g 1 0 1 <NA> <NA> ann <NA> <NA>\n")
    assert [(one.id, len(one)) for one in transcript.conversations] == [("g", 1), ("f", 2)]
    assert transcript.conversations[1].utterances[0] == Utterance("0", "ann", None, None, 0.5, 1.7)
    assert "line 2" in refused(tmp_path, "bad.rttm", RTTM_FILE.replace("1.2 2.25", "soon 2.25"))


def test_ctm(tmp_path: Path) -> None:
    (tmp_path / "talk.ctm").write_text(CTM_FILE, encoding="utf-8")
    (conversation,) = read_transcript(tmp_path / "talk.ctm").conversations
    words = (Word("hello", 0, 0.2, 0.9), Word("there", 0.25, 0.55, 0.8))
    assert conversation.utterances[0] == Utterance("0", "A", "hello there", None, 0, 0.55, words=words)
    assert [one.speaker for one in conversation.utterances] == ["A", "B", "A"]
    theirs = MEETEVAL_CTM.parse(CTM_FILE.replace(" NA", "").split("f A *")[0].replace(";; words\n", ""))
    mine = [(word.text, word.start) for one in conversation.utterances[:2] for word in one.words]
    assert sorted(mine) == sorted((str(line.word), float(line.begin_time)) for line in theirs.lines)
    assert "line 2" in refused(tmp_path, "bad.ctm", CTM_FILE.replace("0.00 0.20", "0.00 long"))


def test_stm(tmp_path: Path) -> None:
    (tmp_path / "talk.stm").write_text(STM_FILE, encoding="utf-8")
    first, second = read_transcript(tmp_path / "talk.stm").conversations
    assert (first.id, first.utterances) == ("f", (Utterance("0", "ann", "hello there you", None, 0, 1.2),))
    assert (second.id, second.utterances) == ("g", (Utterance("0", "ben", "hi", None, 1.5, 2.25),))
    theirs = MEETEVAL_STM.parse("g 1 ben 1.50 2.25 hi\n").lines[0]
    assert (theirs.speaker_id, float(theirs.begin_time), float(theirs.end_time)) == ("ben", 1.5, 2.25)
    assert "line 4" in refused(tmp_path, "bad.stm", STM_FILE.replace("1.50 2.25", "2.50 2.25"))


def test_audacity(tmp_path: Path) -> None:
    transcript = read(tmp_path, "labels.txt", LABELS_FILE)
    assert [u.speaker for u in utterances(transcript)] == ["Ann", "Ben", "Ann"]
    assert times(transcript) == [(0.31, 2.1), (2.4, 4.9), (5, 5)]
    assert [one.emotion for one in transcript.predictions] == ["joy"]
    assert "line 3" in refused(tmp_path, "bad.txt", LABELS_FILE.replace("2.4\t4.9", "5.4\t4.9"))


def test_chat(tmp_path: Path) -> None:
    transcript = read(tmp_path, "talk.cha", CHAT_FILE)
    (conversation,) = transcript.conversations
    assert conversation.utterances == (
        Utterance("0", "MOT", "what do what do you want?", None, 2.041, 3, extra={"%mor": "pro|what v|do"}),
        Utterance("1", "CHI", "more cookie please!", None, 3.1, 4, extra={"%com": "points at the jar"}),
        Utterance("2", "MOT", "um no", None, 4.2, 5, words=(Word("um", 4.2, 4.4), Word("no", 4.5, 4.9))),
    )
    assert (conversation.media, conversation.extra["@Situation"]) == ("talk", "breakfast")
    assert any("utterances without words ignored: 1, first in line 16" in note for note in transcript.notes)
    assert any("codes of the transcriber removed: 4, first in line 10" in note for note in transcript.notes)
    assert "line 10" in refused(tmp_path, "bad.cha", CHAT_FILE.replace("*MOT:\t<", "MOT <", 1))
    assert "%mor" in refused(tmp_path, "order.cha", "@UTF8\n@Begin\n%mor:\tx\n*CHI:\thi .\n@End\n")


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        ("I want [x 3] to (.) go .", "I want to go."),
        ("it's (a)bout [* 0] time !", "it's about time!"),
        ("<I am> [>] here +/.", "I am here"),
        ("&~ba 0is &+w wha(t) ?", "ba w what?"),
        ('+" hello there ‡ you .', "hello there you."),
        ("New_York [= a town] dada@c .", "New York dada."),
        ("(1.5) yes:: , no", "yes, no"),
        ("0 [=! cries] .", ""),
    ],
)
def test_codes_are_removed(coded: str, text: str) -> None:
    assert clean(coded) == text


@few
@given(transcript=transcripts(without=["open", "instant"]))
def test_pylangacq_reads_the_same(tmp_path_factory: pytest.TempPathFactory, transcript: Transcript) -> None:
    path = tmp_path_factory.getbasetemp() / "talk.cha"
    render(path, transcript, CHAT)
    reader: Any = pylangacq.read_chat(str(path))
    (conversation,) = transcript.conversations
    names = {line.split(" is ")[0]: line.split(" is ", 1)[1] for line in _comments(path)}
    found = reader.utterances()
    assert [names.get(one.participant, one.participant) for one in found] == [
        u.speaker for u in conversation.utterances
    ]
    for one, utterance in zip(found, conversation.utterances, strict=True):
        if utterance.start is None or utterance.end is None:
            assert one.time_marks is None
        else:
            assert one.time_marks == (round(1000 * utterance.start), round(1000 * utterance.end))
        prediction = transcript.predicted.get((conversation.id, utterance.id))
        if prediction is not None:
            assert one.tiers["%xemo"].rpartition(" ")[0] == prediction.emotion


def _comments(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    texts = [line.partition("\t")[2] for line in lines if line.startswith("@Comment:")]
    return [text for text in texts if " is " in text and not text.startswith(("fields {", "recording "))]
