"""One conversation of 20,000 utterances, predicted in a published setting: time, and the peak of resident memory.

Random parameters and features, a tenth of every modality missing; no encoder of words runs. Every context of the model
reads the conversation as a whole; `full`, which is published, also in windows with overlap (--window, --overlap).

    python -m benchmarks.long
    python -m benchmarks.long --length 5000 --contexts full "window(64)"
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from benchmarks import report, settings
from benchmarks.settings import Setting
from benchmarks.workers import Worker, peak_memory, seconds
from sdt.conversation import Conversation, Utterance
from sdt.device import DeviceName
from sdt.evaluation.table import plain_table
from sdt.models.context import Context
from sdt.prediction import Pipeline
from sdt.windows import Windows

CONTEXTS = ("full", "past", "window(64)")


class Long:
    """A model and a long conversation; in a process of its own.

    Args:
        setting: Of the model.
        context: `model.context`.
        length: Utterances.
        device: Where the model computes.
        seed: Of parameters and features.
    """

    def __init__(self, setting: Setting, context: str, length: int, device: DeviceName, seed: int) -> None:
        torch.manual_seed(seed)
        architecture = replace(setting.recipe.model, context=context)
        self.model = replace(setting, recipe=replace(setting.recipe, model=architecture)).model()
        self.device: DeviceName = device
        self.said = Conversation("day", tuple(Utterance(str(i), "ab"[i % 2]) for i in range(length)))
        self.features = {
            name: (torch.randn(length, width), torch.rand(length) < 0.9) for name, width in setting.widths.items()
        }

    def predict(self, window: int | None, overlap: int | None, repeats: int) -> tuple[list[float], int, int]:
        """Seconds of each turn, the peak of memory in bytes, and what of it was there before: model and features."""
        pipeline = Pipeline(self.model, device=self.device, window=window, overlap=overlap)
        device = next(self.model.parameters()).device
        before = peak_memory(device)
        taken = [seconds(lambda: pipeline.from_features([self.said], self.features), device) for _ in range(repeats)]
        return taken, peak_memory(device), before


def measure(
    setting: Setting,
    contexts: Sequence[str],
    length: int,
    *,
    window: int,
    overlap: int | None,
    repeats: int,
    threads: int,
    device: DeviceName = "auto",
    seed: int = 0,
) -> dict[str, dict[str, Any]]:
    """What came out for every context, and for `full` in windows; each in a process of its own."""
    rows: list[tuple[str, str, int | None]] = [(context, context, None) for context in contexts]
    rows.append((f"full, in windows of {window}", "full", window))
    found = {}
    for number in report.turns(len(rows), "long"):
        name, context, size = rows[number]
        with Worker(threads, Long, setting, context, length, device, seed) as worker:
            taken, peak, before = worker.ask("predict", size, overlap if size else None, repeats)
        found[name] = {"seconds": taken, "peak_bytes": peak, "before_bytes": before}
    return found


def main() -> None:
    """Measure, print, write."""
    parser = report.parser(__doc__, repeats=1)
    parser.add_argument("--setting", choices=settings.NAMES, default="meld", help="default: %(default)s")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    parser.add_argument("--length", type=report.positive, default=20_000, help="utterances; default: %(default)s")
    parser.add_argument("--contexts", nargs="*", default=[*CONTEXTS], metavar="CONTEXT", help="default: all kinds")
    parser.add_argument("--window", type=report.positive, default=512, help="utterances; default: %(default)s")
    parser.add_argument("--overlap", type=int, help="utterances; default: a quarter of --window")
    options = parser.parse_args()
    for context in options.contexts:  # a wrong name is said before the work
        Context.of(context)
    Windows.from_options(options.window, options.overlap)
    where = report.machine(options.threads, options.device)
    found = measure(
        settings.published(options.setting),
        options.contexts,
        options.length,
        window=options.window,
        overlap=options.overlap,
        repeats=options.repeats,
        threads=options.threads,
        device=options.device,
        seed=options.seed,
    )
    table = plain_table("context", "seconds", "utterances/s", "peak memory, MiB", "of it for the work, MiB")
    for name, of in found.items():
        memory = (of["peak_bytes"], of["peak_bytes"] - of["before_bytes"])
        taken = statistics.median(of["seconds"])
        speed = options.length / taken
        table.add_row(name, f"{taken:,.1f}", f"{speed:,.0f}", *(f"{bytes_ / 2**20:,.0f}" for bytes_ in memory))
    console = report.console()
    console.print(table)
    console.print(f"{options.setting} setting, {options.length:,} utterances; {report.caption(where)}")
    path = options.output or report.PLACE / f"long-{options.setting}.json"
    report.write_json(path, "long", where, {"setting": options.setting, "length": options.length, "contexts": found})
    console.print(f"written to {path}")


if __name__ == "__main__":
    report.run(main)
