"""Training, evaluation and comparison from Python come to the same as the commands."""

from __future__ import annotations

import builtins
import dataclasses
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sdt
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.evaluate import evaluate as evaluate_split
from sdt.models.base import Output
from sdt.training.callbacks import FinalScores, StartedRun
from sdt.training.loop import Step
from sdt.training.run import train as train_in_folder
from sdt.training.settings import Recipe
from tests.training.test_run import quiet


@pytest.fixture(scope="module")
def in_memory(corpus: Corpus) -> sdt.Run:
    return sdt.train(recipe_of(corpus), corpus, progress=False)


def recipe_of(corpus: Corpus) -> Recipe:
    from tests.training.conftest import make_recipe

    return make_recipe(corpus.folder)


def without_times(history: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in history]


def test_in_memory_and_in_a_folder_are_the_same(in_memory: sdt.Run, corpus: Corpus, tmp_path: Path) -> None:
    folder = train_in_folder(recipe_of(corpus), tmp_path / "run", display=quiet())
    other = sdt.train(recipe_of(corpus), corpus, output=tmp_path / "other", progress=False)
    assert other.folder == tmp_path / "other"
    assert (tmp_path / "other/scores.json").read_bytes() == (folder.path / "scores.json").read_bytes()
    opened = sdt.Run.open(folder.path)
    assert opened.corpus.fingerprint == corpus.fingerprint
    for run in (other, opened):
        assert run.recipe.training == in_memory.recipe.training
        assert run.epoch == in_memory.epoch
        assert without_times(run.history) == without_times(in_memory.history)
        assert run.notes == in_memory.notes
        assert run.test_selection is not None
        assert in_memory.test_selection is not None
        assert run.test_selection.to_dict() == in_memory.test_selection.to_dict()
        for split, scores in in_memory.scores.items():
            assert {n: of.to_dict() for n, of in run.scores[split].items()} == {
                n: of.to_dict() for n, of in scores.items()
            }
        for name, x in in_memory.model.state_dict().items():
            assert torch.equal(run.model.state_dict()[name], x)
        assert [one.emotion for one in run.predictions()] == [one.emotion for one in in_memory.predictions()]
    assert f"epoch {in_memory.epoch}" in repr(in_memory)


