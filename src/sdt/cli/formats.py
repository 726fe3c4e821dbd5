"""List the file formats: how files are recognised, and what they can hold.

Each row is a format of `sdt predict`, `sdt convert`, `sdt transcribe` and of the transcripts that all commands read;
--format takes its name. "fields" are those that this program keeps without using them, "tiers" are layers of annotation
besides the utterances, and "several" means several conversations in one file.
"""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--markdown", action="store_true", help="print the built-in formats as a table in Markdown")


def run(options: argparse.Namespace) -> None:
    """Print the table."""
    from rich.console import Console

    from sdt.evaluation.table import Grid
    from sdt.formats.overview import COLUMNS, markdown, rows

    if options.markdown:
        print(markdown(), end="")
        return
    console = Console(highlight=False, markup=False)
    console.print(Grid("File formats", COLUMNS, rows()).rich())
