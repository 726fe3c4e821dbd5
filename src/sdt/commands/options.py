"""Kinds of options that several commands have."""

from __future__ import annotations

import argparse


def add_code_option(parser: argparse.ArgumentParser) -> None:
    """Declare `--code`; see `use_code`."""
    parser.add_argument(
        "--code",
        action="append",
        default=[],
        metavar="FILE.py:CLASS",
        help="code of a model of one's own, or MODULE:CLASS; a saved model that needs such code says so, and it is "
        "run only if it is named here",
    )


def use_code(options: argparse.Namespace) -> None:
    """Import the code that the user named, so that models of it can be loaded."""
    from sdt.model.registry import find

    for reference in options.code:
        find(reference)


def count(text: str) -> int:
    """An option that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)
