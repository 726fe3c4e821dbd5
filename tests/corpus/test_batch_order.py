from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.corpus.batches import batch_order


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_so_many_conversations_in_their_order_or_shuffled() -> None:
    assert batch_order([3, 1, 2, 5, 4], 2, None, None) == [[0, 1], [2, 3], [4]]
    shuffled = batch_order([3, 1, 2, 5, 4], 2, None, seeded(1))
    assert [len(batch) for batch in shuffled] == [2, 2, 1]
    assert shuffled != batch_order([3, 1, 2, 5, 4], 2, None, seeded(2))
    assert shuffled == batch_order([3, 1, 2, 5, 4], 2, None, seeded(1))


def test_up_to_so_many_utterances_of_like_length() -> None:
    assert batch_order([3, 1, 9, 2, 4, 30], 99, 10, None) == [[1, 3, 0, 4], [2], [5]]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=60),
    budget=st.integers(1, 100),
    seeds=st.tuples(st.integers(0, 99), st.integers(100, 199)),
)
def test_every_conversation_once_within_the_budget_and_as_many_batches_every_epoch(
    lengths: list[int], budget: int, seeds: tuple[int, int]
) -> None:
    one, other = (batch_order(lengths, 8, budget, seeded(seed)) for seed in seeds)
    assert len(one) == len(other)
    assert sorted(index for batch in one for index in batch) == list(range(len(lengths)))
    for batch in one:
        assert len(batch) == 1 or sum(lengths[index] for index in batch) <= budget


def test_conversations_of_one_length_change_their_company_and_batches_their_order() -> None:
    lengths = [5] * 40 + [20] * 10
    epochs = [batch_order(lengths, 8, 40, seeded(seed)) for seed in range(4)]
    assert len({frozenset(map(frozenset, epoch)) for epoch in epochs}) == 4
    assert len({tuple(lengths[batch[0]] for batch in epoch) for epoch in epochs}) > 1
