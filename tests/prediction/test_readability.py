"""What a model says that it cannot read: one note each, wherever it is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.models.config import SDTConfig
from sdt.prediction import Pipeline, StreamingPredictor
from sdt.prediction.readability import Readability
from tests.encoders.clips import noise, write_clip
from tests.prediction.models import TEXT, tiny_model

GERMAN = ("Hallo, wie geht es dir heute?", "Ach, mir geht es gar nicht gut.")
ENGLISH = ("Hi.", "lol ok")


def talk(name: str, *texts: str) -> Conversation:
    return Conversation(name, tuple(Utterance(str(n), "AB"[n % 2], text) for n, text in enumerate(texts)))


def test_another_language_is_one_note() -> None:
    pipeline = Pipeline(tiny_model(languages=("en",)))
    (note,) = pipeline([talk("a", *GERMAN)]).notes
    assert note.startswith("the transcript: the language seems to be de, but the model was trained on en")
    (note,) = pipeline(
        [talk("a", *GERMAN), talk("b", *ENGLISH), talk("c", "C'est pas vrai! Tu rigoles? Je suis très content.")]
    ).notes
    assert note.startswith("2 of 3 conversations: the language seems to be de or fr")
    assert pipeline([talk("a", *ENGLISH)]).notes == []
    assert not any("language" in note for note in pipeline([talk("a", "\u200b hi", "\U0001f600\U0001f3fd lol")]).notes)
    assert Pipeline(tiny_model())([talk("a", *GERMAN)]).notes == []  # it is not known what the model reads


def test_another_language_is_no_confident_guess() -> None:
    sure, unsure = (Pipeline(tiny_model(languages=known)) for known in ((), ("en",)))
    talks = [talk("a", *GERMAN), talk("b", *ENGLISH)]
    for one, other in zip(sure(talks)[:2], unsure(talks)[:2], strict=True):
        assert other.emotion == one.emotion
        assert sum(other.probabilities.values()) == pytest.approx(1)
        powers = {label: share**0.1 for label, share in one.probabilities.items()}
        assert other.probabilities == pytest.approx(
            {label: power / sum(powers.values()) for label, power in powers.items()}
        )
        assert other.branches["text"] != one.branches["text"]
        assert other.weights == one.weights
    assert sure(talks)[2:] == unsure(talks)[2:]


def test_a_stream_is_sure_again_when_the_language_is_known() -> None:
    streams = [StreamingPredictor(tiny_model(languages=known)) for known in ((), ("en",))]
    same = []
    for text in (GERMAN[0], "I am sorry, what did you say?", "Please speak English, I do not understand you at all."):
        one, other = (stream.add(Utterance("", "Ann", text)) for stream in streams)
        assert one.emotion == other.emotion
        same.append(one.probabilities == other.probabilities)
    assert (same[0], same[-1]) == (False, True)


def test_utterances_without_a_letter_are_counted_in_one_note() -> None:
    found = Pipeline(tiny_model())([talk("a", "Hi", "\U0001f600", "?!", "1", "...", "  ", "é")])
    (note,) = [note for note in found.notes if "no letter" in note]
    assert note.startswith("3 of 7 utterances have no letter")
    assert "(a/1, a/2, a/4)" in note


def test_what_is_seen_in_parts_is_what_is_seen_at_once() -> None:
    talks = [talk("a", *GERMAN), talk("b", *ENGLISH, "!"), talk("c", "\U0001f600")]
    whole, parts = Readability(("en",)), Readability(("en",))
    whole.add(talks)
    for one in talks:
        parts.add([one])
    assert whole.notes == parts.notes != []


def test_pictures_that_nothing_looks_at(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "talk.mkv", noise(1.0), pictures=[np.zeros((48, 64, 3), np.uint8)] * 3)
    sounds = [write_clip(tmp_path / name, noise(1.0)) for name in ("talk.wav", "sound.mkv")]
    model = tiny_model({"text": "words:16", "audio": "prosody"})
    said = talk("a", "Hi")
    assert Pipeline(model)(said, film).notes == ["video is not used: the model has no visual modality"]
    assert [Pipeline(model)(said, sound).notes for sound in sounds] == [[], []]
    stream = StreamingPredictor(model)
    for _ in range(2):
        stream.add(Utterance("", "Ann", "Hi"), clip=film)
    assert stream.notes == ["video is not used: the model has no visual modality"]
    assert (
        "the recording is not used: the model has no audio or visual modality"
        in Pipeline(tiny_model())(said, film).notes
    )


def test_a_stream_says_it_once_a_conversation() -> None:
    stream = StreamingPredictor(tiny_model(languages=("en",)))
    problems: list[str] = []
    for conversation in ("a", "b"):
        for text in (GERMAN[0], "\U0001f600", GERMAN[1], "!!!", ENGLISH[0]):
            stream.add(Utterance("", "Ann", text), conversation)
            problems += stream.problems
    assert [problem.partition(":")[0] for problem in problems] == ["a/0", "a/1", "b/0", "b/1"]
    assert "seems to be de" in problems[0]
    assert stream.notes == []
    stream.add(Utterance("", "Ann", GERMAN[0]), "c", features={"text": [0.0] * 16})  # its words are not read
    assert stream.problems == []


@pytest.mark.parametrize("languages", [(), ("en",), ("en", "de")])
def test_a_configuration_may_say_what_the_model_reads(languages: tuple[str, ...]) -> None:
    config = tiny_model(TEXT, languages=languages).config
    values = config.to_dict()
    assert SDTConfig.from_dict(values).languages == languages
    del values["languages"]  # as models were saved before
    assert SDTConfig.from_dict(values).languages == ()
