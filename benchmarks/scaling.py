"""How time and memory grow, ours and the textbook's: with the length of the conversations and with their number.

Three sweeps: ever longer conversations with as many utterances in all; ever more conversations of the same length; and
one long conversation among many short ones beside as many utterances in as many conversations of equal length, which
costs the same where padding costs nothing. Every point has new processes, since memory is the peak of a process.

A power tells how time and memory grow over the larger half of each sweep: 0 where they do not, 1 where they grow with
the size, 2 with its square. Where there are as many utterances in all, 1 means: with the square of a conversation.
Memory is that of the batch, beyond parameters and optimizer. The textbook holds every weight of attention and is left
out beyond --textbook-longest.

    python -m benchmarks.scaling --figure build/benchmarks/scaling.png
    python -m benchmarks.scaling --utterances 512 --repeats 1
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from benchmarks import report, settings
from benchmarks.contenders import Bench
from benchmarks.figure import picture_kind, write_figure
from benchmarks.points import NAMES, SIZES, SWEEPS, Point, described, exponents, median_ms, sweeps
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table

SMALL = [2]
"""The lengths of the conversations that are read before anything counts."""
NOT_MEASURED = "–"


def measure(
    point: Point,
    setting: Setting,
    *,
    repeats: int,
    threads: int,
    device: DeviceName = "auto",
    precision: Precision = "float32",
    seed: int = 0,
    names: Sequence[str] = NAMES,
) -> None:
    """Measure a point in new processes, predictions first: they need less memory than training."""
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in names
        }
        for of, rest, peak, task in (
            (point.prediction, point.prediction_rest, point.prediction_memory, _predict),
            (point.training, point.training_rest, point.training_memory, _train),
        ):
            for name, worker in workers.items():
                task(worker, SMALL, seed)  # whatever runs first loads what it needs
                rest[name] = worker.ask("at_rest")
                of[name] = []
            for turn in range(repeats + 1):
                for name, worker in workers.items():
                    seconds = task(worker, point.lengths, seed)
                    of[name] += [seconds] if turn else []
            peak.update({name: worker.ask("peak_memory") for name, worker in workers.items()})


def _predict(worker: Worker, lengths: Sequence[int], seed: int) -> float:
    seconds: list[float] = worker.ask("predict", [lengths], seed)
    return seconds[0]


def _train(worker: Worker, lengths: Sequence[int], seed: int) -> float:
    seconds: tuple[float, float] = worker.ask("train", [lengths], seed)
    return seconds[0]


def show(points: Sequence[Point], note: str) -> None:
    """Print two tables for each sweep, and one of the powers."""
    console = report.console()
    for sweep, title in SWEEPS.items():
        chosen = [point for point in points if point.sweep == sweep]
        console.print(title, style="bold")
        console.print(times_table(chosen))
        console.print(memory_table(chosen))
    console.print("growth, as a power of the size", style="bold")
    console.print(growth_table(points))
    console.print(f"medians; memory: peak of the process, with parameters and, in training, optimizer\n{note}")


def times_table(points: Sequence[Point]) -> Table:
    """Milliseconds, and how many times faster we are."""
    heads = [[*(f"{name}\n{what}, ms" for name in NAMES), "\nfaster by"] for what in ("training", "predicting")]
    table = plain_table("conversations", *heads[0], *heads[1])
    for point in points:
        row = [described(point.lengths)]
        for of in (point.training, point.prediction):
            times = [median_ms(of, name) if name in of else None for name in NAMES]
            row += [NOT_MEASURED if time is None else f"{time:,.0f}" for time in times]
            row.append(NOT_MEASURED if times[0] is None or times[1] is None else f"{times[1] / times[0]:.2f}")
        table.add_row(*row)
    return table


def memory_table(points: Sequence[Point]) -> Table:
    """MiB."""
    heads = (f"{name}\n{what}, MiB" for what in ("training", "predicting") for name in NAMES)
    table = plain_table("conversations", *heads)
    for point in points:
        of_both = (point.training_memory, point.prediction_memory)
        memory = (f"{of[name] / 2**20:,.0f}" if name in of else NOT_MEASURED for of in of_both for name in NAMES)
        table.add_row(described(point.lengths), *memory)
    return table


def growth_table(points: Sequence[Point]) -> Table:
    """The powers of every sweep that grows."""
    table = plain_table("", *NAMES)
    for sweep, found in exponents(points).items():
        for quantity, powers in found.items():
            cells = (NOT_MEASURED if power is None else f"{power:.2f}" for power in powers.values())
            table.add_row(f"{quantity.partition(',')[0]}, over {SIZES[sweep][0]}", *cells)
    return table


def main() -> None:
    """Measure, print, write, draw."""
    parser = report.model_parser(__doc__, repeats=3)
    parser.add_argument(
        "--utterances", type=report.positive, default=4096, help="in all, of ever longer conversations: %(default)s"
    )
    parser.add_argument(
        "--textbook-longest",
        type=report.positive,
        default=512,
        metavar="N",
        help="utterances of a conversation up to which the textbook is measured, too: %(default)s",
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
            names=NAMES if max(points[number].lengths) <= options.textbook_longest else NAMES[:1],
        )
    note = f"{options.setting} setting, turns: {options.repeats}; {report.caption(where)}"
    show(points, note)
    report.write_json(
        path,
        "scaling",
        where,
        {"setting": options.setting, "points": [asdict(p) for p in points], "exponents": exponents(points)},
    )
    write_figure(picture, points, note)


if __name__ == "__main__":
    report.run(main)
