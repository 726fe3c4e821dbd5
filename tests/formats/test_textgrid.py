"""TextGrids: what praatio reads, files of others, and predictions added to a file."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from sdt.conversation import Prediction, Span, Tier, Utterance, Word
from sdt.formats import Transcript, read_transcript
from sdt.formats.textgrid import TEXTGRID
from sdt.formats.textgrid.update import update
from tests.formats.conversations import few, render, transcripts
from tests.formats.files import read, refused, said

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from praatio import textgrid as praat

LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 6
tiers? <exists>
size = 4
item []:
    item [1]:
        class = "IntervalTier"
        name = "Ann"
        xmin = 0
        xmax = 6
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.31
            text = ""
        intervals [2]:
            xmin = 0.31
            xmax = 2.1
            text = "I said ""no"" & <left>"
        intervals [3]:
            xmin = 2.1
            xmax = 5
            text = "<sil>"
        intervals [4]:
            xmin = 5
            xmax = 6
            text = "Würde ich"
    item [2]:
        class = "IntervalTier"
        name = "Ben"
        xmin = 0
        xmax = 6
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 2
            text = ""
        intervals [2]:
            xmin = 2
            xmax = 6
            text = "You are kidding!"
    item [3]:
        class = "IntervalTier"
        name = "emotion@Ann"
        xmin = 0
        xmax = 6
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.3
            text = ""
        intervals [2]:
            xmin = 0.3
            xmax = 2.2
            text = "anger"
        intervals [3]:
            xmin = 2.2
            xmax = 6
            text = ""
    item [4]:
        class = "TextTier"
        name = "events"
        xmin = 0
        xmax = 6
        points: size = 1
        points [1]:
            number = 1.5
            mark = "door"
"""
SHORT = "\n".join([
    'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "6", "<exists>", "4",
    '"IntervalTier"', '"Ann"', "0", "6", "4", "0", "0.31", '""', "0.31", "2.1", '"I said ""no"" & <left>"',
    "2.1", "5", '"<sil>"', "5", "6", '"Würde ich"',
    '"IntervalTier"', '"Ben"', "0", "6", "2", "0", "2", '""', "2", "6", '"You are kidding!"',
    '"IntervalTier"', '"emotion@Ann"', "0", "6", "3", "0", "0.3", '""', "0.3", "2.2", '"anger"', "2.2", "6", '""',
    '"TextTier"', '"events"', "0", "6", "1", "1.5", '"door"', "",
])  # fmt: skip
GRIDS = {"long": LONG, "short": SHORT}
UTTERANCES = (
    Utterance("0", "Ann", 'I said "no" & <left>', "anger", 0.31, 2.1),
    Utterance("1", "Ben", "You are kidding!", None, 2, 6),
    Utterance("2", "Ann", "Würde ich", None, 5, 6),
)


