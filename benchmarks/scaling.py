"""How time and memory grow, ours and the textbook's: with the length of the conversations and with their number.

Three sweeps: ever longer conversations with as many utterances in all; ever more conversations of the same length; and
one long conversation among many short ones beside as many utterances in as many conversations of equal length, which
costs the same where padding costs nothing. Every point has new processes, since memory is the peak of a process.

    python -m benchmarks.scaling --figure build/benchmarks/scaling.png
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from benchmarks import report, settings
from benchmarks.contenders import Bench
from benchmarks.figure import picture_kind, write_figure
from benchmarks.points import NAMES, SWEEPS, Point, described, median_ms, sweeps
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table


def measure(
    point: Point,
    setting: Setting,
    *,
    repeats: int,
    threads: int,
    device: DeviceName = "auto",
    precision: Precision = "float32",
    seed: int = 0,
) -> None:
    """Measure a point in new processes, predictions first: they need less memory than training."""
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in NAMES
        }
        for turn in range(repeats + 1):
            for name, worker in workers.items():
                seconds = worker.ask("predict", [point.lengths], seed)[0]
                point.prediction.setdefault(name, []).extend([seconds] if turn else [])
        point.prediction_memory = {name: worker.ask("peak_memory") for name, worker in workers.items()}
        for turn in range(repeats + 1):
            for name, worker in workers.items():
                seconds = worker.ask("train", [point.lengths], seed)[0]
                point.training.setdefault(name, []).extend([seconds] if turn else [])
        point.training_memory = {name: worker.ask("peak_memory") for name, worker in workers.items()}


def show(points: Sequence[Point], note: str) -> None:
    """Print two tables for each sweep."""
    console = report.console()
    for sweep, title in SWEEPS.items():
        chosen = [point for point in points if point.sweep == sweep]
        console.print(title, style="bold")
        console.print(times_table(chosen))
        console.print(memory_table(chosen))
    console.print(f"medians; memory: peak of the process, with parameters and, in training, optimizer\n{note}")


def times_table(points: Sequence[Point]) -> Table:
    """Milliseconds, and how many times faster we are."""
    heads = [[*(f"{name}\n{what}, ms" for name in NAMES), "\nfaster by"] for what in ("training", "predicting")]
    table = plain_table("conversations", *heads[0], *heads[1])
    for point in points:
        row = [described(point.lengths)]
        for of in (point.training, point.prediction):
            ours, theirs = (median_ms(of, name) for name in NAMES)
            row += [f"{ours:,.0f}", f"{theirs:,.0f}", f"{theirs / ours:.2f}"]
        table.add_row(*row)
    return table


def memory_table(points: Sequence[Point]) -> Table:
    """MiB."""
    heads = (f"{name}\n{what}, MiB" for what in ("training", "predicting") for name in NAMES)
    table = plain_table("conversations", *heads)
    for point in points:
        of_both = (point.training_memory, point.prediction_memory)
        memory = (f"{of[name] / 2**20:,.0f}" for of in of_both for name in NAMES)
        table.add_row(described(point.lengths), *memory)
    return table


def main() -> None:
    """Measure, print, write, draw."""
    parser = report.model_parser(__doc__, repeats=5)
    parser.add_argument(
        "--utterances", type=report.positive, default=320, help="in all, of ever longer conversations: %(default)s"
    )
    parser.add_argument(
        "--figure", type=report.file_path, metavar="FILE", help=f"a .png, .svg or .pdf; default: in {report.PLACE}"
    )
    options = parser.parse_args()
    path = options.output or report.PLACE / f"scaling-{options.setting}.json"
    picture = options.figure or path.with_suffix(".png")
    picture_kind(picture)  # a wrong name is said before the work
    setting, where, points = (
        settings.published(options.setting),
        report.machine(options.threads, options.device, options.precision),
        sweeps(options.utterances),
    )
    for number in report.turns(len(points), "scaling"):
        measure(
            points[number],
            setting,
            repeats=options.repeats,
            threads=options.threads,
            device=options.device,
            precision=options.precision,
            seed=options.seed,
        )
    note = f"{options.setting} setting, turns: {options.repeats}; {report.caption(where)}"
    show(points, note)
    report.write_json(path, "scaling", where, {"setting": options.setting, "points": [asdict(p) for p in points]})
    write_figure(picture, points, note)


if __name__ == "__main__":
    report.run(main)
