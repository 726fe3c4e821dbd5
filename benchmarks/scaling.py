"""Growth of time and memory with the length and the number of conversations, for our implementation and the textbook.

Three sweeps: longer conversations with the same total number of utterances; more conversations of the same length; and
one long conversation in a batch of short ones, compared with conversations of equal length and the same total, which
cost the same if padding costs nothing. Every point uses new processes, because memory is the peak of a process.

The exponent of growth is fitted to the larger half of each sweep: 0 for constant, 1 for linear and 2 for quadratic
growth. In the sweep over lengths the total is constant, so 1 means quadratic in the length of a conversation. Memory is
that of the batch, without parameters and optimizer. The textbook stores all attention weights, and is not measured
beyond --textbook-longest.

    python -m benchmarks.scaling --figure build/benchmarks/scaling.png
    python -m benchmarks.scaling --utterances 512 --repeats 1
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from benchmarks import report, settings
from benchmarks.figure import figure_format, write_scaling_figure
from benchmarks.implementations import Bench
from benchmarks.points import NAMES, SIZES, SWEEPS, Point, describe_lengths, exponents, median_ms, sweeps
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table

SMALL = [2]
"""The lengths of the conversations of the warm-up."""
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
    """Measure a point in new processes, predictions first, because they need less memory than training."""
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in names
        }
        for of, rest, peak, task in (
            (point.prediction, point.prediction_rest, point.prediction_memory, _predict),
            (point.training, point.training_rest, point.training_memory, _train),
        ):
            for name, worker in workers.items():
                task(worker, SMALL, seed)  # the first call loads libraries
                rest[name] = worker.call("at_rest")
                of[name] = []
            for index in range(repeats + 1):
                for name, worker in workers.items():
                    seconds = task(worker, point.lengths, seed)
                    of[name] += [seconds] if index else []
            peak.update({name: worker.call("peak_memory") for name, worker in workers.items()})


def _predict(worker: Worker, lengths: Sequence[int], seed: int) -> float:
    seconds: list[float] = worker.call("predict", [lengths], seed)
    return seconds[0]


def _train(worker: Worker, lengths: Sequence[int], seed: int) -> float:
    seconds: tuple[float, float] = worker.call("train", [lengths], seed)
    return seconds[0]


def show(points: Sequence[Point], note: str) -> None:
    """Print two tables for each sweep, and one of the exponents."""
    console = report.console()
    for sweep, title in SWEEPS.items():
        chosen = [point for point in points if point.sweep == sweep]
        console.print(title, style="bold")
        console.print(times_table(chosen))
        console.print(memory_table(chosen))
    console.print("exponents of growth", style="bold")
    console.print(growth_table(points))
    console.print(f"medians; memory: peak of the process, including parameters and, in training, the optimizer\n{note}")


def times_table(points: Sequence[Point]) -> Table:
    """Table of milliseconds and speed-ups."""
    heads = [[*(f"{name}\n{what}, ms" for name in NAMES), "\nspeed-up"] for what in ("training", "prediction")]
    table = plain_table("conversations", *heads[0], *heads[1])
    for point in points:
        row = [describe_lengths(point.lengths)]
        for of in (point.training, point.prediction):
            times = [median_ms(of, name) if name in of else None for name in NAMES]
            row += [NOT_MEASURED if time is None else f"{time:,.0f}" for time in times]
            row.append(NOT_MEASURED if times[0] is None or times[1] is None else f"{times[1] / times[0]:.2f}")
        table.add_row(*row)
    return table


def memory_table(points: Sequence[Point]) -> Table:
    """Table of memory in MiB."""
    heads = (f"{name}\n{what}, MiB" for what in ("training", "prediction") for name in NAMES)
    table = plain_table("conversations", *heads)
    for point in points:
        of_both = (point.training_memory, point.prediction_memory)
        memory = (f"{of[name] / 2**20:,.0f}" if name in of else NOT_MEASURED for of in of_both for name in NAMES)
        table.add_row(describe_lengths(point.lengths), *memory)
    return table


def growth_table(points: Sequence[Point]) -> Table:
    """Table of the exponents of every sweep with a growing size."""
    table = plain_table("", *NAMES)
    for sweep, found in exponents(points).items():
        for quantity, powers in found.items():
            cells = (NOT_MEASURED if power is None else f"{power:.2f}" for power in powers.values())
            table.add_row(f"{quantity.partition(',')[0]}, over {SIZES[sweep][0]}", *cells)
    return table


def main() -> None:
    """Run the benchmark."""
    parser = report.model_parser(__doc__, repeats=3)
    parser.add_argument(
        "--utterances", type=report.positive, default=4096, help="total in the sweep over lengths; default: %(default)s"
    )
    parser.add_argument(
        "--textbook-longest",
        type=report.positive,
        default=512,
        metavar="N",
        help="maximum length at which the textbook is measured; default: %(default)s",
    )
    parser.add_argument(
        "--figure", type=report.file_path, metavar="FILE", help=f"a .png, .svg or .pdf; default: in {report.FOLDER}"
    )
    options = parser.parse_args()
    path = options.output or report.FOLDER / f"scaling-{options.setting}.json"
    figure = options.figure or path.with_suffix(".png")
    figure_format(figure)  # rejects a wrong suffix before the measurements
    setting, where, points = (
        settings.published(options.setting),
        report.machine(options.threads, options.device, options.precision),
        sweeps(options.utterances),
    )
    for number in report.rounds(len(points), "scaling"):
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
    note = f"{options.setting} setting, rounds: {options.repeats}; {report.caption(where)}"
    show(points, note)
    report.write_json(
        path,
        "scaling",
        where,
        {"setting": options.setting, "points": [asdict(p) for p in points], "exponents": exponents(points)},
    )
    write_scaling_figure(figure, points, note)


if __name__ == "__main__":
    report.run(main)
