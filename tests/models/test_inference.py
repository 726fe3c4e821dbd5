"""Reading batches in windows: whose words count, and what stays as it was."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from unittest import mock

import numpy as np
import pytest
import torch

import sdt.windows
from sdt.models.base import Model
from sdt.models.baselines.bc_lstm import BcLSTM
from sdt.models.baselines.mmgcn import MMGCN
from sdt.models.batch_prediction import BatchPrediction
from sdt.models.inference import infer
from sdt.windows import Windows
from tests.models.baselines import contract
from tests.models.build import random_batch, select, small_model

LENGTHS = [3, 40, 9, 17]


MODELS: dict[str, Callable[[], Model]] = {
    "full": small_model,
    "past": lambda: small_model(context="past"),
    "bc_lstm": lambda: contract.build(BcLSTM),
    "mmgcn": lambda: contract.build(MMGCN),
}


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("together", [1, 2048])
def test_each_window_is_read_as_a_conversation_of_its_own(kind: str, together: int) -> None:
    model = MODELS[kind]()
    batch, windows = random_batch(LENGTHS, missing=0.2), Windows(8, 4)
    starts = [0, *itertools.accumulate(LENGTHS)]
    with torch.inference_mode(), mock.patch.object(sdt.windows, "WINDOWED_UTTERANCES", together):
        found = infer(model, batch, windows)
        for start, length in zip(starts, LENGTHS, strict=False):
            for window in windows.split(length, causal=kind == "past"):
                alone = infer(model, batch.excerpts([(start + window.first, start + window.end)]))
                counts = slice(window.predicts_from - window.first, window.predicts_to - window.first)
                same(found, slice(start + window.predicts_from, start + window.predicts_to), alone, counts)


def same(one: BatchPrediction, rows: slice, other: BatchPrediction, others: slice) -> None:
    """The same words for some rows of each."""
    for head, probabilities in one.probabilities.items():
        np.testing.assert_allclose(probabilities[rows], other.probabilities[head][others], atol=1e-6)
    assert (one.weights is None) == (other.weights is None)
    if one.weights is not None and other.weights is not None:
        np.testing.assert_allclose(one.weights[rows], other.weights[others], atol=1e-6)


def test_a_stretch_is_a_conversation() -> None:
    batch = random_batch([4, 6], missing=0.3)
    whole = batch.excerpts([(0, 4), (4, 10)])
    expected = select(batch, [0, 1])
    assert whole.conversations == expected.conversations
    for name in batch.features:
        assert torch.equal(whole.features[name], expected.features[name])
        assert torch.equal(whole.present[name], expected.present[name])
    part = batch.excerpts([(5, 8), (6, 10)])
    assert part.position.tolist() == [0, 1, 2, 0, 1, 2, 3]
    assert part.speaker.tolist() == [*batch.speaker[5:8].tolist(), *batch.speaker[6:10].tolist()]
    assert (part.lengths.tolist(), part.longest, part.conversations) == ([3, 4], 4, ("c1", "c1"))


def test_what_is_no_longer_than_a_window_stays_as_it_was_to_the_last_bit() -> None:
    model, batch = small_model(), random_batch(LENGTHS, missing=0.2)
    with torch.inference_mode():
        whole, uncut, cut = (infer(model, batch, windows) for windows in (None, Windows(40, 10), Windows(9, 2)))
    short = np.r_[0:3, 43:52]
    for head in model.classifier_names:
        assert (uncut.probabilities[head] == whole.probabilities[head]).all()
        assert (cut.probabilities[head][short] == whole.probabilities[head][short]).all()
        assert not np.allclose(cut.probabilities[head], whole.probabilities[head], atol=1e-4)


@pytest.mark.parametrize("overlap", [4, 3])
def test_a_window_that_covers_what_a_causal_model_reads_changes_nothing(overlap: int) -> None:
    """Two layers that read 3 utterances each know of 4 before; without positions, for they begin anew."""
    model = small_model(context="window(3)", layers=2, positions=False)
    batch = random_batch([50], missing=0.2)
    with torch.inference_mode():
        found, whole = infer(model, batch, Windows(11, overlap)), infer(model, batch)
    same = np.allclose(found.probabilities["fused"], whole.probabilities["fused"], atol=1e-6)
    assert same == (overlap == 4)
