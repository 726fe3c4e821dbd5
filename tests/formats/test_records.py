"""What a prediction looks like as JSON and as a row of a table."""

from __future__ import annotations

import json

from sdt.conversation import Prediction, Utterance
from sdt.formats.records import flatten, utterance_record

SHARES = {"joy": 0.75, "anger": 0.25}


def test_what_is_missing_is_null() -> None:
    said = Prediction("c", "0", "joy", SHARES, {"text": SHARES, "audio": None}, {"text": 1.0, "audio": None})
    values = utterance_record(said, Utterance("0", "Ann", "Hi"))
    assert json.loads(json.dumps(values)) == {
        "conversation": "c", "utterance": "0", "speaker": "Ann", "text": "Hi", "start": None, "end": None,
        "emotion": "joy", "probability": 0.75, "probabilities": SHARES,
        "branches": {"text": SHARES, "audio": None}, "weights": {"text": 1.0, "audio": None},
    }  # fmt: skip
    row = flatten(values)
    assert list(row)[6:] == [
        "emotion", "probability", "p_joy", "p_anger", "text_p_joy", "text_p_anger", "audio_p_joy", "audio_p_anger",
        "text_weight", "audio_weight",
    ]  # fmt: skip
    assert (row["text_p_anger"], row["audio_p_anger"], row["audio_weight"]) == (0.25, None, None)


def test_an_utterance_with_nothing_in_it_has_no_emotion() -> None:
    said = Prediction("c", "0", None, {}, {"text": None}, {"text": None})
    values = utterance_record(said, Utterance("0", "Ann"))
    assert (values["emotion"], values["probability"], values["probabilities"]) == (None, None, {})
    assert (values["branches"], values["weights"]) == ({"text": None}, {"text": None})
    assert list(flatten(values))[6:] == ["emotion", "probability"]


def test_an_emotion_from_the_context_is_marked() -> None:
    said = Prediction("c", "0", "joy", SHARES, {"text": None}, {"text": None}, inferred=True)
    assert utterance_record(said, Utterance("0", "Ann"))["inferred"] is True
