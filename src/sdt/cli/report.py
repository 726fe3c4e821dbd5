"""Write a report of an experiment, of a run, or of several side by side: HTML, Markdown and LaTeX tables.

  sdt report runs/puppets-ablations
  sdt report runs/puppets
  sdt report runs/full old=runs/full-2025 --output build/report

The HTML page is one file, which needs no network. The report uses the recorded scores of the runs and lists unfinished,
missing or damaged ones; models are run only with --representations. See docs/reports.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_bootstrap_options, add_code_option, import_code, resampling_of
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.experiments.report.build import SectionBuilder


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "folders",
        nargs="+",
        metavar="[NAME=]FOLDER",
        help="experiments, runs, or folders of runs; the main one first",
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: FOLDER/report, for a single folder")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier report")
    parser.add_argument("--reference", metavar="ROW", help="the reference row; default: that of the first folder")
    parser.add_argument(
        "--representations",
        action="store_true",
        help="run the first model on test, and plot its embeddings before and after fusion (t-SNE)",
    )
    add_code_option(parser)
    add_bootstrap_options(parser)


def run(options: argparse.Namespace) -> int | None:
    """Read, build and write."""
    from sdt.experiments.report.build import FILES, build, write
    from sdt.experiments.report.gather import folder_of, gather
    from sdt.files import check_folder, check_writable

    import_code(options)
    if options.output is None and len(options.folders) > 1:
        raise InputError("several folders: name the output folder with --output")
    output = options.output or folder_of(options.folders[0]) / "report"
    study = gather(options.folders, resampling_of(options), options.reference)
    check_folder(output, FILES.__contains__, "a report", overwrite=options.overwrite)
    check_writable(output)
    document = build(study, options.command_line, _more(options))
    write(document, output, overwrite=options.overwrite)
    lacking = sum(len(row.unfinished) for row in study.planned)
    if lacking:
        print(f"note: unfinished runs, listed in the report: {lacking}")
    if study.not_compared:
        print(f"note: not all rows are compared: {study.not_compared}")
    print(f"written to {output}: {', '.join(FILES)}")
    return None


def _more(options: argparse.Namespace) -> list[SectionBuilder]:
    """Optional sections."""
    if not options.representations:
        return []
    from sdt.experiments.report.analysis import spaces

    return [spaces]
