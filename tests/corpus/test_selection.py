from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sdt.corpus import selection
from sdt.corpus.batches import corpus_batch
from sdt.corpus.builder import write_corpus
from sdt.corpus.selection import Selection, conversation_lengths, has_labels, label_counts, select, utterance_keys
from sdt.corpus.store import Corpus
from sdt.speakers import Speakers
from tests.corpus.test_store import small_builder


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write_corpus(small_builder(), tmp_path / "corpus")


def test_a_split_is_a_sequence_of_conversations(corpus: Corpus) -> None:
    train, everything = corpus.split("train"), small_builder().conversations
    assert len(train) == 2
    assert train == [everything[0], everything[2]]
    assert train != [everything[0], everything[1]]
    assert list(train[::-1]) == [everything[2], everything[0]]
    assert train[-1] == everything[2]
    assert corpus.split("test") + train == [everything[1], everything[0], everything[2]]
    assert corpus.all_conversations() == everything
    with pytest.raises(IndexError):
        train[2]


def test_what_the_index_says_is_what_the_conversations_say(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_BLOCK", 2)
    mapped = corpus.all_conversations()[::-1]
    read = list(mapped)
    assert isinstance(mapped, Selection)
    assert conversation_lengths(mapped).tolist() == conversation_lengths(read).tolist() == [3, 1, 2]
    assert label_counts(mapped, corpus.labels).tolist() == label_counts(read, corpus.labels).tolist() == [4, 1]
    assert label_counts(mapped, ("glad", "sad")).tolist() == [1, 0]
    assert utterance_keys(mapped) == utterance_keys(read)
    assert [utterance_keys(mapped)[row] for row in range(6)] == list(utterance_keys(read))
    assert utterance_keys(mapped)[1:3] == utterance_keys(read)[1:3]
    assert select(mapped, [2, 0]) == select(read, [2, 0])
    assert has_labels(mapped)
    assert has_labels(read)
    with pytest.raises(IndexError):
        utterance_keys(mapped)[6]


def test_nothing_at_all(corpus: Corpus) -> None:
    none = corpus.all_conversations()[:0]
    assert list(utterance_keys(none)) == []
    assert not has_labels(none)
    assert len(select(none, [])) == 0


@pytest.mark.parametrize(
    ("labels", "speakers"),
    [
        (("calm", "glad"), Speakers("appearance", 2)),
        (("glad", "sad", "calm"), Speakers("appearance", 2)),
        (("glad",), Speakers("appearance", 1)),
        (("calm", "glad"), Speakers("identity", 2, ("Bob", "Cid"))),
    ],
)
def test_a_batch_from_the_index_is_the_one_from_the_conversations(
    corpus: Corpus, labels: tuple[str, ...], speakers: Speakers
) -> None:
    some = corpus.all_conversations()[::-1]
    batches = [
        corpus_batch(corpus, them, modalities=("text", "audio"), labels=labels, speakers=speakers)
        for them in (some, list(some))
    ]
    for name, value in vars(batches[0]).items():
        other = getattr(batches[1], name)
        if isinstance(value, dict):
            assert value.keys() == other.keys()
            for modality, x in value.items():
                np.testing.assert_array_equal(x, other[modality])
                assert x.dtype == other[modality].dtype
        elif name in ("longest", "conversations"):
            assert value == other
        elif name == "participant":  # the same speakers, whose numbers may differ
            one, two = (batch.participants[:, None] == batch.participants[None, :] for batch in batches)
            assert torch.equal(one, two)
        else:
            assert value.tolist() == other.tolist(), name
            assert value.dtype == other.dtype


def test_a_batch_of_the_corpus_reads_no_line(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(corpus.split("train").source), "read", None)
    batch = corpus_batch(
        corpus, corpus.split("train"), modalities=("audio",), labels=corpus.labels, speakers=corpus.speakers
    )
    assert batch.conversations == ("a", "c")
