"""The model in the box: small, without machine paths, and good enough to tell a joy from an anger."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdt.conversation import Conversation, Utterance
from sdt.model.hub import box, find_model
from sdt.prediction import Pipeline

NAME = "meld-text-audio-small"
LIMIT = 12 * 2**20


@pytest.fixture(scope="module")
def folder() -> Path:
    return box()[NAME]


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
    assert all(prediction.weights["audio"] == 0 for prediction in said)
    assert any("audio" in note for note in said.notes)
