"""Not written yet."""

from __future__ import annotations

import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""


def run(options: argparse.Namespace) -> int | None:
    """Do the work."""
    raise NotImplementedError
