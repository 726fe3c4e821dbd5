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
    """One score over R runs; a fraction from 0 to 1."""

    mean: float
    deviation: float
    """The sample standard deviation (divided by R - 1); 0 for a single run."""
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some numbers."""
        deviation = statistics.stdev(values) if len(values) > 1 else 0.0
        return cls(statistics.mean(values), deviation, min(values), max(values))

    def __str__(self) -> str:
        return f"{100 * self.mean:.2f} ± {100 * self.deviation:.2f}"


@dataclass(frozen=True)
class Summary:
    """What R runs came to on one split."""

    classifiers: Mapping[str, Mapping[str, Spread]]
    """Head to the spread of each metric, by name."""
    classes: Mapping[str, Spread]
    """Label to the fused prediction's F1."""
    runs: int = 1
    """R."""
    absent: Sequence[str] = ()
    """The labels that the split does not have; their F1 is 0 by convention."""

    @classmethod
    def of(cls, runs: Sequence[Mapping[str, Scores]]) -> Summary:
        """Summarise runs, each a mapping from head to scores; all have the same heads and labels."""
        return cls(
            classifiers={
                head: {name: Spread.of([scores[head].metrics[name] for scores in runs]) for name in metrics()}
                for head in runs[0]
            },
            classes={
                label: Spread.of([scores[FUSED].classes[label].f1 for scores in runs])
                for label in runs[0][FUSED].classes
            },
            runs=len(runs),
            absent=runs[0][FUSED].absent,
        )


CLASSES = ("class", "F1 of the fused prediction")


def tables(summary: Summary) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """The two tables of a summary as (columns, rows): heads, then classes."""

    def shown(of: Spread, name: str = MAIN) -> str:
        """One run has no standard deviation."""
        text = measure(name).text
        return f"{text(of.mean)} ± {text(of.deviation)}" if summary.runs > 1 else text(of.mean)

    columns = ("classifier", *(metric.title for metric in metrics().values()))
    heads: list[tuple[str, ...]] = [
        (head, *(shown(spreads[name], name) for name in metrics())) for head, spreads in summary.classifiers.items()
    ]
    classes: list[tuple[str, ...]] = [
        (label, "–" if label in summary.absent else shown(of)) for label, of in summary.classes.items()
    ]
    return [(columns, heads), (CLASSES, classes)]


def rich_tables(summary: Summary) -> Iterator[Table]:
    """The tables for a terminal."""
    from sdt.evaluation.table import plain_table

    for columns, rows in tables(summary):
        table = plain_table(*columns)
        for row in rows:
            table.add_row(*row)
        yield table


def markdown(summary: Summary) -> str:
    """The tables for a page."""
    return "\n\n".join(markdown_table(columns, rows) for columns, rows in tables(summary)) + "\n"
