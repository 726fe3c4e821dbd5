"""Scores as tables for a terminal, in percent with two decimals as the field prints them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sdt.evaluation.scores import Scores
from sdt.model.config import FUSED


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
        ruler = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [[cell.replace("|", "\\|") for cell in row] for row in (self.columns, ruler, *self.rows)]
        return f"{self.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def latex(self) -> str:
        """For a paper that loads the package booktabs: a `table` with the title as its caption."""
        head, *rows = [" & ".join(map(latex_text, row)) + r" \\" for row in (self.columns, *self.rows)]
        lines = [
            r"\begin{table}",
            rf"\caption{{{latex_text(self.title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(self.columns) - 1)}}}",
            *(r"\toprule", head, r"\midrule", *rows, r"\bottomrule"),
            r"\end{tabular}",
            r"\end{table}",
        ]
        return "\n".join(lines) + "\n"


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "<": "$<$",
    ">": "$>$",
    "\n": " ",
}


def latex_text(text: str) -> str:
    """Text as LaTeX shows it; the hyphen before a number becomes a minus sign."""
    escaped = "".join(_LATEX.get(character, character) for character in text)
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", escaped)


def heads_table(scores: Mapping[str, Scores], title: str) -> Group:
    """One row for each head: accuracy, weighted F1, macro F1.

    Args:
        scores: Head (`fused`, then each modality) to its scores.
        title: What was scored, with the caveat where there is one (`scores.caveat`); stands above the table.
    """
    table = plain_table("head", "accuracy", "weighted F1", "macro F1")
    for head, of in scores.items():
        row = (of.accuracy, of.weighted_f1, of.macro_f1)
        table.add_row(Text(head), *map(percent, row), style="bold" if head == FUSED else None)
    return Group(Text(title, style="bold"), table)


def classes_table(scores: Scores, title: str) -> Group:
    """One row for each class: precision, recall, F1 and support.

    Args:
        scores: The scores of one head.
        title: As in `heads_table`.
    """
    table = plain_table("class", "precision", "recall", "F1", "support")
    for label, of in scores.classes.items():
        table.add_row(Text(label), percent(of.precision), percent(of.recall), percent(of.f1), f"{of.support:,}")
    return Group(Text(title, style="bold"), table)


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
