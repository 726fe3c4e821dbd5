"""Builds the report of a study and writes it to files."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import sdt
from sdt.errors import InputError
from sdt.experiments.report.analysis import calibration, subgroups
from sdt.experiments.report.classes import confusions
from sdt.experiments.report.curves import curves
from sdt.experiments.report.document import Document, Figure, Section
from sdt.experiments.report.provenance import data, environment, settings
from sdt.experiments.report.render import FIGURES, html_page, latex_tables, markdown_page
from sdt.experiments.report.scores import scores
from sdt.experiments.report.significance import significance
from sdt.experiments.report.study import Study
from sdt.experiments.report.summary import remarks, selected_on_test, summary, unfinished
from sdt.experiments.report.svg import on_white
from sdt.files import atomic_folder, write_text

FILES = ("report.html", "report.md", "tables.tex", FIGURES)
SectionBuilder = Callable[[Study], Section | None]
"""Makes a section; None if it would be empty."""
SECTIONS: tuple[SectionBuilder, ...] = (
    summary,
    remarks,
    unfinished,
    scores,
    significance,
    selected_on_test,
    curves,
    calibration,
    confusions,
    subgroups,
)


def build(study: Study, command: str, more: Sequence[SectionBuilder] = ()) -> Document:
    """Build all sections.

    Args:
        study: What the report is about.
        command: The command that writes the report.
        more: Optional sections, placed before those on data and settings.
    """
    foot = f"Written on {_today()} by sdt {sdt.__version__}."  # first, so that a wrong date is an error before the work
    found = [part(study) for part in (*SECTIONS, *more, data, settings)]
    names = ", ".join(f"{source.name} ({source.kind})" for source in study.sources)
    corpora = ", ".join(dict.fromkeys(study.corpora.values())) or "unknown"
    runs = sum(row.group.size for row in study.rows)
    return Document(
        title=_title(study),
        subtitle=f"{names}; corpus {corpora}; {runs} finished run{'' if runs == 1 else 's'}",
        sections=[*(section for section in found if section), environment(study, command)],
        foot=foot,
    )


def write(document: Document, folder: str | Path, *, overwrite: bool = False) -> None:
    """Write report.html, report.md with its figures, and tables.tex atomically."""
    with atomic_folder(Path(folder), overwrite=overwrite) as aside:
        write_text(aside / "report.html", html_page(document))
        write_text(aside / "report.md", markdown_page(document))
        write_text(aside / "tables.tex", latex_tables(document))
        (aside / FIGURES).mkdir()
        for figure in document.all(Figure):
            write_text(aside / FIGURES / f"{figure.name}.svg", on_white(figure.svg))


def _title(study: Study) -> str:
    if len(study.sources) == 1:
        return study.sources[0].question
    return f"How do {', '.join(s.name for s in study.sources[:-1])} and {study.sources[-1].name} compare?"


def _today() -> str:
    """The date in UTC; `SOURCE_DATE_EPOCH`, the convention of reproducible builds, overrides it."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH")
    if fixed is None:
        return datetime.datetime.now(datetime.UTC).date().isoformat()
    try:
        return datetime.datetime.fromtimestamp(int(fixed), datetime.UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        raise InputError(f"SOURCE_DATE_EPOCH: {fixed!r} is not a number of seconds since 1970") from None
