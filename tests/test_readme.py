"""Every command of the README and of the pages for a start is run, in order, and the Python examples too."""

from __future__ import annotations

import contextlib
import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest

from sdt.__main__ import main
from tests.experiments.conftest import processes
from tests.forks import fork
from tests.shared import ROOT, SHARED_DATA

__all__ = ["processes"]

PAGES = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/get-started/engineer.md", "docs/get-started/researcher.md")
}
README = PAGES["README.md"]
COMMANDS = [
    line.removeprefix("$ ")
    for page in PAGES.values()
    for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
SETUP = {"make demo", "make test"}
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("readme")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like the repository's root, with files of one's own beside, as the README assumes them."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("recipes", "Makefile"):
        (folder / name).symlink_to(ROOT / name)
    example = re.search(r"```text\n(conversation,order.*?)```", README, re.DOTALL)
    assert example, "the README shows no table of utterances"
    head, *rows = example[1].splitlines()
    lines = [head]
    for number, split in enumerate(["train"] * 6 + ["dev"] * 2 + ["test"] * 2):
        lines += [row.replace("call-17", f"call-{number}").replace("train", split) for row in rows]
    (folder / "my").mkdir()
    (folder / "my" / "utterances.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    audio = np.random.default_rng(0).normal(size=(len(lines) - 1, 5))
    audio[3] = np.nan
    np.save(folder / "my" / "audio.npy", audio)
    chat = re.search(r"```text\n(Ann: .*?)```", README, re.DOTALL)
    assert chat, "the README shows no transcript"
    (folder / "chat.txt").write_text(chat[1], encoding="utf-8")
    if SHARED_DATA is not None:
        for path in (SHARED_DATA / "meld").glob("*.csv"):
            _begin_of(path, folder / path.name)
    return folder


def _begin_of(path: Path, target: Path) -> None:
    """The first dialogues of one of MELD's files: what the README does with all of them takes minutes."""
    with path.open(encoding="utf-8", newline="") as source, target.open("w", encoding="utf-8", newline="") as file:
        rows = csv.reader(source)
        head = next(rows)
        dialogue = head.index("Dialogue_ID") if "Dialogue_ID" in head else None
        writer = csv.writer(file)
        writer.writerow(head)
        for row in rows:
            if dialogue is None or int(row[dialogue]) < 20:
                writer.writerow(row)


ENVIRONMENT = {
    **os.environ,
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "HF_HUB_OFFLINE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
}


def run(command: str, folder: Path) -> str:
    """Run a command as a user would, with this environment's `sdt` on the path."""
    done = subprocess.run(
        shlex.split(command), cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def run_fork(command: str, folder: Path) -> str:
    """Run a command of `sdt` in a process that has imported everything."""
    program, *words = shlex.split(command)
    assert program == "sdt"
    with contextlib.chdir(folder), TemporaryFile("w+") as errors, fork("sdt", words, ENVIRONMENT, stderr=errors) as one:
        said: str = one.stdout.read()
        code = one.wait()
        errors.seek(0)
        assert code == 0, f"$ {command}\n{said[-2000:]}\n{errors.read()[-2000:]}"
    return said


def demo_commands() -> list[str]:
    """What `make demo` runs once everything is installed, as make itself says it; a few conversations and epochs."""
    few = ["CONVERSATIONS=6", "TRAINING=--training.epochs 3"]
    make = ["make", "--dry-run", "demo", f"PYTHON={sys.executable}", *few]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, check=True)
    return [f"sdt {words.strip()}" for words in re.findall(r"bin/sdt ([^&\n\\]+)", done.stdout)]


def test_the_two_commands_are_in_the_readme() -> None:
    assert set(COMMANDS) >= SETUP


@pytest.fixture(scope="module")
def printed(place: Path) -> list[str]:
    """What each command of the demo prints; the other tests use the corpus and the run that it leaves."""
    commands = demo_commands()
    assert [shlex.split(c)[1] for c in commands] == ["puppets", "corpus", "train", "report", "evaluate", "predict"]
    return [*(run_fork(command, place) for command in commands[:-1]), run(commands[-1], place)]


def test_the_demo(printed: list[str], place: Path) -> None:
    assert "runs/puppets" in printed[2]
    assert "fused" in printed[4]
    assert "puppets-files" in demo_commands()[5]
    assert all(modality in printed[5] for modality in ("text", "audio", "visual"))
    named = re.findall(r"@echo .* ([\w./$()-]+)\"", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(named) == 4
    assert all((place / name.replace("$(FILES)", "build/puppets-files")).exists() for name in named)


@pytest.mark.usefixtures("printed", "processes")
def test_the_other_commands(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """In this process; the demo's commands are processes."""
    monkeypatch.chdir(place)
    needs_meld = [c for c in COMMANDS if "meld" in c]
    for command in dict.fromkeys(COMMANDS):
        if command not in SETUP and (SHARED_DATA is not None or command not in needs_meld):
            program, *words = shlex.split(command)
            assert program == "sdt"
            assert main(words) == 0, f"$ {command}\n{capsys.readouterr()}"


@pytest.mark.parametrize("page", ["README.md", "docs/get-started/engineer.md"])
def test_the_python_example(place: Path, page: str) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGES[page], re.DOTALL)
    assert len(code.strip().splitlines()) <= 5
    said = run(shlex.join([sys.executable, "-c", code]), place)
    assert len(said.splitlines()) == 2
    assert "%" in said


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150
