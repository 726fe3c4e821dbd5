"""Tables of scores for terminals, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sdt.escaping import latex_row, latex_text, markdown_paragraph, markdown_table
from sdt.evaluation.metrics import metrics
from sdt.evaluation.scores import ClassScores, Scores
from sdt.models.config import FUSED


@dataclass(frozen=True)
class Grid:
    """A table of text, for a terminal, for a page and for a paper."""

    title: str
    """Stands above."""
    columns: Sequence[str]
    """The first holds names, the others numbers."""
    rows: Sequence[Sequence[str]]

    def rich(self) -> Group:
        """For a terminal."""
        table = plain_table(*self.columns)
        for first, *rest in self.rows:
            table.add_row(Text(first), *map(Text, rest))
        return Group(Text(self.title, style="bold"), table)

    def markdown(self) -> str:
        """For a page: the title as a paragraph, and the table."""
        return f"{markdown_paragraph(self.title)}\n\n{markdown_table(self.columns, self.rows)}\n"

    def latex(self) -> str:
        """For a paper that loads the package booktabs: a `table` with the title as its caption."""
        head, *rows = [latex_row(map(latex_text, row)) for row in (self.columns, *self.rows)]
        lines = [
            r"\begin{table}",
            rf"\caption{{{latex_text(self.title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.columns) - 1)}}}",
            *(r"\toprule", head, r"\midrule", *rows, r"\bottomrule"),
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"


def classifiers_table(scores: Mapping[str, Scores], title: str) -> Group:
    """One row for each head, one column for each metric.

    Args:
        scores: Head (`fused`, then each modality) to its scores.
        title: What was scored, with the caveat where there is one (`scores.caveat`); stands above the table.
    """
    table = plain_table(*metric_columns())
    for head, of in scores.items():
        table.add_row(Text(head), *metric_cells(of), style="bold" if head == FUSED else None)
    return Group(Text(title, style="bold"), table)


def metric_columns() -> tuple[str, ...]:
    """The columns of a table with one row for each head: `head`, then the metrics."""
    return ("classifier", *(metric.title for metric in metrics().values()))


def metric_cells(scores: Scores) -> list[str]:
    """The value of each metric as tables show it."""
    return [metric.text(scores.metrics[name]) for name, metric in metrics().items()]


def classes_table(scores: Scores, title: str) -> Group:
    """One row for each class: precision, recall, F1 and support.

    Args:
        scores: The scores of one head.
        title: As in `classifiers_table`.
    """
    table = plain_table("class", "precision", "recall", "F1", "support")
    for label, of in scores.classes.items():
        table.add_row(Text(label), *class_cells(of))
    return Group(Text(title, style="bold"), table)


def class_cells(of: ClassScores) -> tuple[str, str, str, str]:
    """Precision, recall, F1 and support of a class; `–` instead of recall and F1 where it does not occur."""
    found = (percent(of.recall), percent(of.f1)) if of.support else ("–", "–")
    return percent(of.precision), *found, f"{of.support:,}"


def percent(fraction: float) -> str:
    """A fraction in percent, with two decimals: `0.6655` gives `66.55`."""
    return f"{100 * fraction:.2f}"


def plain_table(first: str, *columns: str) -> Table:
    """A table of names and numbers: the first column is text, the others are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first, overflow="fold", min_width=6)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
