"""A batch that is computed in parts has the gradients, losses and predictions of the whole batch."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from sdt.corpus.batches import corpus_batch
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.models.config import Objective
from sdt.training.loop import Step, Trainer
from sdt.training.models import model_for
from sdt.training.optimizer import make_optimizer
from sdt.training.recipe import changed
from sdt.training.run import train
from sdt.training.settings import Recipe
from sdt.training.terms import make_term_modules
from tests.training.test_run import quiet

OBJECTIVES = {
    "plain": Objective(),
    "smoothed": Objective(label_smoothing=0.2, soft=0.5, temperature=2.0),
    "balanced": Objective(balance="logit_adjustment(1)", shift=0.3),
}


def gradients(recipe: Recipe, corpus: Corpus, parts: int, objective: Objective) -> tuple[Step, dict[str, torch.Tensor]]:
    """One step on a batch with class weights and a rate of 0; also the gradients."""
    recipe = changed(recipe, {"training.accumulation": parts, "model.dropout": 0.0, "training.clip": 1e9})
    kind, config = model_for(recipe, corpus)
    torch.manual_seed(0)
    model = kind(config)
    terms = make_term_modules(objective, model, corpus, corpus.split("train"))
    optimizer = make_optimizer(model, recipe.training, {"terms": terms})
    weights = torch.tensor([1.0, 3.0, 0.5])
    trainer = Trainer(
        model, optimizer, objective, recipe.training, weights, lambda _: 0.0, term_modules=terms,
        logit_offset=torch.tensor([0.5, -1.0, 0.0]),
    )  # fmt: skip
    batch = corpus_batch(
        corpus, corpus.split("train")[:7], modalities=tuple(config.modalities), labels=corpus.labels,
        speakers=corpus.speakers,
    )  # fmt: skip
    label = batch.label.clone()
    label[: int(batch.lengths[0])] = -1  # a conversation without labels
    steps: list[Step] = []
    trainer.epoch(1, [dataclasses.replace(batch, label=label)], 0, steps.append)
    return steps[0], {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("parts", [2, 3, 7, 50])
def test_the_gradients_are_those_of_the_whole_batch(parts: int, objective: str, recipe: Recipe, corpus: Corpus) -> None:
    whole, expected = gradients(recipe, corpus, 1, OBJECTIVES[objective])
    divided, found = gradients(recipe, corpus, parts, OBJECTIVES[objective])
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-4, atol=1e-6)
    assert divided.losses == pytest.approx(whole.losses, rel=1e-5)
    assert divided.gradient_norm == pytest.approx(whole.gradient_norm, rel=1e-4)
    for student, terms in whole.students.items():
        assert divided.students[student] == pytest.approx(terms, rel=1e-4, abs=1e-6)
    assert (divided.utterances, divided.labelled) == (whole.utterances, whole.labelled)


def test_parts_that_are_scaled_alone_would_differ(recipe: Recipe, corpus: Corpus) -> None:
    """The check above can fail: with one normalisation per part, gradients differ."""
    _, whole = gradients(recipe, corpus, 1, Objective())
    _, other = gradients(recipe, corpus, 1, Objective(task=1.1))
    assert any(not torch.allclose(x, other[name], rtol=1e-4, atol=1e-6) for name, x in whole.items())


def test_terms_that_need_whole_batches(recipe: Recipe, tmp_path: Path) -> None:
    recipe = changed(recipe, {"training.accumulation": 2, "objective.contrastive": 0.1})
    with pytest.raises(InputError, match=r"^objective\.contrastive: .*training\.accumulation"):
        train(recipe, tmp_path / "run", display=quiet())
    assert not (tmp_path / "run").exists()
