"""Mean and standard deviation of scores over runs that differ only in their seed."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table

from sdt.escaping import markdown_table
from sdt.evaluation.metrics import MAIN, measure, metrics
from sdt.evaluation.scores import Scores
from sdt.models.config import FUSED


@dataclass(frozen=True)
class Spread:
    """Statistics of a score over R runs; fractions from 0 to 1."""

    mean: float
    """Mean."""
    deviation: float
    """Sample standard deviation (divided by R - 1); 0 for a single run."""
    minimum: float
    """Minimum."""
    maximum: float
    """Maximum."""

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Compute the statistics of values."""
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.mean(values), deviation, min(values), max(values))

    def __str__(self) -> str:
        return f"{100 * self.mean:.2f} ± {100 * self.deviation:.2f}"


def spread_values(measured: Mapping[str, Spread]) -> dict[str, dict[str, float]]:
    """JSON values of statistics by measure."""
    return {
        name: {"mean": s.mean, "deviation": s.deviation, "minimum": s.minimum, "maximum": s.maximum}
        for name, s in measured.items()
    }


@dataclass(frozen=True)
class Summary:
    """Scores of R runs on one split."""

    classifiers: Mapping[str, Mapping[str, Spread]]
    """Classifier to metric to statistics."""
    classes: Mapping[str, Spread]
    """Label to the F1 of the fused classifier."""
    runs: int = 1
    """R."""
    absent: Sequence[str] = ()
    """Labels that do not occur in the split; their F1 is 0 by convention."""

    @classmethod
    def of(cls, runs: Sequence[Mapping[str, Scores]]) -> Summary:
        """Summarise runs, each a mapping from classifier to scores; all have the same classifiers and labels."""
        return cls(
            classifiers={
                classifier: {
                    name: Spread.of([scores[classifier].metrics[name] for scores in runs]) for name in metrics()
                }
                for classifier in runs[0]
            },
            classes={
                label: Spread.of([scores[FUSED].classes[label].f1 for scores in runs])
                for label in runs[0][FUSED].classes
            },
            runs=len(runs),
            absent=runs[0][FUSED].absent,
        )


CLASSES = ("class", "F1 of the fused classifier")


def tables(summary: Summary) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """The two tables of a summary as (columns, rows): classifiers, then classes."""

    def shown(of: Spread, name: str = MAIN) -> str:
        """Format statistics; a single run has no standard deviation."""
        text = measure(name).text
        return f"{text(of.mean)} ± {text(of.deviation)}" if summary.runs > 1 else text(of.mean)

    columns = ("classifier", *(metric.title for metric in metrics().values()))
    classifiers: list[tuple[str, ...]] = [
        (classifier, *(shown(spreads[name], name) for name in metrics()))
        for classifier, spreads in summary.classifiers.items()
    ]
    classes: list[tuple[str, ...]] = [
        (label, "–" if label in summary.absent else shown(of)) for label, of in summary.classes.items()
    ]
    return [(columns, classifiers), (CLASSES, classes)]


def rich_tables(summary: Summary) -> Iterator[Table]:
    """Yield the tables for a terminal."""
    from sdt.evaluation.table import plain_table

    for columns, rows in tables(summary):
        table = plain_table(*columns)
        for row in rows:
            table.add_row(*row)
        yield table


def markdown(summary: Summary) -> str:
    """Return the tables as Markdown."""
    return "\n\n".join(markdown_table(columns, rows) for columns, rows in tables(summary)) + "\n"
