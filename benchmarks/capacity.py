"""Capacity estimates: core hours, days and storage for a million hours of conversation, from measured rates.

The rates come from the files of `benchmarks.features`, `benchmarks.inference` and `benchmarks.training`, preferably
with `--threads 1`; a rate with T threads counts as T times that of one core. The rate at which one command stores
features is measured here. Everything else is computed by the formulas printed below the table.

    python -m benchmarks.features --threads 1
    python -m benchmarks.inference --setting meld --threads 1
    python -m benchmarks.training --setting meld --threads 1
    python -m benchmarks.capacity --hours 1000000 --cores 16 --machines 100
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import report
from sdt.conversation import Prediction, Utterance
from sdt.encoders.cache import FeatureCache
from sdt.encoders.encoder import Encoded
from sdt.errors import InputError
from sdt.evaluation.table import plain_table
from sdt.formats.records import utterance_record

UTTERANCES_PER_HOUR, UTTERANCE_SECONDS = 1000, 3.6
"""MELD's utterances last 3.59 s on average, which without pauses is 1,003 per hour; IEMOCAP has 10,039 in about 12
hours, 837 per hour."""
A100_TFLOPS = 19.5
"""Peak in float32 without tensor cores, from the data sheet."""


@dataclass(frozen=True)
class Task:
    """A type of work."""

    name: str
    core_seconds: float
    """Core seconds per hour of conversation."""
    bytes: int = 0
    """Bytes written per utterance."""
    gpu_seconds: float | None = None
    """Lower bound per hour of conversation; None if unknown."""


@dataclass(frozen=True)
class Scenario:
    """The amount of work, and the machines."""

    hours: float
    cores: int
    machines: int
    utilization: float
    """The fraction of the time that a core works."""
    per_hour: float = UTTERANCES_PER_HOUR


def encoding_tasks(measured: dict[str, Any], per_hour: float) -> list[Task]:
    """Tasks of the feature encoders: text encoders per utterance, the others per second of recording."""
    threads = measured["machine"]["threads"]
    tasks = []
    for rate in measured["encoders"]:
        if rate["problem"]:
            continue
        media, taken = rate["media_seconds"], statistics.median(rate["seconds"])
        hour = per_hour * (UTTERANCE_SECONDS / media if media else 1 / rate["utterances"])
        tasks.append(Task(f"features, {rate['encoder']}", hour * taken * threads, 4 * rate["width"]))
    return tasks


def prediction_task(measured: dict[str, Any], per_hour: float, tflops: float) -> Task:
    """The task of the model without encoders, on batches of many conversations."""
    case = next(of for name, of in measured["cases"].items() if name.endswith("conversations"))
    rounds = case["turns"]
    flops = [limit["seconds"] * limit["peak"] for limit in rounds["limits"]]
    each = sum(flops) / sum(rounds["utterances"])  # of one utterance
    speed = case["contenders"]["ours"]["utterances_per_second"]["median"]
    hour = per_hour / speed * measured["machine"]["threads"]
    return Task(f"prediction, {measured['setting']} setting", hour, _line(), per_hour * each / tflops / 1e12)


def training_task(measured: dict[str, Any], per_hour: float) -> Task:
    """The task of one epoch of training."""
    speed = measured["contenders"]["ours"]["utterances_per_second"]["median"]
    return Task(f"training, {measured['setting']} setting, an epoch", per_hour / speed * measured["machine"]["threads"])


def _line() -> int:
    """Bytes of a prediction as JSON Lines: seven labels, two modalities, a text of 40 characters."""
    probabilities = {f"emotion{n}": 0.142857 for n in range(7)}
    prediction = Prediction(
        "dia1000",
        "utt10",
        "emotion0",
        probabilities,
        {"text": probabilities, "audio": probabilities},
        {"text": 0.5, "audio": 0.5},
    )
    return (
        len(
            json.dumps(
                utterance_record(prediction, Utterance("utt10", "Speaker 1", "x" * 40, None, 1000.125, 1003.725))
            )
        )
        + 1
    )


def cache_write_rate(width: int, seconds: float) -> float:
    """Measure how many utterances per second one `sdt features --cluster` can store in its cache."""
    chunk = Encoded(np.zeros((512, width), np.float32), np.ones(512, np.bool_), [])
    with tempfile.TemporaryDirectory() as place:
        cache, done, begun = FeatureCache(Path(place)), 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            cache.put([f"{done + n:064x}" for n in range(512)], chunk, [None] * 512)
            done += 512
        taken = time.perf_counter() - begun
        cache.close()
    return done / taken


def estimate(tasks: Sequence[Task], scenario: Scenario) -> list[dict[str, Any]]:
    """Compute the values of the table."""
    made = []
    for task in tasks:
        core_hours = scenario.hours * task.core_seconds / 3600
        days = core_hours / 24 / scenario.utilization
        gpu = None if task.gpu_seconds is None else scenario.hours * task.gpu_seconds / 3600 / 24
        made.append(
            {
                "task": task.name,
                "core_hours": core_hours,
                "hours_per_core_day": 86400 * scenario.utilization / task.core_seconds,
                "days": {
                    "core": days,
                    "machine": days / scenario.cores,
                    "cluster": days / scenario.cores / scenario.machines,
                },
                "gpu_days_at_least": gpu,
                "terabytes": scenario.hours * scenario.per_hour * task.bytes / 1e12,
            }
        )
    return made


def show(made: Sequence[dict[str, Any]], scenario: Scenario, rate: float, note: str) -> None:
    """Print the table and the formulas."""
    table = plain_table("", "core hours", "hours/core/day", "days: core", "machine", "cluster", "GPU >=", "TB")
    for row in made:
        days = [f"{row['days'][of]:,.2f}" for of in ("core", "machine", "cluster")]
        gpu = row["gpu_days_at_least"]
        table.add_row(
            row["task"],
            f"{row['core_hours']:,.0f}",
            f"{row['hours_per_core_day']:,.0f}",
            *days,
            "" if gpu is None else f"{gpu:,.2f}",
            f"{row['terabytes']:,.2f}" if row["terabytes"] else "",
        )
    console = report.console()
    console.print(table)
    console.print(
        f"{scenario.hours:,.0f} hours of conversation, {scenario.per_hour:,.0f} utterances of {UTTERANCE_SECONDS} s "
        f"per hour; utilization {scenario.utilization:.0%}; {scenario.cores} cores per machine, {scenario.machines} "
        "machines per cluster\n"
        "core hours = hours x utterances per hour / measured rate of one core (media: x seconds / seconds of media per "
        "second)\n"
        "days = core hours / 24 / utilization / cores / machines; GPU: FLOPs of the products / peak of the data sheet, "
        "computed, not measured\n"
        f"TB = utterances x bytes; one sdt features stores {rate:,.0f} utterances of 384 numbers per second, at most "
        f"{rate * 86400 / scenario.per_hour:,.0f} hours of conversation per day\n{note}",
        markup=False,
        highlight=False,
    )


def read(path: Path, benchmark: str) -> dict[str, Any]:
    """Read the results of another benchmark.

    Raises:
        InputError: The file is missing, or was written by something else.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if values["benchmark"] != benchmark:
            raise ValueError(f"written by benchmarks.{values['benchmark']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: not a result of benchmarks.{benchmark} ({error}); run python -m benchmarks.{benchmark} first"
        ) from None
    return values


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, file in (("features", "features"), ("inference", "inference-meld"), ("training", "training-meld")):
        place = report.FOLDER / f"{file}.json"
        parser.add_argument(f"--{name}", type=Path, default=place, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--hours", type=report.positive, default=1_000_000, help="default: %(default)s")
    parser.add_argument(
        "--utterances", type=report.positive, default=UTTERANCES_PER_HOUR, help="per hour; default: %(default)s"
    )
    parser.add_argument("--cores", type=report.positive, default=16, help="per machine; default: %(default)s")
    parser.add_argument(
        "--machines", type=report.positive, default=100, help="machines per cluster; default: %(default)s"
    )
    parser.add_argument(
        "--utilization", type=float, default=0.9, help="fraction of the time that a core works; default: 0.9"
    )
    parser.add_argument(
        "--gpu-tflops", type=float, default=A100_TFLOPS, help="peak of a GPU; default: %(default)s, an A100_TFLOPS's"
    )
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="duration of the measurement of the cache; default: %(default)s"
    )
    parser.add_argument(
        "--output", type=report.file_path, metavar="FILE", help=f"a JSON file; default: in {report.FOLDER}"
    )
    options = parser.parse_args()
    scenario = Scenario(options.hours, options.cores, options.machines, options.utilization, options.utterances)
    of = {name: read(getattr(options, name), name) for name in ("features", "inference", "training")}
    tasks = encoding_tasks(of["features"], scenario.per_hour)
    tasks += [
        prediction_task(of["inference"], scenario.per_hour, options.gpu_tflops),
        training_task(of["training"], scenario.per_hour),
    ]
    rate = cache_write_rate(384, options.seconds)
    made, where = estimate(tasks, scenario), report.machine(1)
    threads = ", ".join(f"{name} {values['machine']['threads']}" for name, values in of.items())
    show(made, scenario, rate, f"threads of the measurements: {threads}; {report.caption(where)}")
    results = {"scenario": asdict(scenario), "rows": made, "intake_utterances_per_second": rate}
    report.write_json(options.output or report.FOLDER / "capacity.json", "capacity", where, results)


if __name__ == "__main__":
    report.run(main)
