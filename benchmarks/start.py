"""How long one waits before anything happens: every command in fresh processes, by the clock on the wall.

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
    """What is started, by name; the bare interpreter is there for comparison."""
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
    """From start to end of a process."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def imports_torch(command: Sequence[str]) -> bool:
    """Whether a Python command imports torch, as the interpreter itself reports it."""
    python, *rest = command
    done = subprocess.run([python, "-X", "importtime", *rest], check=True, capture_output=True, text=True)
    return any(line.rpartition("|")[2].strip() == "torch" for line in done.stderr.splitlines())


def measure(corpus: Path, repeats: int) -> dict[str, list[float]]:
    """Seconds of every command, in turn; the first turn fills the disk cache and does not count."""
    found: dict[str, list[float]] = {name: [] for name in commands(corpus)}
    for turn in report.turns(repeats + 1, "start"):
        for name, command in commands(corpus).items():
            taken = seconds(command)
            if turn:
                found[name].append(taken)
    return found


def puppet_corpus(folder: Path, conversations: int) -> None:
    """A corpus of generated conversations, so that there is one to open."""
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
    """For the JSON file."""
    return {
        "commands": {
            name: {"seconds": report.spread(taken), "imports_torch": torch[name], "turns": list(taken)}
            for name, taken in found.items()
        }
    }


def show(found: Mapping[str, Sequence[float]], torch: Mapping[str, bool], note: str) -> None:
    """Print the table."""
    table = plain_table("fresh process", "milliseconds", "imports torch")
    for name, taken in found.items():
        table.add_row(name, report.shown([1000 * s for s in taken], 0), "yes" if torch[name] else "no")
    console = report.console()
    console.print(table)
    console.print(f"median (lowest-highest) of {len(next(iter(found.values())))} turns\n{note}")


def main() -> None:
    """Measure, print, write."""
    parser = report.parser(__doc__, repeats=15)
    parser.add_argument("--corpus", type=Path, help="to open; default: one of generated conversations")
    parser.add_argument("--conversations", type=report.positive, default=1000, help="of that; default: %(default)s")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found, torch = _measured(options, Path(place))
    where = report.machine(options.threads)
    show(found, torch, report.caption(where))
    report.write_json(options.output or report.PLACE / "start.json", "start", where, results(found, torch))


def _measured(options: argparse.Namespace, place: Path) -> tuple[dict[str, list[float]], dict[str, bool]]:
    corpus = options.corpus or place / "corpus"
    if options.corpus is None:
        puppet_corpus(corpus, options.conversations)
    torch = {name: imports_torch(command) for name, command in commands(corpus).items()}
    return measure(corpus, options.repeats), torch


if __name__ == "__main__":
    report.run(main)
