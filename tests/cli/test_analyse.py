"""`sdt analyse` as a user runs it."""

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
    folder = tmp_path_factory.mktemp("home")
    corpus = write_corpus(make_builder(test=15), folder / "tiny")
    for seed in range(2):
        make_run(folder / "full" / f"seed-{seed}", corpus, seed)
    make_run(folder / "other", corpus, 7)
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "80")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["analyse", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_everything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "analysis"
    command = ["analyse", "full", "b=other", "--context", "0,2,all", "--draws", "200", "--output", str(folder)]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert max(map(len, [line for line in out.splitlines() if " is " not in line and "written" not in line])) <= 80
    for expected in (
        "full, emotion shift of the speaker: against the same speaker's previous",
        "b, position: position in the conversation",
        "full, classes by their share of train",
        "full, confused classes",
        "full, by number of previous utterances",
        "all before",
        "whole",
        "if the emotion changes than if it stays the same (95 % interval of the difference",
    ):
        assert expected in out
    names = ["analysis.json", "analysis.md", "analysis.tex", "context.png", "parts.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    found = json.loads((folder / "analysis.json").read_text("utf-8"))
    first, second = found["systems"]
    assert (first["system"], first["runs"], second["system"]) == ("full", 2, "b")
    assert set(first["context"]) == {"0 before", "2 before", "all before", "whole conversation"}
    whole = first["context"]["whole conversation"]
    assert whole["weighted_f1"] == first["whole"]["weighted_f1"]
    assert whole["loss_of_weighted_f1"].items() >= {"mean": 0, "deviation": 0, "interval": None}.items()
    sizes = {sum(part["utterances"] for part in of.values()) for of in first["divisions"].values()}
    assert sizes == {first["utterances"]}
    assert (folder / "analysis.md").read_text("utf-8").startswith("    sdt analyse full b=other --context 0,2,all")
    for name in ("parts.png", "context.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert "exists already" in refused(capsys, *command[1:])
    assert main([*command[:3], *command[5:], "--overwrite"]) == 0
    assert not (folder / "context.png").exists()


def test_files_of_other_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [(c.id, u.id) for c in Corpus.open("tiny").split("test") for u in c.utterances]
    mine = tmp_path / "mine.csv"
    mine.write_text("conversation,utterance,emotion\n" + "".join(f"{c},{u},glad\n" for c, u in rows), encoding="utf-8")
    assert main(["analyse", str(mine), "--corpus", "tiny", "--draws", "100"]) == 0
    assert "mine.csv, length" not in capsys.readouterr().out  # every utterance is as long as every other
    assert "--context runs the models again" in refused(capsys, str(mine), "--corpus", "tiny", "--context", "1")
    assert "name it with --corpus" in refused(capsys, "full", str(mine))


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = write_corpus(make_builder(test=15, seed=1), tmp_path / "corpus")
    assert "not the corpus of" in refused(capsys, "full", "--corpus", str(other.folder))
    make_run(tmp_path / "run", other, 1)
    assert "different" in refused(capsys, "full", str(tmp_path / "run"))
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.tex").write_text("x")
    assert "'thesis.tex'" in refused(capsys, "full", "--output", str(tmp_path / "precious"), "--overwrite")


@pytest.mark.parametrize("text", ["", "1,x", "-1", "1.5"])
def test_lengths_that_are_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["analyse", "full", f"--context={text}"])
    assert "is neither a number of utterances nor 'all'" in capsys.readouterr().err
