"""A document as Markdown, with its figures as files in a folder, and its tables as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sdt.escaping import latex_comment, latex_row, latex_text, markdown_code, markdown_paragraph, markdown_text
from sdt.experiments.report.document import Block, Code, Document, Figure, Items, Note, Paragraph, Section, Table

FIGURES = "figures"
"""The folder of the figures' files."""


def markdown_page(document: Document) -> str:
    """report.md."""
    numbers = document.numbers()
    parts = [f"# {markdown_text(document.title)}", markdown_paragraph(document.subtitle)]
    for section in document.sections:
        parts += _section(section, numbers, 2)
    parts.append(f"---\n\n{markdown_paragraph(document.foot)}")
    return "\n\n".join(parts) + "\n"


def _section(section: Section, numbers: Mapping[str, int], level: int) -> Iterator[str]:
    yield f"{'#' * level} {markdown_text(section.title)}"
    for block in section.blocks:
        yield _block(block, numbers)
    for part in section.sections:
        yield from _section(part, numbers, level + 1)


def _block(block: Block, numbers: Mapping[str, int]) -> str:
    match block:
        case Paragraph():
            return markdown_paragraph(block.text)
        case Items():
            return "\n".join(f"- {markdown_paragraph(item)}" for item in block.items)
        case Note():
            return f"> **Note.** {markdown_paragraph(block.text)}"
        case Code():
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", block.text)), 3)
            return f"{fence}text\n{block.text}\n{fence}"
        case Table():
            return _table(block, numbers[block.name])
        case Figure():
            head = _caption(f"Figure {numbers[block.name]}", block.title, block.caption)
            return f"![{markdown_text(block.alternative)}]({FIGURES}/{block.name}.svg)\n\n{head}"


def _table(table: Table, number: int) -> str:
    ruler = ["---:" if kind == "number" else "---" for _, kind in table.columns]
    lines = [[markdown_text(name) for name, _ in table.columns], ruler]
    for index, cells in enumerate(table.rows):
        texts = [
            markdown_code(cell) if kind == "code" else markdown_text(cell)
            for cell, (_, kind) in zip(cells, table.columns, strict=True)
        ]
        lines.append([f"**{text}**" if index in table.best and text else text for text in texts])
    head = _caption(f"Table {number}", table.title, table.caption)
    return f"{head}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _caption(number: str, title: str, rest: str) -> str:
    return f"**{number}. {markdown_text(title)}.** {markdown_text(rest)}".rstrip()


def latex_tables(document: Document) -> str:
    """tables.tex: every table that a paper may want, for the package booktabs."""
    head = [
        latex_comment(document.title),
        latex_comment(document.foot),
        r"% In the preamble: \usepackage{booktabs}. Each table is \ref{tab:NAME}.",
    ]
    chosen = (table for table in document.all(Table) if table.paper)
    return "\n".join([*head, *(f"\n{_latex_table(table)}" for table in chosen)]) + "\n"


def _latex_table(table: Table) -> str:
    return "\n".join(_latex_lines(table))


def _latex_lines(table: Table) -> Iterator[str]:
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
