"""ELAN: what pympi reads, files of others, and predictions added to a file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pympi
import pytest
from hypothesis import given

from sdt.conversation import Prediction, Span, Tier, Utterance
from sdt.errors import InputError
from sdt.formats import Transcript, read_transcript
from sdt.formats.elan import ELAN
from sdt.formats.elan.update import update
from sdt.formats.write import write_transcript
from tests.formats.conversations import few, render, transcripts
from tests.formats.files import read, refused

FOREIGN = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="me" DATE="2025-03-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
  <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
    <MEDIA_DESCRIPTOR MEDIA_URL="file:///media/talk.mp4" MIME_TYPE="video/mp4" RELATIVE_MEDIA_URL="./talk.mp4"/>
    <PROPERTY NAME="URN">urn:nl-mpi-tools-elan-eaf:1</PROPERTY>
    <PROPERTY NAME="lastUsedAnnotationId">8</PROPERTY>
    <PROPERTY NAME="site">kitchen</PROPERTY>
  </HEADER>
  <!-- a comment that stays -->
  <TIME_ORDER>
    <TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="310"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2100"/>
    <TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2000"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="4900"/>
    <TIME_SLOT TIME_SLOT_ID="ts5" TIME_VALUE="5000"/><TIME_SLOT TIME_SLOT_ID="ts6" TIME_VALUE="6000"/>
    <TIME_SLOT TIME_SLOT_ID="ts7" TIME_VALUE="400"/><TIME_SLOT TIME_SLOT_ID="ts8" TIME_VALUE="700"/>
  </TIME_ORDER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" PARTICIPANT="Ben" TIER_ID="Ben">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
      <ANNOTATION_VALUE>You are kidding &amp; lying!</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" PARTICIPANT="Ann" TIER_ID="Ann-speech">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
      <ANNOTATION_VALUE>I got the job!</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts5" TIME_SLOT_REF2="ts6">
      <ANNOTATION_VALUE></ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="tr" PARENT_REF="Ann-speech" TIER_ID="translation@Ann-speech">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a4" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>Ich habe die Stelle!</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="tr" PARENT_REF="Ann-speech" TIER_ID="emotion@Ann-speech">
    <ANNOTATION><REF_ANNOTATION ANNOTATION_ID="a5" ANNOTATION_REF="a1">
      <ANNOTATION_VALUE>joy</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>
  </TIER>
  <TIER ANNOTATOR="Cleo" LINGUISTIC_TYPE_REF="tr" PARENT_REF="Ann-speech" TIER_ID="emotion-2@Ann-speech">
  </TIER>
  <TIER LINGUISTIC_TYPE_REF="default-lt" PARTICIPANT="Ann" TIER_ID="Ann-gesture">
    <ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a6" TIME_SLOT_REF1="ts7" TIME_SLOT_REF2="ts8">
      <ANNOTATION_VALUE>waves</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
  </TIER>
  <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>
  <LINGUISTIC_TYPE CONSTRAINTS="Symbolic_Association" GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="tr" \
TIME_ALIGNABLE="false"/>
  <CONSTRAINT DESCRIPTION="1-1 association with a parent annotation" STEREOTYPE="Symbolic_Association"/>
</ANNOTATION_DOCUMENT>
"""


@few
@given(transcript=transcripts(without=["untimed", "open"]))
def test_pympi_reads_the_same(tmp_path_factory: pytest.TempPathFactory, transcript: Transcript) -> None:
    path = tmp_path_factory.getbasetemp() / "talk.eaf"
    render(path, transcript, ELAN)
    found: list[tuple[object, ...]] = []
    eaf: Any = pympi.Elan.Eaf(str(path))
    for tier, (_, _, attributes, _) in eaf.tiers.items():
        if attributes["LINGUISTIC_TYPE_REF"] == "sdt-utterance":
            speaker = attributes["PARTICIPANT"]
            found += [
                (speaker, start, end, text or "") for start, end, text, *_ in eaf.get_annotation_data_for_tier(tier)
            ]
            if f"emotion@{tier}" in eaf.tiers:
                emotions = {of[:2]: of[2] for of in eaf.get_ref_annotation_data_for_tier(f"emotion@{tier}")}
                assert len(emotions) <= len(eaf.get_annotation_data_for_tier(tier))
                found += [(speaker, *times, emotion) for times, emotion in emotions.items()]
    (conversation,) = transcript.conversations
    expected: list[tuple[object, ...]] = []
    for one in conversation.utterances:
        assert one.start is not None
        assert one.end is not None
        start = round(1000 * one.start)
        times = start, max(start + 1, round(1000 * one.end))
        expected.append((one.speaker, *times, one.text or ""))
        if prediction := transcript.predicted.get((conversation.id, one.id)):
            expected.append((one.speaker, *times, prediction.emotion))
    assert sorted(map(str, set(found))) == sorted(map(str, set(expected)))
    for tier_ in conversation.tiers:
        spans = [(round(1000 * span.start), span.text) for span in tier_.spans]
        assert [(start, text) for start, _, text in eaf.get_annotation_data_for_tier(tier_.name)] == spans


def test_a_file_of_another_program(tmp_path: Path) -> None:
    transcript = read(tmp_path, "talk.txt", FOREIGN)
    (conversation,) = transcript.conversations
    assert conversation.utterances == (
        Utterance("0", "Ann", "I got the job!", "joy", 0.31, 2.1, extra={"translation": "Ich habe die Stelle!"}),
        Utterance("1", "Ben", "You are kidding & lying!", None, 2.0, 4.9),
        Utterance("2", "Ann", None, None, 5.0, 6.0),
    )
    assert conversation.tiers == (Tier("Ann-gesture", (Span("waves", 0.4, 0.7),)),)
    assert (conversation.media, conversation.extra) == ("./talk.mp4", {"site": "kitchen"})
    assert len(transcript.notes) == 2


