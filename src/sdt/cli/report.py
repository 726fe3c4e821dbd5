"""A report of an experiment, of a run, or of several side by side: a page, Markdown, and LaTeX tables.

  sdt report runs/puppets-ablations
  sdt report runs/puppets
  sdt report runs/full old=runs/full-2025 --output build/report

The page is one file that opens from disk without a network and prints well. No model is run (but with
--representations): the numbers are those that the runs kept. What is not finished, missing or damaged is named.
docs/reports.md says what stands in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_code_option, use_code
from sdt.cli.resampling import add_resampling, resampling
from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.experiments.report.build import SectionBuilder


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "folders", nargs="+", metavar="[NAME=]FOLDER", help="experiments, runs, or folders of runs; the first leads"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="default: FOLDER/report, of a single folder")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier report")
    parser.add_argument("--reference", metavar="ROW", help="the row the others are compared with; default: the first's")
    parser.add_argument(
        "--representations",
        action="store_true",
        help="also run the first model on test, and show how emotions lie before and after fusion (t-SNE)",
    )
    add_code_option(parser)
    add_resampling(parser)


def run(options: argparse.Namespace) -> int | None:
    """Read, build, write."""
    from sdt.experiments.report.build import FILES, build, write
    from sdt.experiments.report.gather import folder_of, gather
    from sdt.files import check_folder, check_writable

    use_code(options)
    if options.output is None and len(options.folders) > 1:
        raise InputError("several folders: say with --output where the report shall be")
    output = options.output or folder_of(options.folders[0]) / "report"
    study = gather(options.folders, resampling(options), options.reference)
    check_folder(output, FILES.__contains__, "a report", overwrite=options.overwrite)
    check_writable(output)
    document = build(study, options.command_line, _more(options))
    write(document, output, overwrite=options.overwrite)
    lacking = sum(len(row.unfinished) for row in study.planned)
    if lacking:
        print(f"note: {lacking} runs are not finished; the report names them")
    if study.not_compared:
        print(f"note: not everything is compared: {study.not_compared}")
    print(f"written to {output}: {', '.join(FILES)}")
    return None


def _more(options: argparse.Namespace) -> list[SectionBuilder]:
    """Sections that are made only when asked for."""
    if not options.representations:
        return []
    from sdt.experiments.report.spaces import spaces

    return [spaces]
