"""Training: throughput and peak memory of our trainer and of the textbook, and the fraction of the roofline.

In every round, each implementation trains on the same new batches, in a separate process; then the limit of the
hardware for these batches is measured. The first round is a warm-up.

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
from benchmarks.implementations import NAMES, Bench
from benchmarks.roofline import Limit, Roofline
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table


@dataclass
class Measurements:
    """Results; lists have one value per round."""

    utterances: list[int] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """Implementation to wall times."""
    processor: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in NAMES})
    """Implementation to processor times."""
    limits: list[Limit] = field(default_factory=list)
    memory: dict[str, int] = field(default_factory=dict)
    """Implementation to the peak memory of its process in bytes."""

    def speed(self, name: str) -> list[float]:
        """Utterances per second."""
        return [n / seconds for n, seconds in zip(self.utterances, self.seconds[name], strict=True)]

    def processor_per_batch(self, name: str) -> list[float]:
        """Seconds of processor time per batch, summed over cores."""
        return [seconds / limit.steps for seconds, limit in zip(self.processor[name], self.limits, strict=True)]

    def gain(self, name: str) -> list[float]:
        """Our speed divided by that of another implementation, by round."""
        return [theirs / ours for theirs, ours in zip(self.seconds[name], self.seconds["ours"], strict=True)]

    def share(self, name: str, *, own: bool = False) -> list[float]:
        """The fraction of the roofline, by round; with `own`, every product has the speed of its own shape."""
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
) -> Measurements:
    """Train with every implementation, in alternation.

    Args:
        setting: The model and its training settings.
        batches: Lengths of the conversations of each batch of each round; the first round is the warm-up.
        threads: Threads of every process.
        device: The device of the models.
        precision: Precision of the matrix products.
        seed: Random seed of the features.
    """
    measured = Measurements()
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in NAMES
        }
        roofline = stack.enter_context(Worker(threads, Roofline, setting, device, precision))
        for index in report.rounds(len(batches), "training"):
            found = {name: worker.call("train", batches[index], seed + index) for name, worker in workers.items()}
            sizes = [sum(lengths) for lengths in batches[index]]
            limit: Limit = roofline.call("training", sizes)
            if index > 0:
                measured.utterances.append(sum(sizes))
                measured.limits.append(limit)
                for name, (wall, processor) in found.items():
                    measured.seconds[name].append(wall)
                    measured.processor[name].append(processor)
        measured.memory = {name: worker.call("peak_memory") for name, worker in workers.items()}
    return measured


def results(measured: Measurements) -> dict[str, Any]:
    """Values for the JSON file."""
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


def show(measured: Measurements, title: str, note: str) -> None:
    """Print the results."""
    rows: dict[str, Callable[[str], str]] = {
        "utterances per second": lambda name: report.median_range(measured.speed(name)),
        "speed-up of ours": lambda name: "" if name == "ours" else report.median_range(measured.gain(name), 2),
        "% of the roofline": lambda name: report.median_range([100 * share for share in measured.share(name)], 0),
        "% at the speed of each shape": lambda name: report.median_range(
            [100 * share for share in measured.share(name, own=True)], 0
        ),
        "processor ms per batch": lambda name: report.median_range(
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
    console.print(f"median (min-max) of {len(limits)} rounds of {limits[0].steps} batches")
    console.print(
        f"roofline: {report.median_range([limit.flops / limit.steps / 1e9 for limit in limits])} GFLOP per batch at "
        f"{report.median_range([limit.peak / 1e9 for limit in limits], 0)} GFLOP/s;\noptimizer "
        f"{report.median_range([1000 * limit.optimizer for limit in limits])} ms per batch, "
        f"{report.median_range([limit.traffic / 1e9 for limit in limits])} GB/s;\ntogether "
        f"{report.median_range(roofline)} utterances per second"
    )
    console.print(note)


def main() -> None:
    """Run the benchmark."""
    parser = report.model_parser(__doc__, repeats=7)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv; default: random lengths")
    parser.add_argument("--batches", type=report.positive, help="per round; default: 8 (meld), 2 (iemocap)")
    options = parser.parse_args()
    setting = settings.published(options.setting)
    where = report.machine(options.threads, options.device, options.precision)
    measured = measure(
        setting,
        draw_batches(setting, options),
        threads=options.threads,
        device=options.device,
        precision=options.precision,
        seed=options.seed,
    )
    source = f"lengths of {options.lengths.name}" if options.lengths else f"lengths {setting.lengths}"
    size = setting.recipe.training.batch_conversations
    note = f"{size} conversations per batch, {source}\n{report.caption(where)}"
    show(measured, f"training, {options.setting} setting", note)
    path = options.output or report.FOLDER / f"training-{options.setting}.json"
    report.write_json(path, "training", where, {"setting": options.setting, "lengths": source, **results(measured)})


def draw_batches(setting: Setting, options: argparse.Namespace) -> list[list[list[int]]]:
    """Draw the lengths of the conversations of each batch of each round."""
    lengths = settings.read_lengths(options.lengths) if options.lengths else setting.lengths.draw(options.seed)
    count = options.batches or (8 if options.setting == "meld" else 2)
    size = setting.recipe.training.batch_conversations
    return [settings.draw_batches(lengths, count, size, (options.seed, index)) for index in range(options.repeats + 1)]


if __name__ == "__main__":
    report.run(main)
