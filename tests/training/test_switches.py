"""Switches of the objective and of the training: whole runs, resumed bit for bit, and what they record."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import sdt.training.epochs as epochs_module
from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import SplitOutputs, run_model
from sdt.models.base import Model
from sdt.training.recipe import changed
from sdt.training.run import train
from sdt.training.settings import Recipe
from tests.training.conftest import make_recipe
from tests.training.test_run import assert_same_run, metrics, quiet

SWITCHES: dict[str, dict[str, object]] = {
    "logit adjustment": {"objective.balance": "logit_adjustment(1)"},
    "focal": {"objective.balance": "focal(2)", "training.class_weights": "inverse"},
    "class balanced": {"objective.balance": "class_balanced(0.9)", "training.class_weights": [1.0, 3.0, 0.5]},
    "shift": {"objective.shift": 0.5},
    "shift with clipping": {"objective.shift": 0.5, "training.clip": 0.5, "training.checkpoint_every": 2},
    "ema": {"training.averaging": "ema(0.9)"},
    "last": {"training.averaging": "last(2)", "training.clip": 0.5},
}


@pytest.mark.parametrize("name", SWITCHES)
def test_stopped_and_resumed_is_bit_identical(
    name: str, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = changed(recipe, {**SWITCHES[name], "training.test": "once"})
    train(recipe, tmp_path / "whole", display=quiet())
    calls = []

    def interrupt(*args: Any, **options: Any) -> SplitOutputs:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return run_model(*args, **options)

    monkeypatch.setattr(epochs_module, "run_model", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "stopped", display=quiet())
    monkeypatch.undo()
    train(recipe, tmp_path / "stopped", resume=True, display=quiet())
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


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
