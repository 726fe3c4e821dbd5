"""Shared parts of the benchmarks: options, repeated rounds with progress, tables, and JSON with the environment."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

import sdt
from benchmarks import settings
from benchmarks.workers import ENVIRONMENT
from sdt.device import DeviceName, Precision, choose_device
from sdt.errors import InputError
from sdt.files import write_text
from sdt.training.environment import hardware

FOLDER = Path("build/benchmarks")
"""The default folder of results."""


def parser(doc: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """A parser with the options of every benchmark."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=positive, default=repeats, help="measured rounds; default: %(default)s")
    options.add_argument(
        "--threads", type=positive, default=os.cpu_count(), help="threads of PyTorch; default: all cores"
    )
    options.add_argument("--seed", type=int, default=0, help="random seed; default: %(default)s")
    options.add_argument(
        "--output", type=file_path, metavar="FILE", help=f"the JSON file of the results; default: in {FOLDER}"
    )
    return options


def model_parser(doc: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """A parser with the options of the benchmarks of the model."""
    options = parser(doc, repeats=repeats)
    options.add_argument("--setting", choices=settings.NAMES, default="meld", help="default: %(default)s")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    options.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32", help="precision of matrix products"
    )
    return options


def positive(text: str) -> int:
    """Parse an option that is an integer of at least 1."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def rounds(count: int, what: str) -> Iterable[int]:
    """Iterate over the indices of the rounds, with a progress bar on the error stream."""
    return track(range(count), description=what, console=Console(stderr=True), transient=True)


def file_path(text: str) -> Path:
    """Parse an option that names an output file."""
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; name a file")
    return Path(text)


def console() -> Console:
    """The console for tables, 120 columns wide if the output is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else 120)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def median_range(values: Sequence[float], digits: int = 1) -> str:
    """Format the median and the range: `380.1 (371.0-384.2)`."""
    of = spread(values)
    return f"{of['median']:,.{digits}f} ({of['min']:,.{digits}f}-{of['max']:,.{digits}f})"


def machine(threads: int, name: DeviceName = "cpu", precision: Precision | None = None) -> dict[str, Any]:
    """Describe the command, the hardware and the versions, for the JSON file.

    Raises:
        InputError: The device is not available.
    """
    torch.set_num_threads(threads)
    device = choose_device(name)
    return {
        "command": f"python -m benchmarks.{Path(sys.argv[0]).stem} {shlex.join(sys.argv[1:])}".strip(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "hardware": hardware(device),
        "cores": os.cpu_count(),
        "device": device.type,
        "precision": precision,
        "threads": threads,
        "environment": {name: os.environ.get(name, value) for name, value in ENVIRONMENT.items()},
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "sdt": sdt.__version__,
    }


def caption(where: dict[str, Any]) -> str:
    """The line below a table: hardware, precision, version and date."""
    parts = (where["hardware"], where["precision"], f"torch {where['torch']}", where["date"][:10])
    return "; ".join(filter(None, parts))


def write_json(path: Path, benchmark: str, where: dict[str, Any], results: dict[str, Any]) -> None:
    """Write the results atomically."""
    write_text(path, json.dumps({"benchmark": benchmark, "machine": where, **results}, indent=2) + "\n")


def run(main: Callable[[], None]) -> None:
    """Run a benchmark as a program. An `InputError` is printed as one line, with exit code 2."""
    try:
        main()
    except InputError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
