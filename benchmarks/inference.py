"""Prediction: batches of conversations, and the latency of a single one of 1, 10 and 100 utterances.

In every turn ours and the textbook, each in a process of its own, predict the same random conversations, features in
and probabilities out; then the hardware's limit for these sizes is measured. The first turn warms up and does not
count.

    python -m benchmarks.inference --setting meld --lengths train_sent_emo.csv
    python -m benchmarks.inference --setting iemocap
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report, settings
from benchmarks.contenders import Bench
from benchmarks.roofline import ForwardLimit, Roofline
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table

NAMES = ("ours", "textbook")
SINGLE = (1, 10, 100)
"""Utterances of the conversations that are predicted alone."""
Batches = Sequence[Sequence[int]]
"""For every batch, the lengths of its conversations."""


@dataclass
class Case:
    """One kind of batch; lists are by turn."""

    utterances: list[int] = field(default_factory=list)
    seconds: dict[str, list[list[float]]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """By contender, of every call of a turn."""
    limits: list[ForwardLimit] = field(default_factory=list)

    def latencies(self, name: str) -> list[float]:
        """Milliseconds of all calls."""
        return [1000 * seconds for turn in self.seconds[name] for seconds in turn]

    def speed(self, name: str) -> list[float]:
        """Utterances per second."""
        return [n / sum(turn) for n, turn in zip(self.utterances, self.seconds[name], strict=True)]

    def gain(self) -> list[float]:
        """How many times faster we are than the textbook, pair by pair."""
        return [sum(b) / sum(a) for a, b in zip(self.seconds["ours"], self.seconds["textbook"], strict=True)]

    def share(self, name: str) -> list[float]:
        """The share of the roofline, turn by turn."""
        return [limit.seconds / sum(turn) for limit, turn in zip(self.limits, self.seconds[name], strict=True)]


@dataclass
class Measured:
    """What the turns came to."""

    cases: dict[str, Case]
    memory: dict[str, int] = field(default_factory=dict)
    """Contender to the peak of its process, in bytes."""


def measure(
    setting: Setting,
    cases: Mapping[str, Sequence[Batches]],
    *,
    threads: int,
    device: DeviceName = "auto",
    precision: Precision = "float32",
    seed: int = 0,
) -> Measured:
    """Predict in turn.

    Args:
        setting: The model.
        cases: Name to the batches of every turn, the first of which does not count; all have as many turns.
        threads: Of every process.
        device: Where to compute.
        precision: Of the matrix products.
        seed: Of the features.
    """
    measured = Measured({name: Case() for name in cases})
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in NAMES
        }
        roofline = stack.enter_context(Worker(threads, Roofline, setting, device, precision))
        for turn in report.turns(min(map(len, cases.values())), "inference"):
            for of, batches in cases.items():
                found = {name: worker.ask("predict", batches[turn], seed + turn) for name, worker in workers.items()}
                sizes = [sum(lengths) for lengths in batches[turn]]
                limit: ForwardLimit = roofline.ask("inference", sizes)
                if turn > 0:
                    case = measured.cases[of]
                    case.utterances.append(sum(sizes))
                    case.limits.append(limit)
                    for name, seconds in found.items():
                        case.seconds[name].append(seconds)
        measured.memory = {name: worker.ask("peak_memory") for name, worker in workers.items()}
    return measured


def results(measured: Measured) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "cases": {
            of: {
                "contenders": {
                    name: {
                        "milliseconds": report.spread(case.latencies(name)),
                        "milliseconds_95th_percentile": float(np.percentile(case.latencies(name), 95)),
                        "utterances_per_second": report.spread(case.speed(name)),
                        "share_of_roofline": report.spread(case.share(name)),
                    }
                    for name in NAMES
                },
                "ours_times_faster": report.spread(case.gain()),
                "turns": {
                    "utterances": case.utterances,
                    "seconds": case.seconds,
                    "limits": [dataclasses.asdict(limit) for limit in case.limits],
                },
            }
            for of, case in measured.cases.items()
        },
        "peak_memory_bytes": measured.memory,
    }


def show(measured: Measured, title: str, note: str) -> None:
    """Print the tables."""
    latency = plain_table("", "ours, ms", "95 %", "textbook, ms", "95 %", "ours is faster by")
    speed = plain_table("", "ours, utterances/s", "% of roofline", "textbook, utterances/s", "% of roofline")
    for of, case in measured.cases.items():
        times = [f"{what(case.latencies(name)):,.1f}" for name in NAMES for what in (np.median, _late)]
        latency.add_row(of, *times, report.shown(case.gain(), 2))
        speeds = [
            cell
            for name in NAMES
            for cell in (report.shown(case.speed(name), 0), f"{100 * np.median(case.share(name)):.0f}")
        ]
        speed.add_row(of, *speeds)
    console = report.console()
    console.print(title, style="bold")
    console.print(latency)
    console.print(speed)
    turns = len(next(iter(measured.cases.values())).limits)
    console.print(f"median (lowest-highest) of {turns} turns; 95 %: of all calls; one call predicts one batch")
    console.print("peak memory: " + ", ".join(f"{name} {b / 2**20:,.0f} MiB" for name, b in measured.memory.items()))
    console.print(note)


def _late(milliseconds: Sequence[float]) -> float:
    return float(np.percentile(milliseconds, 95))


def main() -> None:
    """Measure, print, write."""
    parser = report.model_parser(__doc__, repeats=7)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv, for its real lengths; else drawn")
    parser.add_argument("--batch", type=report.positive, default=32, help="conversations; default: %(default)s")
    parser.add_argument("--batches", type=report.positive, default=4, help="in a turn; default: %(default)s")
    parser.add_argument("--calls", type=report.positive, default=20, help="of a single one in a turn")
    options = parser.parse_args()
    setting = settings.published(options.setting)
    where = report.machine(options.threads, options.device, options.precision)
    measured = measure(
        setting,
        chosen_cases(setting, options),
        threads=options.threads,
        device=options.device,
        precision=options.precision,
        seed=options.seed,
    )
    source = f"lengths of {options.lengths.name}" if options.lengths else f"lengths {setting.lengths}"
    show(measured, f"inference, {options.setting} setting", f"batches: {source}\n{report.caption(where)}")
    path = options.output or report.PLACE / f"inference-{options.setting}.json"
    report.write_json(path, "inference", where, {"setting": options.setting, "lengths": source, **results(measured)})


def chosen_cases(setting: Setting, options: argparse.Namespace) -> dict[str, list[Batches]]:
    """The batches of every turn."""
    lengths = settings.lengths_from_csv(options.lengths) if options.lengths else setting.lengths.draw(options.seed)
    turns = range(options.repeats + 1)
    cases: dict[str, list[Batches]] = {
        f"{options.batch} conversations": [
            settings.choose(lengths, options.batches, options.batch, (options.seed, turn)) for turn in turns
        ]
    }
    for N in SINGLE:
        cases[f"1 of {N} utterance{'s' if N > 1 else ''}"] = [[[N]] * options.calls for _ in turns]
    return cases


if __name__ == "__main__":
    report.run(main)
