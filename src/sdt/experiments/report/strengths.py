"""Section on the subgroups of the leading rows; see `sdt.analysis.subgroups`."""

from __future__ import annotations

from sdt.analysis.subgroups.report import Analysis, analyse
from sdt.errors import InputError
from sdt.evaluation.system import System
from sdt.evaluation.table import Grid
from sdt.experiments.report.document import Block, Items, Note, Paragraph, Section, Table
from sdt.experiments.report.study import Row, Study


def strengths(study: Study) -> Section | None:
    """None if no row has predictions."""
    parts = [
        _part(study, row, system, "" if number == 1 else f"-{number}")
        for number, row in enumerate(study.leading, start=1)
        if isinstance(system := study.systems.get(row.name), System)
    ]
    if not parts:
        return None
    title = "Where it is right and where it is wrong"
    explained = Paragraph(
        "The test set in parts, each scored by itself, with intervals by the bootstrap over conversations. Classes are "
        "not equally frequent in all parts; scores differ for that reason, too."
    )
    if len(parts) == 1:
        return Section(title, [explained, *parts[0].blocks])
    return Section(title, [explained], parts)


def _part(study: Study, row: Row, system: System, suffix: str) -> Section:
    assert row.result is not None
    try:
        (analysis,) = analyse([system], [row.result.group.corpus()], study.resampling)
    except InputError as error:
        return Section(row.name, [Note(f"The corpus is needed to divide the test set, and cannot be had: {error}.")])
    sentences = [s for s in analysis.sentences() if not s.startswith("note: ")]
    blocks: list[Block] = [Items(tuple(sentences))] if sentences else []
    return Section(row.name, [*blocks, *_tables(analysis, suffix)])


def _tables(analysis: Analysis, suffix: str) -> list[Table]:
    names = [*(division.name for division in analysis.divisions), "classes", "similar classes"]
    found = []
    for name, grid in zip(names, analysis.grids(), strict=True):
        title = grid.title[0].upper() + grid.title[1:] if not analysis.system.name else grid.title
        table = Grid(title, [_column(column) for column in grid.columns], grid.rows)
        found.append(Table.of(f"part-{name.replace(' ', '-')}{suffix}", table, paper=False))
    return found


def _column(name: str) -> str:
    """Intervals say what they are."""
    return f"{name} interval" if name.endswith(" %") else name
