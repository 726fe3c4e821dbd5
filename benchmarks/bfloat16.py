"""Training with matrix products in bfloat16 and in float32 on a CPU, in alternation, with and without threads.

python -m benchmarks.bfloat16 --setting meld --lengths train_sent_emo.csv
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from benchmarks import report, settings
from benchmarks.implementations import Bench
from benchmarks.settings import Setting
from benchmarks.training import draw_batches
from benchmarks.workers import Worker
from sdt.device import Precision
from sdt.evaluation.table import plain_table
from sdt.models.sdt import branches

KINDS: dict[str, tuple[Precision, bool]] = {
    "float32": ("float32", True),
    "bfloat16": ("bfloat16", True),
    "bfloat16 without one thread per encoder": ("bfloat16", False),
}


class PrecisionBench(Bench):
    """Our trainer in one of `KINDS`; it patches modules, so it needs a separate process."""

    def __init__(self, kind: str, setting: Setting) -> None:
        precision, threads = KINDS[kind]
        if not threads:
            branches.should_use_threads = lambda tasks: tasks < 0  # type: ignore[attr-defined]
        super().__init__("ours", setting, "cpu", precision)


def measure(
    setting: Setting, batches: Sequence[Sequence[Sequence[int]]], *, threads: int, seed: int
) -> dict[str, list[tuple[float, float]]]:
    """Wall and processor seconds of each round by kind, without the warm-up round."""
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in KINDS}
    with contextlib.ExitStack() as stack:
        workers = {kind: stack.enter_context(Worker(threads, PrecisionBench, kind, setting)) for kind in KINDS}
        for index in report.rounds(len(batches), "training"):
            for kind, worker in workers.items():
                seconds = worker.call("train", batches[index], seed + index)
                if index > 0:
                    found[kind].append(seconds)
    return found


def main() -> None:
    """Run the benchmark."""
    parser = report.model_parser(__doc__, repeats=5)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv; default: random lengths")
    parser.add_argument("--batches", type=report.positive, help="per round; default: 8 (meld), 2 (iemocap)")
    options = parser.parse_args()
    setting = settings.published(options.setting)
    where = report.machine(options.threads, "cpu", "float32")
    batches = draw_batches(setting, options)
    found = measure(setting, batches, threads=options.threads, seed=options.seed)
    steps = len(batches[0])
    table = plain_table("precision", "ms per batch", "processor ms per batch", "speed-up", "of processor time")
    for kind, rounds in found.items():
        cells = [report.median_range([1000 * of[clock] / steps for of in rounds], 0) for clock in (0, 1)]
        for clock in (0, 1):
            gains = [full[clock] / of[clock] for full, of in zip(found["float32"], rounds, strict=True)]
            cells.append("" if kind == "float32" else report.median_range(gains, 2))
        table.add_row(kind, *cells)
    console = report.console()
    console.print(f"precision of training, {options.setting} setting", style="bold")
    console.print(table)
    console.print(f"median (min-max) of {options.repeats} rounds of {steps} batches\n{report.caption(where)}")
    path = options.output or report.FOLDER / f"bfloat16-{options.setting}.json"
    report.write_json(path, "bfloat16", where, {"setting": options.setting, "seconds": found})


if __name__ == "__main__":
    report.run(main)
