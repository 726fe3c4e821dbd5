"""Prediction: throughput on batches, and the latency of single conversations of 1, 10 and 100 utterances.

In every round, our implementation on PyTorch and on onnxruntime (graphs with weights in float32, float16 and int8) and
the textbook predict the same random conversations, from features to probabilities, each in a separate process; then the
limit of the hardware for these sizes is measured. The first round is a warm-up.

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
from benchmarks.graph_engine import GraphBench
from benchmarks.implementations import Bench
from benchmarks.roofline import ForwardLimit, Roofline
from benchmarks.settings import Setting
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table
from sdt.models.graph_precision import PRECISIONS

NAMES = ("ours", "textbook")
SINGLE = (1, 10, 100)
"""Lengths of the single conversations, in utterances."""
Batches = Sequence[Sequence[int]]
"""The lengths of the conversations of each batch."""


@dataclass
class Case:
    """Results of one type of batch; lists have one value per round."""

    utterances: list[int] = field(default_factory=list)
    seconds: dict[str, list[list[float]]] = field(default_factory=dict)
    """Implementation to the seconds of every call of each round."""
    limits: list[ForwardLimit] = field(default_factory=list)

    def latencies(self, name: str) -> list[float]:
        """The latencies of all calls in milliseconds."""
        return [1000 * seconds for calls in self.seconds[name] for seconds in calls]

    def speed(self, name: str) -> list[float]:
        """Utterances per second."""
        return [n / sum(calls) for n, calls in zip(self.utterances, self.seconds[name], strict=True)]

    def gain(self, name: str = "ours") -> list[float]:
        """The speed of an implementation divided by that of the textbook, by round."""
        return [sum(b) / sum(a) for a, b in zip(self.seconds[name], self.seconds["textbook"], strict=True)]

    def share(self, name: str) -> list[float]:
        """The fraction of the roofline, by round."""
        return [limit.seconds / sum(calls) for limit, calls in zip(self.limits, self.seconds[name], strict=True)]


@dataclass
class Measurements:
    """Results of all types of batches."""

    cases: dict[str, Case]
    memory: dict[str, int] = field(default_factory=dict)
    """Implementation to the peak memory of its process in bytes; not of graphs, which their processes export."""
    files: dict[str, int] = field(default_factory=dict)
    """Graph to the size of its file in bytes."""


def measure(
    setting: Setting,
    cases: Mapping[str, Sequence[Batches]],
    *,
    threads: int,
    graphs: Sequence[str] = PRECISIONS,
    device: DeviceName = "auto",
    precision: Precision = "float32",
    seed: int = 0,
) -> Measurements:
    """Predict with all implementations, in alternation.

    Args:
        setting: The model.
        cases: Name of a type of batch to its batches in each round; the first round is the warm-up.
        threads: Threads of every process.
        graphs: Precisions of the graphs that onnxruntime runs.
        device: The device of the models.
        precision: Precision of the matrix products.
        seed: Random seed of the features.
    """
    measured = Measurements({name: Case() for name in cases})
    with contextlib.ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(threads, Bench, name, setting, device, precision)) for name in NAMES
        }
        exported = {f"onnxruntime {of}": stack.enter_context(Worker(threads, GraphBench, of, setting)) for of in graphs}
        roofline = stack.enter_context(Worker(threads, Roofline, setting, device, precision))
        for index in report.rounds(min(map(len, cases.values())), "inference"):
            for of, batches in cases.items():
                both = {**workers, **exported}
                found = {name: worker.call("predict", batches[index], seed + index) for name, worker in both.items()}
                sizes = [sum(lengths) for lengths in batches[index]]
                limit: ForwardLimit = roofline.call("inference", sizes)
                if index > 0:
                    case = measured.cases[of]
                    case.utterances.append(sum(sizes))
                    case.limits.append(limit)
                    for name, seconds in found.items():
                        case.seconds.setdefault(name, []).append(seconds)
        measured.memory = {name: worker.call("peak_memory") for name, worker in workers.items()}
        measured.files = {name: worker.call("file_bytes") for name, worker in exported.items()}
    return measured


def results(measured: Measurements) -> dict[str, Any]:
    """Values for the JSON file."""
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
                    for name in case.seconds
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
        "file_bytes": measured.files,
    }


def show(measured: Measurements, title: str, note: str) -> None:
    """Print the results."""
    table = plain_table("", "", "ms", "95 %", "utterances/s", "% of roofline", "times the textbook")
    for of, case in measured.cases.items():
        for number, name in enumerate(case.seconds):
            table.add_row(
                "" if number else of,
                name,
                f"{np.median(case.latencies(name)):,.1f}",
                f"{_percentile_95(case.latencies(name)):,.1f}",
                report.median_range(case.speed(name), 0),
                f"{100 * np.median(case.share(name)):.0f}",
                "" if name == "textbook" else report.median_range(case.gain(name), 2),
            )
    console = report.console()
    console.print(title, style="bold")
    console.print(table)
    rounds = len(next(iter(measured.cases.values())).limits)
    console.print(f"median (min-max) of {rounds} rounds; 95 %: 95th percentile of all calls; a call predicts one batch")
    console.print("peak memory: " + ", ".join(f"{name} {b / 2**20:,.0f} MiB" for name, b in measured.memory.items()))
    for name, size in measured.files.items():
        console.print(f"{name}: a file of {size / 2**20:,.1f} MiB")
    console.print(note)


def _percentile_95(milliseconds: Sequence[float]) -> float:
    return float(np.percentile(milliseconds, 95))


def main() -> None:
    """Run the benchmark."""
    parser = report.model_parser(__doc__, repeats=7)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv; default: random lengths")
    parser.add_argument(
        "--batch", type=report.positive, default=32, help="conversations per batch; default: %(default)s"
    )
    parser.add_argument("--batches", type=report.positive, default=4, help="per round; default: %(default)s")
    parser.add_argument(
        "--calls", type=report.positive, default=20, help="per round of a single conversation; default: %(default)s"
    )
    parser.add_argument(
        "--graphs",
        nargs="*",
        choices=PRECISIONS,
        default=PRECISIONS,
        metavar="PRECISION",
        help="precisions of the graphs on onnxruntime; default: all",
    )
    options = parser.parse_args()
    setting = settings.published(options.setting)
    where = report.machine(options.threads, options.device, options.precision)
    measured = measure(
        setting,
        draw_cases(setting, options),
        threads=options.threads,
        graphs=options.graphs,
        device=options.device,
        precision=options.precision,
        seed=options.seed,
    )
    source = f"lengths of {options.lengths.name}" if options.lengths else f"lengths {setting.lengths}"
    show(measured, f"inference, {options.setting} setting", f"batches: {source}\n{report.caption(where)}")
    path = options.output or report.FOLDER / f"inference-{options.setting}.json"
    report.write_json(path, "inference", where, {"setting": options.setting, "lengths": source, **results(measured)})


def draw_cases(setting: Setting, options: argparse.Namespace) -> dict[str, list[Batches]]:
    """Draw the batches of every round."""
    lengths = settings.read_lengths(options.lengths) if options.lengths else setting.lengths.draw(options.seed)
    rounds = range(options.repeats + 1)
    cases: dict[str, list[Batches]] = {
        f"{options.batch} conversations": [
            settings.draw_batches(lengths, options.batches, options.batch, (options.seed, index)) for index in rounds
        ]
    }
    for N in SINGLE:
        cases[f"1 of {N} utterance{'s' if N > 1 else ''}"] = [[[N]] * options.calls for _ in rounds]
    return cases


if __name__ == "__main__":
    report.run(main)
