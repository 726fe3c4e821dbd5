"""The tables of a document for a paper."""

from __future__ import annotations

from collections.abc import Iterator

from sdt.escaping import latex_comment, latex_row, latex_text
from sdt.experiments.report.document import Document, Table


def tables(document: Document) -> str:
    """tables.tex: every table that a paper may want, for the package booktabs."""
    head = [
        latex_comment(document.title),
        latex_comment(document.foot),
        r"% In the preamble: \usepackage{booktabs}. Each table is \ref{tab:NAME}.",
    ]
    chosen = (table for table in document.all(Table) if table.paper)
    return "\n".join([*head, *(f"\n{_table(table)}" for table in chosen)]) + "\n"


def _table(table: Table) -> str:
    return "\n".join(_lines(table))


def _lines(table: Table) -> Iterator[str]:
    yield r"\begin{table}"
    yield r"\centering"
    yield rf"\caption{{{latex_text(table.title)}. {latex_text(table.caption)}".rstrip() + "}"
    yield rf"\label{{tab:{table.name}}}"
    yield rf"\begin{{tabular}}{{{''.join('r' if kind == 'number' else 'l' for _, kind in table.columns)}}}"
    yield r"\toprule"
    yield latex_row([latex_text(name) for name, _ in table.columns])
    yield r"\midrule"
    for number, cells in enumerate(table.rows):
        texts = [latex_text(cell) for cell in cells]
        yield latex_row([rf"\textbf{{{text}}}" if number in table.best and text else text for text in texts])
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table}"
