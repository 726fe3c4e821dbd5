"""DialogueRNN step by step, against a plain loop written from the paper's equations, one conversation at a time."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import pytest
import torch
from torch import Tensor, nn

from sdt.models.baselines.dialogue_rnn import DialogueRNN, DirectionalRNN
from tests.models.baselines import contract
from tests.models.build import random_batch

SIZES = {"global_state": 7, "party_state": 6, "emotion_state": 5, "hidden": 8}
SPEAKERS = [0, 1, 0, 0, 2, 1, 3, 1, 3, 3]
LENGTHS = [6, 1, 3]


def gru(w: Tensor, u: Tensor, b_w: Tensor, b_u: Tensor, x: Tensor, h: Tensor) -> Tensor:
    """One step of a GRU: reset gate, update gate, candidate."""
    size = len(h)
    a, b = w @ x + b_w, u @ h + b_u
    r = torch.sigmoid(a[:size] + b[:size])
    z = torch.sigmoid(a[size : 2 * size] + b[size : 2 * size])
    n = torch.tanh(a[2 * size :] + r * b[2 * size :])
    return (1 - z) * n + z * h


def cell(of: nn.GRUCell, x: Tensor, h: Tensor) -> Tensor:
    return gru(of.weight_ih, of.weight_hh, of.bias_ih, of.bias_hh, x, h)


def direction(network: DirectionalRNN, u: Tensor, speakers: list[int], everybody: set[int]) -> list[Tensor]:
    """e_1, ..., e_T."""
    q: dict[int, Tensor] = defaultdict(lambda: torch.zeros(6))
    g, e = [torch.zeros(7)], torch.zeros(5)
    found = []
    for t, (u_t, s) in enumerate(zip(u, speakers, strict=True)):
        new_g = cell(network.globally, torch.cat((u_t, q[s])), g[-1])
        c = torch.zeros(7)
        if t > 0:
            scores = torch.stack([u_t @ (network.context.weight.T @ past) for past in g[1:]])
            alpha = scores.exp() / scores.exp().sum()
            for weight, past in zip(alpha, g[1:], strict=True):
                c = c + weight * past
        g.append(new_g)
        new = cell(network.party, torch.cat((u_t, c)), q[s])
        if network.listener is not None:
            for i in everybody - {s}:
                q[i] = cell(network.listener, torch.cat((u_t, new)), q[i])
        q[s] = new
        w, u_, b_w, b_u = network.emotion.parameters()
        e = gru(w, u_, b_w, b_u, new, e)
        found.append(e)
    return found


def plain(model: DialogueRNN, u: Tensor, speakers: list[int]) -> Tensor:
    """The logits of one conversation."""
    ahead = direction(model.forwards, u, speakers, set(speakers))
    back = direction(model.backwards, u.flip(0), speakers[::-1], set(speakers))[::-1]
    es = [torch.cat(both) for both in zip(ahead, back, strict=True)]
    rows = []
    for e in es:
        attended = e
        if model.matching is not None:
            scores = torch.stack([other @ (model.matching.weight.weight @ e) for other in es])
            beta = scores.exp() / scores.exp().sum()
            attended = sum((weight * other for weight, other in zip(beta, es, strict=True)), torch.zeros(10))
        hidden = torch.clamp(model.hidden.weight @ attended + model.hidden.bias, min=0)
        rows.append(model.classifier.weight @ hidden + model.classifier.bias)
    return torch.stack(rows)


@pytest.mark.parametrize("listener", [False, True])
@pytest.mark.parametrize("attention", [False, True])
def test_step_by_step(listener: bool, attention: bool) -> None:
    model = contract.build(DialogueRNN, {**SIZES, "listener": listener, "attention": attention})
    assert isinstance(model, DialogueRNN)
    batch = dataclasses.replace(random_batch(LENGTHS), speaker=torch.tensor(SPEAKERS))
    u = torch.cat(list(batch.features.values()), dim=1)
    with torch.no_grad():
        found = model(batch).logits["fused"]
        for rows in torch.arange(10).split(LENGTHS):
            expected = plain(model, u[rows], [SPEAKERS[i] for i in rows.tolist()])
            torch.testing.assert_close(found[rows], expected, atol=1e-5, rtol=1e-5)
