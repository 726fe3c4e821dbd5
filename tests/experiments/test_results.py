"""An experiment's tables, against the runs they are made of."""

from __future__ import annotations

import io
import json
import re
import shutil
import statistics
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from sdt.corpus.store import Corpus
from sdt.errors import InputError
from sdt.evaluation.significance import compare
from sdt.experiments.plan import Plan, Row
from sdt.experiments.results import Results
from sdt.experiments.tables import conclusions, overview
from sdt.training.folder import RunFolder
from sdt.training.group import Group
from sdt.training.run import train
from tests.training.conftest import make_recipe
from tests.training.test_run import quiet

ROWS = (Row("full", {}), Row("voice", {"modalities": ["voice"]}))


def make_experiment(
    corpus: Corpus, folder: Path, rows: tuple[Row, ...] = ROWS, seeds: tuple[int, ...] = (0, 1, 2), **training: object
) -> Path:
    plan = Plan(
        question="Does the voice suffice?",
        recipe=make_recipe(corpus.folder, epochs=3, **training),
        rows=rows,
        seeds=seeds,
        threads=1,
        reference="full" if len(rows) > 1 else None,
        recipe_file="tiny.yaml",
    )
    for job in plan.jobs(folder):
        if job.name != "voice/seed-1":
            train(job.recipe, job.folder, display=quiet())
    plan.write(folder, {"command": "sdt experiment tiny.yaml", "environment": {"corpus_name": "tiny"}})
    return folder


