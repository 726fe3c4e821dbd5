"""The shift term: its pairs and its loss by naive loops, gradients, masks and shards."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sdt.batch import Batch
from sdt.conversation import UNLABELLED
from sdt.errors import InputError
from sdt.models.config import Objective
from sdt.models.emotion_shift import ShiftHead, emotion_shifts
from sdt.models.loss_inputs import LossInputs, TermContext
from tests.models.build import LABELS, random_batch, select

WIDTH = 4


def unlabelled(batch: Batch, *rows: int) -> Batch:
    label = batch.label.clone()
    label[list(rows)] = UNLABELLED
    return replace(batch, label=label)


BATCH = unlabelled(random_batch([5, 1, 4, 7]), 2, 7, 12)


def head(train: Batch = BATCH) -> ShiftHead:
    torch.manual_seed(0)
    return ShiftHead(TermContext(Objective(shift=1), LABELS, {"fused": WIDTH}, train)).double()


def inputs(batch: Batch, states: torch.Tensor, whole: Batch | None = None) -> LossInputs:
    none = states.new_zeros(len(batch), len(LABELS))
    return LossInputs(none, {}, batch.label, Objective(), states={"fused": states}, batch=batch, whole=whole)


def states_of(batch: Batch) -> torch.Tensor:
    return torch.randn(len(batch), WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def naive_pairs(batch: Batch) -> list[tuple[int, int]]:
    """(row, previous row of the speaker), both labelled or not."""
    pairs, first = [], 0
    for length in batch.lengths.tolist():
        last: dict[int, int] = {}
        for row in range(first, first + length):
            speaker = int(batch.speaker[row])
            if speaker in last:
                pairs.append((row, last[speaker]))
            last[speaker] = row
        first += length
    return pairs


def naive_loss(module: ShiftHead, batch: Batch, states: torch.Tensor) -> float:
    label = batch.label.tolist()
    pairs = [(i, j) for i, j in naive_pairs(batch) if UNLABELLED not in (label[i], label[j])]
    train = [label[i] != label[j] for i, j in pairs]  # of the same batch
    total = 0.0
    for i, j in pairs:
        z = float(module.classifier.weight[0].detach() @ torch.cat((states[j], states[i])) + module.classifier.bias[0])
        shifted = label[i] != label[j]
        p = 1 / (1 + math.exp(-z))
        weight = len(train) / (2 * (sum(train) if shifted else len(train) - sum(train)))
        total -= weight * math.log(p if shifted else 1 - p)
    return total / len(pairs)


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=8), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_previous_utterance_of_a_speaker(speakers: list[list[int]]) -> None:
    batch = random_batch([len(of) for of in speakers])
    batch = replace(batch, speaker=torch.tensor([s for of in speakers for s in of]), participant=None)
    expected = torch.full((len(batch),), -1)
    for row, previous in naive_pairs(batch):
        expected[row] = previous
    assert torch.equal(batch.previous_of_speaker(), expected)


def test_equals_naive_loops() -> None:
    states, module = states_of(BATCH), head()
    with torch.no_grad():
        assert float(module(inputs(BATCH, states))) == pytest.approx(naive_loss(module, BATCH, states))


def test_gradients() -> None:
    module = head()

    def loss(states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        given = {"classifier.weight": weight, "classifier.bias": bias}
        found: torch.Tensor = torch.func.functional_call(module, given, (inputs(BATCH, states),))
        return found

    values = (states_of(BATCH), module.classifier.weight.detach(), module.classifier.bias.detach())
    assert torch.autograd.gradcheck(loss, tuple(x.clone().requires_grad_() for x in values))


def test_states_of_utterances_without_a_labelled_pair_get_no_gradient() -> None:
    states = states_of(BATCH).requires_grad_()
    head()(inputs(BATCH, states)).backward()
    assert states.grad is not None
    valid, _ = emotion_shifts(BATCH)
    used = {row for pair in naive_pairs(BATCH) if valid[pair[0]] for row in pair}
    assert {row for row in range(len(BATCH)) if states.grad[row].any()} == used


@given(st.permutations(range(4)))
@settings(max_examples=10, deadline=None)
def test_the_order_of_conversations_does_not_matter(order: list[int]) -> None:
    states, module = states_of(BATCH), head()
    with torch.no_grad():
        moved = select(replace(BATCH, features={"text": states}, present={"text": BATCH.present["text"]}), order)
        found = module(inputs(moved, moved.features["text"]))
        torch.testing.assert_close(found, module(inputs(BATCH, states)))


def test_the_shards_of_a_batch_add_up_to_it() -> None:
    states, module = states_of(BATCH), head()
    tagged = replace(BATCH, features={"text": states}, present={"text": BATCH.present["text"]})
    with torch.no_grad():
        parts = [select(tagged, rows) for rows in ([0, 2], [1], [3])]
        found = [module(inputs(part, part.features["text"], whole=BATCH)) for part in parts]
        torch.testing.assert_close(sum(found), module(inputs(BATCH, states)))
        assert float(found[1]) == 0


@pytest.mark.parametrize("batch", [random_batch([1, 1]), unlabelled(BATCH, *range(len(BATCH)))])
def test_without_pairs_the_loss_is_zero(batch: Batch) -> None:
    states, module = states_of(batch).requires_grad_(), head()
    loss = module(inputs(batch, states))
    loss.backward()
    assert float(loss.detach()) == 0
    assert states.grad is not None
    assert not states.grad.any()


def test_training_conversations_of_one_kind_have_finite_weights() -> None:
    same = replace(BATCH, label=torch.where(BATCH.label == UNLABELLED, UNLABELLED, 1))
    module = head(same)
    assert module.weight.isfinite().all()
    assert float(module.weight[0]) == 0.5
    with torch.no_grad():
        assert math.isfinite(float(module(inputs(same, states_of(same)))))


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match=r"^objective\.shift: no speaker"):
        head(random_batch([1, 1]))
    with pytest.raises(InputError, match=r"^objective\.shift: .*no state 'fused'"):
        ShiftHead(TermContext(Objective(), LABELS, {"text": 3}, BATCH))
    with pytest.raises(InputError, match=r"^objective\.terms: shift"):
        Objective(terms={"shift": 1})
    with pytest.raises(InputError, match=r"^objective\.shift: -1"):
        Objective(shift=-1)
