"""The options of the bootstrap, which several commands share."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdt.evaluation.bootstrap import Resampling


def add_resampling(parser: argparse.ArgumentParser) -> None:
    """Declare --draws, --seed and --level."""
    parser.add_argument("--draws", type=_draws, default=10_000, metavar="B", help="bootstrap draws; default: 10000")
    parser.add_argument("--seed", type=_seed, default=0, metavar="S", help="of the draws; default: 0")
    parser.add_argument("--level", type=_level, default=95.0, metavar="PERCENT", help="of the intervals; default: 95")


def resampling(options: argparse.Namespace) -> Resampling:
    """What the options say."""
    from sdt.evaluation.bootstrap import Resampling

    return Resampling(options.draws, options.seed, options.level / 100)


def _draws(text: str) -> int:
    if not text.isdecimal() or int(text) < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 100 on")
    return int(text)


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 50 <= level < 100:
        raise argparse.ArgumentTypeError(f"{text!r} is not a percentage from 50 to less than 100")
    return level
