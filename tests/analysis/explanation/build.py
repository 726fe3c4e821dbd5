"""One conversation with its words, packed, and its explanation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from sdt.analysis.explanation.explain import explain
from sdt.analysis.explanation.explanation import Explanation
from sdt.batch import Batch
from sdt.conversation import Conversation
from sdt.models.sdt.model import SDT
from tests.models.build import WIDTHS, conversation, random_batch, small_model


def one(length: int, *, missing: float = 0.0, widths: dict[str, int] = WIDTHS, seed: int = 0) -> Batch:
    """A conversation `c0`."""
    return random_batch([length], widths, missing=missing, seed=seed)


def lively(**options: Any) -> SDT:
    """A small model that says different things of different utterances."""
    model = small_model(**options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def explained(length: int, *, missing: float = 0.0, **options: Any) -> tuple[Explanation, SDT, Batch, Conversation]:
    model = lively(**options)
    batch = one(length, missing=missing, widths=dict(model.config.modalities))
    said = conversation("c0", length)
    return explain(model, batch, said), model, batch, said


def without(batch: Batch, *gone: tuple[int, str]) -> Batch:
    """The batch as if these utterances lacked these modalities."""
    present = {name: of.clone() for name, of in batch.present.items()}
    for i, name in gone:
        present[name][i] = False
    return replace(batch, present=present)
