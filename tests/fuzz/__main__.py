"""Fuzz all readers of strangers' files: python -m tests.fuzz --minutes 60 --seed 0 --kind pickle."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.attempt import KINDS
from tests.fuzz.worker import Worker

_EVERY = 10
"""Seconds between lines of progress."""


def _save(folder: Path, files: object, text: str) -> None:
    assert isinstance(files, dict)
    for name, content in files.items():
        path = folder / "input" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "outcome.txt").write_text(text, encoding="utf-8", errors="backslashreplace")


def _fuzz(seconds: float, seed: str, kinds: list[str], first: int, output: Path) -> int:
    """Count outcomes until the time is over; the exit code is 1 where an input ended otherwise than it should."""
    worker, counts, failures = Worker(), Counter[tuple[str, str]](), Counter[str]()
    began = said = time.monotonic()
    number = first
    while (now := time.monotonic()) - began < seconds:
        for kind in kinds:
            outcome, detail, _ = worker.attempt(seed, kind, number)
            good = outcome in ("result", "refused")
            counts[kind, outcome if good else "failed"] += 1
            if not good:
                failures[f"{kind}: {outcome}"] += 1
                if failures[f"{kind}: {outcome}"] == 1:
                    _, _, files = worker.attempt(seed, kind, number, smaller=True)
                    folder = output / f"{kind}-{seed}-{number}"
                    _save(folder, files, f"{outcome}\n{detail}\n")
                    print(f"FAILED {kind} {number}: {outcome}; saved to {folder}", flush=True)
        number += 1
        if now - said > _EVERY:
            said = now
            done, left = sum(counts.values()), seconds - (now - began)
            rate = done / (now - began)
            bad = sum(failures.values())
            print(f"{done:,} inputs, {rate:.0f}/s, {bad} failures, {left / 60:.0f} min left", flush=True)
    worker.stop()
    print(
        f"{sum(counts.values()):,} inputs in {(time.monotonic() - began) / 60:.1f} min, numbers {first} to {number - 1}"
    )
    for kind in kinds:
        of = {outcome: counts[kind, outcome] for outcome in ("result", "refused", "failed")}
        print(f"  {kind:10}  " + "  ".join(f"{outcome} {count:,}" for outcome, count in of.items()))
    for failure, count in failures.most_common():
        print(f"  {count:6,} x {failure}")
    return 1 if failures else 0


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0, help="how long; default: 1")
    parser.add_argument("--seed", default="0", help="inputs follow from the seed, their kind and their number")
    parser.add_argument("--kind", action="append", choices=KINDS, help="these kinds alone; default: all, in turn")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input; default: 0")
    parser.add_argument("--output", type=Path, default=Path("build/fuzz"), help="where failing inputs are saved")
    given = parser.parse_args(arguments)
    return _fuzz(given.minutes * 60, given.seed, given.kind or list(KINDS), given.first, given.output)


if __name__ == "__main__":
    sys.exit(main())
