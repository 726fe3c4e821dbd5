"""The textbook gives the results of the published program and of our model.

Expected numbers of the golden tests: computed once by the published program at toy size (tests/models/test_golden.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.implementations import padded
from benchmarks.settings import random_batch
from benchmarks.textbook import PaddedBatch, TextbookSDT, loss_terms, predict, total_loss, train_step
from sdt.models.objective import self_distillation
from sdt.models.sdt.model import SDT
from sdt.models.sdt.published import LAYER, LETTERS, PROJECTIONS, to_published
from tests.benchmarks.small import small_setting
from tests.models.golden import FILES, Golden

MODALITIES = dict(zip(LETTERS, ("text", "audio", "visual"), strict=True))


def from_published(state: Mapping[str, Tensor], *, heads: int, dropout: float, learned_gates: bool) -> TextbookSDT:
    """The textbook's model with parameters under the published program's names."""
    names = {"speakers.weight": "speaker_embeddings.weight", "last_gate.weight": "last_gate.fc.weight"}
    names |= {f"classifier.{kind}": f"all_output_layer.{kind}" for kind in ("weight", "bias")}
    for (m, target), projection in zip(MODALITIES.items(), PROJECTIONS, strict=True):
        names[f"projections.{target}.weight"] = f"{projection}.weight"
        for kind in ("weight", "bias"):
            names[f"reduce.{target}.{kind}"] = f"features_reduce_{m}.{kind}"
            names[f"students.{target}.{kind}"] = f"{m}_output_layer.2.{kind}"
        for n, source in MODALITIES.items():
            if learned_gates:
                names[f"gates.{source}_{target}.weight"] = f"{n}_{m}_gate.fc.weight"
            for theirs, ours in LAYER.items():
                part = ours.removeprefix("feed_forward.")
                for kind in ("weight", "bias"):
                    names[f"encoders.{source}_{target}.{part}.{kind}"] = f"{n}_{m}.transformer_inter.0.{theirs}.{kind}"
    parameters = {name: state[theirs].squeeze(-1) for name, theirs in names.items()}
    classes, d = parameters["classifier.weight"].shape
    widths = {name: parameters[f"projections.{name}.weight"].shape[1] for name in MODALITIES.values()}
    speakers = len(parameters["speakers.weight"]) - 1
    model = TextbookSDT(widths, classes, speakers, d, heads, dropout, learned_gates=learned_gates)
    model.load_state_dict(parameters)
    return model


def assert_close(found: Tensor, expected: Tensor, what: str = "", atol: float = 1e-5) -> None:
    torch.testing.assert_close(found, expected, atol=atol, rtol=1e-5, msg=lambda text: f"{what}: {text}")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def golden(request: pytest.FixtureRequest) -> Golden:
    path: Path = request.param
    return Golden.read(path)


def golden_batch(golden: Golden) -> PaddedBatch:
    given = golden.part("input/")
    features = {name: given[name] for name in MODALITIES.values()}
    return PaddedBatch(features, given["mask"].bool(), given["speaker"], given["label"])


def golden_model(golden: Golden) -> TextbookSDT:
    state = golden.part("state/")
    gate = state["t_t_gate.fc.weight"]
    learned = not torch.equal(gate, torch.eye(len(gate)))
    settings = golden.settings
    return from_published(state, heads=settings["heads"], dropout=settings["dropout"], learned_gates=learned)


def test_golden_log_probabilities(golden: Golden) -> None:
    for head, x in golden_model(golden)(golden_batch(golden)).items():
        found = golden.valid(x.log_softmax(dim=-1))
        assert_close(found, golden.valid(golden.tensors[f"output/log_prob_{head}"]), head)


def test_golden_losses_and_steps(golden: Golden) -> None:
    settings, model, batch = golden.settings, golden_model(golden), golden_batch(golden)
    tau = settings["temperature"]
    weights = None if settings["class_weights"] is None else torch.tensor(settings["class_weights"])
    optimizer = torch.optim.Adam(model.parameters(), lr=settings["lr"], weight_decay=settings["weight_decay"])
    terms = loss_terms(model(batch), batch, tau, weights)
    expected = golden.tensors["output/losses"]
    assert_close(torch.stack(terms).detach().double(), expected[0, :3])
    found = [train_step(optimizer, total_loss(model, batch, tau, weights)) for _ in range(settings["steps"])]
    assert_close(torch.tensor(found, dtype=torch.float64), expected[:-1, 3])
    after = torch.stack(loss_terms(model(batch), batch, tau, weights)).sum().detach().double()
    assert_close(after, expected[-1, 3])


@pytest.mark.parametrize("gate", ["learned", "frozen"])
def test_the_textbook_and_our_model_agree(gate: str) -> None:
    setting = small_setting(gate, dropout=0.0)
    torch.manual_seed(1)
    ours = SDT(setting.config).train()
    theirs = from_published(to_published(ours), heads=2, dropout=0.0, learned_gates=gate == "learned").train()
    batch = random_batch(setting, [3, 1, 7, 4], seed=5)
    side_by_side = padded(batch, setting.speakers)
    weights = torch.tensor([1.0, 2.0, 0.5])

    our_logits, their_logits = ours(batch).logits, theirs(side_by_side)
    assert our_logits.keys() == their_logits.keys()
    for head, x in our_logits.items():
        assert_close(their_logits[head][side_by_side.mask], x, head)
    assert_close(predict(theirs, side_by_side), our_logits["fused"].detach().softmax(dim=1))

    our_losses = self_distillation(our_logits, batch.label, setting.recipe.objective, weights)
    their_losses = loss_terms(their_logits, side_by_side, setting.recipe.objective.temperature, weights)
    for expected, found in zip((our_losses.task, our_losses.hard, our_losses.soft), their_losses, strict=True):
        assert_close(found, expected)

    our_losses.total.backward()
    torch.stack(their_losses).sum().backward()
    gradients = SDT(setting.config)
    gradients.load_state_dict({name: p.grad for name, p in ours.named_parameters() if p.grad is not None})
    expected_gradients = from_published(to_published(gradients), heads=2, dropout=0.0, learned_gates=gate == "learned")
    by_name = dict(expected_gradients.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert parameter.grad is not None, name
        assert_close(parameter.grad, by_name[name], name)


def test_padding_changes_nothing() -> None:
    setting = small_setting(dropout=0.0)
    batch = padded(random_batch(setting, [2, 5], seed=0), setting.speakers)
    torch.manual_seed(0)
    model = TextbookSDT(setting.widths, 3, setting.speakers, 16, 2, 0.0).eval()
    before = predict(model, batch)
    for x in batch.features.values():
        x[~batch.mask] = 1e3
    assert_close(predict(model, batch), before)
