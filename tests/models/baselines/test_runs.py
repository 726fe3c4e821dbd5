"""Runs of the baselines: what a run of SDT has, less what they do not have; interrupted and resumed alike."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from torch import Tensor

from sdt.corpus.batches import Shard
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.evaluate import evaluate
from sdt.evaluation.outputs import run_model
from sdt.models.base import Model
from sdt.models.onnx_export import export_onnx
from sdt.models.registry import MODELS, find
from sdt.training.loop import Trainer
from sdt.training.models import model_for
from sdt.training.recipe import changed, load_recipe
from sdt.training.run import train
from sdt.training.settings import Recipe
from tests.models.baselines.test_contract import SMALL
from tests.training.conftest import corpus, make_recipe, recipe
from tests.training.test_run import assert_same_run, metrics, quiet

__all__ = ["corpus", "recipe"]
BASELINES = [name for name in MODELS if name != "sdt"]


def recipe_of(name: str, recipe: Recipe, **training: object) -> Recipe:
    settings = {f"{name}.{key}": value for key, value in SMALL[name].items()}
    of = changed(recipe, {"architecture": name, **settings})
    return dataclasses.replace(of, training=dataclasses.replace(of.training, **training))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", BASELINES)
def test_a_run_that_is_interrupted_ends_at_the_same_numbers(
    name: str, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = recipe_of(name, recipe, epochs=3)
    train(of, tmp_path / "whole", display=quiet())
    step, steps = Trainer._step, []

    def interrupted(self: Trainer, parts: Sequence[Shard], rate: float) -> tuple[Tensor, Tensor]:
        steps.append(rate)
        if len(steps) in (2, 5, 12):
            raise KeyboardInterrupt
        return step(self, parts, rate)

    monkeypatch.setattr(Trainer, "_step", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            train(of, tmp_path / "broken", resume=True, display=quiet())
    train(of, tmp_path / "broken", resume=True, display=quiet())
    assert_same_run(tmp_path / "whole", tmp_path / "broken")


@pytest.mark.parametrize("name", BASELINES)
def test_a_run_learns_and_leaves_what_it_has(name: str, recipe: Recipe, corpus: Corpus, tmp_path: Path) -> None:
    epochs = {"utterance": 10, "early_fusion": 10, "mm_dfn": 16}.get(name, 30)  # the others learn more slowly
    of, folder = recipe_of(name, recipe, epochs=epochs, learning_rate=1e-2), tmp_path / "run"
    train(of, folder, display=quiet())
    assert load_recipe(folder / "recipe.yaml") == of
    lines = metrics(folder)
    assert max(line["dev"]["fused"]["weighted_f1"] for line in lines) > 0.6  # three classes
    assert lines[-1]["losses"]["task"] < lines[0]["losses"]["task"]
    heads = find(name).classifier_names_for(model_for(of, corpus)[1])
    assert lines[0]["dev"].keys() == set(heads)
    assert "students" not in lines[0]
    assert lines[0].get("branches", {}).keys() == set(heads) - {"fused"}
    card = (folder / "model/README.md").read_text(encoding="utf-8")
    assert f"# {find(name).display_name()} on tiny" in card
    assert f"{name}." in card
    assert "self-distillation" not in card.partition("## Scores")[0]

    model = Model.from_pretrained(folder)
    assert type(model) is find(name)
    evaluation = evaluate(model, corpus, "test", name="x")
    assert "weights" not in evaluation.to_dict()
    assert list(evaluation.scores) == list(heads)
    for said in run_model(model, corpus, corpus.split("test")).predictions(model.config):
        assert said.weights == {}
        assert said.branches.keys() <= set(heads) - {"fused"}
    line = json.loads((folder / "predictions/test.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert "weights" not in line
    assert ("branches" in line) is (len(heads) > 1)
    with pytest.raises(InputError, match="does not support export to ONNX"):
        export_onnx(model, tmp_path / "x.onnx")


def test_a_branch_without_weights_is_silent_where_it_has_nothing_to_look_at(corpus: Corpus) -> None:
    kind, config = model_for(recipe_of("bc_lstm", make_recipe(corpus.folder)), corpus)
    conversations = corpus.split("test")
    said = list(run_model(kind(config), corpus, conversations).predictions(config))
    for modality in ("words", "voice"):
        present = [here for c in conversations for here in corpus.modalities[modality].present[corpus.rows(c.id)]]
        assert not all(present)
        assert [of.branches[modality] is not None for of in said] == present


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"objective.hard": 0.5}, r"objective\.hard: 0\.5, .*MMGCN"),
        ({"objective.task": 0.0}, r"objective\.task: 0, but MMGCN"),
        ({"modalities": ["smell"]}, "no modality 'smell'"),
    ],
)
def test_contradictions_are_found_before_anything_is_made(
    overrides: dict[str, object], message: str, recipe: Recipe, tmp_path: Path
) -> None:
    of = changed(recipe_of("mmgcn", recipe), overrides)
    with pytest.raises(InputError, match=message):
        train(of, tmp_path / "run", display=quiet())
    assert not (tmp_path / "run").exists()


def test_a_run_cannot_go_on_with_another_model_or_other_settings_of_it(recipe: Recipe, tmp_path: Path) -> None:
    of, folder = recipe_of("utterance", recipe, epochs=1), tmp_path / "run"
    train(of, folder, display=quiet())
    with pytest.raises(InputError, match=r"utterance\.width is 8 .*, but 9"):
        train(changed(of, {"utterance.width": 9}), folder, resume=True, display=quiet())
    with pytest.raises(InputError, match=r"architecture is 'utterance' .*, but 'sdt'"):
        train(changed(of, {"architecture": "sdt"}), folder, resume=True, display=quiet())
