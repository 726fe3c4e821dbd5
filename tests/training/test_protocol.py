from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.training.protocol import Protocol, protocol_for
from sdt.training.settings import Training
from tests.training.conftest import make_builder


def divided(corpus: Corpus, **training: object) -> Protocol:
    return protocol_for(Training(**training), corpus)  # type: ignore[arg-type]


def without(split: str, folder: Path, *, only_labels: bool = False) -> Corpus:
    """The tiny corpus without a split, or without its labels."""
    builder = make_builder()
    gone = builder.splits[split]
    if not only_labels:
        del builder.splits[split]
    conversations = list(builder.conversations)
    for index, conversation in enumerate(conversations):
        if conversation.id in gone:
            bare = tuple(dataclasses.replace(u, label=None) for u in conversation.utterances)
            conversations[index] = dataclasses.replace(conversation, utterances=bare)
    builder.conversations = conversations
    return write_corpus(builder, folder / "corpus")


def test_validation_trains_on_train_and_chooses_by_dev(corpus: Corpus) -> None:
    protocol = divided(corpus)
    assert [c.id for c in protocol.train] == list(corpus.splits["train"])
    assert [c.id for c in protocol.choose] == list(corpus.splits["dev"])
    assert (protocol.chosen_on, protocol.reported) == ("dev", ("dev", "test"))


def test_published_trains_on_train_and_dev_and_chooses_by_test(corpus: Corpus) -> None:
    protocol = divided(corpus, protocol="published")
    assert [c.id for c in protocol.train] == [*corpus.splits["train"], *corpus.splits["dev"]]
    assert [c.id for c in protocol.choose] == list(corpus.splits["test"])
    assert (protocol.chosen_on, protocol.reported) == ("test", ("test",))


@pytest.mark.parametrize("only_labels", [False, True])
def test_a_split_that_is_needed(tmp_path: Path, only_labels: bool) -> None:
    with pytest.raises(InputError, match="import the corpus again with --dev"):
        divided(without("dev", tmp_path / "a", only_labels=only_labels))
    with pytest.raises(InputError, match=r"use --training\.protocol validation"):
        divided(without("test", tmp_path / "b", only_labels=only_labels), protocol="published")
    with pytest.raises(InputError, match="training needs it"):
        divided(without("train", tmp_path / "c", only_labels=only_labels))


@pytest.mark.parametrize("only_labels", [False, True])
def test_a_split_that_is_not_needed(tmp_path: Path, only_labels: bool) -> None:
    assert divided(without("test", tmp_path / "a", only_labels=only_labels)).reported == ("dev",)
    published = divided(without("dev", tmp_path / "b", only_labels=only_labels), protocol="published")
    assert len(published.train) == (16 if only_labels else 12)


def test_when_test_is_scored(corpus: Corpus, tmp_path: Path) -> None:
    sealed, once, never = (divided(corpus, test=when) for when in ("sealed", "once", "never"))
    assert [c.id for c in sealed.monitored] == list(corpus.splits["test"])
    assert once.monitored == never.monitored == []
    assert sealed.predicted == once.predicted == ("train", "dev", "test")
    assert (never.predicted, never.reported) == (("train", "dev"), ("dev",))
    assert divided(corpus, protocol="published").monitored == []
    assert divided(without("test", tmp_path, only_labels=True)).monitored == []
