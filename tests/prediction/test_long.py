"""A conversation of 20,000 utterances, in a process of its own: what it may take of memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from benchmarks.workers import Worker, peak_memory
from sdt.conversation import Conversation, Utterance
from sdt.models.config import Architecture, SDTConfig
from sdt.models.inference import infer
from sdt.models.sdt.encoder import SinusoidalPositions
from sdt.models.sdt.model import SDT
from sdt.prediction import Pipeline
from sdt.speakers import Speakers
from sdt.windows import Windows
from tests.models.build import random_batch

LENGTH = 20_000
MOST = 160 * 2**20
"""Bytes. One number for each pair of utterances would be 1,526 MiB, and one bit kept as a byte 381 MiB."""
WIDTHS = {"text": 8, "audio": 4}


def long_model(context: str) -> SDT:
    settings = Architecture(width=8, heads=1, dropout=0.1, context=context)
    return SDT(SDTConfig(WIDTHS, ("calm", "cross"), Speakers("appearance", 2), settings)).eval()


class Long:
    """Small models and a conversation of 20,000 utterances, a tenth of every modality missing."""

    def __init__(self, contexts: Sequence[str]) -> None:
        torch.manual_seed(0)
        self.models = {context: long_model(context) for context in contexts}
        self.features = {name: (torch.randn(LENGTH, width), torch.rand(LENGTH) < 0.9) for name, width in WIDTHS.items()}

    def predict(self, context: str, window: int | None) -> tuple[int, int]:
        """The utterances that were predicted, and by how many bytes the peak of memory rose."""
        conversation = Conversation("day", tuple(Utterance(str(i), "ab"[i % 2]) for i in range(LENGTH)))
        pipeline = Pipeline(self.models[context], device="cpu", window=window)
        pipeline.from_features([Conversation("warm", conversation.utterances[:9])], self._first(9))
        before = peak_memory(torch.device("cpu"))
        found = pipeline.from_features([conversation], self.features)
        return len(found), peak_memory(torch.device("cpu")) - before

    def _first(self, count: int) -> Any:
        return {name: (x[:count], present[:count]) for name, (x, present) in self.features.items()}


@pytest.mark.parametrize("contexts", [("window(64)", "full"), ("past",)])
def test_memory_does_not_grow_with_the_square(contexts: Sequence[str]) -> None:
    """As a whole and, with what is published, in windows."""
    with Worker(1, Long, contexts) as worker:
        for context in contexts:
            for window in (512, None) if context == "full" else (None,):
                count, rise = worker.call("predict", context, window)
                assert count == LENGTH
                assert rise < MOST, f"{context}, {window}: {rise / 2**20:.0f} MiB"


def test_positions_have_no_end() -> None:
    position = torch.tensor([0, 511, 512, 19_999])
    found = SinusoidalPositions(16)(position)
    exact = position.double()[:, None] * 10000.0 ** (-torch.arange(0, 16, 2, dtype=torch.float64) / 16)
    torch.testing.assert_close(found[:, 0::2].double(), exact.sin(), atol=2e-3, rtol=0)
    torch.testing.assert_close(found[:, 1::2].double(), exact.cos(), atol=2e-3, rtol=0)
    assert len(found.unique(dim=0)) == 4


def test_windows_hold_outputs_of_some_utterances_only() -> None:
    """What a model says has a width for every utterance; of all of them only the probabilities are kept."""
    seen = []
    model = long_model("full")
    model.register_forward_hook(lambda *given: seen.append(len(given[2].weights)))
    batch = random_batch([3000], WIDTHS)
    with torch.inference_mode():
        found = infer(model, batch, Windows(512, 128))
    assert len(found.probabilities["fused"]) == 3000
    assert len(seen) == 2
    assert max(seen) <= 2048
