"""Two real processes under torchrun, over the loopback device: the numbers of one process, and what happens when not
all goes well."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from sdt.corpus.builder import write_corpus
from sdt.training.folder import RunFolder
from sdt.training.recipe import dump_recipe
from sdt.training.run import train
from tests.training.conftest import make_builder
from tests.training.test_run import assert_same_run, metrics, quiet
from tests.training.together_driver import BATCHES, STOPPED, recipes, with_dropout

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("together"),
    pytest.mark.skipif(not torch.distributed.is_available(), reason="this PyTorch is built without torch.distributed"),
]
DRIVER = str(Path(__file__).with_name("together_driver.py"))
# Softmax does not change when all its scores do, so that a key's bias has no gradient but rounding; and Adam makes
# steps of one size out of it, whatever it is.
NO_GRADIENT = "key.bias"


@dataclass(frozen=True)
class Said:
    """What torchrun and its processes said."""

    code: int
    torchrun: str
    out: list[str]
    """By process."""
    errors: list[str]


def torchrun(place: Path, *words: str) -> Said:
    """Run a program in two processes."""
    log = place / "log"
    shutil.rmtree(log, ignore_errors=True)
    options = ["--standalone", "--nproc-per-node", "2", "--log-dir", str(log), "--redirects", "3"]
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo0" if sys.platform == "darwin" else "lo",
        "SDT_DIST_TIMEOUT": "30",
    }
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *options, *words],
        cwd=place, env=environment, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    said = [[path.read_text() for path in sorted(log.rglob(name))] for name in ("stdout.log", "stderr.log")]
    return Said(done.returncode, done.stderr, *said)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus of 13 training conversations, some of whose utterances have no label."""
    folder = tmp_path_factory.mktemp("together")
    builder = make_builder(train=13, dev=5, test=3)
    conversations = list(builder.conversations)
    for index, conversation in enumerate(conversations[:6]):
        utterances = tuple(
            dataclasses.replace(u, label=None) if index == 2 or number % 3 == 1 else u
            for number, u in enumerate(conversation.utterances)
        )
        conversations[index] = dataclasses.replace(conversation, utterances=utterances)
    builder.conversations = conversations
    write_corpus(builder, folder / "tiny")
    (folder / "tiny.yaml").write_text(dump_recipe(with_dropout(Path("tiny"))), encoding="utf-8")
    return folder


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def driven(place: Path) -> Said:
    """All that the driver does, in one start of two processes."""
    mistaken, killed = "train tiny.yaml --corpus nowhere --output wrong", "train tiny.yaml --output killed"
    return torchrun(place, DRIVER, "tiny", "two", mistaken, free_port(), killed, free_port())


@pytest.fixture(scope="module")
def two(place: Path, driven: Said) -> Path:
    """The runs of two processes; they say nothing."""
    assert len(list((place / "two").glob("mistaken-*"))) == 2, driven.errors
    assert [text.partition("---\n")[0] for text in driven.out] == ["", ""]
    return place / "two"


def numbers(values: Any, at: str = "") -> Iterator[tuple[str, float]]:
    """All numbers in JSON values, by their place."""
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        if isinstance(value, dict | list):
            yield from numbers(value, f"{at}{key}/")
        elif isinstance(value, int | float):
            yield f"{at}{key}", float(value)


def assert_same_numbers(one: Path, other: Path) -> None:
    """But for rounding: parameters, metrics of every epoch, scores of every split."""
    mine, theirs = (load_file(folder / "model" / "model.safetensors") for folder in (one, other))
    assert mine.keys() == theirs.keys()
    for name, tensor in mine.items():
        if not name.endswith(NO_GRADIENT):
            torch.testing.assert_close(theirs[name], tensor, atol=1e-5, rtol=0, msg=name)
    for found, expected in ((metrics(other), metrics(one)), (scores(other), scores(one))):
        assert dict(numbers(found)) == pytest.approx(dict(numbers(expected)), rel=1e-5, abs=1e-6)
    assert (one / "predictions" / "test.jsonl").exists()


def scores(folder: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return values


@pytest.mark.parametrize("name", [name for name in recipes(Path("tiny")) if name != STOPPED])
def test_two_processes_come_to_what_one_comes_to(
    name: str, place: Path, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    train(recipes(Path("tiny"))[name], place / "one" / name, display=quiet())
    assert_same_numbers(place / "one" / name, two / name)
    surroundings = json.loads((two / name / "environment.json").read_text(encoding="utf-8"))
    assert (surroundings["processes"], surroundings["backend"]) == (2, "gloo")
    assert "2 processes (gloo)" in (two / name / "model" / "README.md").read_text(encoding="utf-8")


def test_a_signal_to_one_stops_both_at_the_same_step_and_one_process_can_go_on(
    place: Path, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    assert {path.name for path in two.glob("stopped-*")} == {"stopped-0", "stopped-1"}
    assert RunFolder(two / STOPPED).epochs_done == 1
    recipe = recipes(Path("tiny"))[STOPPED]
    train(recipe, place / "one" / STOPPED, display=quiet())
    train(recipe, two / STOPPED, resume=True, display=quiet())
    assert_same_numbers(place / "one" / STOPPED, two / STOPPED)
    surroundings = json.loads((two / STOPPED / "environment.json").read_text(encoding="utf-8"))
    assert [surroundings["processes"], *(again["processes"] for again in surroundings["resumed"])] == [2, 1]


def test_a_dead_process_ends_the_run_and_the_shown_command_goes_on(place: Path, driven: Said, two: Path) -> None:
    assert BATCHES == -(-13 // 4)
    assert driven.code == 1
    assert "SIGKILL" in driven.torchrun
    (out, errors), (others, other_errors) = (
        [text.partition("---\n")[2] for text in (driven.out[rank], driven.errors[rank])] for rank in (0, 1)
    )
    assert "epoch 2/5" in out
    assert others == other_errors == ""
    (message,) = errors.splitlines()
    assert message.startswith("sdt: another process of the run has ended or cannot be reached (")
    stopped, _, again = message.partition("; resume with: ")
    assert stopped.endswith("stopped after epoch 2 of 5")
    assert len(metrics(place / "killed")) == 2

    words = shlex.split(again)
    assert words[:5] == ["torchrun", "--standalone", "--nproc-per-node", "2", "-m"]
    gone_on = torchrun(place, *words[4:])
    assert gone_on.code == 0, gone_on.errors
    assert "resuming after epoch 2" in gone_on.out[0]
    assert gone_on.out[1] == gone_on.errors[1] == gone_on.errors[0] == ""
    assert_same_run(two / "dropout", place / "killed")


def test_a_mistake_is_told_once(place: Path, driven: Said, two: Path) -> None:
    assert [(two / f"mistaken-{rank}").read_text() for rank in (0, 1)] == ["2", "2"]
    said = [text.partition("---\n")[0] for text in driven.errors]
    assert said[1] == ""
    assert said[0].startswith("sdt: nowhere: not a corpus folder")
    assert said[0].count("\n") == 1
    assert not (place / "wrong").exists()
