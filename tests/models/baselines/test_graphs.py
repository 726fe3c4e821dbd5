"""The graph models: adjacency and propagation against dense computations on small conversations."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import nn

from sdt.errors import InputError
from sdt.models.base import Model
from sdt.models.baselines import inputs
from sdt.models.baselines.dialogue_gcn import DialogueGCN, Edges
from sdt.models.baselines.mm_dfn import MMDFN
from sdt.models.baselines.mmgcn import MMGCN
from sdt.models.baselines.modality_graph import GCNIILayer, ModalityGraph
from sdt.models.inference import infer
from sdt.windows import Windows
from tests.models.baselines import contract
from tests.models.build import random_batch

Array = npt.NDArray[np.float64]
LENGTHS = [5, 1, 3]
SPEAKERS = [0, 1, 1, 2, 0, 1, 2, 2, 0]
BOUNDS = [(0, 5), (5, 6), (6, 9)]


def array(x: torch.Tensor) -> Array:
    return x.detach().double().numpy()


@pytest.mark.parametrize(("past", "future"), [(1, 2), (0, 1), (None, None), (2, None), (9, 9)])
def test_the_edges_of_dialogue_gcn(past: int | None, future: int | None) -> None:
    edges = Edges.of(random_batch(LENGTHS), past, future)
    found = list(zip(edges.target.tolist(), edges.source.tolist(), strict=True))
    expected = [
        (i, j)
        for first, end in BOUNDS
        for i in range(first, end)
        for j in range(first, end)
        if (past is None or i - j <= past) and (future is None or j - i <= future)
    ]
    assert found == expected


@pytest.mark.parametrize("bases", [0, 2])
@pytest.mark.parametrize(("past", "future"), [(1, 2), (None, None)])
def test_dialogue_gcn_is_the_dense_computation(bases: int, past: int | None, future: int | None) -> None:
    options = {"width": 12, "graph": 7, "past": past, "future": future, "bases": bases}
    model = contract.build(DialogueGCN, options)
    assert isinstance(model, DialogueGCN)
    batch = dataclasses.replace(random_batch(LENGTHS), speaker=torch.tensor(SPEAKERS))
    with torch.no_grad():
        found = model(batch).logits["fused"].numpy()
        u = torch.cat(list(batch.features.values()), dim=1)
        matrices: torch.Tensor = model.first.matrices
        if model.first.mixture is not None:
            matrices = torch.stack([(row[:, None, None] * matrices).sum(dim=0) for row in model.first.mixture])
        for first, end in BOUNDS:
            g = array(model.context(u[first:end, None])[0][:, 0])
            expected = dense_dialogue_gcn(model, g, SPEAKERS[first:end], array(matrices), past, future)
            np.testing.assert_allclose(found[first:end], expected, atol=2e-5)


def dense_dialogue_gcn(
    model: DialogueGCN, g: Array, speakers: list[int], matrices: Array, past: int | None, future: int | None
) -> Array:
    """The equations in the module docstring, node by node; g [T, D] is the sequential context."""
    size, people = len(g), 4  # three speakers, and those without a number
    near = [[j for j in range(size) if (past is None or i - j <= past) and (future is None or j - i <= future)]
            for i in range(size)]  # fmt: skip
    alpha = np.zeros((size, size))
    for i in range(size):
        scores = np.array([g[i] @ array(model.edge.weight) @ g[j] for j in near[i]])
        alpha[i, near[i]] = np.exp(scores) / np.exp(scores).sum()

    def relation(i: int, j: int) -> tuple[int, int, bool]:
        return speakers[i], speakers[j], j < i

    h = []
    for i in range(size):
        total = alpha[i, i] * array(model.first.own.weight) @ g[i]
        others = [j for j in near[i] if j != i]
        for r in {relation(i, j) for j in others}:
            neighbours = [j for j in others if relation(i, j) == r]
            matrix = matrices[2 * (r[0] * people + r[1]) + r[2]]
            for j in neighbours:
                total = total + alpha[i, j] / len(neighbours) * (g[j] @ matrix)
        h.append(np.maximum(total, 0))
    second = []
    for i in range(size):
        total = alpha[i, i] * array(model.second.own.weight) @ h[i]
        for j in near[i]:
            if j != i:
                total = total + array(model.second.neighbours.weight) @ h[j]
        second.append(np.maximum(total, 0))
    x = np.concatenate((g, np.array(second)), axis=1)
    scores = (x @ array(model.matching.weight.weight).T) @ x.T
    beta = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    hidden = np.maximum(beta @ x @ array(model.hidden.weight).T + array(model.hidden.bias), 0)
    logits: Array = hidden @ array(model.classifier.weight).T + array(model.classifier.bias)
    return logits


def dense_propagation(x: Array, present: npt.NDArray[np.bool_], gamma: float) -> Array:
    """P of one conversation, [M T, M T]: modality after modality; x [M, T, d], present [M, T]."""
    modalities, size, _ = x.shape
    a = np.zeros((modalities * size, modalities * size))

    def weight(one: Array, other: Array) -> float:
        cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
        return 1 - math.acos(0.99999 * cosine) / math.pi

    for m in range(modalities):
        for k in range(modalities):
            for i in range(size):
                for j in range(size):
                    here, there = m * size + i, k * size + j
                    if m == k and (i == j or (present[m, i] and present[m, j])):
                        a[here, there] = weight(x[m, i], x[m, j])
                    elif m != k and i == j and present[m, i] and present[k, i]:
                        a[here, there] = gamma * weight(x[m, i], x[k, i])
    degree = a.sum(axis=1)
    normalised: Array = a / np.sqrt(degree)[:, None] / np.sqrt(degree)[None, :]
    return normalised


@pytest.mark.parametrize("missing", [0.0, 0.5])
@pytest.mark.parametrize("gamma", [1.0, 0.3])
def test_the_graph_of_angles(missing: float, gamma: float) -> None:
    batch = random_batch(LENGTHS, missing=missing, seed=2)
    present = torch.stack(list(batch.present.values()))
    states, h = torch.randn(2, 3, 9, 8, generator=torch.Generator().manual_seed(0))
    found = ModalityGraph.of(states, present, batch, gamma).propagate(h).numpy()
    for first, end in BOUNDS:
        p = dense_propagation(array(states[:, first:end]), present[:, first:end].numpy(), gamma)
        expected = (p @ array(h[:, first:end]).reshape(-1, 8)).reshape(3, end - first, 8)
        np.testing.assert_allclose(found[:, first:end], expected, rtol=1e-4, atol=1e-5)


def gcnii(layer: nn.Module, number: int, p: Array, h: Array, first: Array) -> Array:
    """((1 - a) P H + a H_0) ((1 - b) I + b W) with a = 0.1, lambda = 0.5."""
    assert isinstance(layer, GCNIILayer)
    b = math.log(0.5 / number + 1)
    w = (1 - b) * np.eye(h.shape[1]) + b * array(layer.weight.weight).T
    mixed: Array = (0.9 * p @ h + 0.1 * first) @ w
    return mixed


def relu(x: Array) -> Array:
    positive: Array = np.maximum(x, 0)
    return positive


def classified(model: MMGCN | MMDFN, x: Array, h: Array) -> Array:
    """The logits [T, C] of x and h, [M, T, ...]."""
    read = relu(np.concatenate([part for m in range(len(x)) for part in (x[m], h[m])], axis=1))
    logits: Array = read @ array(model.classifier.weight).T + array(model.classifier.bias)
    return logits


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_mmgcn_is_the_dense_computation(missing: float) -> None:
    model = contract.build(MMGCN, {"width": 12, "graph": 16, "gamma": 0.7})
    assert isinstance(model, MMGCN)
    assert model.speakers is not None
    batch = dataclasses.replace(random_batch(LENGTHS, missing=missing), speaker=torch.tensor(SPEAKERS))
    with torch.no_grad():
        found = model(batch).logits["fused"].numpy()
        for first, end in BOUNDS:
            encoded = []
            for name in batch.features:
                x = model.projections[name](batch.features[name][first:end])
                x = model.contexts[name](x[:, None])[0][:, 0] if name == "text" else x
                encoded.append(array(x + model.speakers.weight[batch.speaker[first:end]]))
            x_, present = np.stack(encoded), np.stack([of[first:end].numpy() for of in batch.present.values()])
            p = dense_propagation(x_, present, 0.7)
            h = start = relu(x_.reshape(-1, 12) @ array(model.enter.weight).T + array(model.enter.bias))
            for number, layer in enumerate(model.layers, 1):
                h = relu(gcnii(layer, number, p, h, start))
            expected = classified(model, x_, h.reshape(3, end - first, 16))
            np.testing.assert_allclose(found[first:end], expected, atol=2e-5)


@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_mm_dfn_is_the_dense_computation(missing: float) -> None:
    options: dict[str, Any] = {"width": 12, "graph": 16, "layers": 5, "context_layers": 1, "speaker_weight": 1.5}
    model = contract.build(MMDFN, options)
    assert isinstance(model, MMDFN)
    assert model.speaker is not None
    batch = dataclasses.replace(random_batch(LENGTHS, missing=missing), speaker=torch.tensor(SPEAKERS))
    with torch.no_grad():
        found = model(batch).logits["fused"].numpy()
        for first, end in BOUNDS:
            encoded = []
            for name in batch.features:
                projected = model.projections[name](batch.features[name][first:end])
                x = model.contexts[name](projected[:, None])[0][:, 0] if name == "text" else projected
                infer = torch.zeros_like(x)
                for who in set(SPEAKERS[first:end]):
                    rows = [i for i in range(end - first) if SPEAKERS[first + i] == who]
                    infer[rows] = model.speaker(projected[rows][:, None])[0][:, 0]
                encoded.append(array(x + 1.5 * infer))
            x_, present = np.stack(encoded), np.stack([of[first:end].numpy() for of in batch.present.values()])
            h = dynamic_fusion(model, x_, dense_propagation(x_, present, 1.0))
            expected = classified(model, x_, h.reshape(3, end - first, 16))
            np.testing.assert_allclose(found[first:end], expected, atol=2e-5)


def dynamic_fusion(model: MMDFN, x: Array, p: Array) -> Array:
    """H_K of all vertices, by the gates of the paper: input, forget, output, candidate."""
    w, u = array(model.gates.weight_ih), array(model.gates.weight_hh)
    b = array(model.gates.bias_ih) + array(model.gates.bias_hh)
    h = start = relu(x.reshape(-1, 12) @ array(model.enter.weight).T + array(model.enter.bias))
    g, c = np.zeros_like(h), np.zeros_like(h)

    def sigmoid(z: Array) -> Array:
        return 1 / (1 + np.exp(-z))

    for number, layer in enumerate(model.layers, 1):
        i, f, t, o = np.split(h @ w.T + g @ u.T + b, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(t)
        g = sigmoid(o) * np.tanh(c)
        h = h + relu(gcnii(layer, number, p, g, start))
    return h


@pytest.mark.parametrize(
    ("kind", "options", "edges"),
    [(MMGCN, {}, 3 * 2 * 20**2), (MMDFN, {"layers": 2}, 3 * 2 * 20**2), (DialogueGCN, {"past": None}, 20**2 + 3**2)],
)
def test_a_graph_that_grows_with_the_square_is_refused_but_not_its_windows(
    kind: type[Model], options: dict[str, Any], edges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = contract.build(kind, options), random_batch([20, 3])
    monkeypatch.setattr(inputs, "MAX_EDGE_VALUES", 2000 if kind is not DialogueGCN else 200 * 300)
    with pytest.raises(InputError, match=f"2 conversations of up to 20 utterances has up to {edges:,} edges") as error:
        model(batch)
    assert "--window" in str(error.value)
    with torch.inference_mode(), pytest.raises(InputError, match="edges"):
        infer(model, batch, Windows(20, 5))
    monkeypatch.setattr("sdt.windows.WINDOWED_UTTERANCES", 10)
    with torch.inference_mode():
        assert np.isfinite(infer(model, batch, Windows(5, 2)).probabilities["fused"]).all()
