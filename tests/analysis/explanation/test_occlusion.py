"""Occlusion is reading the conversation again without something, one reading at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sdt.analysis.explanation import occlusion
from sdt.analysis.explanation.occlusion import NOTHING, Effect, count_forward_passes, occlude
from sdt.batch import Batch
from sdt.models.sdt.model import SDT
from tests.analysis.explanation.build import lively, one, without


def said(model: SDT, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Calibrated probabilities and logits, [T, C]."""
    with torch.no_grad():
        z = model(batch).logits["fused"].double()
    return (z / model.config.temperature).softmax(-1), z


def check(effect: Effect, column: int, rows: list[int], model: SDT, whole: Batch, changed: Batch) -> None:
    before, z = said(model, whole)
    after, _ = said(model, changed)
    for i in rows:
        e = int(z[i].argmax())
        p, q = float(before[i, e]), float(after[i, e])
        assert effect.probability[i, column] == pytest.approx(p - q, abs=1e-5)
        odds = np.log(p / (1 - p)) - np.log(q / (1 - q))
        assert effect.log_odds[i, column] == pytest.approx(odds, abs=1e-3, rel=1e-3)
        assert effect.emotion[i, column] == int(after[i].argmax())


@pytest.mark.parametrize("together", [1, 12, 2048])
def test_every_removal_is_a_reading_without_it(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occlusion, "TOGETHER", together)
    model, batch = lively(), one(5, missing=0.3, seed=2)
    object.__setattr__(model.config, "temperatures", {"fused": 1.7})
    done: list[int] = []
    with torch.no_grad():
        found = occlude(model, batch, model(batch).logits["fused"], done.append)
    assert sum(done) == count_forward_passes(batch)
    T, names = 5, list(batch.present)
    assert 0 < sum(int((~of).sum()) for of in batch.present.values()) < T * 3
    for m, name in enumerate(names):
        check(found.everywhere, m, list(range(T)), model, batch, without(batch, *((i, name) for i in range(T))))
        for i in range(T):
            if batch.present[name][i]:
                check(found.here, m, [i], model, batch, without(batch, (i, name)))
            else:
                assert np.isnan(found.here.probability[i, m])
                assert np.isnan(found.here.log_odds[i, m])
                assert found.here.emotion[i, m] == NOTHING
    for j in range(T):
        if any(batch.present[name][j] for name in names):
            changed = without(batch, *((j, name) for name in names))
            check(found.utterances, j, list(range(T)), model, batch, changed)


def test_an_utterance_without_anything_cannot_be_removed() -> None:
    model = lively()
    batch = without(one(4), *((2, name) for name in one(4).present))
    with torch.no_grad():
        found = occlude(model, batch, model(batch).logits["fused"])
    assert np.isnan(found.utterances.probability[:, 2]).all()
    assert (found.utterances.emotion[:, 2] == NOTHING).all()
    assert np.isfinite(np.delete(found.utterances.probability, 2, axis=1)).all()
    assert np.isnan(found.here.probability[2]).all()
    # 3 modalities, 3 utterances that have something, and their modalities
    assert count_forward_passes(batch) == 3 + 3 + 9


def test_one_utterance_of_one_modality() -> None:
    model, batch = lively(widths={"text": 6}), one(1, widths={"text": 6})
    with torch.no_grad():
        found = occlude(model, batch, model(batch).logits["fused"])
    of = [found.everywhere, found.here, found.utterances]
    assert {effect.probability.shape for effect in of} == {(1, 1)}
    three = [float(effect.probability[0, 0]) for effect in of]  # ways to say the same, in batches of other shapes
    assert three == pytest.approx([three[0]] * 3, abs=1e-6)