@pytest.fixture(scope="module")
def experiment(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two rows of three seeds; one run is missing."""
    return make_experiment(corpus, tmp_path_factory.mktemp("experiments") / "one")


def scores(folder: Path, row: str, seed: int, *keys: str) -> float:
    values = json.loads((folder / row / f"seed-{seed}" / "scores.json").read_text(encoding="utf-8"))
    for key in keys:
        values = values[key]
    return float(values)


def test_spreads_are_those_of_the_runs(experiment: Path) -> None:
    full, voice = Results(experiment).rows
    assert (full.missing, voice.missing) == ((), (1,))
    for measure, path in (("macro_f1", ("macro_f1",)), ("f1:cross", ("classes", "cross", "f1"))):
        for split in ("dev", "test"):
            of_runs = [scores(experiment, "full", seed, "scores", split, "fused", *path) for seed in (0, 1, 2)]
            measured = full.measured(split)
            assert measured is not None
            assert measured[measure].mean == pytest.approx(statistics.mean(of_runs))
            assert measured[measure].deviation == pytest.approx(statistics.stdev(of_runs))
            assert (measured[measure].minimum, measured[measure].maximum) == (min(of_runs), max(of_runs))


def test_both_protocols_and_the_test_selection_gain(experiment: Path) -> None:
    full = Results(experiment).rows[0]
    measured, chosen, gain = full.measured("test"), full.chosen_on_test, full.test_selection_gain
    assert measured
    assert chosen
    assert gain
    assert measured.keys() == chosen.keys() == gain.keys()
    on_test = [scores(experiment, "full", seed, "test_chosen", "scores", "fused", "weighted_f1") for seed in (0, 1, 2)]
    on_dev = [scores(experiment, "full", seed, "scores", "test", "fused", "weighted_f1") for seed in (0, 1, 2)]
    assert chosen["weighted_f1"].mean == pytest.approx(statistics.mean(on_test))
    differences = [a - b for a, b in zip(on_test, on_dev, strict=True)]
    assert min(differences) >= 0
    assert gain["weighted_f1"].mean == pytest.approx(statistics.mean(differences))
    assert gain["weighted_f1"].deviation == pytest.approx(statistics.stdev(differences))


def test_rows_are_compared_with_the_reference(experiment: Path) -> None:
    [comparison] = Results(experiment).comparisons
    groups = [Group.of(name, sorted((experiment / name).iterdir())) for name in ("full", "voice")]
    [expected] = compare(groups[0].system("test"), [groups[1].system("test")])
    assert comparison.to_dict() == expected.to_dict()


def shown(folder: Path) -> str:
    console = Console(file=io.StringIO(), width=80)
    results = Results(folder)
    for grid in overview(results):
        console.print(grid.rich())
    for line in conclusions(results):
        console.print(line, soft_wrap=True)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_what_a_terminal_shows(experiment: Path) -> None:
    text = shown(experiment)
    assert "note: voice: runs of the seeds 1 are missing" in text
    assert "The test-selection gain of full" in text
    assert "onclusions about other seeds need at least 5" in text
    assert "1 differences in weighted F1 have no p" in text  # four conversations
    measured = Results(experiment).rows[0].measured("test")
    assert measured
    assert re.search(rf"full +{re.escape(str(measured['accuracy']))}", text)


def test_files(experiment: Path) -> None:
    Results(experiment).write()
    values = json.loads((experiment / "results.json").read_text(encoding="utf-8"))
    assert [row["name"] for row in values["rows"]] == ["full", "voice"]
    assert values["rows"][1]["missing_seeds"] == [1]
    assert values["significance"]["reference"] == "full"
    page = (experiment / "results.md").read_text(encoding="utf-8")
    for expected in ("# Does the voice suffice?", "sdt experiment tiny.yaml", "| voice | modalities: voice |",
                     "| cross |", "voice is ", "1 thread per run"):  # fmt: skip
        assert expected in page


def test_the_scores_of_a_run_are_parsed_twice(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for its seed, once for all tables and statistics; parsing them for each took most of the command's time."""
    read: list[Path] = []
    original = RunFolder.read_scores

    def counted(self: RunFolder) -> object:
        read.append(self.path)
        return original(self)

    monkeypatch.setattr(RunFolder, "read_scores", counted)
    results = Results(experiment)
    results.write()
    assert max(Counter(read).values()) == 2
    assert len(set(read)) == sum(row.group.size for row in results.rows)


def test_one_row_shows_minimum_and_maximum(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment, tmp_path / "one")
    header = json.loads((tmp_path / "one" / "experiment.json").read_text(encoding="utf-8"))
    header |= {"rows": header["rows"][:1], "reference": None}
    (tmp_path / "one" / "experiment.json").write_text(json.dumps(header), encoding="utf-8")
    text = shown(tmp_path / "one")
    for expected in ("min", "max", "gain", "glad", "macro F1"):
        assert expected in text
    Results(tmp_path / "one").write()
    assert "significance" not in json.loads((tmp_path / "one/results.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("training", "split", "told"),
    [
        ({"test": "once"}, "test", "epoch selected on dev"),
        ({"test": "never"}, "dev", "epoch selected on dev"),
        ({"protocol": "published"}, "test", "epoch selected on test (protocol 'published')"),
    ],
)
def test_runs_that_kept_less(
    training: dict[str, object], split: str, told: str, corpus: Corpus, tmp_path: Path
) -> None:
    rows = (Row("full", {}), Row("small", {"model.width": 8}))
    folder = make_experiment(corpus, tmp_path / "e", rows, (0,), **training)
    results = Results(folder)
    assert results.split == split
    text = " ".join(shown(folder).split())
    assert told in text
    assert "gain" not in text
    assert results.comparisons
    results.write()


def test_nothing_is_finished_yet(experiment: Path, tmp_path: Path) -> None:
    shutil.copy(experiment / "experiment.json", tmp_path / "experiment.json")
    results = Results(tmp_path)
    assert results.rows == []
    results.write()
    assert not (tmp_path / "results.md").exists()


def test_a_run_of_other_settings_is_no_part_of_a_row(experiment: Path, tmp_path: Path) -> None:
    shutil.copytree(experiment, tmp_path / "mixed")
    shutil.rmtree(tmp_path / "mixed/full/seed-2")
    shutil.copytree(experiment / "voice/seed-2", tmp_path / "mixed/full/seed-2")
    with pytest.raises(InputError, match="modalities is"):
        Results(tmp_path / "mixed")
