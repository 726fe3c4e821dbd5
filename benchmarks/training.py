"""Training: utterances per second and peak memory of our trainer and of the textbook, and the share of the roofline.

In every turn each contender, in a process of its own, trains on the same new batches; then the hardware's limit for
exactly these batches is measured. The first turn warms up and does not count.

    python -m benchmarks.training --setting meld --lengths train_sent_emo.csv
    python -m benchmarks.training --setting iemocap
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import report, settings
from benchmarks.contenders import NAMES, Bench
from benchmarks.roofline import Limit, Roofline
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table


@dataclass
class Measured:
    """What the turns came to; lists are by turn."""

    utterances: list[int] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """By contender."""
    processor: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """Likewise, of processor time."""
    limits: list[Limit] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    """Contender to the peak of its process, in bytes."""

    def speed(self, name: str) -> list[float]:
        """Utterances per second."""
        return [n / seconds for n, seconds in zip(self.utterances, self.seconds[name], strict=True)]

    def processor_per_batch(self, name: str) -> list[float]:
        """Seconds of processor time, all cores together."""
        return [all_of / limit.steps for all_of, limit in zip(self.processor[name], self.limits, strict=True)]

    def gain(self, name: str) -> list[float]:
        """How many times faster we are than another, pair by pair."""
        return [theirs / ours for theirs, ours in zip(self.seconds[name], self.seconds["ours"], strict=True)]

    def share(self, name: str, *, own: bool = False) -> list[float]:
        """The share of the roofline, turn by turn; `own`: with every product at the speed of its own shape."""
        return [
            (limit.own_seconds if own else limit.seconds) / seconds
            for limit, seconds in zip(self.limits, self.seconds[name], strict=True)
        ]


def measure(
    setting: Setting,
    batches: Sequence[Sequence[Sequence[int]]],
    *,
    threads: int,
    device: DeviceName = "auto",
    precision: Precision = "float32",
    seed: int = 0,
) -> Measured:
    """Train in turn.

    Args:
        setting: The model and its training.
        batches: For every turn, the first of which does not count, the lengths of the conversations of its batches.
        threads: Of every process.
        device: Where to compute.
        precision: Of the matrix products.
        seed: Of the features.
    """
    measured = Measured()
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in NAMES
        }
        roofline = stack.enter_context(Worker(threads, Roofline, setting, device, precision))
        for turn in report.turns(len(batches), "training"):
            found = {name: worker.ask("train", batches[turn], seed + turn) for name, worker in workers.items()}
            sizes = [sum(lengths) for lengths in batches[turn]]
            limit: Limit = roofline.ask("training", sizes)
            if turn > 0:
                measured.utterances.append(sum(sizes))
                measured.limits.append(limit)
                for name, (wall, processor) in found.items():
                    measured.seconds[name].append(wall)
                    measured.processor[name].append(processor)
        measured.memory = {name: worker.ask("peak_memory") for name, worker in workers.items()}
    return measured


def results(measured: Measured) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "contenders": {
            name: {
                "utterances_per_second": report.spread(measured.speed(name)),
                "ours_times_faster": report.spread(measured.gain(name)),
                "share_of_roofline": report.spread(measured.share(name)),
                "share_of_own_shapes": report.spread(measured.share(name, own=True)),
                "processor_seconds_per_batch": report.spread(measured.processor_per_batch(name)),
                "peak_memory_bytes": measured.memory[name],
            }
            for name in NAMES
        },
        "limit": {
            "peak_flops": report.spread([limit.peak for limit in measured.limits]),
            "optimizer_seconds": report.spread([limit.optimizer for limit in measured.limits]),
            "optimizer_bytes_per_second": report.spread([limit.traffic for limit in measured.limits]),
        },
        "turns": {
            "utterances": measured.utterances,
            "seconds": measured.seconds,
            "processor_seconds": measured.processor,
            "limits": [dataclasses.asdict(limit) | {"seconds": limit.seconds} for limit in measured.limits],
        },
    }


def show(measured: Measured, title: str, note: str) -> None:
    """Print the tables."""
    rows: dict[str, Callable[[str], str]] = {
        "utterances per second": lambda name: report.shown(measured.speed(name)),
        "ours is faster by": lambda name: "" if name == "ours" else report.shown(measured.gain(name), 2),
        "% of the roofline": lambda name: report.shown([100 * share for share in measured.share(name)], 0),
        "% at each shape's speed": lambda name: report.shown(
            [100 * share for share in measured.share(name, own=True)], 0
        ),
        "processor ms per batch": lambda name: report.shown(
            [1000 * seconds for seconds in measured.processor_per_batch(name)], 0
        ),
        "peak memory, MiB": lambda name: f"{measured.memory[name] / 2**20:,.0f}",
    }
    table = plain_table("", *(name.replace(", ", ",\n") for name in NAMES))
    for label, cell in rows.items():
        table.add_row(label, *map(cell, NAMES))
    console, limits = report.console(), measured.limits
    roofline = [n / limit.seconds for n, limit in zip(measured.utterances, limits, strict=True)]
    console.print(title, style="bold")
    console.print(table)
    console.print(f"median (lowest-highest) of {len(limits)} turns of {limits[0].steps} batches")
    console.print(
        f"limit: {report.shown([limit.flops / limit.steps / 1e9 for limit in limits])} GFLOP per batch at "
        f"{report.shown([limit.peak / 1e9 for limit in limits], 0)} GFLOP/s;\noptimizer "
        f"{report.shown([1000 * limit.optimizer for limit in limits])} ms per batch, "
        f"{report.shown([limit.traffic / 1e9 for limit in limits])} GB/s;\nin all "
        f"{report.shown(roofline)} utterances per second"
    )
    console.print(note)


def main() -> None:
    """Measure, print, write."""
    parser = report.model_parser(__doc__, repeats=7)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv, for its real lengths; else drawn")
    parser.add_argument("--batches", type=report.positive, help="in a turn; default: 8 (meld), 2 (iemocap)")
    options = parser.parse_args()
    setting = settings.published(options.setting)
    where = report.machine(options.threads, options.device, options.precision)
    measured = measure(
        setting,
        chosen_batches(setting, options),
        threads=options.threads,
        device=options.device,
        precision=options.precision,
        seed=options.seed,
    )
    source = f"lengths of {options.lengths.name}" if options.lengths else f"lengths {setting.lengths}"
    size = setting.recipe.training.batch_conversations
    note = f"{size} conversations per batch, {source}\n{report.caption(where)}"
    show(measured, f"training, {options.setting} setting", note)
    path = options.output or report.PLACE / f"training-{options.setting}.json"
    report.write_json(path, "training", where, {"setting": options.setting, "lengths": source, **results(measured)})


def chosen_batches(setting: Setting, options: argparse.Namespace) -> list[list[list[int]]]:
    """The lengths of the conversations of every turn's batches."""
    lengths = settings.lengths_from_csv(options.lengths) if options.lengths else setting.lengths.draw(options.seed)
    count = options.batches or (8 if options.setting == "meld" else 2)
    size = setting.recipe.training.batch_conversations
    return [settings.choose(lengths, count, size, (options.seed, turn)) for turn in range(options.repeats + 1)]


if __name__ == "__main__":
    report.run(main)
