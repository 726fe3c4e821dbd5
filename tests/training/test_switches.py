"""Switches of the objective and of the training: whole runs, resumed bit for bit, and what they record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import sdt.training.epochs as epochs_module
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.models.base import Model
from sdt.models.config import Objective
from sdt.models.registry import MODELS
from sdt.training.models import model_for
from sdt.training.recipe import changed
from sdt.training.run import train
from sdt.training.settings import Recipe
from sdt.training.terms import make_term_modules
from tests.models.build import small_model
from tests.training.conftest import make_recipe
from tests.training.test_run import assert_same_run, metrics, quiet, train_interrupted

# fmt: off
SWITCHES: dict[str, dict[str, object]] = {
    "logit adjustment": {"objective.balance": "logit_adjustment(1)"},
    "focal": {"objective.balance": "focal(2)", "training.class_weights": "inverse"},
    "class balanced": {"objective.balance": "class_balanced(0.9)", "training.class_weights": [1.0, 3.0, 0.5]},
    "contrastive": {
        "objective.contrastive": 0.2, "objective.contrastive_focal": 2, "objective.contrastive_queue": 3,
    },
    "contrastive and shift": {
        "objective.contrastive": 0.2, "objective.contrastive_minorities": 0.5, "objective.shift": 0.5,
        "training.batch_conversations": 1, "training.averaging": "last(2)",
    },
    "shift": {"objective.shift": 0.5},
    "shift with clipping": {"objective.shift": 0.5, "training.clip": 0.5, "training.checkpoint_every": 2},
    "curriculum": {
        "training.curriculum": "shifts(3)", "training.schedule": "linear", "training.protocol": "published",
    },
    "curriculum by utterances": {"training.curriculum": "shifts(4)", "training.batch_utterances": 9},
    "schedule": {"training.schedule": "linear", "training.warmup": 0.2},
    "ema": {"training.averaging": "ema(0.9)"},
    "fold": {"cross_validation.folds": 3, "cross_validation.fold": 2, "cross_validation.dev_share": 0.3},
    "label smoothing": {"objective.label_smoothing": 0.1, "training.class_weights": "inverse"},
    "accumulation": {"training.accumulation": 3, "training.averaging": "ema(0.9)"},
    "plateau": {"training.schedule": "plateau(0.5,0)", "training.warmup": 0.2, "training.learning_rate": 0.05},
    "selection": {"training.selection": "macro_f1", "training.keep_best": 2, "training.protocol": "published"},
    "last": {"training.averaging": "last(2)", "training.clip": 0.5},
}
# fmt: on


@pytest.mark.parametrize("name", SWITCHES)
def test_stopped_and_resumed_is_bit_identical(name: str, recipe: Recipe, tmp_path: Path) -> None:
    recipe, runs = changed(recipe, {**SWITCHES[name], "training.test": "once"}), ("whole", "stopped")
    train(recipe, tmp_path / "whole", display=quiet())
    train_interrupted(recipe, tmp_path / "stopped", scoring=3)
    train(recipe, tmp_path / "stopped", resume=True, display=quiet())
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    models = [{p.name: load_file(p / "model.safetensors") for p in (tmp_path / of / "best").glob("*")} for of in runs]
    assert models[0].keys() == models[1].keys()
    assert len(models[0]) == (recipe.training.keep_best if recipe.training.keep_best > 1 else 0)
    for epoch, parameters in models[0].items():
        assert all(torch.equal(x, models[1][epoch][name]) for name, x in parameters.items())


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "plain"
    return train(make_recipe(corpus.folder), folder, display=quiet()).path


@pytest.mark.parametrize("setting", ["ema(0.9)", "last(3)"])
def test_averaging_changes_what_is_evaluated_but_no_step(
    setting: str, plain: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluated: list[dict[str, torch.Tensor]] = []

    def spy(model: Model, *args: Any, **options: Any) -> SplitOutputs:
        evaluated.append({name: x.clone() for name, x in model.state_dict().items()})
        return run_model(model, *args, **options)

    monkeypatch.setattr(epochs_module, "run_model", spy)
    run = train(changed(recipe, {"training.averaging": setting}), tmp_path / "run", display=quiet())
    for line, without in zip(metrics(run.path), metrics(plain), strict=True):
        assert line["losses"] == without["losses"]
        assert line["train"] == without["train"]
    assert [line["dev"] for line in metrics(run.path)] != [line["dev"] for line in metrics(plain)]
    values, _ = run.read_scores()
    saved = load_file(run.model / "model.safetensors")
    assert all(torch.equal(saved[name], x) for name, x in evaluated[values["epoch"] - 1].items())
    assert values["averaging"] == setting
    assert json.loads((run.model / "config.json").read_text("utf-8"))["provenance"]["averaging"] == setting
    card = (run.model / "README.md").read_text("utf-8")
    assert ("exponential moving average" in card, "mean over the last 3 epochs" in card) == (
        setting.startswith("ema"),
        setting.startswith("last"),
    )


def test_without_averaging_nothing_records_it(plain: Path) -> None:
    assert "averaging" not in json.loads((plain / "scores.json").read_text("utf-8"))
    assert "averaging" not in json.loads((plain / "model/config.json").read_text("utf-8"))["provenance"]


def test_the_saved_model_has_no_module_of_a_term(recipe: Recipe, plain: Path, tmp_path: Path) -> None:
    given = {"objective.contrastive": 0.2, "objective.shift": 0.5}
    run = train(changed(recipe, given), tmp_path / "run", display=quiet())
    saved, without = (load_file(folder / "model/model.safetensors") for folder in (run.path, plain))
    assert {name: x.shape for name, x in saved.items()} == {name: x.shape for name, x in without.items()}
    lines = run.read_metrics()
    assert list(lines[0]["losses"]) == ["task", "hard", "soft", "contrastive", "shift", "total"]
    first, last = lines[0]["losses"], lines[-1]["losses"]
    parts = first["task"] + first["hard"] + first["soft"] + 0.2 * first["contrastive"] + 0.5 * first["shift"]
    assert first["total"] == pytest.approx(parts, rel=1e-5)
    assert last["contrastive"] < first["contrastive"]
    assert last["shift"] < first["shift"]
    assert run.read_scores()[0]["terms"] == ["task", "hard", "soft", "contrastive", "shift"]


def test_a_term_that_needs_whole_batches_is_refused_for_several_processes(corpus: Corpus) -> None:
    model = small_model({name: of.shape[1] for name, of in corpus.modalities.items()})
    train_split = corpus.split("train")
    objective = Objective(contrastive=1)
    assert make_term_modules(objective, model, corpus, train_split).names == ("contrastive",)
    with pytest.raises(InputError, match=r"^objective\.contrastive: .*2 processes"):
        make_term_modules(objective, model, corpus, train_split, processes=2)
    assert make_term_modules(Objective(shift=1), model, corpus, train_split, processes=2).names == ("shift",)


@pytest.mark.parametrize("architecture", MODELS)
def test_every_model_has_the_state_that_the_terms_need(architecture: str, corpus: Corpus, recipe: Recipe) -> None:
    kind, config = model_for(changed(recipe, {"architecture": architecture}), corpus)
    objective = Objective(contrastive=1, shift=1)
    assert make_term_modules(objective, kind(config), corpus, corpus.split("train")).names == ("contrastive", "shift")


@pytest.mark.parametrize("file", ["average", "terms"])
def test_a_checkpoint_without_the_state_of_a_switch_is_damaged(
    file: str, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = changed(recipe, {"objective.shift": 0.5, "training.averaging": "ema(0.9)"})

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sdt.training.run.finish", stop)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run", display=quiet())
    monkeypatch.undo()
    (tmp_path / "run/checkpoint/epoch-0004" / f"{file}.safetensors").unlink()
    with pytest.raises(InputError, match="damaged"):
        train(recipe, tmp_path / "run", resume=True, display=quiet())


def test_a_curriculum_grows_and_keeps_the_schedule(recipe: Recipe, tmp_path: Path) -> None:
    given = {"training.curriculum": "shifts(3)", "training.schedule": "linear", "training.epochs": 5}
    run = train(changed(recipe, given), tmp_path / "run", display=quiet())
    lines = metrics(run.path)
    assert [line["conversations"] for line in lines] == [3, 8, 12, 12, 12]
    steps = [1, 2, 3, 3, 3]  # 4 conversations a batch
    last = np.cumsum(steps) - 1
    expected = [recipe.training.learning_rate * (1 - step / sum(steps)) for step in last]
    assert [line["learning_rate"] for line in lines] == pytest.approx(expected)
