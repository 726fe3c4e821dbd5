"""Packed batches of a corpus on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.conversation import UNLABELLED, Conversation, Utterance
from sdt.corpus.batches import corpus_batch, split_batches
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    talks = [
        Conversation("a", (Utterance("0", "Ann", "hi", "calm"), Utterance("1", "Bob", None, None))),
        Conversation("b", (Utterance("0", "Bob", "ha", "cross"),)),
        Conversation("c", tuple(Utterance(str(i), "Cid", "so", "calm") for i in range(3))),
    ]
    features = np.arange(12, dtype=np.float32).reshape(6, 2)
    builder = CorpusBuilder(
        "tiny",
        talks,
        ("calm", "cross"),
        {"train": ["a", "c"], "test": ["b"]},
        {"audio": FeatureTable(features, np.array([True, False, True, True, True, True]), "unknown")},
        Speakers.from_conversations(talks, "identity"),
    )
    return write_corpus(builder, tmp_path / "corpus")


def test_a_batch_holds_what_the_corpus_holds(corpus: Corpus) -> None:
    chosen = [corpus.conversations["b"], corpus.conversations["a"]]
    batch = corpus_batch(corpus, chosen, modalities=["audio"], labels=["cross", "calm"], speakers=corpus.speakers)
    assert batch.conversations == ("b", "a")
    assert batch.lengths.tolist() == [1, 2]
    assert batch.longest == 2
    assert len(batch) == 3
    assert batch.position.tolist() == [0, 0, 1]
    assert batch.speaker.tolist() == [1, 0, 1]
    assert batch.label.tolist() == [0, 1, UNLABELLED]  # by name, in the order that was asked for
    assert batch.features["audio"].tolist() == [[4, 5], [0, 1], [0, 0]]
    assert batch.present["audio"].tolist() == [True, True, False]
    assert batch.to(torch.device("cpu")).features["audio"].dtype == torch.float32


def test_every_conversation_comes_once_in_shuffled_batches(corpus: Corpus) -> None:
    talks = list(corpus.conversations.values())

    def order(seed: int | None) -> list[str]:
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        batches = split_batches(
            corpus,
            talks,
            2,
            modalities=["audio"],
            labels=corpus.labels,
            speakers=corpus.speakers,
            generator=generator,
        )
        return [conversation for batch in batches for conversation in batch.conversations]

    assert order(None) == ["a", "b", "c"]
    assert sorted(order(0)) == ["a", "b", "c"]
    assert order(0) == order(0)
    assert len({tuple(order(seed)) for seed in range(20)}) > 1
