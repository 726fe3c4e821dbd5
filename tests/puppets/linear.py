"""A linear classifier on the same features as SDT: what there is to gain from more than one utterance at a time.

python -m tests.puppets.linear build/puppets
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from sdt.corpus.store import Corpus

STRENGTHS = (0.1, 1.0, 10.0)
"""Inverse strengths of the L2 penalty, from which dev chooses."""


def weighted_f1_on_test(corpus: Corpus, modalities: Sequence[str]) -> float:
    """Weighted F1 on test of logistic regression on the concatenated features (zero where missing)."""
    x, y = _split(corpus, "train", modalities)
    classifiers = [LogisticRegression(C=strength, max_iter=1000).fit(x, y) for strength in STRENGTHS]
    best = max(classifiers, key=lambda classifier: _weighted_f1(classifier, *_split(corpus, "dev", modalities)))
    return _weighted_f1(best, *_split(corpus, "test", modalities))


def _split(corpus: Corpus, split: str, modalities: Sequence[str]) -> tuple[npt.NDArray[np.float32], list[str]]:
    conversations = corpus.split(split)
    rows = [corpus.rows(conversation.id) for conversation in conversations]
    features = [np.concatenate([corpus.modalities[name].rows(r) for r in rows]) for name in modalities]
    return np.concatenate(features, axis=1), [str(u.label) for c in conversations for u in c.utterances]


def _weighted_f1(classifier: LogisticRegression, x: npt.NDArray[np.float32], y: list[str]) -> float:
    return float(f1_score(y, classifier.predict(x), average="weighted"))


if __name__ == "__main__":
    opened = Corpus.open(Path(sys.argv[1]))
    for chosen in ([*opened.modalities], *([name] for name in opened.modalities)):
        print(f"{100 * weighted_f1_on_test(opened, chosen):.2f}  {' + '.join(chosen)}")
