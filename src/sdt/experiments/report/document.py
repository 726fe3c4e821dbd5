"""The elements of a report, independent of the output format.

A document is sections of blocks; `render` writes the same document as HTML, Markdown and LaTeX. All text is plain: the
renderer escapes it, so that a label such as `<b>` or `a_b` has no effect in a browser or in LaTeX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from sdt.evaluation.table import Grid

Kind = Literal["text", "number", "code"]
"""The content of a column: text, numbers (aligned to the right), or code."""


@dataclass(frozen=True)
class Paragraph:
    """One paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """A highlighted warning."""

    text: str


@dataclass(frozen=True)
class Code:
    """Lines of code or commands."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of text. The first column names the rows."""

    name: str
    """Letters, digits and hyphens; the label in HTML and LaTeX."""
    title: str
    """A few words, above the table."""
    columns: tuple[tuple[str, Kind], ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    """How to read it."""
    best: frozenset[int] = frozenset()
    """The indices of highlighted rows."""
    paper: bool = True
    """Whether it is in tables.tex."""

    @classmethod
    def of(cls, name: str, grid: Grid, *, paper: bool = True) -> Table:
        """From a table of names and numbers that other commands print."""
        first, *others = grid.columns
        columns: tuple[tuple[str, Kind], ...] = ((first, "text"), *((column, "number") for column in others))
        return cls(name, grid.title, columns, tuple(map(tuple, grid.rows)), paper=paper)


@dataclass(frozen=True)
class Figure:
    """A picture."""

    name: str
    """Letters, digits and hyphens; also the name of its file."""
    title: str
    """A few words, below the figure."""
    caption: str
    """How to read it."""
    alternative: str
    """The text alternative for screen readers."""
    svg: str = field(repr=False)
    """See `sdt.experiments.report.svg`."""


Block = Paragraph | Items | Note | Code | Table | Figure
B = TypeVar("B", Table, Figure)


@dataclass(frozen=True)
class Section:
    """A heading with its blocks and subsections."""

    title: str
    blocks: Sequence[Block]
    sections: Sequence[Section] = ()


@dataclass(frozen=True)
class Document:
    """A report."""

    title: str
    subtitle: str
    sections: Sequence[Section]
    foot: str
    """The date and the version; the only text that differs between reports on the same runs."""

    def blocks(self) -> Iterator[Block]:
        """All blocks in reading order."""

        def inside(section: Section) -> Iterator[Block]:
            yield from section.blocks
            for part in section.sections:
                yield from inside(part)

        for section in self.sections:
            yield from inside(section)

    def all(self, kind: type[B]) -> list[B]:
        """Every table, or every figure, in reading order."""
        return [block for block in self.blocks() if isinstance(block, kind)]

    def numbers(self) -> Mapping[str, int]:
        """Name of a table or figure to its number; tables and figures are counted separately.

        Raises:
            ValueError: A name is not unique.
        """
        tables, figures = [of.name for of in self.all(Table)], [of.name for of in self.all(Figure)]
        found = {name: n for names in (tables, figures) for n, name in enumerate(names, start=1)}
        if len(found) < len(tables) + len(figures):
            raise ValueError("two tables or figures have the same name")
        return found
