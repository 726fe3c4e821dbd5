"""A tiny generated corpus that can be learned in seconds, and a recipe for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.feature_table import FeatureTable
from sdt.models.config import Architecture
from sdt.speakers import Speakers
from sdt.training.settings import Recipe, Training

LABELS = ("calm", "cross", "glad")


def make_builder(train: int = 12, dev: int = 4, test: int = 4, *, seed: int = 0) -> CorpusBuilder:
    """Conversations of 2 to 5 utterances; each modality tells part of the label, some utterances lack one."""
    random = np.random.default_rng(seed)
    conversations, truth = [], []
    sizes = {"train": train, "dev": dev, "test": test}
    splits: dict[str, list[str]] = {}
    for split, count in sizes.items():
        for index in range(count):
            labels = random.integers(len(LABELS), size=random.integers(2, 6)).tolist()
            truth += labels
            utterances = tuple(
                Utterance(id=str(place), speaker="AB"[place % 2], text="hm", label=LABELS[label])
                for place, label in enumerate(labels)
            )
            conversations.append(Conversation(f"{split}{index}", utterances))
            splits.setdefault(split, []).append(f"{split}{index}")
    label = np.array(truth)
    features = {}
    for modality, width, noise in (("words", 6, 0.3), ("voice", 4, 0.8)):
        centres = random.normal(size=(len(LABELS), width))
        present = random.random(len(label)) > 0.1
        values = (centres[label] + noise * random.normal(size=(len(label), width))) * present[:, None]
        features[modality] = FeatureTable(values.astype(np.float32), present, f"made-{modality}")
    return CorpusBuilder("tiny", conversations, LABELS, splits, features, Speakers("appearance", 2), licence="CC0-1.0")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(make_builder(), tmp_path_factory.mktemp("corpora") / "tiny")


@pytest.fixture
def recipe(corpus: Corpus) -> Recipe:
    return make_recipe(corpus.folder)


def make_recipe(folder: Path, **training: object) -> Recipe:
    """A small model that learns the tiny corpus in a few epochs."""
    settings = {"epochs": 4, "batch_conversations": 4, "learning_rate": 3e-3, "device": "cpu", **training}
    return Recipe(
        corpus=str(folder),
        model=Architecture(width=16, heads=2, dropout=0.2),
        training=Training(**settings),  # type: ignore[arg-type]
    )
