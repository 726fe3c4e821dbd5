"""What each of several processes computes of a batch."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.batch import Batch
from sdt.conversation import UNLABELLED
from sdt.corpus.batches import partition, shard


def batch_of(lengths: list[int]) -> Batch:
    """Every utterance has a number of its own, which is also its feature, speaker and label."""
    size = sum(lengths)
    number = torch.arange(size)
    return Batch(
        features={"audio": number[:, None].float()},
        present={"audio": number % 2 == 0},
        position=torch.cat([torch.arange(length) for length in lengths]),
        speaker=number,
        label=number,
        lengths=torch.tensor(lengths),
        longest=max(lengths),
        conversations=tuple(f"c{index}" for index in range(len(lengths))),
    )


def test_the_longest_first_to_whoever_has_least() -> None:
    assert partition([3, 9, 2, 5, 4], 2) == [[0, 1], [2, 3, 4]]
    assert partition([5, 5, 5, 5], 3) == [[0, 3], [1], [2]]
    assert partition([7], 3) == [[0], [], []]
    assert partition([], 2) == [[], []]


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), max_size=30), parts=st.integers(1, 8))
def test_all_conversations_once_and_no_part_much_larger(lengths: list[int], parts: int) -> None:
    found = partition(lengths, parts)
    assert sorted(index for part in found for index in part) == list(range(len(lengths)))
    sizes = [sum(lengths[index] for index in part) for part in found]
    assert max(sizes) - min(sizes) <= max(lengths, default=0)


@settings(max_examples=60, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=9), parts=st.integers(1, 5))
def test_the_shares_are_the_batch(lengths: list[int], parts: int) -> None:
    batch = batch_of(lengths)
    shares = [shard(batch, part, parts) for part in range(parts)]
    rows = torch.cat([share.rows for share in shares])
    assert sorted(rows.tolist()) == list(range(len(batch)))
    for share in shares:
        part, n = share.batch, len(share.rows)
        assert share.whole is batch
        if n:
            for of_part, of_batch in (
                (part.features["audio"], batch.features["audio"]), (part.present["audio"], batch.present["audio"]),
                (part.position, batch.position), (part.speaker, batch.speaker), (part.label, batch.label),
            ):  # fmt: skip
                assert torch.equal(of_part, of_batch[share.rows])
        else:
            assert (part.label == UNLABELLED).all()
        assert len(part) == int(part.lengths.sum())
        assert part.longest == int(part.lengths.max())
        assert [batch.lengths[int(name[1:])] for name in part.conversations] == part.lengths.tolist()


def test_a_process_without_a_share_computes_the_shortest_conversation_for_nothing() -> None:
    batch = batch_of([4, 2, 3])
    idle = shard(batch, 3, 4)
    assert idle.batch.conversations == ("c1",)
    assert idle.batch.label.tolist() == [UNLABELLED, UNLABELLED]
    assert len(idle.rows) == 0
    assert batch.label.tolist() == list(range(9))


def test_one_process_has_the_batch_itself() -> None:
    batch = batch_of([4, 2])
    assert shard(batch, 0, 1).batch is batch
