"""Kinds of options that several commands have."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sdt.errors import InputError

if TYPE_CHECKING:
    from sdt.windows import Windows


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
    from sdt.models.registry import find

    for reference in options.code:
        find(reference)


def add_encoding_option(parser: argparse.ArgumentParser, files: str = "transcripts") -> None:
    """Declare `--encoding`."""
    parser.add_argument(
        "--encoding", type=_encoding, metavar="NAME", help=f"the encoding of {files}, gb18030 say; default: told"
    )


def _encoding(text: str) -> str:
    from sdt.text import check_encoding

    try:
        return check_encoding(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """An option that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def add_window_options(parser: argparse.ArgumentParser) -> None:
    """Declare `--window` and `--overlap`; see `windows`."""
    parser.add_argument(
        "--window",
        type=count,
        metavar="N",
        help="cut longer conversations into windows of N utterances, each read as a conversation of its own; default: "
        "whole conversations",
    )
    parser.add_argument(
        "--overlap", type=int, metavar="N", help="utterances that two windows share; default: a quarter of --window"
    )


def windows(options: argparse.Namespace) -> Windows | None:
    """How longer conversations are cut; None for not at all.

    Raises:
        InputError: The overlap is not less than the window, or there is no window that it could be of.
    """
    from sdt.windows import Windows

    return Windows.of(options.window, options.overlap)
