"""Agreement of two annotators over an hour of talk: this package, scikit-learn and krippendorff, side by side.

    python -m benchmarks.agreement

The annotators segment ten conversations of about six minutes with slightly different boundaries, and disagree about a
third of the labels. This package computes every value with its interval (10,000 resamples); the libraries compute one
value each. scikit-learn weights pieces of time; krippendorff needs a row for each millisecond.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable

import numpy as np
from krippendorff import alpha
from rich.console import Console
from rich.table import Table
from sklearn.metrics import cohen_kappa_score

from sdt.evaluation.agreement import measure_agreement
from sdt.evaluation.bootstrap import Resampling
from sdt.evaluation.ratings import MISSING, Labelled, match_times

LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")


def annotators() -> dict[str, list[Labelled]]:
    """Two annotators' segments, from a fixed seed."""
    rng = np.random.default_rng(0)
    one, other = [], []
    for conversation in range(10):
        end = 0.0
        for number in range(120):
            start, end = end + rng.uniform(0, 0.3), end + rng.uniform(1, 5)
            label = LABELS[rng.integers(len(LABELS))]
            one.append(Labelled(str(conversation), str(number), label, "AB"[number % 2], start, end))
            if rng.uniform() < 0.4:
                label = LABELS[rng.integers(len(LABELS))]
            other.append(one[-1]._replace(label=label, start=start + 0.1, end=end - rng.uniform(0, 0.2)))
    return {"one": one, "other": other}


def main() -> None:
    """Compute and print."""
    ratings = match_times(annotators())
    assert ratings is not None
    both = (ratings.values != MISSING).all(axis=1)

    def by_krippendorff() -> float:
        counts = ratings.counts.astype(int)
        rows = np.repeat(np.where(ratings.values == MISSING, np.nan, ratings.values), counts, axis=0)
        return float(alpha(rows.T, level_of_measurement="nominal"))

    def by_scikit_learn() -> float:
        one, other = ratings.values[both].T
        return float(cohen_kappa_score(one, other, sample_weight=ratings.counts[both]))

    def ours() -> tuple[float, float]:
        found = measure_agreement(ratings, Resampling())
        return found.krippendorff_alpha.value, found.pairs[0].kappa

    table = Table("computed by", "alpha", "kappa", "seconds", "peak memory, GB")
    runs: dict[str, Callable[[], float | tuple[float, float]]] = {
        "this package: all values and intervals": ours,
        "scikit-learn: kappa": by_scikit_learn,
        "krippendorff: alpha": by_krippendorff,
    }
    for name, run in runs.items():
        started = time.perf_counter()
        found = run()
        seconds = time.perf_counter() - started
        values = found if isinstance(found, tuple) else (None, found) if "kappa" in name else (found, None)
        cells = ("" if value is None else f"{value:.6f}" for value in values)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        table.add_row(name, *cells, f"{seconds:.2f}", f"{peak:.1f}")
    console = Console()
    console.print(f"{len(ratings.counts):,} pieces of time, {ratings.compared / 1000:,.0f} s labelled by both")
    console.print(table)


if __name__ == "__main__":
    main()
