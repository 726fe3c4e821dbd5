"""How often a model is right about everyday lines, each predicted alone: by kind of line, with 95 % intervals.

    python -m benchmarks.everyday                       the split dev of data/everyday.csv, with the bundled model
    python -m benchmarks.everyday runs/mine --split test --confused

docs/corpora.md describes the lines. The split test is for the model that is chosen at last. A line whose emotion the
model does not know counts as wrong. Intervals are Wilson's.
"""

from __future__ import annotations

import argparse
import csv
import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sdt.conversation import Conversation, Utterance
from sdt.evaluation.calibration import calibrated_errors, calibration_error
from sdt.models.hub import DEFAULT
from sdt.prediction import Pipeline

LINES = Path(__file__).parents[1] / "data" / "everyday.csv"
LEVEL_Z = 1.96


def wilson(right: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z2 = right / total, LEVEL_Z**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = LEVEL_Z / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return middle - half, middle + half


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "model", nargs="?", default=DEFAULT, metavar="MODEL", help="a model or run folder; default: the bundled model"
    )
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--confused", action="store_true", help="print the lines that the model gets wrong")
    options = parser.parse_args()
    with LINES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == options.split]
    pipeline = Pipeline.from_pretrained(options.model)
    lines = [Conversation(str(n), (Utterance("0", "Ann", row["text"]),)) for n, row in enumerate(rows)]
    predictions = pipeline(lines)
    right: dict[str, list[bool]] = defaultdict(list)
    confusion: Counter[tuple[str, str]] = Counter()
    for row, one in zip(rows, predictions, strict=True):
        for group in ("all", row["kind"], row["label"]):
            right[group].append(one.emotion == row["label"])
        confusion[row["label"], one.emotion or ""] += one.emotion != row["label"]
        if options.confused and one.emotion != row["label"]:
            print(f"{row['emotion']:9} {one.emotion:9} {one.probability:.2f}  {row['kind']:14} {row['text']}")
    table = Table("lines", "number", "right, %", "95 % interval", title=f"everyday lines, {options.split}")
    for group, found in right.items():
        low, high = wilson(sum(found), len(found))
        table.add_row(
            group, str(len(found)), f"{100 * sum(found) / len(found):.1f}", f"{100 * low:.1f} to {100 * high:.1f}"
        )
    Console().print(table)
    print("most confused:", ", ".join(f"{a} as {b} {n}" for (a, b), n in confusion.most_common(6)))
    labels = list(predictions[0].probabilities)
    probabilities = np.array([[one.probabilities[label] for label in labels] for one in predictions], np.float32)
    # A label that the model does not know is a class that it never predicts.
    truth = np.array([labels.index(row["label"]) if row["label"] in labels else -1 for row in rows])
    by_chance = 100 * calibrated_errors(probabilities)
    low, high = np.quantile(by_chance, (0.025, 0.975))
    print(
        f"expected calibration error: {100 * calibration_error(probabilities, truth):.1f} %; of a calibrated "
        f"model with these probabilities: {by_chance.mean():.1f} % ({low:.1f} to {high:.1f})"
    )


if __name__ == "__main__":
    main()
