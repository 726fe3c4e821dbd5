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
    from rich.table import Table
    from rich.text import Text

    from sdt.formats.overview import markdown, rows

    if options.markdown:
        print(markdown(), end="")
        return
    table = Table("name", "format", "suffixes", "", "holds", box=None)
    for title, name, suffixes, read, write, holds in rows():
        access = " ".join(verb for verb, possible in (("read", read), ("write", write)) if possible == "yes")
        table.add_row(*map(Text, (name, title, suffixes, access, holds)))
    Console(highlight=False, markup=False).print(table)