def test_without_participants_the_names_of_tiers_tell_what_is_speech(tmp_path: Path) -> None:
    content = re.sub(r' PARTICIPANT="\w+"', "", FOREIGN).replace("Ann-speech", "Ann").replace("Ann-gesture", "Gestures")
    (conversation,) = read(tmp_path, "a.eaf", content).conversations
    assert [one.speaker for one in conversation.utterances] == ["Ann", "Ben", "Ann"]
    assert [tier.name for tier in conversation.tiers] == ["Gestures"]
    only = re.sub(r'TIER_ID="(?:Ann|Ben)"', 'TIER_ID="Gestures"', content, count=0)
    assert "two tiers" in refused(tmp_path, "b.eaf", only)


def predicted(transcript: Transcript, emotion: str = "joy") -> Transcript:
    conversation = transcript.conversations[0]
    found = [Prediction(conversation.id, one.id, emotion, {emotion: 0.75}) for one in conversation.utterances]
    return replace(transcript, predictions=found)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_predictions_are_added_and_nothing_else_changes(tmp_path: Path, newline: str, encoding: str) -> None:
    declared = encoding.removesuffix("-sig").upper()
    given = FOREIGN.replace("UTF-8", declared).replace("kitchen", "küche").replace("\n", newline)
    content = given.encode(encoding)
    (tmp_path / "talk.eaf").write_bytes(content)
    transcript = read_transcript(tmp_path / "talk.eaf")
    new = update(content, predicted(transcript))
    left = new.decode(encoding)
    children = re.findall(r"(?m)^ {2,4}<(HEADER|TIME_ORDER|TIER|LINGUISTIC_TYPE|CONSTRAINT)\b", left)
    assert children == sorted(children, key=["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"].index)
    for part in re.findall(r"(?s)\s*<TIER[^>]*(?:/>|>.*?</TIER>)|\s*<LINGUISTIC_TYPE[^>]*/>", left):
        left = left.replace(part, "") if "sdt-" in part else left
    assert left == given.replace(">8<", ">12<")  # the next free id
    assert b"\n" not in new.replace(newline.encode(), b"").replace("\n".encode("utf-16-le"), b"") or newline == "\n"
    (tmp_path / "new.eaf").write_bytes(new)
    again = read_transcript(tmp_path / "new.eaf")
    assert again.conversations[0].utterances == transcript.conversations[0].utterances
    assert [(one.emotion, one.probability) for one in again.predictions] == [("joy", 0.75)] * 3
    # A second prediction replaces the first one.
    other = update(new, predicted(again, "anger"))
    assert other == update(other, predicted(again, "anger"))
    assert other.decode(encoding).replace("anger", "joy").count("<TIER") == new.decode(encoding).count("<TIER")


def test_pympi_finds_every_other_tier_unchanged(tmp_path: Path) -> None:
    (tmp_path / "talk.eaf").write_text(FOREIGN, encoding="utf-8")
    new = update(FOREIGN.encode(), predicted(read_transcript(tmp_path / "talk.eaf")))
    (tmp_path / "new.eaf").write_bytes(new)
    before, after = (pympi.Elan.Eaf(str(tmp_path / name)) for name in ("talk.eaf", "new.eaf"))
    assert {name: before.tiers[name][:3] for name in before.tiers} == {
        name: after.tiers[name][:3] for name in before.tiers
    }
    added = set(after.tiers) - set(before.tiers)
    assert added == {  # the annotators' own tier of emotions keeps its name
        "predicted emotion@Ann-speech", "predicted probability@Ann-speech", "correction@Ann-speech", "emotion@Ben",
        "probability@Ben", "correction@Ben",
    }  # fmt: skip


def test_an_encoding_other_than_the_declared_one(tmp_path: Path) -> None:
    content = FOREIGN.replace("kitchen", "küche im süden").encode("cp1252")
    (tmp_path / "talk.eaf").write_bytes(content)
    transcript = read_transcript(tmp_path / "talk.eaf")
    assert transcript.conversations[0].extra == {"site": "küche im süden"}
    with pytest.raises(InputError, match="encoding"):
        update(content, predicted(transcript))


def test_damaged_files(tmp_path: Path) -> None:
    assert "line 4" in refused(tmp_path, "a.eaf", FOREIGN[:350])
    assert "'ts99'" in refused(tmp_path, "b.eaf", FOREIGN.replace('REF2="ts4"', 'REF2="ts99"'))
    assert "'a2'" in refused(
        tmp_path, "c.eaf", FOREIGN.replace('REF1="ts3" TIME_SLOT_REF2="ts4"', 'REF1="ts4" TIME_SLOT_REF2="ts3"')
    )
    assert "'soon'" in refused(tmp_path, "d.eaf", FOREIGN.replace('"4900"', '"soon"'))
    entity = FOREIGN.replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', 1)
    assert "entities" in refused(tmp_path, "e.eaf", entity)
    assert "no tier" in refused(tmp_path, "f.eaf", re.sub(r"(?s)<TIER.*</TIER>", "", FOREIGN))


def test_several_conversations_are_refused(tmp_path: Path) -> None:
    one = read(tmp_path, "a.txt", "Ann: Hi\nBen: Ho\nAnn: Ha\n")
    two = Transcript([*one.conversations, replace(one.conversations[0], id="b")])
    with pytest.raises(InputError, match="one conversation"):
        write_transcript(tmp_path / "b.eaf", two)
    assert not (tmp_path / "b.eaf").exists()