def test_nothing_is_written_in_memory(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[object] = []
    opened, made = builtins.open, os.open

    def watch(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
        if set(mode) & set("wax+"):
            written.append(file)
        return opened(file, mode, *rest, **options)

    def watch_descriptor(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            written.append(path)
        return made(path, flags, *rest, **options)

    monkeypatch.setattr(builtins, "open", watch)
    monkeypatch.setattr(io, "open", watch)
    monkeypatch.setattr(os, "open", watch_descriptor)
    monkeypatch.setattr(os, "mkdir", lambda *of, **_: written.append(of))
    sdt.train(recipe_of(corpus), corpus, settings={"training.epochs": 2, "training.keep_best": 2}, progress=False)
    assert not written


def test_recipes_and_settings(corpus: Corpus, tmp_path: Path) -> None:
    recipe = sdt.Recipe.load("puppets", {"training.epochs": 1, "model.width": 16, "model.heads": 2})
    assert (recipe.training.epochs, recipe.model.width) == (1, 16)
    assert recipe.with_settings({"seed": 4}).seed == 4
    with pytest.raises(InputError, match=r"training\.epoch is not a setting; did you mean 'training.epochs'"):
        recipe.with_settings({"training.epoch": 1})
    (tmp_path / "own.yaml").write_text("training: {epochs: 1}\nmodel: {width: 16, heads: 2}\n", encoding="utf-8")
    settings = {"training.epochs": 1, "model.width": 16, "model.heads": 2}
    runs = [
        sdt.train(of, corpus, settings={"training.batch_conversations": 5}, progress=False)
        for of in (str(tmp_path / "own.yaml"), settings, sdt.Recipe().with_settings(settings))
    ]
    assert runs[0].recipe.training.batch_conversations == 5
    assert len({str(without_times(run.history)) for run in runs}) == 1
    with pytest.raises(InputError, match="no corpus"):
        sdt.train({})
    with pytest.raises(InputError, match="resume: needs a run folder"):
        sdt.train({}, corpus, resume=True)
    with pytest.raises(InputError, match="overwrite: needs a run folder"):
        sdt.train({}, corpus, overwrite=True)


class Recorder(sdt.Callback):
    """The calls in their order."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.steps: list[Step] = []
        self.folder: Path | None = None
        self.scores: FinalScores = {}

    def start(self, run: StartedRun) -> None:
        self.calls.append(f"start after {len(run.history)}")
        self.folder = run.folder
        self.parameters = {name: x.clone() for name, x in run.model.state_dict().items()}
        self.model = run.model

    def step(self, step: Step) -> None:
        self.steps.append(step)
        self.calls.append("step")

    def epoch(self, line: Mapping[str, Any]) -> None:
        self.calls.append(f"epoch {line['epoch']}")

    def finish(self, epoch: int, scores: FinalScores) -> None:
        self.calls.append(f"finish {epoch}")
        self.scores = scores

    def close(self) -> None:
        self.calls.append("close")


class Idle(sdt.Callback):
    """Overrides nothing."""


class Stop(sdt.Callback):
    """Stops after an epoch."""

    def epoch(self, line: Mapping[str, Any]) -> None:
        if line["epoch"] == 2:
            raise KeyboardInterrupt


def test_callbacks(in_memory: sdt.Run, corpus: Corpus, tmp_path: Path) -> None:
    recorder = Recorder()
    run = sdt.train(recipe_of(corpus), corpus, callbacks=[recorder, Idle()], progress=False)
    epochs = [call for number in range(1, 5) for call in ("step", "step", "step", f"epoch {number}")]
    assert recorder.calls == ["start after 0", *epochs, f"finish {run.epoch}", "close"]
    assert recorder.scores is run.scores
    assert recorder.folder is None
    assert any(not torch.equal(x, recorder.model.state_dict()[name]) for name, x in recorder.parameters.items())
    losses = [step.losses["total"] for step in recorder.steps[:3]]
    labelled = [step.labelled for step in recorder.steps[:3]]
    assert run.history[0]["losses"]["total"] == pytest.approx(np.average(losses, weights=labelled))
    assert without_times(run.history) == without_times(in_memory.history)  # they change nothing

    stopped = Recorder()
    with pytest.raises(KeyboardInterrupt):
        sdt.train(recipe_of(corpus), corpus, callbacks=[stopped, Stop()], output=tmp_path / "run", progress=False)
    assert stopped.calls[-2:] == ["epoch 2", "close"]
    resumed = Recorder()
    again = sdt.train(
        recipe_of(corpus), corpus, callbacks=[resumed], output=tmp_path / "run", resume=True, progress=False
    )
    assert resumed.calls[0] == "start after 2"
    assert resumed.folder == tmp_path / "run"
    assert without_times(again.history) == without_times(in_memory.history)


def test_the_best_epochs_in_memory(corpus: Corpus) -> None:
    run = sdt.train(recipe_of(corpus), corpus, settings={"training.keep_best": 2}, progress=False)
    curve = [line["dev"]["fused"]["weighted_f1"] for line in run.history]
    assert [of.epoch for of in run.kept] == sorted(range(1, 5), key=lambda epoch: -curve[epoch - 1])[:2]
    for name, x in run.kept[0].parameters.items():
        assert torch.equal(run.model.state_dict()[name], x)


def test_progress_is_printed_unless_it_is_not_wanted(corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    short = {"training.epochs": 1}
    sdt.train(recipe_of(corpus), corpus, settings=short, progress=False)
    assert capsys.readouterr().out == ""
    sdt.train(recipe_of(corpus), corpus, settings=short)
    assert "epoch 1/1" in capsys.readouterr().out


class Linear(sdt.Model):
    """A model of this file."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.classifier = torch.nn.Linear(sum(config.modalities.values()), len(config.labels))

    def forward(self, batch: Any) -> Output:
        return Output({"fused": self.classifier(torch.cat(list(batch.features.values()), dim=1))})


def test_an_own_model(corpus: Corpus, tmp_path: Path) -> None:
    run = sdt.train({"training.epochs": 2}, corpus, model=Linear, progress=False)
    assert isinstance(run.model, Linear)
    assert run.recipe.architecture.endswith(":Linear")
    run.save(tmp_path / "model")
    again = sdt.Model.from_pretrained(tmp_path / "model")
    assert isinstance(again, Linear)
    found = sdt.evaluate(again, corpus)
    assert found.scores["fused"].to_dict() == run.scores["test"]["fused"].to_dict()
    saved = sdt.train({"training.epochs": 2}, corpus, model=Linear, output=tmp_path / "run", progress=False)
    assert without_times(saved.history) == without_times(run.history)


def test_evaluate(in_memory: sdt.Run, corpus: Corpus, tmp_path: Path) -> None:
    expected = evaluate_split(in_memory.model, corpus, "dev", name="run")
    for found in (sdt.evaluate(in_memory, split="dev"), sdt.evaluate(in_memory.model, str(corpus.folder), "dev")):
        assert found.scores["fused"].to_dict() == expected.scores["fused"].to_dict()
    other = sdt.train(recipe_of(corpus), corpus, settings={"seed": 1}, progress=False)
    both = sdt.evaluate([in_memory, other])
    parts = [sdt.evaluate(run).outputs.probabilities["fused"] for run in (in_memory, other)]
    np.testing.assert_allclose(both.outputs.probabilities["fused"], np.mean(parts, axis=0), rtol=1e-5)
    folder = sdt.train(recipe_of(corpus), corpus, output=tmp_path / "run", progress=False)
    assert folder.folder
    assert sdt.evaluate(folder.folder).scores["fused"].to_dict() == in_memory.scores["test"]["fused"].to_dict()
    with pytest.raises(InputError, match="does not know its corpus"):
        sdt.evaluate(in_memory.model)
    with pytest.raises(InputError, match="no model"):
        sdt.evaluate([], corpus)
    only = sdt.evaluate(in_memory, modalities=["words"])
    assert only.scores["fused"].to_dict() != in_memory.scores["test"]["fused"].to_dict()


def test_compare(in_memory: sdt.Run, corpus: Corpus, tmp_path: Path) -> None:
    recipe = recipe_of(corpus)
    for seed in (0, 1):
        train_in_folder(dataclasses.replace(recipe, seed=seed), tmp_path / f"full/seed-{seed}", display=quiet())
    other = sdt.train(recipe, corpus, settings={"seed": 1}, progress=False)
    (same,) = sdt.compare(tmp_path / "full", [in_memory, other], names=["folders", "memory"], draws=200)
    assert {of.value for of in same.differences.values()} == {0}
    assert same.other.seeds == (0, 1)
    assert (same.reference.name, same.other.name) == ("folders", "memory")
    voice = sdt.train(recipe, corpus, settings={"modalities": ["voice"]}, progress=False)
    first, second = sdt.compare(in_memory, voice, other, draws=200)
    expected = voice.scores["test"]["fused"].accuracy - in_memory.scores["test"]["fused"].accuracy
    assert first.differences["accuracy"].value == pytest.approx(expected)
    assert (first.reference.name, first.other.name, second.other.name) == ("SDT 1", "SDT 2", "SDT 3")
    with pytest.raises(InputError, match="two systems"):
        sdt.compare(in_memory)
    with pytest.raises(InputError, match="1 names for 2 systems"):
        sdt.compare(in_memory, other, names=["one"])
    with pytest.raises(InputError, match="no scores of split 'train'"):
        sdt.compare(in_memory, other, split="train")


def test_metrics() -> None:
    scores = sdt.metrics.score(["joy", None, "fear", "joy"], ["joy", "fear", "joy", "fear"], ["fear", "joy", "sadness"])
    assert scores.utterances == 3
    assert scores.accuracy == pytest.approx(1 / 3)
    assert scores.classes["joy"].precision == pytest.approx(1 / 2)
    assert scores.absent == ["sadness"]
    with pytest.raises(InputError, match="did you mean 'joy'"):
        sdt.metrics.score(["joy"], ["joi"], ["joy", "fear"])
    with pytest.raises(InputError, match="2 annotated"):
        sdt.metrics.score(["joy", "joy"], ["joy"])
    assert set(sdt.metrics.METRICS) >= {"accuracy", "weighted_f1", "macro_f1"}


def test_a_run_in_memory_has_no_tracker(corpus: Corpus) -> None:
    from sdt.training.trackers import TensorBoard

    with pytest.raises(InputError, match="output=FOLDER"):
        sdt.train(recipe_of(corpus), corpus, callbacks=[TensorBoard()], progress=False)