def entries(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """The entries of each tier that praatio reads."""
    grid: Any = praat.openTextgrid(str(path), includeEmptyIntervals=False)
    return {name: [tuple(entry) for entry in grid.getTier(name).entries] for name in grid.tierNames}


@few
@given(transcript=transcripts(without=["untimed", "open", "instant", "fine"]))
def test_praatio_reads_the_same(tmp_path_factory: pytest.TempPathFactory, transcript: Transcript) -> None:
    path = tmp_path_factory.getbasetemp() / "talk.TextGrid"
    render(path, transcript, TEXTGRID)
    found = entries(path)
    (conversation,) = transcript.conversations
    for one in conversation.utterances:
        entry = (one.start, one.end, one.text or "[no text]")
        tiers = [name for name, of in found.items() if entry in of]
        assert any(name.startswith(one.speaker.replace("@", "@@")) or name == one.speaker for name in tiers)
        prediction = transcript.predicted.get((conversation.id, one.id))
        if prediction is not None:
            emotions = (one.start, one.end, prediction.emotion)
            assert any(emotions in of for name, of in found.items() if name.startswith("emotion@"))
    for tier in conversation.tiers:
        spans = [(span.start, *(() if tier.points else (span.end,)), span.text) for span in tier.spans]
        if tier.points:  # praatio leaves the quotes in the marks of points doubled
            spans = [(start, text.replace('"', '""')) for start, text in spans]
        assert found[tier.name] == spans


@pytest.mark.parametrize("layout", GRIDS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_files_of_praat(tmp_path: Path, layout: str, encoding: str, newline: str) -> None:
    bom = b"\xfe\xff" if encoding == "utf-16-be" else b""
    content = bom + GRIDS[layout].replace("\n", newline).encode(encoding)
    (conversation,) = read(tmp_path, "talk.TextGrid", content).conversations
    assert conversation.utterances == UTTERANCES
    assert conversation.tiers == (Tier("events", (Span("door", 1.5),), points=True),)


def predicted(transcript: Transcript, emotion: str = "joy") -> Transcript:
    conversation = transcript.conversations[0]
    found = [Prediction(conversation.id, one.id, emotion, {emotion: 0.75}) for one in conversation.utterances]
    return replace(transcript, predictions=found)


@pytest.mark.parametrize("layout", GRIDS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_predictions_are_appended_and_nothing_else_changes(
    tmp_path: Path, layout: str, encoding: str, newline: str
) -> None:
    given_ = GRIDS[layout].replace("\n", newline)
    content = given_.encode(encoding)
    (tmp_path / "talk.TextGrid").write_bytes(content)
    transcript = read_transcript(tmp_path / "talk.TextGrid")
    new = update(content, predicted(transcript))
    count = ("size = 4", "size = 10") if layout == "long" else (f"<exists>{newline}4", f"<exists>{newline}10")
    assert new.decode(encoding).startswith(given_.rstrip().replace(*count, 1))
    assert "\n" not in new.decode(encoding).replace(newline, "")
    (tmp_path / "new.TextGrid").write_bytes(new)
    again = read_transcript(tmp_path / "new.TextGrid")
    assert again.conversations[0].utterances == UTTERANCES
    assert [(one.emotion, one.probability) for one in again.predictions] == [("joy", 0.75)] * 3
    other = update(new, predicted(again, "sadness"))
    (tmp_path / "other.TextGrid").write_bytes(other)
    assert len(other.decode(encoding).replace("sadness", "joy")) == len(new.decode(encoding))
    third = read_transcript(tmp_path / "other.TextGrid")
    assert [one.emotion for one in third.predictions] == ["sadness"] * 3


@pytest.mark.parametrize("layout", GRIDS)
def test_praatio_finds_every_other_tier_unchanged(tmp_path: Path, layout: str) -> None:
    (tmp_path / "talk.TextGrid").write_text(GRIDS[layout], encoding="utf-8")
    new = update(GRIDS[layout].encode(), predicted(read_transcript(tmp_path / "talk.TextGrid")))
    (tmp_path / "new.TextGrid").write_bytes(new)
    before, after = entries(tmp_path / "talk.TextGrid"), entries(tmp_path / "new.TextGrid")
    assert {name: after[name] for name in before} == before
    assert [*after][len(before) :] == [
        "predicted emotion@Ann", "predicted probability@Ann", "correction@Ann", "emotion@Ben", "probability@Ben",
        "correction@Ben",
    ]  # fmt: skip


def test_a_correction_becomes_the_label(tmp_path: Path) -> None:
    (tmp_path / "talk.TextGrid").write_text(LONG, encoding="utf-8")
    new = update(LONG.encode(), predicted(read_transcript(tmp_path / "talk.TextGrid"))).decode()
    before, _, tier = new.rpartition('name = "correction@Ben"')
    filled = before + 'name = "correction@Ben"' + tier.replace('text = ""', 'text = "surprise"')
    (conversation,) = read(tmp_path, "corrected.TextGrid", filled).conversations
    assert [(one.label, one.review) for one in conversation.utterances] == [
        ("anger", None), ("surprise", "corrected"), (None, None),
    ]  # fmt: skip


def test_words_of_a_forced_aligner_become_utterances(tmp_path: Path) -> None:
    words = [(0.0, 0.4, "oh"), (0.4, 0.7, "no"), (0.7, 2.0, ""), (2.0, 2.4, "sp"), (2.4, 2.9, "why")]
    spans = [part for start, end, text in words for part in (str(start), str(end), f'"{text}"')]
    phones = ['"IntervalTier"', '"phones"', "0", "2.9", "1", "0", "2.9", '"OW"']
    head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "0", "2.9", "<exists>", "2"]
    content = "\n".join([*head, '"IntervalTier"', '"words"', "0", "2.9", str(len(words)), *spans, *phones])
    (conversation,) = read(tmp_path, "a.TextGrid", content).conversations
    assert [(one.speaker, one.text, one.start, one.end) for one in conversation.utterances] == [
        ("Speaker 1", "oh no", 0.0, 0.7), ("Speaker 1", "why", 2.4, 2.9),
    ]  # fmt: skip
    assert conversation.utterances[0].words == (Word("oh", 0.0, 0.4), Word("no", 0.4, 0.7))
    assert [tier.name for tier in conversation.tiers] == ["phones"]
    named = content.replace('"words"', '"Ann - words"').replace('"phones"', '"Ann - phones"')
    assert said(read(tmp_path, "b.TextGrid", named)) == [("Ann", "oh no"), ("Ann", "why")]


def test_damaged_files(tmp_path: Path) -> None:
    assert "truncated" in refused(tmp_path, "a.TextGrid", LONG[:600])
    assert "line 21" in refused(tmp_path, "b.TextGrid", LONG.replace("xmax = 2.1", "xmax = 0.2", 1))
    assert "line 10" in refused(tmp_path, "c.TextGrid", LONG.replace('"IntervalTier"', '"Intervals"', 1))
    assert "line 14" in refused(
        tmp_path, "d.TextGrid", LONG.replace("size = 4\n        intervals [1]", "size = 4.5\n        intervals [1]", 1)
    )
    assert "no interval tier" in refused(
        tmp_path, "e.TextGrid", 'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<absent>\n'
    )
