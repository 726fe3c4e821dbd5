"""An installed package that adds a metric, a fusion, an objective term and a model: one file and one line each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import sdt.training.epochs as epochs_module
from sdt.analysis.explanation.explain import explain
from sdt.corpus.batches import corpus_batch
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.evaluate import evaluate, write_evaluation
from sdt.evaluation.seeds import Summary, tables
from sdt.evaluation.significance import compare
from sdt.models.base import Model
from sdt.models.config import Objective
from sdt.training.checkpoint import last_epoch, save_checkpoint
from sdt.training.run import train
from tests.evaluation.worlds import World
from tests.plugin_packages import install_plugin
from tests.training.conftest import make_recipe
from tests.training.test_run import quiet

METRIC = '''
import numpy as np
from sdt.evaluation.metrics import Metric

def uar(counts):
    """The mean recall of the classes that occur."""
    occurs = counts.annotated > 0
    recall = counts.correct / np.where(occurs, counts.annotated, 1)
    return (recall * occurs).sum(axis=-1) / np.where(occurs.any(axis=-1), occurs.sum(axis=-1), np.nan)

ENTRY = Metric("UAR", uar, scale=1, decimals=3)
'''
FUSION = '''
from sdt.models.sdt.fusion import Fusion

class FirstOnly(Fusion):
    """F = H of the first modality."""

    weights_kind = "fixed: the first modality alone"

    def forward(self, states, present):
        weights = states.new_zeros(*states.shape[:2], 1)
        weights[:, 0] = 1
        return states[:, 0], weights
'''
TERM = '''
from sdt.models.objective import ObjectiveTerm

def confidence(x):
    """The mean negative entropy of the fused prediction: punishes confident predictions."""
    log_p = x.teacher.log_softmax(dim=1)
    return x.mean((log_p.exp() * log_p).sum(dim=1))

ENTRY = ObjectiveTerm(confidence)
'''
HEAD = '''
import torch
from torch import nn
from sdt.models.objective import ObjectiveTerm

class CentreLoss(nn.Module):
    """The squared distance of the fused state to a learned centre of its class (Wen et al. 2016)."""

    def __init__(self, context):
        super().__init__()
        self.centres = nn.Parameter(torch.zeros(len(context.labels), context.width("centre", "fused")))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.batches += 1
        return x.mean((x.states["fused"] - self.centres[x.label.clamp(min=0)]).square().sum(dim=1))

ENTRY = ObjectiveTerm(module=CentreLoss)
'''
MODEL = '''
import torch
from torch import nn
from sdt.models.base import Model, Output
from sdt.models.objective import Losses

class Linear(Model):
    """One linear map; trained by the squared error of the probabilities."""

    def __init__(self, config):
        super().__init__(config)
        self.classifier = nn.Linear(sum(config.modalities.values()), len(config.labels))

    def forward(self, batch):
        x = torch.cat([batch.features[n] * batch.present[n][:, None] for n in self.config.modalities], dim=1)
        return Output({"fused": self.classifier(x)})

    def loss(self, output, label, objective, class_weights=None, all_labels=None):
        logits = output.logits["fused"]
        valid = (label >= 0).float()
        target = nn.functional.one_hot(label.clamp(min=0), logits.shape[1])
        brier = (((logits.softmax(dim=1) - target) ** 2).sum(dim=1) * valid).sum() / valid.sum().clamp(min=1)
        return Losses(brier, {"brier": brier}, logits.new_zeros(0, 2))
'''
POINTS = {
    "sdt.metrics": {"uar": "extra_metric:ENTRY"},
    "sdt.fusions": {"first": "extra_fusion:FirstOnly"},
    "sdt.objective_terms": {"confidence": "extra_term:ENTRY", "centre": "extra_head:ENTRY"},
    "sdt.models": {"linear": "extra_model:Linear"},
}


@pytest.fixture
def package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    site = tmp_path_factory.mktemp("site")
    sources = {"extra_metric": METRIC, "extra_fusion": FUSION, "extra_term": TERM, "extra_model": MODEL}
    install_plugin(site, monkeypatch, "extra-package", POINTS, **sources, extra_head=HEAD)
    yield
    monkeypatch.undo()


@pytest.mark.usefixtures("package")
def test_a_metric_is_in_every_table_and_file(corpus: Corpus, tmp_path: Path) -> None:
    folder = train(make_recipe(corpus.folder, epochs=1), tmp_path / "run", display=quiet())
    assert "uar" in folder.read_metrics()[0]["dev"]["fused"]
    values = json.loads((folder.path / "scores.json").read_text("utf-8"))
    assert 0 <= values["scores"]["test"]["fused"]["uar"] <= 1
    _, scores = folder.read_scores()
    fused = scores["test"]["fused"]
    recalls = [of.recall for of in fused.classes.values() if of.support]
    assert fused.metrics["uar"] == pytest.approx(np.mean(recalls))
    assert "| UAR |" in (folder.model / "README.md").read_text("utf-8")
    (columns, rows), _ = tables(Summary.of([scores["test"]]))
    assert columns == ("classifier", "accuracy", "weighted F1", "macro F1", "UAR")
    assert rows[0][4] == f"{fused.metrics['uar']:.3f}"

    evaluation = evaluate(Model.from_pretrained(folder.model), corpus, "test", name="run")
    write_evaluation(evaluation, tmp_path / "evaluation")
    assert json.loads((tmp_path / "evaluation/scores.json").read_text("utf-8"))["scores"]["fused"]["uar"] >= 0

    world = World(30, seed=1)
    (comparison,) = compare(world.system("a", 0.6), [world.system("b", 0.7)])
    assert comparison.to_dict()["measures"]["uar"]["interval"]
    assert "of UAR" in comparison.sentence("uar")


@pytest.mark.usefixtures("package")
def test_a_run_from_before_a_metric_was_added_is_read(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = train(make_recipe(corpus.folder, epochs=1), tmp_path / "run", display=quiet())
    expected = folder.read_scores()[1]["test"]["fused"].metrics["uar"]
    path = folder.path / "scores.json"
    values = json.loads(path.read_text("utf-8"))
    for split in values["scores"].values():
        for head in split.values():
            del head["uar"]
    path.write_text(json.dumps(values), "utf-8")
    assert folder.read_scores()[1]["test"]["fused"].metrics["uar"] == expected


@pytest.mark.usefixtures("package")
def test_a_fusion_and_an_objective_term(corpus: Corpus, tmp_path: Path) -> None:
    recipe = make_recipe(corpus.folder, epochs=2)
    recipe = dataclasses.replace(
        recipe,
        model=dataclasses.replace(recipe.model, fusion="first"),
        objective=Objective(terms={"confidence": 0.1}),
    )
    folder = train(recipe, tmp_path / "run", display=quiet())
    assert list(folder.read_metrics()[0]["losses"]) == ["task", "hard", "soft", "confidence", "total"]
    losses = folder.read_metrics()[0]["losses"]
    expected = losses["task"] + losses["hard"] + losses["soft"] + 0.1 * losses["confidence"]
    assert losses["total"] == pytest.approx(expected, rel=1e-5)

    model = Model.from_pretrained(folder.model)
    (conversation,) = corpus.split("test")[:1]
    batch = corpus_batch(
        corpus, [conversation], modalities=("words", "voice"), labels=corpus.labels, speakers=corpus.speakers
    )
    found = explain(model, batch, conversation)
    assert found.to_dict()["fusion"]["weights"] == "fixed: the first modality alone"
    assert any("fixed: the first modality alone" in note for note in found.notes)


@pytest.mark.usefixtures("package")
def test_a_term_with_a_module_is_trained_and_in_checkpoints_but_not_in_the_model(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(corpus.folder, epochs=3)
    recipe = dataclasses.replace(recipe, objective=Objective(terms={"confidence": 0.1, "centre": 0.01}))
    files: list[dict[str, torch.Tensor]] = []

    def spy(folder: Path, *args: Any) -> None:
        save_checkpoint(folder, *args)
        current = folder / f"epoch-{last_epoch(folder):04d}"
        files.append({f"{file}/{name}": x for file in ("terms", "optimizer")
                      for name, x in load_file(current / f"{file}.safetensors").items()})  # fmt: skip

    monkeypatch.setattr(epochs_module, "save_checkpoint", spy)
    run = train(recipe, tmp_path / "run", display=quiet())
    losses = [line["losses"] for line in run.read_metrics()]
    assert list(losses[0]) == ["task", "hard", "soft", "confidence", "centre", "total"]
    of = losses[0]
    expected = of["task"] + of["hard"] + of["soft"] + 0.1 * of["confidence"] + 0.01 * of["centre"]
    assert of["total"] == pytest.approx(expected, rel=1e-5)
    assert [int(of_epoch["terms/0.batches"]) for of_epoch in files] == [3, 6, 9]
    assert files[0]["terms/0.centres"].abs().sum() > 0
    assert "optimizer/terms/0.centres/exp_avg" in files[0]
    assert not any("centres" in name for name in load_file(run.model / "model.safetensors"))
    assert json.loads((run.path / "scores.json").read_text("utf-8"))["terms"][3:] == ["confidence", "centre"]
    Model.from_pretrained(run.model)

    recipe = dataclasses.replace(recipe, architecture="linear")
    with pytest.raises(InputError, match="no state 'fused'"):
        train(recipe, tmp_path / "linear", display=quiet())


@pytest.mark.usefixtures("package")
def test_a_model_with_its_own_loss(corpus: Corpus, tmp_path: Path) -> None:
    recipe = dataclasses.replace(make_recipe(corpus.folder, epochs=3), architecture="linear")
    folder = train(recipe, tmp_path / "run", display=quiet())
    losses = [line["losses"] for line in folder.read_metrics()]
    assert list(losses[0]) == ["brier", "total"]
    assert losses[-1]["brier"] < losses[0]["brier"]
    model = Model.from_pretrained(folder.model)
    assert type(model).__name__ == "Linear"
    assert json.loads((folder.model / "config.json").read_text("utf-8"))["model"] == "linear"
    assert not any((model.supports_streaming, model.supports_attention_weights, model.exports_onnx))


def test_unknown_names_are_refused_with_the_nearest_one(corpus: Corpus, package: None, tmp_path: Path) -> None:
    recipe = make_recipe(corpus.folder)
    with pytest.raises(InputError, match="did you mean 'confidence'"):
        train(
            dataclasses.replace(recipe, objective=Objective(terms={"confidense": 1})),
            tmp_path / "run",
            display=quiet(),
        )
    with pytest.raises(InputError, match=r"objective\.balance: focal\(2\), but Linear has its own loss"):
        train(
            dataclasses.replace(recipe, architecture="linear", objective=Objective(balance="focal(2)")),
            tmp_path / "run",
            display=quiet(),
        )
    with pytest.raises(InputError, match="did you mean 'first'"):
        dataclasses.replace(recipe.model, fusion="frist")
    with pytest.raises(InputError, match="did you mean 'linear'"):
        dataclasses.replace(recipe, architecture="lineer")
