"""Start-up: the wall time and peak memory of commands in new processes; of the service, until it is ready.

python -m benchmarks.start
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import report
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.evaluation.table import plain_table
from sdt.feature_table import FeatureTable
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.generate import generate
from sdt.speakers import Speakers

OPEN = "import sys; from sdt.corpus.store import Corpus; Corpus.open(sys.argv[1])"
CHAT = """Ann: I got the job!
Ben: You are kidding, that is wonderful!
Ann: They want me to start on Monday, and I am scared to death.
"""
SERVES = "serve"
"""A command with this word is a service: its first line says that it is ready."""


LAUNCHER = """
import os, subprocess, sys, time
until, *command = sys.argv[1:]
begun = time.perf_counter()
process = subprocess.Popen(command, stdout=subprocess.PIPE)
process.stdout.readline() if until == "first line" else process.stdout.read()
ready = time.perf_counter() - begun
if until == "first line":
    process.terminate()
_, status, usage = os.wait4(process.pid, 0)
if until == "end" and status:
    sys.exit(1)
print(ready if until == "first line" else time.perf_counter() - begun, usage.ru_maxrss)
"""
"""A small process that runs a command: the peak memory of a process includes that of the one that starts it."""


class Start(NamedTuple):
    """One run of a command."""

    seconds: float
    """Wall time; of a service, until it is ready."""
    peak_bytes: int
    """Peak resident memory."""


def commands(corpus: Path) -> dict[str, list[str]]:
    """Commands by name, including the bare interpreter for comparison."""
    python = [sys.executable]
    chat = corpus.parent / "chat.txt"
    chat.write_text(CHAT, encoding="utf-8")
    predict = [*python, "-m", "sdt", "predict", str(chat)]
    serve = [*python, "-m", "sdt", SERVES, "--port", "0", "--transcriber", "none"]
    return {
        "python, nothing imported": [*python, "-c", "pass"],
        "import sdt": [*python, "-c", "import sdt"],
        "sdt --help": [*python, "-m", "sdt", "--help"],
        "sdt train --help": [*python, "-m", "sdt", "train", "--help"],
        "sdt predict --help": [*python, "-m", "sdt", "predict", "--help"],
        "sdt predict chat.txt": predict,
        "sdt predict chat.txt --engine torch": [*predict, "--engine", "torch"],
        "sdt serve, until it is ready": serve,
        "sdt serve --engine torch, until it is ready": [*serve, "--engine", "torch"],
        "open a corpus": [*python, "-c", OPEN, str(corpus)],
        "import sdt, and its model": [*python, "-c", "import sdt; sdt.SDT"],
        "import torch": [*python, "-c", "import torch"],
    }


def start(command: Sequence[str]) -> Start:
    """Run a command once.

    Raises:
        CalledProcessError: The command fails.
    """
    launched = [sys.executable, "-c", LAUNCHER, "first line" if SERVES in command else "end", *command]
    done = subprocess.run(launched, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    taken, peak = done.stdout.split()
    return Start(float(taken), 1024 * int(peak))


def imports_torch(command: Sequence[str]) -> bool:
    """Whether a Python command imports torch, according to `-X importtime`."""
    python, *rest = command
    with tempfile.TemporaryFile("w+") as imports:
        process = subprocess.Popen([python, "-X", "importtime", *rest], stdout=subprocess.PIPE, stderr=imports)
        assert process.stdout is not None
        if SERVES in command:
            process.stdout.readline()
            process.terminate()
        process.communicate()
        imports.seek(0)
        return any(line.rpartition("|")[2].strip() == "torch" for line in imports)


def measure(corpus: Path, repeats: int) -> dict[str, list[Start]]:
    """Measure every command, in alternation; the first round fills the disk cache and is discarded."""
    found: dict[str, list[Start]] = {name: [] for name in commands(corpus)}
    for index in report.rounds(repeats + 1, "start"):
        for name, command in commands(corpus).items():
            taken = start(command)
            if index:
                found[name].append(taken)
    return found


def make_corpus(folder: Path, conversations: int) -> None:
    """Write a corpus of generated conversations."""
    scenes = generate(0, conversations)
    splits: dict[str, list[str]] = {"train": [], "dev": [], "test": []}
    for scene in scenes:
        splits[scene.split].append(scene.conversation.id)
    talks = [scene.conversation for scene in scenes]
    size = sum(map(len, talks))
    tables = {
        name: FeatureTable(np.zeros((size, width), np.float32), np.ones(size, np.bool_), "zeros")
        for name, width in (("text", 256), ("audio", 174), ("visual", 322))
    }
    speakers = Speakers.from_conversations(talks, "appearance")
    write_corpus(CorpusBuilder("puppets", talks, tuple(EMOTIONS), splits, tables, speakers), folder)


def results(found: Mapping[str, Sequence[Start]], torch: Mapping[str, bool]) -> dict[str, Any]:
    """Values for the JSON file."""
    return {
        "commands": {
            name: {
                "seconds": report.spread([of.seconds for of in taken]),
                "peak_bytes": report.spread([of.peak_bytes for of in taken]),
                "imports_torch": torch[name],
                "turns": [of.seconds for of in taken],
            }
            for name, taken in found.items()
        }
    }


def show(found: Mapping[str, Sequence[Start]], torch: Mapping[str, bool], note: str) -> None:
    """Print the results."""
    table = plain_table("new process", "milliseconds", "peak MiB", "imports torch")
    for name, taken in found.items():
        table.add_row(
            name,
            report.median_range([1000 * of.seconds for of in taken], 0),
            report.median_range([of.peak_bytes / 2**20 for of in taken], 0),
            "yes" if torch[name] else "no",
        )
    console = report.console()
    console.print(table)
    console.print(f"median (min-max) of {len(next(iter(found.values())))} rounds\n{note}")


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=15)
    parser.add_argument("--corpus", type=Path, help="the corpus to open; default: a generated one")
    parser.add_argument(
        "--conversations", type=report.positive, default=1000, help="of the generated corpus; default: %(default)s"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found, torch = _measured(options, Path(place))
    where = report.machine(options.threads)
    show(found, torch, report.caption(where))
    report.write_json(options.output or report.FOLDER / "start.json", "start", where, results(found, torch))


def _measured(options: argparse.Namespace, place: Path) -> tuple[dict[str, list[Start]], dict[str, bool]]:
    corpus = options.corpus or place / "corpus"
    if options.corpus is None:
        make_corpus(corpus, options.conversations)
    torch = {name: imports_torch(command) for name, command in commands(corpus).items()}
    return measure(corpus, options.repeats), torch


if __name__ == "__main__":
    report.run(main)
