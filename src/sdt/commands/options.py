"""Kinds of options that several commands have."""

from __future__ import annotations

import argparse


def count(text: str) -> int:
    """An option that counts something."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)
