"""Whether the fusion weights follow what is informative: the weight of a modality with and without noise on it.

    python -m benchmarks.gates runs/gates/gated runs/gates/selective --corpus build/puppets

Noise is Gaussian, in standard deviations of each feature over train. A gate that works lowers the weight of the noisy
modality, and its score falls less. Groups of runs that differ only in their seed are given as folders or patterns.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from sdt.analysis.robustness.disturbances import Change, Noise, feature_deviations
from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import run_model
from sdt.evaluation.scores import score
from sdt.evaluation.table import plain_table
from sdt.models.base import Model
from sdt.models.config import FUSED
from sdt.training.group import Group


def measure(model: Model, corpus: Corpus, split: str, level: float, seed: int) -> list[dict[str, Any]]:
    """The weighted F1 and the mean fusion weights, without noise and with noise on each modality."""
    config = model.config
    changes: dict[str, Change | None] = {"": None}
    for modality in config.modalities:
        noise = Noise(modality, (level,), seed, feature_deviations(corpus, modality))
        changes[modality] = noise.at(level)
    rows = []
    for noisy, change in changes.items():
        outputs = run_model(model, corpus, corpus.split(split), change=change)
        assert outputs.weights is not None
        known = outputs.label >= 0
        scores = score(outputs.label[known], outputs.probabilities[FUSED].argmax(axis=1)[known], config.labels)
        weights = np.nanmean(outputs.weights, axis=0)  # [M]
        rows.append(
            {
                "noise": noisy,
                "weighted_f1": scores.weighted_f1,
                "weights": dict(zip(config.modalities, weights.tolist(), strict=True)),
            }
        )
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", help="groups of finished runs")
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--split", default="dev")
    parser.add_argument("--level", type=float, default=2.0, help="standard deviations of each feature")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=report.file_path)
    options = parser.parse_args()
    corpus = Corpus.open(options.corpus)
    found: dict[str, list[list[dict[str, Any]]]] = {}
    for name in options.runs:
        group = Group.find(name)
        models = [Model.from_pretrained(run.path) for run in group.runs]
        found[name] = [measure(model, corpus, options.split, options.level, options.seed) for model in models]
    modalities = list(next(iter(found.values()))[0][0]["weights"])
    table = plain_table("runs", "noise on", "weighted F1", *(f"weight of {name}" for name in modalities))
    for name, runs in found.items():
        for row in zip(*runs, strict=True):
            cells = [[100 * run["weighted_f1"] for run in row]]
            cells += [[100 * run["weights"][modality] for run in row] for modality in modalities]
            table.add_row(f"{name} ({len(runs)})", row[0]["noise"] or "none", *(_spread(values) for values in cells))
    where = report.machine(1)
    console = report.console()
    console.print(table)
    console.print(
        f"mean ± standard deviation over the runs, in percent; split {options.split}\n{report.caption(where)}"
    )
    report.write_json(options.output or report.FOLDER / "gates.json", "gates", where, {"runs": found})


def _spread(values: list[float]) -> str:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.1f} ± {deviation:.1f}"


if __name__ == "__main__":
    report.run(main)
