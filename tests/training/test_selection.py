"""The metric that selects the epoch, the best epochs that are kept, and the schedule that follows the scores."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

import sdt.evaluation.metrics as metrics_module
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.evaluate import evaluate
from sdt.evaluation.metrics import ClassCounts, Floats, Metric
from sdt.models.base import Model
from sdt.training.checkpoint import TrainingState
from sdt.training.display import Display
from sdt.training.folder import RunFolder
from sdt.training.optimizer import count_plateaus, learning_rate
from sdt.training.recipe import changed
from sdt.training.run import train
from sdt.training.selection import Selection
from sdt.training.settings import Recipe, Training, parse_plateau
from sdt.training.test_monitor import TestSelection
from tests.training.test_run import metrics, quiet


def error_rate(counts: ClassCounts) -> Floats:
    rate: Floats = 1 - counts.correct.sum(axis=-1) / counts.total
    return rate


@pytest.fixture
def with_error_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric whose lowest value is the best."""
    found = {**metrics_module.metrics(), "error_rate": Metric("error rate", error_rate, higher_is_better=False)}
    for module in ("sdt.evaluation.metrics", "sdt.evaluation.scores", "sdt.training.selection"):
        monkeypatch.setattr(f"{module}.metrics", lambda: found)


@pytest.mark.usefixtures("with_error_rate")
@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "error_rate"])
def test_the_metric_selects_the_epoch(name: str, recipe: Recipe, tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    recipe = changed(recipe, {"training.selection": name, "training.epochs": 6})
    run = train(recipe, tmp_path / "run", display=Display(console))
    values, _ = run.read_scores()
    curve = [line["dev"]["fused"][name] for line in metrics(run.path)]
    best = np.argmin(curve) if name == "error_rate" else np.argmax(curve)
    assert values["epoch"] == best + 1
    assert values["selection"] == name
    assert json.loads((run.model / "config.json").read_text("utf-8"))["provenance"]["selection"] == name
    title = metrics_module.metrics()[name].title
    assert f"dev {title} " in console.file.getvalue()  # type: ignore[attr-defined]
    assert f"selected by the {title} on dev" in (run.model / "README.md").read_text("utf-8")
    lines = (run.path / "sealed/test.jsonl").read_text("utf-8").splitlines()
    on_test = [json.loads(line)["scores"]["fused"] for line in lines]
    selected = TestSelection.from_dict(values["test_chosen"])
    assert selected.selection.name == name
    pick = min if name == "error_rate" else max
    assert selected.scores["fused"].metrics[name] == pick(of[name] for of in on_test)


def test_the_default_is_not_recorded(recipe: Recipe, tmp_path: Path) -> None:
    run = train(changed(recipe, {"training.epochs": 1}), tmp_path / "run", display=quiet())
    values, _ = run.read_scores()
    assert "selection" not in values
    assert "selection" not in values["test_chosen"]
    assert not run.best.exists()


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(InputError, match=r"^training\.selection: 'macro_f'; did you mean 'macro_f1'"):
        Training(selection="macro_f")


def test_an_undefined_score_is_the_worst() -> None:
    state = TrainingState()
    for epoch, score in enumerate([math.nan, 0.5, math.nan, 0.5, 0.7], start=1):
        state.keep(epoch, score, dict, 3, Selection().key)
    assert [of.epoch for of in state.kept] == [5, 2, 4]


def test_the_best_models_are_kept(recipe: Recipe, corpus: Corpus, tmp_path: Path) -> None:
    plain = train(changed(recipe, {"training.epochs": 6}), tmp_path / "plain", display=quiet())
    run = train(changed(recipe, {"training.epochs": 6, "training.keep_best": 3}), tmp_path / "run", display=quiet())
    curve = [line["dev"]["fused"]["weighted_f1"] for line in metrics(run.path)]
    expected = sorted(range(6), key=lambda epoch: (-curve[epoch], epoch))[:3]
    assert sorted(path.name for path in run.best.iterdir()) == sorted(f"epoch-{epoch + 1:04d}" for epoch in expected)
    for epoch in expected:
        model = Model.from_pretrained(run.best / f"epoch-{epoch + 1:04d}")
        assert model.config.provenance["epoch"] == epoch + 1
        found = evaluate(model, corpus, "dev", name="kept")
        assert found.scores["fused"].weighted_f1 == pytest.approx(curve[epoch])
    first = load_file(run.best / f"epoch-{expected[0] + 1:04d}" / "model.safetensors")
    for folder in (run.model, plain.model):
        assert all(torch.equal(first[name], x) for name, x in load_file(folder / "model.safetensors").items())
    assert RunFolder(run.path).read_scores()[0] == plain.read_scores()[0]


@pytest.mark.parametrize("seed", range(20))
def test_plateaus_as_in_pytorch(seed: int) -> None:
    random = np.random.default_rng(seed)
    patience, factor = int(random.integers(0, 4)), 0.3
    scores = random.integers(0, 12, size=30) / 12
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="max", factor=factor, patience=patience, threshold=0.0, eps=0.0
    )
    training = Training(schedule=f"plateau({factor},{patience})", learning_rate=1.0)
    for epoch, score in enumerate(scores.tolist(), start=1):
        optimizer.step()
        expected.step(score)
        rate = learning_rate(training, 100, 1000, scores[:epoch].tolist())
        assert rate == pytest.approx(optimizer.param_groups[0]["lr"])
        assert rate == pytest.approx(factor ** count_plateaus(scores[:epoch].tolist(), patience))


def test_a_plateau_reduces_the_rate_of_a_run(recipe: Recipe, tmp_path: Path) -> None:
    stalled = dataclasses.replace(
        recipe, training=dataclasses.replace(recipe.training, schedule="plateau(0.1,1)", learning_rate=1e-30, epochs=6)
    )
    run = train(stalled, tmp_path / "run", display=quiet())
    rates = [line["learning_rate"] for line in metrics(run.path)]
    assert rates == pytest.approx([1e-30, 1e-30, 1e-30, 1e-31, 1e-31, 1e-32], rel=1e-9)


def test_schedules() -> None:
    assert parse_plateau("cosine") is None
    plateau = parse_plateau("plateau(.5, 3)")
    assert plateau is not None
    assert (plateau.factor, plateau.patience) == (0.5, 3)
    for wrong in ("plateau", "plateau(1,3)", "plateau(0,3)", "plateau(0.5)", "plateau(0.5,1.5)", "step"):
        with pytest.raises(InputError, match=r"^training\.schedule: "):
            Training(schedule=wrong)
