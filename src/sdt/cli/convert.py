"""Convert conversations from one file format to another.

The format of FROM is detected by its content, that of TO follows its suffix; `sdt formats` lists the formats. What the
new format cannot hold is listed before the file is written; with --strict it is not written.

  sdt convert talk.eaf talk.jsonl
  sdt convert talk.TextGrid talk.vtt --strict
  sdt convert transcripts/ all.csv
  sdt convert all.csv grids --format textgrid

A format of one conversation gets a folder with a file for each, if there are several.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sdt.cli.options import add_encoding_option, add_format_option
from sdt.errors import InputError, printable
from sdt.files import check_writable


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("source", type=Path, metavar="FROM", help="a file, or a folder of transcripts")
    parser.add_argument("target", type=Path, metavar="TO", help="the new file, or a folder")
    parser.add_argument("--input-format", metavar="NAME", help="the format of FROM; default: detected")
    add_format_option(parser, "the format of TO; default: by its suffix")
    parser.add_argument("--strict", action="store_true", help="refuse to write a format that cannot hold everything")
    add_encoding_option(parser, "FROM")


def run(options: argparse.Namespace) -> None:
    """Read, list the losses, write."""
    from rich.console import Console

    from sdt.formats.format import Holds
    from sdt.formats.losses import losses
    from sdt.formats.read import read_any
    from sdt.formats.table import format_of, writer
    from sdt.formats.write import strict_message, write_folder, write_transcript

    source, target = options.source, options.target
    name = options.format or format_of(target)
    check_writable(target)
    transcript = read_any(source, format=options.input_format, encoding=options.encoding)
    format = writer(name)
    folder = Holds.SEVERAL not in format.holds and len(transcript.conversations) > 1
    if folder and target.is_file():
        raise InputError(f"{target}: is a file; name a folder for the {name} files of several conversations")
    if target.is_dir() and not folder and format.content != "folder":
        raise InputError(f"{target}: is a folder; name a file")
    console = Console(highlight=False, markup=False)
    for note in transcript.notes:
        console.print(f"note: {printable(note)}", soft_wrap=True)
    found = losses(transcript, format, None if folder else target)
    if options.strict and found:
        raise InputError(strict_message(target, format, found))
    for loss in found:
        console.print(f"lost: {printable(str(loss))}", soft_wrap=True)
    try:
        if folder:
            write_folder(target, [transcript], name)
        else:
            write_transcript(target, transcript, name)
    except OSError as error:
        raise InputError(f"{target}: cannot be written ({error.strerror})") from None
    count = sum(map(len, transcript.conversations))
    console.print(f"written to {target}: {count:,} utterances", soft_wrap=True)
