"""The curriculum: difficulty by naive loops, the share of each epoch, and the steps of whole runs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.conversation import Conversation, Utterance
from sdt.corpus.batches import batch_order, corpus_batch
from sdt.corpus.builder import write_corpus
from sdt.corpus.selection import conversation_lengths
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.speakers import Speakers
from sdt.training.curriculum import Curriculum, difficulty
from sdt.training.settings import Training
from tests.models.build import LABELS, random_batch
from tests.training.conftest import make_builder


def naive(conversation: Conversation) -> float:
    last: dict[str, str | None] = {}
    pairs = []
    for utterance in conversation.utterances:
        if utterance.label and last.get(utterance.speaker):
            pairs.append(utterance.label != last[utterance.speaker])
        last[utterance.speaker] = utterance.label
    if not any(utterance.label for utterance in conversation.utterances):
        return math.inf
    return sum(pairs) / len(pairs) if pairs else 0.0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Some utterances and one whole conversation have no label; every other conversation has one speaker."""
    builder = make_builder(train=23)
    builder.conversations = [
        dataclasses.replace(
            c,
            utterances=tuple(
                dataclasses.replace(
                    u,
                    label=None if number == 3 or (number + int(u.id)) % 7 == 0 else u.label,
                    speaker="A" if number % 2 else u.speaker,
                )
                for u in c.utterances
            ),
        )
        for number, c in enumerate(builder.conversations)
    ]
    return write_corpus(builder, tmp_path_factory.mktemp("corpora") / "tiny")


def test_difficulty_equals_naive_loops(corpus: Corpus) -> None:
    train = corpus.split("train")
    batch = corpus_batch(corpus, train, modalities=(), labels=corpus.labels, speakers=corpus.speakers)
    expected = [naive(conversation) for conversation in train]
    np.testing.assert_allclose(difficulty(batch), expected)
    assert math.isinf(expected[3])
    assert len({*expected}) > 3


@given(st.permutations(range(5)))
@settings(max_examples=10, deadline=None)
def test_difficulty_does_not_depend_on_the_other_conversations(order: list[int]) -> None:
    lengths = [3, 1, 6, 4, 7]
    of = difficulty(random_batch(lengths))
    moved = difficulty(random_batch([lengths[i] for i in order]))  # the labels depend on the length alone
    np.testing.assert_array_equal(moved, of[order])
    assert len(LABELS) == 3


@pytest.mark.parametrize("first", [2, 5, 10])
def test_the_easiest_come_first_and_all_at_the_end(corpus: Corpus, first: int) -> None:
    train = corpus.split("train")
    curriculum = Curriculum(Training(epochs=10, curriculum=f"shifts({first})"), corpus, train)
    hard = {c.id: naive(c) for c in train}
    before: set[str] = set()
    for epoch in range(1, 11):
        ids = [c.id for c in curriculum.conversations(epoch)]
        share = min(1, 0.2 + 0.8 * (epoch - 1) / (first - 1))
        assert len(ids) == math.ceil(share * len(train))
        assert before <= {*ids}
        assert ids == [c.id for c in train if c.id in ids]
        rest = [hard[c.id] for c in train if c.id not in ids]
        assert not rest or max(hard[id] for id in ids) <= min(rest)
        before = {*ids}
    assert curriculum.conversations(first) is train


def test_none_is_all_conversations_in_every_epoch(corpus: Corpus) -> None:
    train = corpus.split("train")
    assert Curriculum(Training(), corpus, train).conversations(1) is train


def test_a_corpus_without_pairs_keeps_its_order(tmp_path: Path) -> None:
    builder = make_builder()
    builder.conversations = [
        dataclasses.replace(c, utterances=tuple(Utterance(u.id, f"s{u.id}", "", u.label) for u in c.utterances))
        for c in builder.conversations
    ]
    builder.speakers = Speakers("appearance", 5)
    corpus = write_corpus(builder, tmp_path / "tiny")
    train = corpus.split("train")
    chosen = Curriculum(Training(curriculum="shifts"), corpus, train).conversations(1)
    assert [c.id for c in chosen] == [c.id for c in train][: math.ceil(0.2 * len(train))]


def test_shifts_alone_takes_a_third_of_the_epochs(corpus: Corpus) -> None:
    train = corpus.split("train")
    one, other = (
        Curriculum(Training(epochs=30, curriculum=setting), corpus, train) for setting in ("shifts", "shifts(10)")
    )
    for epoch in range(1, 12):
        assert [*one.conversations(epoch)] == [*other.conversations(epoch)]


@pytest.mark.parametrize("utterances", [None, 9])
def test_the_batches_of_each_epoch_are_counted(corpus: Corpus, utterances: int | None) -> None:
    curriculum = Curriculum(Training(epochs=6, curriculum="shifts(6)"), corpus, corpus.split("train"))
    counts = [
        len(batch_order(conversation_lengths(curriculum.conversations(epoch)), 4, utterances, None))
        for epoch in range(1, 7)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("setting", ["shifts(1)", "shifts(9)", "shifts(2.5)", "shift", "", "shifts()"])
def test_settings_that_are_refused(setting: str) -> None:
    with pytest.raises(InputError, match=r"^training\.curriculum: "):
        Training(epochs=8, curriculum=setting)
