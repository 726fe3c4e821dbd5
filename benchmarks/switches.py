"""The cost of the switches: a training step with each of them, relative to the published model.

    python -m benchmarks.switches --setting meld
    python -m benchmarks.switches --setting meld --switches contrastive,shift,ema

Each switch runs in its own process; the processes train on the same batches in turn, and ratios are of the same turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import report, settings
from benchmarks.implementations import Bench
from benchmarks.settings import Setting
from benchmarks.training import draw_batches
from benchmarks.workers import Worker
from sdt.errors import near_miss
from sdt.evaluation.table import plain_table
from sdt.experiments import named_tables
from sdt.training.recipe import changed

OFF = "published"
SWITCHES: Mapping[str, Mapping[str, object]] = {OFF: {}, **named_tables.SWITCHES}
"""Name to the settings that differ from the recipe."""


def measure(
    setting: Setting,
    batches: Sequence[Sequence[Sequence[int]]],
    switches: Sequence[str],
    *,
    threads: int,
    seed: int,
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds and processor seconds by switch and by round; the first round, a warm-up, is left out."""
    found: dict[str, list[float]] = {name: [] for name in switches}
    busy: dict[str, list[float]] = {name: [] for name in switches}
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(
                Worker(
                    threads,
                    Bench,
                    "ours",
                    dataclasses.replace(setting, recipe=changed(setting.recipe, SWITCHES[name])),
                    "cpu",
                    "float32",
                )
            )
            for name in switches
        }
        for index in report.rounds(len(batches), "training"):
            for name, worker in workers.items():
                seconds, processor_seconds = worker.call("train", batches[index], seed + index)
                if index > 0:
                    found[name].append(seconds)
                    busy[name].append(processor_seconds)
    return found, busy


def main() -> None:
    """Measure, print, write."""
    parser = report.model_parser(__doc__, repeats=7)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv, for its real lengths")
    parser.add_argument("--batches", type=report.positive, help="per round; default: 8 (meld), 2 (iemocap)")
    parser.add_argument("--switches", help="names of the switches, separated by commas; default: all")
    options = parser.parse_args()
    chosen = options.switches.split(",") if options.switches else [name for name in SWITCHES if name != OFF]
    if unknown := [name for name in chosen if name not in SWITCHES]:
        parser.error(f"--switches: unknown {unknown[0]!r}{near_miss(unknown[0], SWITCHES)}")
    setting = settings.published(options.setting)
    where = report.machine(options.threads, "cpu", "float32")
    batches = draw_batches(setting, options)
    found, busy = measure(setting, batches, [OFF, *chosen], threads=options.threads, seed=options.seed)
    steps = len(batches[0])
    table = plain_table("switch", "ms per batch", "slowdown", "processor time")
    for name, seconds in found.items():
        longer = [_ratio(of, name) for of in (found, busy)]
        table.add_row(name, report.median_range([1000 * of_round / steps for of_round in seconds], 0), *longer)
    console = report.console()
    console.print(f"cost of the switches in training, {options.setting} setting", style="bold")
    console.print(table)
    console.print(f"median (min-max) of {options.repeats} rounds of {steps} batches\n{report.caption(where)}")
    path = options.output or report.FOLDER / f"switches-{options.setting}.json"
    measured = {"setting": options.setting, "seconds": found, "processor_seconds": busy}
    report.write_json(path, "switches", where, measured)


def _ratio(seconds: Mapping[str, list[float]], name: str) -> str:
    ratios = [one / off for one, off in zip(seconds[name], seconds[OFF], strict=True)]
    return "" if name == OFF else report.median_range(ratios, 2)


if __name__ == "__main__":
    report.run(main)
