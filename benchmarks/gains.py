"""What each gain in training is worth: our trainer against itself with one thing undone, in turn.

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
from benchmarks.contenders import Bench
from benchmarks.settings import Setting
from benchmarks.training import chosen_batches
from benchmarks.workers import Worker
from sdt.evaluation.table import plain_table
from sdt.models import dropout
from sdt.models.sdt import attention, block_attention, branches
from sdt.models.sdt import model as sdt

AS_IT_IS = "as it is"
UNDONE = (
    "every operation divided among the cores",
    "PyTorch's dropout",
    "optimizer after the backward pass",
    "attention padded",
    "all of these",
)


class Undone(Bench):
    """Our trainer without some of its gains; in a process of its own, which it changes.

    Args:
        what: `AS_IT_IS` or one of `UNDONE`.
        setting: The model and its training.
    """

    def __init__(self, what: str, setting: Setting) -> None:
        if what in ("every operation divided among the cores", "all of these"):
            branches.should_use_threads = lambda tasks: tasks < 0  # type: ignore[attr-defined]
        if what in ("PyTorch's dropout", "all of these"):
            dropout.dropout_noise = block_attention.dropout_noise = _bernoulli  # type: ignore[attr-defined]
        if what in ("optimizer after the backward pass", "all of these"):
            # A limit that nothing reaches: the gradient is kept until its norm is known.
            training = dataclasses.replace(setting.recipe.training, clip=1e30)
            setting = dataclasses.replace(setting, recipe=dataclasses.replace(setting.recipe, training=training))
        if what in ("attention padded", "all of these"):
            sdt.layout_of = attention.Padded.of  # type: ignore[attr-defined]
        super().__init__("ours", setting, "cpu", "float32")


def _bernoulli(
    shape: Sequence[int],
    probability: float,
    dtype: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
) -> Tensor:
    """As `torch.nn.functional.dropout` draws it."""
    noise = torch.empty(tuple(shape), dtype=dtype)
    return noise.bernoulli_(1 - probability, generator=generator or dropout.current_generator()).div_(1 - probability)


def measure(
    setting: Setting, batches: Sequence[Sequence[Sequence[int]]], *, threads: int, seed: int
) -> dict[str, list[float]]:
    """Seconds by what is undone and by turn; the first turn, which warms up, is left out."""
    found: dict[str, list[float]] = {name: [] for name in (AS_IT_IS, *UNDONE)}
    with contextlib.ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(threads, Undone, name, setting)) for name in found}
        for turn in report.turns(len(batches), "training"):
            for name, worker in workers.items():
                seconds, _ = worker.ask("train", batches[turn], seed + turn)
                if turn > 0:
                    found[name].append(seconds)
    return found


def main() -> None:
    """Measure, print, write."""
    parser = report.model_parser(__doc__, repeats=5)
    parser.add_argument("--lengths", type=Path, help="MELD's train_sent_emo.csv, for its real lengths; else drawn")
    parser.add_argument("--batches", type=report.positive, help="in a turn; default: 8 (meld), 2 (iemocap)")
    options = parser.parse_args()
    setting = settings.published(options.setting)
    where = report.machine(options.threads, "cpu", "float32")
    batches = chosen_batches(setting, options)
    found = measure(setting, batches, threads=options.threads, seed=options.seed)
    steps = len(batches[0])
    table = plain_table("undone", "ms per batch", "times as long")
    for name, seconds in found.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds, found[AS_IT_IS], strict=True)]
        longer = "" if name == AS_IT_IS else report.shown(ratios, 2)
        table.add_row(name, report.shown([1000 * of_turn / steps for of_turn in seconds], 0), longer)
    console = report.console()
    console.print(f"gains in training, {options.setting} setting", style="bold")
    console.print(table)
    console.print(f"median (lowest-highest) of {options.repeats} turns of {steps} batches\n{report.caption(where)}")
    path = options.output or report.PLACE / f"gains-{options.setting}.json"
    report.write_json(path, "gains", where, {"setting": options.setting, "seconds": found})


if __name__ == "__main__":
    report.run(main)
