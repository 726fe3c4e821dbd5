"""Scores of a model on the texts of corpora with other labels, by the labels that both have.

    python -m benchmarks.other_corpora build/goemotions-ekman build/xed-ekman      test, bundled model
    python -m benchmarks.other_corpora build/emorynlp --rename joyful=joy mad=anger sad=sadness scared=fear --split dev

Every conversation is predicted from its texts and speakers, as `sdt predict` does. Utterances whose label the model
does not have are context: they are not scored. Intervals are 95 %, by the bootstrap over conversations; for the
calibration error of a calibrated model, by labels drawn from the probabilities.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from sdt.corpus.store import Corpus
from sdt.evaluation.bootstrap import Resampling, interval, resample
from sdt.evaluation.calibration import calibrated_errors, calibration_error
from sdt.evaluation.counts import Counts
from sdt.evaluation.metrics import measure, measure_names
from sdt.models.hub import DEFAULT
from sdt.prediction import Pipeline

MEASURES = ("accuracy", "weighted_f1", "macro_f1")
BATCH = 64


def score(
    pipeline: Pipeline, corpus: Corpus, split: str, rename: Mapping[str, str], resampling: Resampling
) -> list[str]:
    """A row of the table: N utterances of C labels, B resamples."""
    talks = corpus.split(split)
    labels = list(pipeline.config.labels)
    true, conversation = [], []
    for number, talk in enumerate(talks):
        for utterance in talk.utterances:
            label = rename.get(utterance.label or "", utterance.label)
            true.append(labels.index(label) if label in labels else -1)
            conversation.append(number)
    found = [
        [one.probabilities[label] for label in labels]
        for first in range(0, len(talks), BATCH)
        for one in pipeline(list(talks[first : first + BATCH]))
    ]
    probabilities, truth = np.array(found, np.float32), np.array(true)  # [N, C], [N]
    scored = truth >= 0
    names, numbers = np.unique(np.array(conversation)[scored], return_inverse=True)
    counts = Counts.of(truth[scored], probabilities[scored].argmax(axis=1)[None], numbers, (len(names), len(labels)))
    values, drawn = counts.totals()[0], resample([counts], resampling)[0]  # [measures], [B, measures]
    columns = list(measure_names(labels))
    cells = []
    for name in MEASURES:
        column = columns.index(name)
        low, high, _ = interval(drawn[:, column], resampling.level, counts.conversations)
        cells.append(f"{100 * values[column]:.1f} ({100 * low:.1f} to {100 * high:.1f})")
    error = calibration_error(probabilities, truth)
    by_chance = 100 * calibrated_errors(probabilities[scored])
    low, high = np.quantile(by_chance, (0.025, 0.975))
    chance = f"{by_chance.mean():.1f} ({low:.1f} to {high:.1f})"
    return [corpus.name, f"{scored.sum():,} of {len(scored):,}", *cells, f"{100 * error:.1f}", chance]


def main() -> None:
    """Predict and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--model", default=DEFAULT, help="default: the bundled model")
    parser.add_argument("--split", default="test")
    parser.add_argument("--rename", nargs="+", default=[], metavar="OLD=NEW", help="labels to those of the model")
    options = parser.parse_args()
    rename = dict(pair.split("=", 1) for pair in options.rename)
    pipeline = Pipeline.from_pretrained(options.model)
    title = f"{options.model}, split {options.split}, %"
    columns = (*(measure(name).title for name in MEASURES), "calibration error", "of a calibrated model")
    table = Table("corpus", "utterances", *columns, title=title)
    for folder in options.corpora:
        table.add_row(*score(pipeline, Corpus.open(folder), options.split, rename, Resampling()))
    Console().print(table)


if __name__ == "__main__":
    main()
