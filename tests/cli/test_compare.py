"""`sdt compare` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.__main__ import main
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from tests.evaluation.runs import make_run
from tests.training.conftest import make_builder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny`, and the groups `full` and `other` of six runs each."""
    folder = tmp_path_factory.mktemp("home")
    corpus = write_corpus(make_builder(test=40), folder / "tiny")
    for group, first in (("full", 0), ("other", 50)):
        for seed in range(6):
            make_run(folder / group / f"seed-{seed}", corpus, first + seed, learning_rate=1e-3 + first * 1e-5)
    for seed in range(6):  # the same seeds, though the made-up models are others
        path = folder / "other" / f"seed-{seed}" / "scores.json"
        path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "seed": seed}), encoding="utf-8")
        recipe = folder / "other" / f"seed-{seed}" / "recipe.yaml"
        recipe.write_text(recipe.read_text("utf-8").replace(f"seed: {50 + seed}", f"seed: {seed}"), encoding="utf-8")
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "80")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["compare", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_tables_sentences_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("json", "md", "tex", "png")}
    options = zip(("--json", "--markdown", "--latex", "--figure"), map(str, files.values()), strict=True)
    assert main(["compare", "full", "again=other", "--draws", "200", *(o for pair in options for o in pair)]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    tables = lines[: next(i for i, line in enumerate(lines) if line.startswith("again is"))]
    assert max(map(len, tables)) <= 80
    for expected in (
        "weighted F1",
        "again minus full, in points",
        "calm",
        "Wilcoxon",
        "with respect to the test set",
        "Over 6 seeds",
    ):
        assert expected in out
    assert all(f"written to {path}" in out for path in files.values())
    found = json.loads(files["json"].read_text("utf-8"))
    assert (found["reference"], found["draws"], found["split"], found["conversations"]) == ("full", 200, "test", 40)
    (comparison,) = found["comparisons"]
    assert comparison["sentences"]["weighted_f1"] in out
    page = files["md"].read_text("utf-8")
    assert page.startswith("    sdt compare full again=other --draws 200")
    assert "| weighted F1 | " in page
    assert comparison["sentences"]["weighted_f1"] in page
    paper = files["tex"].read_text("utf-8")
    assert paper.count(r"\begin{tabular}") == paper.count(r"\end{tabular}") == 3
    assert r" $\pm$ " in paper
    assert files["png"].read_bytes().startswith(b"\x89PNG")


def test_the_reference_may_be_any(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["full", "other", "one=full/seed-1", "--draws", "100"]
    assert main(["compare", *arguments, "--reference", "other", "--measure", "accuracy"]) == 0
    out = capsys.readouterr().out
    assert "full minus other" in out
    assert "one minus other" in out
    assert "points of accuracy" in out
    assert "for 2 comparisons" in out
    assert "did you mean 'other'?" in refused(capsys, *arguments, "--reference", "othr")


def test_predictions_of_another_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(c.id, u.id) for c in Corpus.open("tiny").split("test") for u in c.utterances]
    (tmp_path / "mine.csv").write_text(
        "conversation,utterance,emotion\n" + "".join(f"{c},{u},calm\n" for c, u in rows), encoding="utf-8"
    )
    assert main(["compare", "full", str(tmp_path / "mine.csv"), "--draws", "100"]) == 0
    assert "mine.csv minus full" in capsys.readouterr().out
    assert main(["compare", f"a={tmp_path}/mine.csv", f"b={tmp_path}/mine.csv", "--corpus", "tiny"]) == 0
    assert "b and a have the same weighted F1" in capsys.readouterr().out


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "name two systems or more" in refused(capsys, "full")
    assert "nowhere: no run" in refused(capsys, "full", "nowhere")
    assert "no predictions of split 'tset'" in refused(capsys, "full", "other", "--split", "tset")
    assert "use .png" in refused(capsys, "full", "other", "--figure", "c.jpeg")
    other = write_corpus(make_builder(test=40, seed=1), tmp_path / "corpus")
    make_run(tmp_path / "foreign", other, 1)
    assert "different corpora" in refused(capsys, "full", str(tmp_path / "foreign"))
    assert "different" in refused(capsys, "full", str(tmp_path / "foreign"), "--other-features")


@pytest.mark.parametrize(("option", "value"), [("--draws", "10"), ("--level", "0.95"), ("--level", "100")])
def test_numbers_out_of_range(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["compare", "full", "other", option, value])
    assert "is not a" in capsys.readouterr().err


def test_runs_are_summarised(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summarise", "full/seed-1", "full/seed-0"]) == 0
    out = capsys.readouterr().out
    assert "over 2 runs (seeds 0, 1)" in " ".join(out.split())
    assert main(["summarise", "full"]) == 0
    assert "over 6 runs (seeds 0, 1, 2, 3, 4, 5)" in " ".join(capsys.readouterr().out.split())
    assert main(["summarise", "full/seed-1", "other/seed-0"]) == 2
    assert "training.learning_rate is" in capsys.readouterr().err
