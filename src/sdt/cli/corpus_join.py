"""Join corpora: the first one, with the train conversations of the others to train on, too.

The result has the labels, dev and test of the first corpus. Labels of the others can be renamed; utterances with other
labels are context. Import all with the same encoders; where one lacks a modality of the first, it is missing.

    sdt corpus join build/meld build/emorynlp --rename joyful=joy scared=fear mad=anger sad=sadness --output build/both
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sdt.cli.paths import check_new_folder
from sdt.errors import InputError, printable


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("first", type=Path, metavar="FIRST", help="the corpus whose labels, dev and test are kept")
    parser.add_argument("others", type=Path, nargs="+", metavar="OTHER", help="corpora whose train split is added")
    parser.add_argument(
        "--rename", nargs="+", default=[], metavar="OLD=NEW", help="labels of the others that are labels of the first"
    )
    parser.add_argument("--with-dev", action="store_true", help="add the dev split of the others to dev, too")
    parser.add_argument("--name", help="the name of the joined corpus; default: all names with plus signs")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="the new corpus folder")
    parser.add_argument("--overwrite", action="store_true", help="replace the output folder")


def run(options: argparse.Namespace) -> int | None:
    """Join, write and show the corpus."""
    from sdt.cli.corpus_show import show
    from sdt.corpus.builder import write_corpus
    from sdt.corpus.joining import join
    from sdt.corpus.store import Corpus

    check_new_folder(options.output, overwrite=options.overwrite)
    rename = {}
    for text in options.rename:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise InputError(f"--rename {text}: expected OLD=NEW, such as joyful=joy")
        rename[old] = new
    corpora = [Corpus.open(folder) for folder in (options.first, *options.others)]
    builder = join(corpora, rename, options.name, with_dev=options.with_dev)
    corpus = write_corpus(builder, options.output, overwrite=options.overwrite)
    for note in builder.notes:
        print(f"note: {printable(note)}")
    show(corpus)
    print(f"written to {options.output}")
    return None
