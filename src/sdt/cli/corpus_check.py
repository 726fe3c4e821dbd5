"""Verify a corpus folder: every file's SHA-256, every size, line and value. Exit code 2: an error was found."""

from __future__ import annotations

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the corpus folder")


def run(options: argparse.Namespace) -> int | None:
    """Verify and list the files."""
    from sdt.corpus.store import Corpus

    corpus = Corpus.open(options.folder)
    corpus.verify()
    for name in sorted(corpus.sha256):
        print(f"OK  {corpus.folder / name}")
    print(f"OK  {corpus.folder / 'corpus.json'}")
    return None
