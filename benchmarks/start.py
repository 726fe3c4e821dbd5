"""Start-up time: the wall time of commands in new processes.

python -m benchmarks.start
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.evaluation.table import plain_table
from sdt.feature_table import FeatureTable
from sdt.puppets.emotions import EMOTIONS
from sdt.puppets.generate import generate
from sdt.speakers import Speakers

OPEN = "import sys; from sdt.corpus.store import Corpus; Corpus.open(sys.argv[1])"


def commands(corpus: Path) -> dict[str, list[str]]:
    """Commands by name, including the bare interpreter for comparison."""
    python = [sys.executable]
    return {
        "python, nothing imported": [*python, "-c", "pass"],
        "import sdt": [*python, "-c", "import sdt"],
        "sdt --help": [*python, "-m", "sdt", "--help"],
        "sdt train --help": [*python, "-m", "sdt", "train", "--help"],
        "sdt predict --help": [*python, "-m", "sdt", "predict", "--help"],
        "open a corpus": [*python, "-c", OPEN, str(corpus)],
        "import sdt, and its model": [*python, "-c", "import sdt; sdt.SDT"],
        "import torch": [*python, "-c", "import torch"],
    }


def seconds(command: Sequence[str]) -> float:
    """The wall time of a process in seconds."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def imports_torch(command: Sequence[str]) -> bool:
    """Whether a Python command imports torch, according to `-X importtime`."""
    python, *rest = command
    done = subprocess.run([python, "-X", "importtime", *rest], check=True, capture_output=True, text=True)
    return any(line.rpartition("|")[2].strip() == "torch" for line in done.stderr.splitlines())


def measure(corpus: Path, repeats: int) -> dict[str, list[float]]:
    """Measure the seconds of every command, in alternation; the first round fills the disk cache and is discarded."""
    found: dict[str, list[float]] = {name: [] for name in commands(corpus)}
    for index in report.rounds(repeats + 1, "start"):
        for name, command in commands(corpus).items():
            taken = seconds(command)
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


def results(found: Mapping[str, Sequence[float]], torch: Mapping[str, bool]) -> dict[str, Any]:
    """Values for the JSON file."""
    return {
        "commands": {
            name: {"seconds": report.spread(taken), "imports_torch": torch[name], "turns": list(taken)}
            for name, taken in found.items()
        }
    }


def show(found: Mapping[str, Sequence[float]], torch: Mapping[str, bool], note: str) -> None:
    """Print the results."""
    table = plain_table("new process", "milliseconds", "imports torch")
    for name, taken in found.items():
        table.add_row(name, report.median_range([1000 * s for s in taken], 0), "yes" if torch[name] else "no")
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


def _measured(options: argparse.Namespace, place: Path) -> tuple[dict[str, list[float]], dict[str, bool]]:
    corpus = options.corpus or place / "corpus"
    if options.corpus is None:
        make_corpus(corpus, options.conversations)
    torch = {name: imports_torch(command) for name, command in commands(corpus).items()}
    return measure(corpus, options.repeats), torch


if __name__ == "__main__":
    report.run(main)
