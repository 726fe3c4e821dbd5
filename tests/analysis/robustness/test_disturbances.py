"""What each disturbance does to a batch, and that it does not depend on the batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.analysis.robustness.disturbances import (
    Disturbance,
    Features,
    Missing,
    Noise,
    OtherFeatures,
    UnknownSpeakers,
    by_conversation,
    feature_deviations,
)
from sdt.batch import Batch
from sdt.conversation import Conversation
from sdt.corpus.batches import corpus_batch
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from tests.training.conftest import make_builder


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(make_builder(test=200), tmp_path_factory.mktemp("corpora") / "tiny")


def batch_of(corpus: Corpus, ids: list[str]) -> Batch:
    conversations = [corpus.conversations[id] for id in ids]
    return corpus_batch(
        corpus, conversations, modalities=("words", "voice"), labels=corpus.labels, speakers=corpus.speakers
    )


@pytest.fixture(scope="module")
def whole(corpus: Corpus) -> Batch:
    return batch_of(corpus, list(corpus.splits["test"]))


def made(corpus: Corpus) -> list[Disturbance]:
    return [
        Missing("voice", (0.3, 1.0), seed=1),
        Noise("words", (0.5, 2.0), seed=1, deviation=feature_deviations(corpus, "words")),
        UnknownSpeakers((0.3, 1.0), seed=1, unknown=2),
    ]


def state(batch: Batch, id: str) -> list[torch.Tensor]:
    """All of a conversation that a model reads."""
    (rows,) = [rows for name, rows in by_conversation(batch) if name == id]
    tensors = [*batch.features.values(), *batch.present.values(), batch.speaker, batch.position, batch.label]
    return [tensor[rows] for tensor in tensors]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_conversation_meets_the_same_whatever_shares_its_batch(corpus: Corpus, whole: Batch, number: int) -> None:
    change = made(corpus)[number].at(0.3)
    before = {name: tensor.clone() for name, tensor in whole.features.items()}
    together, alone = change(whole), change(batch_of(corpus, ["test7"]))
    for one, other in zip(state(together, "test7"), state(alone, "test7"), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)
    for name, tensor in before.items():  # the batch that was given is left as it is
        torch.testing.assert_close(whole.features[name], tensor, rtol=0, atol=0)


def test_missing(whole: Batch) -> None:
    had = whole.present["voice"]
    lost = {level: had & ~Missing("voice", (), 1).at(level)(whole).present["voice"] for level in (0.2, 0.5, 1.0)}
    for level, where in lost.items():
        assert where.sum() / had.sum() == pytest.approx(level, abs=0.06)
    assert not (lost[0.2] & ~lost[0.5]).any()  # what is lost at a low level is lost at a higher one
    assert (lost[1.0] == had).all()
    after = Missing("voice", (), 1).at(0.5)(whole)
    assert (after.present["words"] == whole.present["words"]).all()
    assert (Missing("voice", (), 2).at(0.5)(whole).present["voice"] != after.present["voice"]).any()


def test_noise(corpus: Corpus, whole: Batch) -> None:
    deviation = feature_deviations(corpus, "words")
    rows = [corpus.rows(id) for id in corpus.splits["train"]]
    table = corpus.modalities["words"]
    x = np.concatenate([table.rows(at)[table.present[at]] for at in rows])
    np.testing.assert_allclose(deviation, x.std(axis=0), rtol=1e-4)
    noise = Noise("words", (), 1, deviation)
    added = {level: (noise.at(level)(whole).features["words"] - whole.features["words"]).numpy() for level in (1, 3)}
    np.testing.assert_allclose(added[1].std(axis=0), deviation, rtol=0.12)
    np.testing.assert_allclose(added[3], 3 * added[1], atol=1e-4)
    assert (noise.at(1)(whole).features["voice"] == whole.features["voice"]).all()


def test_unknown_speakers(whole: Batch) -> None:
    unknown = UnknownSpeakers((), 1, unknown=2)
    assert (unknown.at(1.0)(whole).speaker == 2).all()
    some = unknown.at(0.4)(whole).speaker
    assert (some == 2).float().mean() == pytest.approx(0.4, abs=0.06)
    assert (some[some != 2] == whole.speaker[some != 2]).all()


def test_other_features_are_made_once(corpus: Corpus, whole: Batch) -> None:
    calls = []

    def make(conversations: Sequence[Conversation], level: float) -> dict[str, Features]:
        calls.append(len(conversations))
        return {c.id: (np.full((len(c), 6), level, np.float32), np.ones(len(c), np.bool_)) for c in conversations}

    disturbance = OtherFeatures("words wrong", "rate", "words", (0.5,), corpus.split("test"), make)
    for _ in range(2):
        after = disturbance.at(0.5)(whole)
        assert (after.features["words"] == 0.5).all()
        assert after.present["words"].all()
        assert (after.features["voice"] == whole.features["voice"]).all()
    assert sum(calls) == 200


def test_without_a_train_split_all_is_looked_at(tmp_path: Path) -> None:
    builder = make_builder()
    builder.splits = {"test": builder.splits["test"]}
    corpus = write_corpus(builder, tmp_path / "c")
    x = corpus.modalities["voice"].rows(slice(0, corpus.size))[corpus.modalities["voice"].present]
    np.testing.assert_allclose(feature_deviations(corpus, "voice"), x.std(axis=0), rtol=1e-4)
