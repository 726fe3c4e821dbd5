"""Scores as tables for a terminal, in percent with two decimals as the field prints them."""

from __future__ import annotations

from collections.abc import Mapping

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sdt.evaluation.scores import Scores
from sdt.model.config import FUSED


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
    table.add_column(first, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
