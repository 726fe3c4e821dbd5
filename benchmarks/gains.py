"""The contribution of each optimization of training: our trainer with and without it, in alternation.

python -m benchmarks.gains --setting meld --lengths train_sent_emo.csv
python -m benchmarks.gains --setting iemocap
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import report, settings
from benchmarks.implementations import Bench
from benchmarks.settings import Setting
from benchmarks.training import draw_batches
from benchmarks.workers import Worker
from sdt.evaluation.table import plain_table
from sdt.models import dropout
from sdt.models.sdt import attention, block_attention, branches
from sdt.models.sdt import model as sdt

NONE = "none"
OPTIMIZATIONS = (
    "one thread per encoder",
    "fast dropout",
    "optimizer within the backward pass",
    "attention without padding",
    "all",
)


class DeoptimizedBench(Bench):
    """Our trainer without some optimizations; it patches modules, so it needs a separate process.

    Args:
        disabled: `NONE` or one of `OPTIMIZATIONS`.
        setting: The model and its training settings.
    """

    def __init__(self, disabled: str, setting: Setting) -> None:
        if disabled in ("one thread per encoder", "all"):
            branches.should_use_threads = lambda tasks: tasks < 0  # type: ignore[attr-defined]
        if disabled in ("fast dropout", "all"):
            dropout.dropout_noise = block_attention.dropout_noise = _bernoulli  # type: ignore[attr-defined]
        if disabled in ("optimizer within the backward pass", "all"):
            # A limit that no gradient reaches: the gradients are kept until their norm is known.
            training = dataclasses.replace(setting.recipe.training, clip=1e30)
            setting = dataclasses.replace(setting, recipe=dataclasses.replace(setting.recipe, training=training))
        if disabled in ("attention without padding", "all"):
            sdt.layout_of = attention.Padded.of  # type: ignore[attr-defined]
        super().__init__("ours", setting, "cpu", "float32")


def _bernoulli(
    shape: Sequence[int],
    probability: float,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw noise like `torch.nn.functional.dropout`."""
    noise = torch.empty(tuple(shape), dtype=dtype)
    return noise.bernoulli_(1 - probability, generator=generator or dropout.current_generator()).div_(1 - probability)


def measure(
    setting: Setting, batches: Sequence[Sequence[Sequence[int]]], *, threads: int, seed: int
) -> dict[str, list[float]]:
    """The seconds of each round by disabled optimization, without the warm-up round."""
    found: dict[str, list[float]] = {name: [] for name in (NONE, *OPTIMIZATIONS)}
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(threads, DeoptimizedBench, name, setting)) for name in found}
        for index in report.rounds(len(batches), "training"):
            for name, worker in workers.items():
                seconds, _ = worker.call("train", batches[index], seed + index)
                if index > 0:
                    found[name].append(seconds)
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
    table = plain_table("disabled", "ms per batch", "slowdown")
    for name, seconds in found.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds, found[NONE], strict=True)]
        longer = "" if name == NONE else report.median_range(ratios, 2)
        table.add_row(name, report.median_range([1000 * of_turn / steps for of_turn in seconds], 0), longer)
    console = report.console()
    console.print(f"optimizations of training, {options.setting} setting", style="bold")
    console.print(table)
    console.print(f"median (min-max) of {options.repeats} rounds of {steps} batches\n{report.caption(where)}")
    path = options.output or report.FOLDER / f"gains-{options.setting}.json"
    report.write_json(path, "gains", where, {"setting": options.setting, "seconds": found})


if __name__ == "__main__":
    report.run(main)
