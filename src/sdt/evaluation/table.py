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
    """A table of text with output as terminal table, Markdown and LaTeX."""

    title: str
    """Title above the table."""
    columns: Sequence[str]
    """Column titles; the first column contains names, the others numbers."""
    rows: Sequence[Sequence[str]]
    """The cells of each row."""

    def rich(self) -> Group:
        """Return a table for a terminal."""
        table = plain_table(*self.columns)
        for first, *rest in self.rows:
            table.add_row(Text(first), *map(Text, rest))
        return Group(Text(self.title, style="bold"), table)

    def markdown(self) -> str:
        """Return Markdown: the title as a paragraph, and the table."""
        return f"{markdown_paragraph(self.title)}\n\n{markdown_table(self.columns, self.rows)}\n"

    def latex(self) -> str:
        """Return a LaTeX `table` with the title as caption; needs the package booktabs."""
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
    """Create a table with one row per classifier and one column per metric.

    Args:
        scores: Classifier (`fused`, then modalities) to its scores.
        title: Title, including the caveat if there is one (`scores.caveat`).
    """
    table = plain_table(*metric_columns())
    for classifier, of in scores.items():
        table.add_row(Text(classifier), *metric_cells(of), style="bold" if classifier == FUSED else None)
    return Group(Text(title, style="bold"), table)


def metric_columns() -> tuple[str, ...]:
    """Column titles of a table with one row per classifier: `classifier`, then the metrics."""
    return ("classifier", *(metric.title for metric in metrics().values()))


def metric_cells(scores: Scores) -> list[str]:
    """Format the value of each metric for tables."""
    return [metric.text(scores.metrics[name]) for name, metric in metrics().items()]


def classes_table(scores: Scores, title: str) -> Group:
    """Create a table with one row per class: precision, recall, F1 and support.

    Args:
        scores: The scores of one classifier.
        title: See `classifiers_table`.
    """
    table = plain_table("class", "precision", "recall", "F1", "support")
    for label, of in scores.classes.items():
        table.add_row(Text(label), *class_cells(of))
    return Group(Text(title, style="bold"), table)


def class_cells(of: ClassScores) -> tuple[str, str, str, str]:
    """Precision, recall, F1 and support of a class; recall and F1 are `–` for a class that does not occur."""
    recall_f1 = (percent(of.recall), percent(of.f1)) if of.support else ("–", "–")
    return percent(of.precision), *recall_f1, f"{of.support:,}"


def percent(fraction: float) -> str:
    """Format a fraction in percent with two decimals: `0.6655` gives `66.55`."""
    return f"{100 * fraction:.2f}"


def plain_table(first: str, *columns: str) -> Table:
    """Create a table of names and numbers: the first column is text, the others are right-aligned."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(first, overflow="fold", min_width=6)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
