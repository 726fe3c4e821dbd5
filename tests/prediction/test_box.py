"""The bundled model: small, without machine paths, and good enough to tell a joy from an anger."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.formats import read_transcript
from sdt.models.hub import bundled_models, find_model
from sdt.prediction import Pipeline
from tests.encoders.clips import write_clip
from tests.encoders.voices import RATE, syllables
from tests.shared import ROOT, SHARED_DATA, needs_meld

NAME = "english-text-audio-small"
FAULTS = ROOT / "tests" / "data" / "faults" / "predict"
LIMIT = 64 * 2**20


@pytest.fixture(scope="module")
def folder() -> Path:
    return bundled_models()[NAME]


def test_it_fits_and_says_where_it_comes_from(folder: Path) -> None:
    assert sum(path.stat().st_size for path in folder.rglob("*")) < LIMIT
    card = (folder / "README.md").read_text(encoding="utf-8")
    for said in ("MELD", "GPL-3.0", "five seeds", "Limits", "text alone", "audio alone"):
        assert said in card
    for path in (*folder.rglob("*.json"), *folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        assert not [machine for machine in ("/tmp/", "/root/", "/home/") if machine in text]
    assert find_model(NAME) == folder


@pytest.mark.slow
def test_it_tells_plain_emotions_from_words_alone() -> None:
    words = {
        "joy": "Oh this is so great, I love it! Congratulations!",
        "anger": "Shut up! I hate you, get out of my house!",
        "surprise": "Oh my God! What? You did what?",
        "sadness": "I am so sorry. I miss her so much, I could cry all day.",
    }
    talk = Conversation("c", tuple(Utterance(str(i), "AB"[i % 2], text) for i, text in enumerate(words.values())))
    said = Pipeline.from_pretrained(NAME)([talk])
    assert [prediction.emotion for prediction in said] == list(words)
    assert all(prediction.weights["audio"] is None for prediction in said)
    assert any("audio" in note for note in said.notes)


@pytest.mark.slow
def test_it_listens_without_praat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra `media` alone: nothing of the recording is lost, and it makes a difference."""
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    pitches = (110, 140, 300, 120)
    voice = np.concatenate([syllables(4, hertz=(pitch,)) * (pitch / 110) for pitch in pitches]).astype(np.float32)
    file = write_clip(tmp_path / "talk.wav", voice[None], rate=RATE)
    words = ("Well.", "I see.", "What did you say?", "Nothing.")
    said = Conversation(
        "talk", tuple(Utterance(str(k), "AB"[k % 2], text, start=float(k), end=k + 1.0) for k, text in enumerate(words))
    )
    pipeline = Pipeline.from_pretrained(NAME)
    heard, read = pipeline([said], file), pipeline([said])
    assert heard.notes == []
    assert heard.missing["audio"] == ()
    assert all((prediction.weights["audio"] or 0) > 0.1 for prediction in heard)
    apart = [
        abs(one.probabilities["neutral"] - other.probabilities["neutral"])
        for one, other in zip(heard, read, strict=True)
    ]
    assert max(apart) > 0.01


@needs_meld
@pytest.mark.slow
def test_it_listens_to_the_real_dialogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound of dialogue 1 counts for every utterance but the one in which the tables find no syllable either."""
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    assert SHARED_DATA
    said = read_transcript(SHARED_DATA / "meld" / "train_sent_emo.csv")
    said = replace(said, conversations=[c for c in said.conversations if c.id == "1"])
    found = Pipeline.from_pretrained(NAME)(said, SHARED_DATA / "media")
    assert [prediction.utterance for prediction in found if not prediction.weights["audio"]] == ["5"]
    assert found.missing["audio"] == ("1/5: no syllable found",)
    assert not [note for note in found.notes if "praat" in note.lower()]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline.from_pretrained(NAME)


@pytest.mark.slow
def test_the_whole_of_a_long_turn_counts(pipeline: Pipeline) -> None:
    """The same story with a sad and a happy ending, of up to some 800 words, and a sad one told first or last."""
    told = {conversation.id: conversation for conversation in read_transcript(FAULTS / "trunc.csv").conversations}
    lengths = sorted(int(name[3:]) for name in told if name.startswith("sad"))
    for length in lengths[::5]:
        sad, joyful = pipeline([told[f"sad{length}"], told[f"joy{length}"]])
        assert sad.probabilities["sadness"] > 2 * joyful.probabilities["sadness"]
        assert joyful.probabilities["joy"] > sad.probabilities["joy"] + 0.2
    last, first = (pipeline(FAULTS / name)[0] for name in ("long.txt", "longfirst.txt"))
    (story,) = pipeline([Conversation("c", (Utterance("0", "A", (first.text or "").partition(". ")[2]),))])
    for said in (last, first):
        assert said.probabilities["sadness"] > 2 * story.probabilities["sadness"]


@pytest.mark.slow
def test_the_last_sentence_of_two_thousand_words_counts(pipeline: Pipeline) -> None:
    story = "So first I went to the store and bought bread and milk, and then I called the office. " * 111
    endings = ("", "My mother died, I am heartbroken.")
    talks = [Conversation(str(n), (Utterance("0", "A", story + ending),)) for n, ending in enumerate(endings)]
    plain, sad = pipeline(talks)
    assert sad.probabilities["sadness"] > plain.probabilities["sadness"] + 0.02


def test_no_emotion_from_nothing(pipeline: Pipeline) -> None:
    found = pipeline(FAULTS / "blankutt.csv")
    assert [said.emotion is not None for said in found] == [True, False, False, True]
    assert all(said.branches["audio"] is None for said in found)
