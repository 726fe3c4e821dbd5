"""The plain nouns, and that they stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sdt
from sdt.conversation import Conversation, Prediction, Utterance
from sdt.errors import InputError, near_miss
from sdt.speakers import Speakers


def test_importing_sdt_loads_neither_torch_nor_numpy() -> None:
    code = "import sdt, sys; print(sorted({'torch', 'numpy', 'transformers', 'sklearn'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_public_names_are_there() -> None:
    for name in sdt.__all__:
        assert getattr(sdt, name) is not None
    assert {*sdt.__all__} <= {*dir(sdt)}
    assert callable(sdt.metrics.score)
    with pytest.raises(AttributeError, match="no attribute 'SDTT'"):
        sdt.SDTT  # noqa: B018


def test_a_conversation_is_read_and_written(tmp_path: Path) -> None:
    talk = Conversation(
        "talk", (Utterance("0", "Ann", "hi", "joy", 0.0, 1.0), Utterance("1", "Ben", "oh", None, 1.5, 2.0))
    )
    prediction = Prediction("talk", "1", "fear", {"joy": 0.25, "fear": 0.75})
    for name in ("talk.eaf", "talk.jsonl", "talk.TextGrid"):
        talk.write(tmp_path / name, [prediction])
        assert Conversation.read(tmp_path / name) == talk
        (found,) = sdt.read_transcript(tmp_path / name).predictions
        assert (found.utterance, found.emotion, found.probability) == ("1", "fear", 0.75)
    talk.write(tmp_path / "other", format="rttm")
    assert [one.speaker for one in Conversation.read(str(tmp_path / "other")).utterances] == ["Ann", "Ben"]
    with pytest.raises(InputError, match="text: 2"):
        talk.write(tmp_path / "talk.rttm", strict=True)
    (tmp_path / "two.csv").write_text("conversation,speaker,text\na,Ann,hi\nb,Ben,oh\n")
    with pytest.raises(InputError, match="2 conversations"):
        Conversation.read(tmp_path / "two.csv")


def test_text_alone_suffices() -> None:
    talk = Conversation(
        utterances=(
            Utterance(text="Hi"),
            Utterance(speaker="Ann", text="Oh"),
            Utterance(text="So?"),
            Utterance("x", "Ben"),
        )
    )
    full = talk.with_defaults()
    assert full.id == "conversation"
    assert [(one.id, one.speaker) for one in full.utterances] == [
        ("0", "Speaker 1"), ("1", "Ann"), ("2", "Ann"), ("x", "Ben")
    ]  # fmt: skip
    assert full.with_defaults() is full
    pipeline = sdt.Pipeline.from_pretrained()
    found = pipeline(talk)
    assert [(one.utterance, one.speaker, one.text) for one in found][:2] == [
        ("0", "Speaker 1", "Hi"), ("1", "Ann", "Oh")
    ]  # fmt: skip
    inputs: list[Any] = [[Utterance(text="I am happy")], Utterance(text="I am happy"), ["I am happy"]]
    for given in inputs:
        (one,) = pipeline(given)
        assert (one.conversation, one.speaker, one.text) == ("conversation", "Speaker 1", "I am happy")
        assert one.emotion is not None
    several = pipeline([Conversation(utterances=(Utterance(text="I am happy"),)) for _ in range(2)])
    assert [one.conversation for one in several] == ["conversation", "conversation-2"]


def test_a_prediction_knows_its_probability() -> None:
    prediction = Prediction("c", "0", "joy", {"joy": 0.75, "fear": 0.25})
    assert prediction.probability == 0.75
    assert Prediction("c", "0", None, {}).probability is None


def test_a_prediction_with_what_was_said() -> None:
    said = Prediction("c", "0", "joy", {"joy": 1.0}).with_utterance(Utterance("0", "Ann", "Hi", "fear", 1.0, 2.5))
    assert (said.speaker, said.text, said.label, said.start, said.end) == ("Ann", "Hi", "fear", 1.0, 2.5)


def talk(*speakers: str) -> Conversation:
    return Conversation("c", tuple(Utterance(str(i), speaker) for i, speaker in enumerate(speakers)))


def test_speakers_by_identity() -> None:
    speakers = Speakers.from_conversations([talk("Ross", "Rachel"), talk("Monica", "Ross")], "identity")
    assert speakers.names == ("Monica", "Rachel", "Ross")
    assert speakers.numbers(talk("Rachel", "Janice", "Ross")) == [1, 3, 2]


def test_speakers_by_appearance() -> None:
    speakers = Speakers.from_conversations([talk("Ross", "Rachel"), talk("Monica")], "appearance")
    assert speakers.count == 2
    assert speakers.numbers(talk("Rachel", "Janice", "Rachel", "Ross", "Monica")) == [0, 1, 0, 2, 2]


def test_speakers_that_contradict_themselves() -> None:
    with pytest.raises(ValueError, match="2 numbers but 1 names"):
        Speakers("identity", 2, ("M",))


def test_near_miss() -> None:
    assert near_miss("gatd", ["gated", "addition"]) == "; did you mean 'gated'?"
    assert near_miss("xyz", ["gated", "addition"]) == "; known are: gated, addition"
    assert near_miss("xyz", []) == ""
