"""`sdt robustness` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

import sdt.analysis.robustness.measure as measure_module
from sdt.__main__ import main
from sdt.corpus.builder import write_corpus
from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import run_model
from sdt.evaluation.scores import score
from sdt.models.sdt.model import SDT
from tests.analysis.robustness.test_words import spoken_builder
from tests.evaluation.runs import make_run


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    corpus = write_corpus(spoken_builder(), folder / "tiny")
    for seed in range(2):
        make_run(folder / "full" / f"seed-{seed}", corpus, seed)
    make_run(folder / "other", corpus, 7)
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "80")


QUICK = ("--missing", "50,100", "--noise", "2", "--speakers", "100", "--words", "50", "--draws", "100")


def outcome(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["robustness", *arguments, "--device", "cpu"])
    return code, *capsys.readouterr()


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code, out, err = outcome(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    return err


def test_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "out"
    code, out, _ = outcome(capsys, "full", "b=other", "--output", str(folder), *QUICK)
    assert code == 0
    assert max(len(line) for line in out.splitlines() if "written" not in line) <= 80
    tried = {"words missing", "voice missing", "noise on words", "noise on voice", "speakers unknown", "words wrong"}
    assert all(f"{name}: weighted F1" in out for name in tried)
    names = ["points.jsonl", *(f"robustness.{kind}" for kind in ("json", "md", "png", "tex"))]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert (folder / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "robustness.md").read_text("utf-8").startswith("    sdt robustness full b=other --output")
    first, second = json.loads((folder / "robustness.json").read_text("utf-8"))["systems"]
    assert set(first["disturbances"]) == tried
    assert (first["system"], first["runs"], second["system"], second["runs"]) == ("full", 2, "b", 1)
    points = first["disturbances"]["voice missing"]["points"]
    assert [point["level"] for point in points] == [0, 0.5, 1]
    corpus = Corpus.open("tiny")
    scores = []
    for seed in range(2):
        outputs = run_model(
            SDT.from_pretrained(f"full/seed-{seed}"), corpus, corpus.split("test"), modalities=["words"]
        )
        scores.append(score(outputs.label, outputs.probabilities["fused"].argmax(1), corpus.labels).weighted_f1)
    assert points[2]["weighted_f1"]["mean"] == pytest.approx(np.mean(scores))
    undisturbed = json.loads(Path("other/scores.json").read_text("utf-8"))["scores"]["test"]["fused"]["weighted_f1"]
    (point, _) = second["disturbances"]["words wrong"]["points"]
    assert (point["level"], point["weighted_f1"]["mean"]) == (0, pytest.approx(undisturbed))
    assert point["loss_of_weighted_f1"].items() >= {"mean": 0, "deviation": 0, "interval": None}.items()


def test_a_stopped_command_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert outcome(capsys, "full", "--output", str(whole), *QUICK)[0] == 0
    calls = 0
    run = run_model

    def until(*arguments: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 6:
            raise KeyboardInterrupt
        return run(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(measure_module, "run_model", until)
    assert outcome(capsys, "full", "--output", str(cut), *QUICK)[0] == 130
    assert [path.name for path in cut.iterdir()] == ["points.jsonl"]
    capsys.readouterr()
    assert "exists already" in refused(capsys, "full", "--output", str(cut), *QUICK)
    assert outcome(capsys, "full", "--output", str(cut), *QUICK, "--resume")[0] == 0
    total = len((whole / "points.jsonl").read_text("utf-8").splitlines())
    assert calls == 6 + total - 5  # the five that were made are not made again
    for name in ("robustness.json", "robustness.md"):
        ours, theirs = ((folder / name).read_text("utf-8").split("\n", 2)[2] for folder in (whole, cut))
        assert ours == theirs
    assert outcome(capsys, "full", "--output", str(cut), *QUICK, "--overwrite")[0] == 0
    assert calls == 6 + total - 5 + total


def test_what_cannot_be_tried_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = copytree("other", tmp_path / "run")
    config = json.loads((run / "model" / "config.json").read_text("utf-8"))
    config["encoders"]["words"] = "roberta-large"
    (run / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    code, out, _ = outcome(capsys, str(run), "--output", str(tmp_path / "out"), *QUICK)
    assert code == 0
    assert "note: run: words wrong: omitted: no text encoder of the model is available" in out
    assert "words wrong: weighted F1" not in out


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    nothing = ("--missing", "none", "--noise", "none", "--speakers", "none", "--words", "none")
    assert "no degradation can be applied" in refused(capsys, "full", "--output", out, *nothing)
    file = "full/seed-0/predictions/test.jsonl"
    assert "name runs" in refused(capsys, file, "--output", out)
    assert "contradict each other" in refused(capsys, "full", "--output", out, "--resume", "--overwrite")
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("x")
    for option in ("--overwrite", "--resume"):
        assert "'thesis.tex'" in refused(capsys, "full", "--output", str(tmp_path / "precious"), option)
    assert not Path(out).exists()


@pytest.mark.parametrize("value", ["", "0", "101", "-5", "x", "nan", "inf"])
def test_levels_that_are_none(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["robustness", "full", "--output", "out", f"--missing={value}"])
    assert "numbers above 0 up to 100" in capsys.readouterr().err
