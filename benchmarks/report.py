"""What all benchmarks share: options, repeated turns with progress, tables, and JSON that says where it was made."""

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

PLACE = Path("build/benchmarks")
"""Where results are written, if no other place is given."""


def parser(doc: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """The options of every benchmark."""
    options = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=positive, default=repeats, help="turns that count; default: %(default)s")
    options.add_argument("--threads", type=positive, default=os.cpu_count(), help="of PyTorch; default: all cores")
    options.add_argument("--seed", type=int, default=0, help="of what is drawn; default: %(default)s")
    options.add_argument("--output", type=file_path, metavar="FILE", help=f"a JSON file; default: in {PLACE}")
    return options


def model_parser(doc: str | None, *, repeats: int) -> argparse.ArgumentParser:
    """The options of the benchmarks of the model."""
    options = parser(doc, repeats=repeats)
    options.add_argument("--setting", choices=settings.NAMES, default="meld", help="default: %(default)s")
    options.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    options.add_argument("--precision", choices=("float32", "bfloat16"), default="float32", help="of matrix products")
    return options


def positive(text: str) -> int:
    """An option's number that is 1 or more."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def turns(count: int, what: str) -> Iterable[int]:
    """The numbers of the turns, with a progress bar on the error stream."""
    return track(range(count), description=what, console=Console(stderr=True), transient=True)


def file_path(text: str) -> Path:
    """An option's file to write, which need not be there yet."""
    if Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is a folder; name a file")
    return Path(text)


def console() -> Console:
    """Where tables are printed; into a file or a pipe they go unabridged."""
    return Console(width=None if sys.stdout.isatty() else 120)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def shown(values: Sequence[float], digits: int = 1) -> str:
    """Median and range as a table shows them: `380.1 (371.0-384.2)`."""
    of = spread(values)
    return f"{of['median']:,.{digits}f} ({of['min']:,.{digits}f}-{of['max']:,.{digits}f})"


def machine(threads: int, name: DeviceName = "cpu", precision: Precision | None = None) -> dict[str, Any]:
    """Where and when, for the JSON file.

    Raises:
        InputError: There is no such device.
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
    """The line under a table."""
    parts = (where["hardware"], where["precision"], f"torch {where['torch']}", where["date"][:10])
    return "; ".join(filter(None, parts))


def write_json(path: Path, benchmark: str, where: dict[str, Any], results: dict[str, Any]) -> None:
    """Write what was measured, whole or not at all."""
    write_text(path, json.dumps({"benchmark": benchmark, "machine": where, **results}, indent=2) + "\n")


def run(main: Callable[[], None]) -> None:
    """Run a benchmark as a program: a user's mistake is one line and exit code 2."""
    try:
        main()
    except InputError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
