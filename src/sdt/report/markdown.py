"""A document as Markdown, with its figures as files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sdt.report.document import Block, Code, Document, Figure, Items, Note, Paragraph, Section, Table

FIGURES = "figures"
"""The folder of the figures' files."""


def page(document: Document) -> str:
    """report.md."""
    numbers = document.numbers()
    parts = [f"# {inline(document.title)}", escaped(document.subtitle)]
    for section in document.sections:
        parts += _section(section, numbers, 2)
    parts.append(f"---\n\n{escaped(document.foot)}")
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Text as Markdown shows it, on a line of its own."""
    # What begins a list, a heading or a rule at the start of a line.
    return re.sub(r"^(\d+)([.)] )|^([#+=-])", lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", inline(text))


def inline(text: str) -> str:
    """Text as Markdown shows it, within a line."""
    line = re.sub(r"([\\`*_\[\]|~])", r"\\\1", " ".join(text.split()))
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _section(section: Section, numbers: Mapping[str, int], level: int) -> Iterator[str]:
    yield f"{'#' * level} {inline(section.title)}"
    for block in section.blocks:
        yield _block(block, numbers)
    for part in section.sections:
        yield from _section(part, numbers, level + 1)


def _block(block: Block, numbers: Mapping[str, int]) -> str:
    match block:
        case Paragraph():
            return escaped(block.text)
        case Items():
            return "\n".join(f"- {escaped(item)}" for item in block.items)
        case Note():
            return f"> **Note.** {escaped(block.text)}"
        case Code():
            fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", block.text)), 3)
            return f"{fence}text\n{block.text}\n{fence}"
        case Table():
            return _table(block, numbers[block.name])
        case Figure():
            head = _caption(f"Figure {numbers[block.name]}", block.title, block.caption)
            return f"![{inline(block.alternative)}]({FIGURES}/{block.name}.svg)\n\n{head}"


def _table(table: Table, number: int) -> str:
    ruler = ["---:" if kind == "number" else "---" for _, kind in table.columns]
    lines = [[inline(name) for name, _ in table.columns], ruler]
    for index, cells in enumerate(table.rows):
        texts = [_code(cell) if kind == "code" else inline(cell) for cell, (_, kind) in zip(cells, table.columns)]  # noqa: B905
        lines.append([f"**{text}**" if index in table.best and text else text for text in texts])
    head = _caption(f"Table {number}", table.title, table.caption)
    return f"{head}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """What is typed; a bar would end the cell even there."""
    return f"`{text}`" if text and not set(text) & set("`|\n") else inline(text)


def _caption(number: str, title: str, rest: str) -> str:
    return f"**{number}. {inline(title)}.** {inline(rest)}".rstrip()
