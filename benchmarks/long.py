"""Prediction of one conversation of 20,000 utterances in a published setting: time and peak memory.

Parameters and features are random, a tenth of every modality is missing, and no encoder runs. Every model context is
measured on the whole conversation; the published one, `full`, also in windows with overlap (--window, --overlap).

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


class LongConversation:
    """A model and a long conversation, in a separate process.

    Args:
        setting: The setting of the model.
        context: The value of `model.context`.
        length: Number of utterances.
        device: The device of the model.
        seed: Random seed of parameters and features.
    """

    def __init__(self, setting: Setting, context: str, length: int, device: DeviceName, seed: int) -> None:
        torch.manual_seed(seed)
        architecture = replace(setting.recipe.model, context=context)
        self.model = replace(setting, recipe=replace(setting.recipe, model=architecture)).model()
        self.device: DeviceName = device
        self.conversation = Conversation("day", tuple(Utterance(str(i), "ab"[i % 2]) for i in range(length)))
        self.features = {
            name: (torch.randn(length, width), torch.rand(length) < 0.9) for name, width in setting.widths.items()
        }

    def predict(self, window: int | None, overlap: int | None, repeats: int) -> tuple[list[float], int, int]:
        """Return the seconds of each round, the peak memory in bytes, and the memory before: model and features."""
        pipeline = Pipeline(self.model, device=self.device, window=window, overlap=overlap)
        device = next(self.model.parameters()).device
        before = peak_memory(device)
        taken = [
            seconds(lambda: pipeline.from_features([self.conversation], self.features), device) for _ in range(repeats)
        ]
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
    """Measure every context, and `full` in windows, each in a separate process."""
    rows: list[tuple[str, str, int | None]] = [(context, context, None) for context in contexts]
    rows.append((f"full, in windows of {window}", "full", window))
    found = {}
    for number in report.rounds(len(rows), "long"):
        name, context, size = rows[number]
        with Worker(threads, LongConversation, setting, context, length, device, seed) as worker:
            taken, peak, before = worker.call("predict", size, overlap if size else None, repeats)
        found[name] = {"seconds": taken, "peak_bytes": peak, "before_bytes": before}
    return found


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=1)
    parser.add_argument("--setting", choices=settings.NAMES, default="meld", help="default: %(default)s")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: %(default)s")
    parser.add_argument("--length", type=report.positive, default=20_000, help="in utterances; default: %(default)s")
    parser.add_argument("--contexts", nargs="*", default=[*CONTEXTS], metavar="CONTEXT", help="default: all")
    parser.add_argument("--window", type=report.positive, default=512, help="in utterances; default: %(default)s")
    parser.add_argument("--overlap", type=int, help="in utterances; default: a quarter of --window")
    options = parser.parse_args()
    for context in options.contexts:  # rejects an unknown name before the measurements
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
    table = plain_table("context", "seconds", "utterances/s", "peak memory, MiB", "for the computation, MiB")
    for name, of in found.items():
        memory = (of["peak_bytes"], of["peak_bytes"] - of["before_bytes"])
        taken = statistics.median(of["seconds"])
        speed = options.length / taken
        table.add_row(name, f"{taken:,.1f}", f"{speed:,.0f}", *(f"{bytes_ / 2**20:,.0f}" for bytes_ in memory))
    console = report.console()
    console.print(table)
    console.print(f"{options.setting} setting, {options.length:,} utterances; {report.caption(where)}")
    path = options.output or report.FOLDER / f"long-{options.setting}.json"
    report.write_json(path, "long", where, {"setting": options.setting, "length": options.length, "contexts": found})
    console.print(f"written to {path}")


if __name__ == "__main__":
    report.run(main)
