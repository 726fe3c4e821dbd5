"""A linear classifier of single utterances: a baseline that every model of a corpus should exceed.

It standardises the features by the train split (missing ones are zero), fits a logistic regression for several
strengths of the penalty, selects the one with the best weighted F1 on dev, and scores test once.

    python -m benchmarks.linear build/meld --modalities text,audio
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler

from sdt.corpus.store import Corpus
from sdt.errors import InputError

PENALTIES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 1e-1, 1.0)
"""Values of scikit-learn's C; smaller values regularise more."""


@dataclass(frozen=True)
class Linear:
    """The classifier with the best weighted F1 on dev; scores are fractions from 0 to 1."""

    dev: float
    penalty: float
    test: float
    """Weighted F1 on test."""
    accuracy: float
    """Accuracy on test."""


def fit(corpus: Corpus, names: Sequence[str]) -> Linear:
    """Fit on train, select the penalty on dev, score test once."""
    (x, y), (x_dev, y_dev), (x_test, y_test) = (_matrix(corpus, split, names) for split in ("train", "dev", "test"))
    scaler = StandardScaler().fit(x)
    best: Linear | None = None
    for penalty in PENALTIES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # weak penalties converge slowly, and are not selected
            model = LogisticRegression(C=penalty, max_iter=200).fit(scaler.transform(x), y)
        dev = _weighted_f1(y_dev, model.predict(scaler.transform(x_dev)))
        if best is None or dev > best.dev:
            predicted = model.predict(scaler.transform(x_test))
            best = Linear(dev, penalty, _weighted_f1(y_test, predicted), float(np.mean(predicted == y_test)))
    assert best is not None
    return best


def _matrix(corpus: Corpus, split: str, names: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Features [n, D] and labels [n] of the labelled utterances."""
    rows, labels = [], []
    for conversation in corpus.split(split):
        at = corpus.rows(conversation.id)
        rows.append(np.concatenate([corpus.modalities[name].rows(at) for name in names], axis=1))
        labels += [utterance.label or "" for utterance in conversation.utterances]
    keep = np.array([bool(label) for label in labels])
    return np.concatenate(rows)[keep], np.array(labels)[keep]


def _weighted_f1(true: np.ndarray, predicted: np.ndarray) -> float:
    return float(f1_score(true, predicted, average="weighted", zero_division=0))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="a corpus folder")
    parser.add_argument("--modalities", help="separated by commas; default: all")
    options = parser.parse_args()
    corpus = Corpus.open(options.corpus)
    names = options.modalities.split(",") if options.modalities else list(corpus.modalities)
    for name in names:
        if name not in corpus.modalities:
            raise InputError(f"{options.corpus}: the corpus has no modality {name!r}")
    best = fit(corpus, names)
    print(
        f"{corpus.name}, linear classifier on {', '.join(names)}: dev weighted F1 {100 * best.dev:.2f} "
        f"(C = {best.penalty:g}); test weighted F1 {100 * best.test:.2f}, accuracy {100 * best.accuracy:.2f}"
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"linear.py: {error}")
