"""SDT and the baselines side by side: parameters, and utterances per second in training and in prediction.

In every turn each model, in a process of its own, trains on the same new batches and predicts them, as `sdt train` and
`sdt evaluate` do. The first turn warms up and does not count. SDT has the published setting, the baselines their
defaults.

    python -m benchmarks.baselines --setting meld --lengths train_sent_emo.csv
    python -m benchmarks.baselines --models sdt,bc_lstm,mmgcn --setting iemocap
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks import report, settings
from benchmarks.contenders import Bench
from benchmarks.settings import Setting
from benchmarks.training import chosen_batches
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table
from sdt.models.registry import MODELS, check_reference
from sdt.training.recipe import changed


@dataclass
class Measured:
    """What the turns of one model came to; lists are by turn."""

    parameters: int
    utterances: list[int] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    """Seconds."""
    prediction: list[float] = field(default_factory=list)
    """Seconds."""
    memory: int = 0
    """The peak of its process, in bytes."""

    def speed(self, seconds: Sequence[float]) -> list[float]:
        """Utterances per second."""
        return [n / of_turn for n, of_turn in zip(self.utterances, seconds, strict=True)]


def measure(
    setting: Setting,
    batches: Sequence[Sequence[Sequence[int]]],
    models: Sequence[str],
    *,
    threads: int,
    device: DeviceName = "auto",
    precision: Precision = "float32",
    seed: int = 0,
) -> dict[str, Measured]:
    """Train and predict in turn.

    Args:
        setting: What all have in common.
        batches: For every turn, the first of which does not count, the lengths of the conversations of its batches.
        models: Names of `sdt.models.registry`.
        threads: Of every process.
        device: Where to compute.
        precision: Of the matrix products.
        seed: Of the features.
    """
    with contextlib.ExitStack() as stack:
        workers = {}
        for name in models:
            of = replace(setting, recipe=changed(setting.recipe, {"architecture": name}))
            workers[name] = stack.enter_context(Worker(threads, Bench, "ours", of, device, precision))
        found = {name: Measured(worker.ask("parameters")) for name, worker in workers.items()}
        for turn in report.turns(len(batches), "models"):
            for name, worker in workers.items():
                wall, _ = worker.ask("train", batches[turn], seed + turn)
                predicted = worker.ask("predict", batches[turn], seed + turn)
                if turn > 0:
                    found[name].utterances.append(sum(map(sum, batches[turn])))
                    found[name].training.append(wall)
                    found[name].prediction.append(sum(predicted))
        for name, worker in workers.items():
            found[name].memory = worker.ask("peak_memory")
    return found


def results(measured: dict[str, Measured]) -> dict[str, Any]:
    """For the JSON file."""
    return {
        "models": {
            name: {
                "parameters": of.parameters,
                "training_utterances_per_second": report.spread(of.speed(of.training)),
                "prediction_utterances_per_second": report.spread(of.speed(of.prediction)),
                "peak_memory_bytes": of.memory,
                "turns": {"utterances": of.utterances, "training": of.training, "prediction": of.prediction},
            }
            for name, of in measured.items()
        }
    }


def show(measured: dict[str, Measured], title: str, note: str) -> None:
    """Print the table."""
    table = plain_table("model", "parameters", "training,\nutterances/s", "prediction,\nutterances/s", "memory, MiB")
    for name, of in measured.items():
        table.add_row(
            name,
            f"{of.parameters:,}",
            report.shown(of.speed(of.training), 0),
            report.shown(of.speed(of.prediction), 0),
            f"{of.memory / 2**20:,.0f}",
        )
    console = report.console()
    console.print(title, style="bold")
    console.print(table)
    console.print(note)


def main() -> None:
    """Measure, print, write."""
    parser = report.model_parser(__doc__, repeats=5)
    parser.add_argument("--lengths", type=report.file_path, help="MELD's train_sent_emo.csv, for its real lengths")
    parser.add_argument("--batches", type=report.positive, help="in a turn; default: 8 (meld), 2 (iemocap)")
    parser.add_argument("--models", type=names, default=list(MODELS), metavar="NAME,...", help="default: all")
    options = parser.parse_args()
    for name in options.models:
        check_reference(name)
    setting = settings.published(options.setting)
    where = report.machine(options.threads, options.device, options.precision)
    measured = measure(
        setting,
        chosen_batches(setting, options),
        options.models,
        threads=options.threads,
        device=options.device,
        precision=options.precision,
        seed=options.seed,
    )
    source = f"lengths of {options.lengths.name}" if options.lengths else f"lengths {setting.lengths}"
    size = setting.recipe.training.batch_conversations
    note = (
        f"median (lowest-highest) of {options.repeats} turns; {size} conversations per batch, {source}\n"
        f"{report.caption(where)}"
    )
    show(measured, f"models, {options.setting} setting", note)
    path = options.output or report.PLACE / f"baselines-{options.setting}.json"
    report.write_json(path, "baselines", where, {"setting": options.setting, "lengths": source, **results(measured)})


def names(text: str) -> list[str]:
    """An option's names."""
    found = [name.strip() for name in text.split(",")]
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r}: a name is given twice")
    return found


if __name__ == "__main__":
    report.run(main)
