"""sdt experiment, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import sdt.experiments.run as run_module
from sdt.__main__ import main
from sdt.experiments.plan import Job
from sdt.experiments.run import lock_folder
from sdt.experiments.workers import Failure
from sdt.training.recipe import load_recipe
from tests.experiments.conftest import place

__all__ = ["place"]


@pytest.mark.slow
def test_a_grid_with_a_row_that_fails(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["experiment", "tiny.yaml", "--grid", "training.learning_rate=3e-3,1e38", "--seeds", "3"]
    assert main([*command, "--threads", "1", "--model.width", "8"]) == 1
    captured = capsys.readouterr()
    assert "runs/tiny-grid: 2 rows, seeds 3, 2 runs; 1 at once, 1 thread each" in captured.out
    assert "1/2  learning_rate=0.003/seed-3 finished after 2 epochs, best dev weighted F1" in captured.out
    assert "2/2  learning_rate=1e+38/seed-3 failed: " in captured.out
    assert "sdt: learning_rate=1e+38/seed-3 failed: epoch " in captured.err
    assert "failed runs: 1; run the same command to try again" in captured.err
    assert "Traceback" not in captured.err
    run = place / "runs/tiny-grid/learning_rate=0.003/seed-3"
    made = load_recipe(run / "recipe.yaml")
    assert (made.seed, made.model.width, made.training.learning_rate) == (3, 8, 3e-3)
    header = json.loads((place / "runs/tiny-grid/experiment.json").read_text(encoding="utf-8"))
    assert header["command"] == f"sdt {' '.join(command)} --threads 1 --model.width 8"
    assert header["environment"]["corpus_name"] == "tiny"
    assert (header["seeds"], header["threads_per_run"]) == ([3], 1)
    surroundings = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    assert surroundings["hardware"].endswith(", 1 threads")
    assert "learning\\_rate=0.003" in (place / "runs/tiny-grid/results.md").read_text(encoding="utf-8")

    # Seeds can be added; the threads need not be said again; a finished run is kept.
    asked: list[str] = []

    def ask(jobs: list[Job], *_: object, **__: object) -> list[Failure]:
        asked.extend(job.name for job in jobs)
        return []

    monkeypatch.setattr(run_module, "train_runs", ask)
    more = ["experiment", "tiny.yaml", "--grid", "training.learning_rate=3e-3", "--seeds", "4", "--model.width=8"]
    assert main([*more, "--output", "runs/tiny-grid", "--jobs", "2"]) == 0
    shown = capsys.readouterr().out
    assert "2 rows, seeds 3-4, 4 runs; 2 at once, 1 thread each" in shown
    assert asked == ["learning_rate=1e+38/seed-3", "learning_rate=0.003/seed-4", "learning_rate=1e+38/seed-4"]


def test_ctrl_c_names_the_command_that_goes_on(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "train_runs", interrupted)
    assert main(["experiment", "ablations", "tiny.yaml", "--output", "a folder"]) == 130
    assert capsys.readouterr().err == (
        "sdt: stopped; resume with: sdt experiment ablations tiny.yaml --output 'a folder'\n"
    )


def test_the_papers_tables_are_planned(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "train_runs", lambda *_, **__: [])
    for table, rows in (("ablations", 11), ("modalities", 3), ("fusion", 3)):
        assert main(["experiment", table, "tiny.yaml", "--seeds", "0-1"]) == 0
        assert f"runs/tiny-{table}: {rows} rows, seeds 0-1, {2 * rows} runs" in capsys.readouterr().out
    assert main(["experiment", "ablations", "tiny.yaml", "--rows", "no-gates", "--output", "two"]) == 0
    assert "two: 2 rows" in capsys.readouterr().out
    assert main(["experiment", "ablations", "tiny.yaml", "--model.positions", "false", "--output", "off"]) == 0
    assert "left out: no-positions: with this recipe, the same as full" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.yaml"], "no such file"),
        (["ablation", "tiny.yaml"], "unknown table 'ablation'; did you mean 'ablations'?"),
        (["ablations", "tiny.yaml", "--grid", "model.width=8"], "cannot be combined with ablations"),
        (["tiny.yaml", "--seeds", "3-1"], "'3-1' is neither a seed nor a range"),
        (["tiny.yaml", "--seed", "3"], "did you mean '--seeds'?"),
        (["tiny.yaml", "--grid", "model.widt=8"], "did you mean 'model.width'?"),
        (["tiny.yaml", "--grid", "model.heads=2,3"], "row heads=3: model.heads: 3 heads do not divide"),
        (["tiny.yaml", "--grid", "modalities=words,face"], "row modalities=face: tiny: the corpus has no modality"),
        (["tiny.yaml", "--training.class_weights", "[1.0]"], "1 numbers for 3 labels"),
        (["tiny.yaml", "--corpus", "nowhere"], "nowhere: not a corpus folder"),
        (["modalities", "tiny.yaml", "--rows", "word"], "did you mean 'words'?"),
        (["tiny.yaml", "--output", "tiny"], "tiny: is not empty and has no experiment.json"),
        (["tiny.yaml", "--output", "tiny.yaml"], "tiny.yaml: is a file"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(
    arguments: list[str], expected: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(place.rglob("*"))
    assert main(["experiment", *arguments]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_two_at_once_in_one_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with lock_folder(place / "runs"):
        (place / "runs/experiment.json").write_text("{}", encoding="utf-8")
        assert main(["experiment", "tiny.yaml", "--output", "runs", "--threads", "1"]) == 2
    assert "in use by another sdt process" in capsys.readouterr().err


def test_another_corpus_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdt.corpus.builder import write_corpus
    from tests.training.conftest import make_builder

    monkeypatch.setattr(run_module, "train_runs", lambda *_, **__: [])
    write_corpus(make_builder(seed=9), place / "other")
    assert main(["experiment", "tiny.yaml"]) == 0
    assert main(["experiment", "tiny.yaml", "--corpus", "other"]) == 2
    assert "cannot resume with another corpus" in capsys.readouterr().err
