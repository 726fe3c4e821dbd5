"""What is in a corpus: splits, labels and their counts, speakers, modalities with their missing share, lengths."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdt.corpus.store import Corpus


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""


def run(options: argparse.Namespace) -> int | None:
    """Print the tables."""
    raise NotImplementedError


def show(corpus: Corpus) -> None:
    """stub."""
    print({s: (len(ids), sum(len(corpus.conversations[c]) for c in ids)) for s, ids in corpus.splits.items()}, corpus.speakers.count)
    for m in corpus.modalities.values():
        print(m.name, m.width, m.encoder, 1 - m.present.mean())
