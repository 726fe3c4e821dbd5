"""From folders to a study, and what is wrong with folders."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.significance import compare
from sdt.experiments.report.gather import gather
from sdt.experiments.report.study import Study
from sdt.training.group import Group
from tests.evaluation.runs import make_run
from tests.experiments.report.conftest import FEW
from tests.training.conftest import make_builder

pytestmark = pytest.mark.xdist_group("report")  # they share an experiment


def test_an_experiment(study: Study, experiment: Path) -> None:
    assert [row.name for row in study.planned] == ["full", "voice", "no-distillation"]
    assert [(run.seed, run.state) for run in study.planned[1].unfinished] == [(1, "not started")]
    assert study.reference is not None
    assert study.reference.name == "full"
    assert [row.name for row in study.leading] == ["full"]
    assert (study.split, list(study.corpora.values()), study.sources[0].kind) == ("test", ["tiny"], "experiment")
    groups = [Group.of(name, sorted((experiment / name).iterdir())) for name in ("full", "voice", "no-distillation")]
    first, *others = (group.system("test") for group in groups)
    assert [c.to_dict() for c in study.comparisons] == [c.to_dict() for c in compare(first, others, resampling=FEW)]
    means = {row.name: of["weighted_f1"].mean for row in study.rows if (of := row.measured("test"))}
    assert study.best is not None
    assert means[study.best] == max(means.values())


def test_runs_and_groups_beside_each_other(experiment: Path) -> None:
    study = gather([str(experiment / "full"), f"one={experiment}/voice/seed-0", str(experiment)], FEW)
    assert [source.kind for source in study.sources] == ["runs", "run", "experiment"]
    names = ["full", "one", "parts: full", "parts: voice", "parts: no-distillation"]
    assert [row.name for row in study.planned] == names
    assert study.reference_name == "full"
    assert [row.name for row in study.leading] == ["full", "one", "parts: full"]
    assert [comparison.other.name for comparison in study.comparisons] == names[1:]
    other = gather([str(experiment / "full"), f"one={experiment}/voice/seed-0"], FEW, "one")
    assert [row.name for row in other.leading] == ["one", "full"]
    assert other.comparisons[0].reference.name == "one"


def test_states_of_runs(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment, tmp_path / "e")
    (tmp_path / "e/full/seed-0/scores.json").unlink()
    (tmp_path / "e/full/seed-1/scores.json").unlink()
    (tmp_path / "e/full/seed-1/metrics.jsonl").unlink()
    study = gather([str(tmp_path / "e")], FEW)
    states = [run.state for run in study.planned[0].runs]
    assert states == ["unfinished after 3 epochs", "started, no epoch finished", ""]
    assert len(study.planned[0].histories) == 1
    failed = {name: {"error": "the loss is nan"} for name in ("full/seed-0", "full/seed-1", "full/seed-2")}
    (tmp_path / "e/failures.json").write_text(json.dumps(failed), encoding="utf-8")
    states = [run.state for run in gather([str(tmp_path / "e")], FEW).planned[0].runs]
    assert states == ["failed after 3 epochs: the loss is nan", "failed: the loss is nan", ""]
    shutil.rmtree(tmp_path / "e/full/seed-2")
    study = gather([str(tmp_path / "e")], FEW)
    assert study.reference is None
    assert study.comparisons == []
    assert study.not_compared == "the reference full has no finished run"


def test_different_corpora_are_not_compared(experiment: Path, tmp_path: Path) -> None:
    other = write_corpus(make_builder(seed=3), tmp_path / "other")
    make_run(tmp_path / "foreign", other, 1)
    study = gather([str(experiment), str(tmp_path / "foreign")], FEW)
    assert study.comparisons == []
    assert study.best is None
    assert "different corpora" in str(study.not_compared)
    assert [row.name for row in study.leading] == ["parts: full", "foreign"]


def test_runs_without_predictions_are_left_out_of_comparisons(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment, tmp_path / "e")
    (tmp_path / "e/voice/seed-2/predictions/test.jsonl").unlink()
    study = gather([str(tmp_path / "e")], FEW)
    assert [comparison.other.name for comparison in study.comparisons] == ["no-distillation"]
    assert "voice is left out" in str(study.not_compared)
    assert len(study.rows) == 3
    (tmp_path / "e/full/seed-0/predictions/test.jsonl").unlink()
    assert gather([str(tmp_path / "e")], FEW).comparisons == []


def test_splits_that_runs_have(corpus: Corpus, tmp_path: Path) -> None:
    for name, lacking in (("a", "test"), ("b", None), ("c", "dev")):
        path = make_run(tmp_path / name, corpus, 1) / "scores.json"
        values = json.loads(path.read_text(encoding="utf-8"))
        values["scores"].pop(lacking, None)
        path.write_text(json.dumps(values), encoding="utf-8")
    assert gather([str(tmp_path / "b"), str(tmp_path / "c")], FEW).split == "test"
    assert gather([str(tmp_path / "b"), str(tmp_path / "a")], FEW).split == "dev"
    with pytest.raises(InputError, match="a: no scores on test"):
        _ = gather([str(tmp_path / "a"), str(tmp_path / "c")], FEW).split


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        ("{", "scores.json: missing or damaged"),
        ("[]", "scores.json: missing or damaged"),
        ('{"scores": {}}', "scores.json: missing or damaged"),
        (None, "test_chosen is damaged"),
    ],
)
def test_damaged_scores(damage: str | None, expected: str, experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment / "voice/seed-0", tmp_path / "run")
    path = tmp_path / "run/scores.json"
    if damage is None:
        values = json.loads(path.read_text(encoding="utf-8"))
        damage = json.dumps({**values, "test_chosen": {"epoch": 1}})
    path.write_text(damage, encoding="utf-8")
    with pytest.raises(InputError, match=expected):
        gather([str(tmp_path / "run")], FEW)


def test_what_is_no_folder_of_runs(experiment: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    one = str(experiment / "voice/seed-0")
    for folders, expected in (
        ([str(tmp_path / "empty")], "empty: nothing to report on"),
        ([str(tmp_path / "file")], "file: not a folder"),
        ([str(tmp_path / "none")], "none: folder not found"),
        ([f"x={one}", f"x={one}"], "x: two rows have this name"),
        ([one, one], "two rows have this name"),
    ):
        with pytest.raises(InputError, match=expected):
            gather(folders, FEW)
    with pytest.raises(InputError, match="did you mean 'voice'"):
        gather([str(experiment)], FEW, "voise")
    shutil.copytree(one, tmp_path / "run")
    (tmp_path / "run/environment.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"environment\.json: damaged"):
        gather([str(tmp_path / "run")], FEW)
