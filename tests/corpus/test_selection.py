from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdt.corpus import selection
from sdt.corpus.batches import corpus_batch
from sdt.corpus.lengths import lengths_of
from sdt.corpus.selection import Selection, chosen, label_counts, labelled, places_of
from sdt.corpus.store import Corpus, write_corpus
from sdt.speakers import Speakers
from tests.corpus.test_store import small_draft


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write_corpus(small_draft(), tmp_path / "corpus")


def test_a_split_is_a_sequence_of_conversations(corpus: Corpus) -> None:
    train, everything = corpus.split("train"), small_draft().conversations
    assert len(train) == 2
    assert train == [everything[0], everything[2]]
    assert train != [everything[0], everything[1]]
    assert list(train[::-1]) == [everything[2], everything[0]]
    assert train[-1] == everything[2]
    assert corpus.split("test") + train == [everything[1], everything[0], everything[2]]
    assert corpus.everything() == everything
    with pytest.raises(IndexError):
        train[2]


def test_what_the_index_says_is_what_the_conversations_say(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_TOGETHER", 2)
    mapped = corpus.everything()[::-1]
    read = list(mapped)
    assert isinstance(mapped, Selection)
    assert lengths_of(mapped).tolist() == lengths_of(read).tolist() == [3, 1, 2]
    assert label_counts(mapped, corpus.labels).tolist() == label_counts(read, corpus.labels).tolist() == [4, 1]
    assert label_counts(mapped, ("glad", "sad")).tolist() == [1, 0]
    assert places_of(mapped) == places_of(read)
    assert [places_of(mapped)[row] for row in range(6)] == list(places_of(read))
    assert places_of(mapped)[1:3] == places_of(read)[1:3]
    assert chosen(mapped, [2, 0]) == chosen(read, [2, 0])
    assert labelled(mapped)
    assert labelled(read)
    with pytest.raises(IndexError):
        places_of(mapped)[6]


def test_nothing_at_all(corpus: Corpus) -> None:
    none = corpus.everything()[:0]
    assert list(places_of(none)) == []
    assert not labelled(none)
    assert len(chosen(none, [])) == 0


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
    some = corpus.everything()[::-1]
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
        else:
            assert value.tolist() == other.tolist(), name
            assert value.dtype == other.dtype


def test_a_batch_of_the_corpus_reads_no_line(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(corpus.split("train").source), "read", None)
    batch = corpus_batch(
        corpus, corpus.split("train"), modalities=("audio",), labels=corpus.labels, speakers=corpus.speakers
    )
    assert batch.conversations == ("a", "c")
