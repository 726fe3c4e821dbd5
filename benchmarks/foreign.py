"""How a model does on text in languages that it was not trained on, and the temperature that calibrates it there.

    python -m benchmarks.foreign XED/Projections             the bundled model on de-projections.tsv and the others

A line of a file is a text and the numbers of its emotions. 1,500 lines with one of Ekman's emotions are drawn from each
file (seed 0) and predicted in conversations of five; only those that are recognised as foreign count.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sdt.conversation import Conversation, Utterance
from sdt.corpus.importers.xed import EMOTIONS, NOT_EKMAN
from sdt.evaluation.calibration import fit_temperature
from sdt.language import foreign_language
from sdt.models.hub import DEFAULT
from sdt.prediction import Pipeline
from sdt.prediction.readability import FOREIGN_TEMPERATURE

LINES, SIZE = 1500, 5


def read(path: Path) -> list[tuple[str, str]]:
    """The texts with a single emotion, and this emotion."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    single = [(row[0], EMOTIONS[int(row[1]) - 1]) for row in rows if len(row) == 2 and row[1].strip() in "12345678"]
    found = [(text, emotion) for text, emotion in single if emotion not in NOT_EKMAN]
    random.Random(0).shuffle(found)
    return found[:LINES]


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="files of XED in other languages")
    parser.add_argument("--model", default=DEFAULT, help="default: the bundled model")
    options = parser.parse_args()
    pipeline = Pipeline.from_pretrained(options.model)
    labels, languages = list(pipeline.config.labels), pipeline.config.languages
    table = Table("file", "lines", "right, %", "mean probability before, %", "after, %", "temperature")
    for path in sorted(options.folder.glob("*.tsv")):
        rows = read(path)
        parts = [rows[first : first + SIZE] for first in range(0, len(rows), SIZE)]
        parts = [part for part in parts if foreign_language(" ".join(text for text, _ in part), languages)]
        talks = [
            Conversation(str(number), tuple(Utterance(str(n), "Ann", text) for n, (text, _) in enumerate(part)))
            for number, part in enumerate(parts)
        ]
        shown = np.array([[one.probabilities[label] for label in labels] for one in pipeline(talks)])  # [N, C]
        before = shown**FOREIGN_TEMPERATURE
        before /= before.sum(axis=1, keepdims=True)
        true = np.array([labels.index(emotion) for part in parts for _, emotion in part])
        table.add_row(
            path.name,
            str(len(true)),
            f"{100 * np.mean(shown.argmax(axis=1) == true):.1f}",
            f"{100 * before.max(axis=1).mean():.0f}",
            f"{100 * shown.max(axis=1).mean():.0f}",
            f"{fit_temperature(before.astype(np.float32), true):.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
