"""SDT and the baselines: parameters, and utterances per second in training and in prediction.

In every round, each model trains on the same new batches and predicts them, as `sdt train` and `sdt evaluate` do, each
in a separate process. The first round is a warm-up. SDT has the published setting, the baselines their defaults.

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
from benchmarks.implementations import Bench
from benchmarks.settings import Setting
from benchmarks.training import draw_batches
from benchmarks.workers import Worker
from sdt.device import DeviceName, Precision
from sdt.evaluation.table import plain_table
from sdt.models.registry import MODELS, check_reference
from sdt.training.recipe import changed


@dataclass
class Measurements:
    """Results of one model; lists have one value per round."""

    parameters: int
    utterances: list[int] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    """Seconds."""
    prediction: list[float] = field(default_factory=list)
    """Seconds."""
    memory: int = 0
    """Peak memory of its process in bytes."""

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
) -> dict[str, Measurements]:
    """Train and predict with every model, in alternation.

    Args:
        setting: The common setting.
        batches: Lengths of the conversations of each batch of each round; the first round is the warm-up.
        models: Names in `sdt.models.registry`.
        threads: Threads of every process.
        device: The device of the models.
        precision: Precision of the matrix products.
        seed: Random seed of the features.
    """
    with contextlib.ExitStack() as stack:
        workers = {}
        for name in models:
            of = replace(setting, recipe=changed(setting.recipe, {"architecture": name}))
            workers[name] = stack.enter_context(Worker(threads, Bench, "ours", of, device, precision))
        found = {name: Measurements(worker.call("parameters")) for name, worker in workers.items()}
        for index in report.rounds(len(batches), "models"):
            for name, worker in workers.items():
                wall, _ = worker.call("train", batches[index], seed + index)
                predicted = worker.call("predict", batches[index], seed + index)
                if index > 0:
                    found[name].utterances.append(sum(map(sum, batches[index])))
                    found[name].training.append(wall)
                    found[name].prediction.append(sum(predicted))
        for name, worker in workers.items():
            found[name].memory = worker.call("peak_memory")
    return found


def results(measured: dict[str, Measurements]) -> dict[str, Any]:
    """Values for the JSON file."""
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


def show(measured: dict[str, Measurements], title: str, note: str) -> None:
    """Print the results."""
    table = plain_table("model", "parameters", "training,\nutterances/s", "prediction,\nutterances/s", "memory, MiB")
    for name, of in measured.items():
        table.add_row(
            name,
            f"{of.parameters:,}",
            report.median_range(of.speed(of.training), 0),
            report.median_range(of.speed(of.prediction), 0),
            f"{of.memory / 2**20:,.0f}",
        )
    console = report.console()
    console.print(title, style="bold")
    console.print(table)
    console.print(note)


def main() -> None:
    """Run the benchmark."""
    parser = report.model_parser(__doc__, repeats=5)
    parser.add_argument("--lengths", type=report.file_path, help="MELD's train_sent_emo.csv; default: random lengths")
    parser.add_argument("--batches", type=report.positive, help="per round; default: 8 (meld), 2 (iemocap)")
    parser.add_argument("--models", type=names, default=list(MODELS), metavar="NAME,...", help="models; default: all")
    options = parser.parse_args()
    for name in options.models:
        check_reference(name)
    setting = settings.published(options.setting)
    where = report.machine(options.threads, options.device, options.precision)
    measured = measure(
        setting,
        draw_batches(setting, options),
        options.models,
        threads=options.threads,
        device=options.device,
        precision=options.precision,
        seed=options.seed,
    )
    source = f"lengths of {options.lengths.name}" if options.lengths else f"lengths {setting.lengths}"
    size = setting.recipe.training.batch_conversations
    note = (
        f"median (min-max) of {options.repeats} rounds; {size} conversations per batch, {source}\n"
        f"{report.caption(where)}"
    )
    show(measured, f"models, {options.setting} setting", note)
    path = options.output or report.FOLDER / f"baselines-{options.setting}.json"
    report.write_json(path, "baselines", where, {"setting": options.setting, "lengths": source, **results(measured)})


def names(text: str) -> list[str]:
    """Parse a list of distinct names."""
    found = [name.strip() for name in text.split(",")]
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r}: a name is repeated")
    return found


if __name__ == "__main__":
    report.run(main)
