"""The elements of a report, independent of the output format.

A document is sections of blocks; `html`, `markdown` and `latex` write the same document in their languages. All text is
plain: a renderer escapes it, so that nothing a user called `<b>` or `a_b` can mean anything to a browser or to LaTeX.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from sdt.evaluation.table import Grid

Kind = Literal["text", "number", "code"]
"""What a column holds: words, numbers that are aligned to the right, or what is typed or hashed."""


@dataclass(frozen=True)
class Paragraph:
    """Some sentences."""

    text: str


@dataclass(frozen=True)
class Items:
    """Sentences below each other, each a point of its own."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Note:
    """What a reader must know before believing what stands around it."""

    text: str


@dataclass(frozen=True)
class Code:
    """What is typed, line by line."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of text. The first column names the rows."""

    name: str
    """Letters, digits and hyphens; what it is referred to by."""
    title: str
    """Stands above, in a few words."""
    columns: tuple[tuple[str, Kind], ...]
    rows: tuple[tuple[str, ...], ...]
    caption: str = ""
    """How to read it."""
    best: frozenset[int] = frozenset()
    """The numbers of rows that stand out."""
    paper: bool = True
    """Whether a paper may want it."""

    @classmethod
    def of(cls, name: str, grid: Grid, *, paper: bool = True) -> Table:
        """A table of names and numbers that other commands print."""
        first, *others = grid.columns
        columns: tuple[tuple[str, Kind], ...] = ((first, "text"), *((column, "number") for column in others))
        return cls(name, grid.title, columns, tuple(map(tuple, grid.rows)), paper=paper)


@dataclass(frozen=True)
class Figure:
    """A picture."""

    name: str
    """Letters, digits and hyphens; also that of its file."""
    title: str
    """Stands below, in a few words."""
    caption: str
    """What is seen, and how to read it."""
    alternative: str
    """What it shows, for those who do not see it."""
    svg: str = field(repr=False)
    """See `sdt.experiments.report.svg`."""


Block = Paragraph | Items | Note | Code | Table | Figure
B = TypeVar("B", Table, Figure)


@dataclass(frozen=True)
class Section:
    """A heading, and what stands below it."""

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
    """When and by what it was written; the one thing that is another each time."""

    def blocks(self) -> Iterator[Block]:
        """All of them, in reading order."""

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
        """Name of a table or figure to its number; tables and figures are counted apart.

        Raises:
            ValueError: Two have the same name.
        """
        tables, figures = [of.name for of in self.all(Table)], [of.name for of in self.all(Figure)]
        found = {name: n for names in (tables, figures) for n, name in enumerate(names, start=1)}
        if len(found) < len(tables) + len(figures):
            raise ValueError("two tables or figures have the same name")
        return found
