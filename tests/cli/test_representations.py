"""`sdt representations` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sdt.__main__ import main
from tests.cli.test_evaluate import make_run
from tests.evaluation.small import small_corpus


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    make_run(folder / "run", small_corpus(folder / "small"))
    return folder


@pytest.fixture(autouse=True)
def _there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "80")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["representations", *map(str, arguments)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_files_and_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "spaces"
    assert main(["representations", "run", "--output", str(folder), "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("small, split test, 8 utterances\n")
    assert max(len(line) for line in out.splitlines() if "written" not in line) <= 80
    for name in ("text, features", "audio, before fusion", "after fusion"):
        assert name in out
    names = ["representations.csv", "representations.json", "representations.png"]
    assert sorted(path.name for path in folder.iterdir()) == names
    values = json.loads((folder / "representations.json").read_text("utf-8"))
    assert (values["model"], values["split"], values["utterances"]) == ("run", "test", 8)
    assert len((folder / "representations.csv").read_text("utf-8").splitlines()) == 9
    assert (folder / "representations.png").read_bytes().startswith(b"\x89PNG")
    assert "exists already" in refused(capsys, "run", "--output", folder)
    assert main(["representations", "run", "--output", str(folder), "--overwrite", "--at-most", "6"]) == 0
    assert "note: random sample of 6 of 8 annotated utterances" in capsys.readouterr().out


def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert "no split 'tset'; did you mean 'test'?" in refused(capsys, "run", "--split", "tset", "--output", out)
    assert "only 1 utterances are annotated" in refused(capsys, "run", "--split", "dev", "--output", out)
    assert "--corpus FOLDER" in refused(capsys, "run/model", "--output", out)
    mute = small_corpus(tmp_path / "mute", widths={"text": 5})
    assert "no modality 'audio'" in refused(capsys, "run", "--corpus", mute.folder, "--output", out)
    assert not out.exists()


@pytest.mark.parametrize("seed", ["-1", "x", str(2**32)])
def test_seeds_that_are_none(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["representations", "run", "--output", "out", f"--seed={seed}"])
    assert "is not a whole number" in capsys.readouterr().err
