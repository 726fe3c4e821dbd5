"""Recurrent networks over packed batches, against PyTorch's own on one sequence at a time."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from sdt.models.baselines.inputs import number_parties
from sdt.models.baselines.steps import Steps, recurrent
from tests.models.build import random_batch

LENGTHS = [3, 7, 1, 7, 4]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_network_reads_every_conversation_by_itself(kind: type[nn.LSTM | nn.GRU]) -> None:
    torch.manual_seed(0)
    network, batch = kind(6, 5, num_layers=2, bidirectional=True), random_batch(LENGTHS)
    x = batch.features["text"]
    with torch.no_grad():
        found = recurrent(network, x, Steps.of_conversations(batch))
        expected = torch.cat([network(of[:, None])[0][:, 0] for of in x.split(LENGTHS)])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_backwards_is_the_reversed_conversation() -> None:
    torch.manual_seed(0)
    network, batch = nn.GRU(6, 5), random_batch(LENGTHS)
    x = batch.features["text"]
    with torch.no_grad():
        found = recurrent(network, x, Steps.of_conversations(batch, backwards=True))
        expected = torch.cat([network(of.flip(0)[:, None])[0][:, 0].flip(0) for of in x.split(LENGTHS)])
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


def test_the_steps_of_parties_hold_what_each_says() -> None:
    torch.manual_seed(0)
    network, batch = nn.GRU(6, 5, bidirectional=True), random_batch([5, 3])
    batch = dataclasses.replace(batch, speaker=torch.tensor([2, 0, 2, 1, 0, 3, 3, 0]))
    party, count = number_parties(batch)
    assert count == 3
    # In each conversation every speaker has a number of its own.
    assert len(set(zip([0, 0, 0, 0, 0, 1, 1, 1], party.tolist(), strict=True))) == 5
    assert set(party[5:].tolist()) == {0, 1}
    x = batch.features["text"]
    with torch.no_grad():
        found = recurrent(network, x, Steps.of_parties(batch, party, count))
        for rows in ([0, 2], [1, 4], [3], [5, 6], [7]):
            torch.testing.assert_close(found[rows], network(x[rows][:, None])[0][:, 0], atol=1e-6, rtol=1e-6)


def test_steps_split_and_join() -> None:
    batch = random_batch(LENGTHS)
    for backwards in (False, True):
        steps = Steps.of_conversations(batch, backwards=backwards)
        assert steps.sizes == (5, 4, 4, 3, 2, 2, 2)
        parts = steps.split(batch.position)
        assert torch.equal(steps.join(parts), batch.position)
        if not backwards:
            assert [set(part.tolist()) for part in parts] == [{step} for step in range(7)]
