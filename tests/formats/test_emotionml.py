"""EmotionML: validity, values of the elements, and files of others."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from hypothesis import given

from sdt.conversation import Conversation, Utterance
from sdt.formats import Transcript, read_transcript
from sdt.formats.emotionml import EMOTIONML
from sdt.formats.emotionml.names import EMO, tokens
from tests.formats.conversations import few, render, transcripts
from tests.formats.files import read, refused

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("emotionml.xsd")))
FOREIGN = """<?xml version="1.0"?>
<emotionml version="1.0" xmlns="http://www.w3.org/2009/10/emotionml"
    category-set="http://www.w3.org/TR/emotion-voc/xml#big6">
  <emotion offset-to-start="310" duration="1790" time-ref-uri="talk.wav" expressed-through="voice">
    <category name="happiness" value="0.8"/><category name="surprise" value="0.3"/>
  </emotion>
  <emotion dimension-set="http://www.w3.org/TR/emotion-voc/xml#pad-dimensions">
    <info>said by Ann</info>
    <dimension name="arousal" value="0.7"/>
    <reference uri="talk.wav#t=2.5,4" role="expressedBy"/>
  </emotion>
  <emotion><category name="anger" confidence="0.4"/>You are kidding!</emotion>
</emotionml>
"""


@few
@given(transcript=transcripts())
def test_files_are_valid_and_have_every_emotion(
    tmp_path_factory: pytest.TempPathFactory, transcript: Transcript
) -> None:
    path = tmp_path_factory.getbasetemp() / "talk.emotionml"
    render(path, transcript, EMOTIONML)
    SCHEMA.validate(str(path))
    emotions = ElementTree.parse(path).getroot().findall(f"{{{EMO}}}emotion")
    (conversation,) = transcript.conversations
    labels = sum(one.label is not None for one in conversation.utterances)
    annotations = sum(len(one.annotations) for one in conversation.utterances)
    assert len(emotions) == labels + annotations + len(transcript.predictions)
    by_model = [one for one in emotions if one.find(f"{{{EMO}}}category[@value]") is not None]
    assert len(by_model) == len(transcript.predictions)
    for one, (_, utterance, prediction) in zip(by_model, transcript.rows(), strict=False):
        assert prediction is not None
        values = [float(of.get("value", "")) for of in one.findall(f"{{{EMO}}}category")]
        assert sorted(values) == pytest.approx(sorted(prediction.probabilities.values()))
        start = None if utterance.start is None else str(round(1000 * utterance.start))
        assert one.get("offset-to-start") == start


def test_dimensions_are_elements_and_fields(tmp_path: Path) -> None:
    talk = Conversation("talk", (Utterance("0", "Ann", "Hi", "joy", 0, 1, extra={"arousal": 0.25, "note": "x"}),))
    path = tmp_path / "talk.emotionml"
    render(path, Transcript([talk]), EMOTIONML)
    SCHEMA.validate(str(path))
    assert '<dimension name="arousal" value="0.25"/>' in path.read_text()
    assert read_transcript(path).conversations == [talk]


def test_a_file_of_another_program(tmp_path: Path) -> None:
    (conversation,) = read(tmp_path, "talk.xml", FOREIGN).conversations
    assert conversation == Conversation(
        "talk",
        (
            Utterance("0", "Speaker 1", None, "happiness", 0.31, 2.1),
            Utterance("1", "Speaker 1", "said by Ann", None, 2.5, 4, extra={"arousal": 0.7}),
            Utterance("2", "Speaker 1", "You are kidding!", "anger"),
        ),
        media="talk.wav",
    )


def test_names_become_tokens() -> None:
    names = ["joy", "very happy", "very_happy", "very  happy", "ärger", ""]
    found = tokens(names)
    assert len(set(found.values())) == len(names)
    assert all(token and " " not in token and token.isascii() for token in found.values())


def test_damaged_files(tmp_path: Path) -> None:
    assert "emotion 1" in refused(tmp_path, "a.emotionml", FOREIGN.replace('"0.8"', '"8"'))
    assert "emotion 1" in refused(tmp_path, "b.emotionml", FOREIGN.replace('"1790"', '"-1"'))
    assert "version" in refused(tmp_path, "c.emotionml", FOREIGN.replace('version="1.0" xmlns', 'version="2.0" xmlns'))
    bomb = FOREIGN.replace("?>", '?><!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]>', 1).replace("said", "&b;")
    assert "entities" in refused(tmp_path, "d.emotionml", bomb)
    assert "line 11" in refused(tmp_path, "e.emotionml", FOREIGN.replace("</info>", ""))
