"""Cross-validation as an experiment: one table, pooled scores, and what `sdt compare` and `sdt evaluate` read of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from sdt.__main__ import main
from sdt.api.run import Run
from sdt.corpus.store import Corpus
from sdt.evaluation.evaluate import evaluate
from sdt.evaluation.predicted import read_prediction_file
from sdt.experiments.plan import Job
from sdt.experiments.results import Results
from sdt.models.base import Model
from sdt.training.folder import RunFolder
from sdt.training.recipe import dump_recipe
from sdt.training.run import train
from tests.training.conftest import make_recipe
from tests.training.test_run import quiet


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus) -> Path:
    return tmp_path_factory.mktemp("folds")


@pytest.fixture(scope="module")
def experiment(folder: Path, corpus: Corpus) -> Path:
    """What the command does, with all runs in this process."""

    def in_this_process(jobs: Sequence[Job], *_: object, **__: object) -> list[object]:
        for job in jobs:
            train(job.recipe, job.folder, display=quiet(), command=job.command)
        return []

    recipe = folder / "tiny.yaml"
    recipe.write_text(dump_recipe(make_recipe(corpus.folder, epochs=2)), encoding="utf-8")
    arguments = ["experiment", "folds", str(recipe), "--folds", "3", "--output", str(folder / "run")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sdt.experiments.run.train_runs", in_this_process)
        assert main([*arguments, "--seeds", "0"]) == 0
        assert main([*arguments, "--seeds", "0-1"]) == 0  # adds a seed
    return folder / "run"


def test_every_conversation_is_tested_once(experiment: Path, corpus: Corpus) -> None:
    for seed in (0, 1):
        pooled = read_prediction_file(experiment / "pooled" / f"seed-{seed}.jsonl")
        utterances = {(c.id, u.id): u.label for c in corpus.conversations.values() for u in c.utterances}
        assert pooled.annotated == utterances
        parts = [experiment / f"fold-{n}/seed-{seed}/predictions/test.jsonl" for n in (1, 2, 3)]
        assert sum(len(part.read_text("utf-8").splitlines()) for part in parts) == len(utterances)


def test_the_table(experiment: Path) -> None:
    results = Results(experiment)
    assert results.pooled is not None
    assert results.reference is None
    assert results.pooled.system is not None
    (grid,) = [results.pooled.table()]
    assert [line[0] for line in grid.rows] == ["fold-1", "fold-2", "fold-3", "mean of folds", "pooled"]
    scores = [
        [RunFolder(experiment / f"fold-{n}/seed-{seed}").read_scores()[1]["test"]["fused"] for n in (1, 2, 3)]
        for seed in (0, 1)
    ]
    values = json.loads((experiment / "results.json").read_text("utf-8"))["cross_validation"]
    assert values["seeds"] == [0, 1]
    of_folds = np.mean([[one.accuracy for one in of_seed] for of_seed in scores], axis=0)
    assert values["over_folds"]["accuracy"]["mean"] == pytest.approx(of_folds.mean())
    assert values["over_folds"]["accuracy"]["deviation"] == pytest.approx(of_folds.std(ddof=1))
    pooled = [sum(one.confusion.trace() for one in of) / sum(one.utterances for one in of) for of in scores]
    assert values["pooled"]["accuracy"]["mean"] == pytest.approx(np.mean(pooled))
    assert values["pooled"]["accuracy"]["deviation"] == pytest.approx(np.std(pooled, ddof=1))
    page = (experiment / "results.md").read_text("utf-8")
    assert "The test-selection gain of" not in page
    assert "| pooled" in page
    assert "significance" not in json.loads((experiment / "results.json").read_text("utf-8"))


def test_a_fold_is_a_run(experiment: Path, corpus: Corpus, capsys: pytest.CaptureFixture[str]) -> None:
    run = Run.open(experiment / "fold-2/seed-0")
    assert run.corpus.division == "fold-2 of 3"
    assert run.model.config.provenance["fold"] == "fold-2 of 3"
    again = evaluate(run.model, run.corpus, "test", name="again")
    assert again.scores["fused"].to_dict() == run.scores["test"]["fused"].to_dict()
    for options in ([], ["--corpus", str(corpus.folder)]):
        assert main(["evaluate", str(experiment / "fold-2/seed-0"), "--json", *options]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["scores"]["fused"] == run.scores["test"]["fused"].to_dict()
        assert not any("perhaps" in note for note in found["notes"])
    model = Model.from_pretrained(experiment / "fold-2/seed-0/model")
    assert any("fold-2 of 3" in note for note in evaluate(model, corpus, "test", name="other").notes)


def test_pooled_predictions_are_compared(experiment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pooled = str(experiment / "pooled")
    assert main(["compare", f"a={pooled}/seed-0.jsonl", f"b={pooled}/seed-1.jsonl", "--draws", "100"]) == 0
    assert "weighted F1" in capsys.readouterr().out


def test_a_report_of_the_folds(experiment: Path, tmp_path: Path) -> None:
    assert main(["report", str(experiment), "--output", str(tmp_path / "report")]) == 0
    assert list((tmp_path / "report").iterdir())


@pytest.mark.parametrize(
    "arguments", [["folds"], ["--folds", "3"], ["ablations", "--folds", "3"], ["folds", "--leave-out", "speaker"]]
)
def test_options_that_do_not_fit(
    arguments: list[str], folder: Path, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = [word for word in arguments[:1] if not word.startswith("--")]
    options = arguments[len(table) :]
    command = ["experiment", *table, str(folder / "tiny.yaml"), *options, "--output", str(folder / "no")]
    assert main(command) == 2
    assert capsys.readouterr().err.startswith("sdt: ")
    assert not (folder / "no").exists()
