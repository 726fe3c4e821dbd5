"""What a million hours of conversation take: core hours, days and storage, computed from what others measured.

The rates come from the files of `benchmarks.features`, `benchmarks.inference` and `benchmarks.training`, best made with
`--threads 1`; a rate with T threads is taken to be T times that of one core. How much a single command can take in is
measured here. Everything else is arithmetic, by the formulas that are printed under the table.

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

UTTERANCES, SECONDS = 1000, 3.6
"""Of an hour, and of an utterance. MELD's last 3.59 s in the mean: without pauses, 1,003 in an hour; IEMOCAP has
10,039 turns in about 12 hours, which is 837 in one."""
A100 = 19.5
"""TFLOP/s in float32 without tensor cores, by its data sheet."""


@dataclass(frozen=True)
class Task:
    """One kind of work."""

    name: str
    core_seconds: float
    """Of one core, for an hour of conversation."""
    bytes: int = 0
    """What is written for an utterance."""
    gpu_seconds: float | None = None
    """A floor, for an hour of conversation; None where nothing is known."""


@dataclass(frozen=True)
class World:
    """What there is to do, and to do it with."""

    hours: float
    cores: int
    machines: int
    busy: float
    """The share of its time that a core works."""
    per_hour: float = UTTERANCES


def encoding(measured: dict[str, Any], per_hour: float) -> list[Task]:
    """Feature encoders: those of words by the utterance, those of media by the second of recording."""
    threads = measured["machine"]["threads"]
    tasks = []
    for rate in measured["encoders"]:
        if rate["problem"]:
            continue
        media, taken = rate["media_seconds"], statistics.median(rate["seconds"])
        hour = per_hour * (SECONDS / media if media else 1 / rate["utterances"])
        tasks.append(Task(f"features, {rate['encoder']}", hour * taken * threads, 4 * rate["width"]))
    return tasks


def predicting(measured: dict[str, Any], per_hour: float, tflops: float) -> Task:
    """The model alone, on batches of many conversations."""
    case = next(of for name, of in measured["cases"].items() if name.endswith("conversations"))
    turns = case["turns"]
    flops = [limit["seconds"] * limit["peak"] for limit in turns["limits"]]
    each = sum(flops) / sum(turns["utterances"])  # of one utterance
    speed = case["contenders"]["ours"]["utterances_per_second"]["median"]
    hour = per_hour / speed * measured["machine"]["threads"]
    return Task(f"prediction, {measured['setting']} setting", hour, _line(), per_hour * each / tflops / 1e12)


def training(measured: dict[str, Any], per_hour: float) -> Task:
    """One epoch."""
    speed = measured["contenders"]["ours"]["utterances_per_second"]["median"]
    return Task(f"training, {measured['setting']} setting, an epoch", per_hour / speed * measured["machine"]["threads"])


def _line() -> int:
    """Bytes of a line of JSON Lines: seven labels, two modalities, a sentence of 40 characters."""
    odd = {f"emotion{n}": 0.142857 for n in range(7)}
    prediction = Prediction(
        "dia1000", "utt10", "emotion0", odd, {"text": odd, "audio": odd}, {"text": 0.5, "audio": 0.5}
    )
    return (
        len(
            json.dumps(
                utterance_record(prediction, Utterance("utt10", "Speaker 1", "x" * 40, None, 1000.125, 1003.725))
            )
        )
        + 1
    )


def intake(width: int, seconds: float) -> float:
    """Utterances per second that one `sdt features --cluster` can keep in its cache."""
    chunk = Encoded(np.zeros((512, width), np.float32), np.ones(512, np.bool_), [])
    with tempfile.TemporaryDirectory() as place:
        cache, done, begun = FeatureCache(Path(place)), 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            cache.put([f"{done + n:064x}" for n in range(512)], chunk, [None] * 512)
            done += 512
        taken = time.perf_counter() - begun
        cache.close()
    return done / taken


def rows(tasks: Sequence[Task], world: World) -> list[dict[str, Any]]:
    """The table as values."""
    made = []
    for task in tasks:
        core_hours = world.hours * task.core_seconds / 3600
        days = core_hours / 24 / world.busy
        gpu = None if task.gpu_seconds is None else world.hours * task.gpu_seconds / 3600 / 24
        made.append(
            {
                "task": task.name,
                "core_hours": core_hours,
                "hours_per_core_day": 86400 * world.busy / task.core_seconds,
                "days": {"core": days, "machine": days / world.cores, "cluster": days / world.cores / world.machines},
                "gpu_days_at_least": gpu,
                "terabytes": world.hours * world.per_hour * task.bytes / 1e12,
            }
        )
    return made


def show(made: Sequence[dict[str, Any]], world: World, rate: float, note: str) -> None:
    """Print the table and its formulas."""
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
        f"{world.hours:,.0f} hours of conversation, {world.per_hour:,.0f} utterances of {SECONDS} s each; a core works "
        f"{world.busy:.0%} of its time; a machine has {world.cores} cores, a cluster {world.machines} machines\n"
        "core hours = hours x utterances an hour / measured rate of one core (media: x seconds / seconds of media a "
        "second)\n"
        "days = core hours / 24 / busy share / cores / machines; GPU: FLOPs of the products / peak of its data sheet, "
        "computed, never measured\n"
        f"TB = utterances x bytes; one sdt features keeps {rate:,.0f} utterances of 384 numbers a second, so that it "
        f"takes in {rate * 86400 / world.per_hour:,.0f} hours a day at most\n{note}",
        markup=False,
        highlight=False,
    )


def read(path: Path, benchmark: str) -> dict[str, Any]:
    """What another benchmark wrote.

    Raises:
        InputError: It did not.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if values["benchmark"] != benchmark:
            raise ValueError(f"it is of {values['benchmark']}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is no result of benchmarks.{benchmark} ({error}); make one first") from None
    return values


def main() -> None:
    """Read, compute, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, file in (("features", "features"), ("inference", "inference-meld"), ("training", "training-meld")):
        place = report.PLACE / f"{file}.json"
        parser.add_argument(f"--{name}", type=Path, default=place, metavar="FILE", help="default: %(default)s")
    parser.add_argument("--hours", type=report.positive, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--utterances", type=report.positive, default=UTTERANCES, help="an hour; default: %(default)s")
    parser.add_argument("--cores", type=report.positive, default=16, help="of a machine; default: %(default)s")
    parser.add_argument("--machines", type=report.positive, default=100, help="of a cluster; default: %(default)s")
    parser.add_argument("--busy", type=float, default=0.9, help="share of its time that a core works; default: 0.9")
    parser.add_argument("--gpu-tflops", type=float, default=A100, help="peak of a GPU; default: %(default)s, an A100's")
    parser.add_argument("--seconds", type=float, default=5.0, help="to measure the intake; default: %(default)s")
    parser.add_argument(
        "--output", type=report.file_path, metavar="FILE", help=f"a JSON file; default: in {report.PLACE}"
    )
    options = parser.parse_args()
    world = World(options.hours, options.cores, options.machines, options.busy, options.utterances)
    of = {name: read(getattr(options, name), name) for name in ("features", "inference", "training")}
    tasks = encoding(of["features"], world.per_hour)
    tasks += [predicting(of["inference"], world.per_hour, options.gpu_tflops), training(of["training"], world.per_hour)]
    rate = intake(384, options.seconds)
    made, where = rows(tasks, world), report.machine(1)
    threads = ", ".join(f"{name} {values['machine']['threads']}" for name, values in of.items())
    show(made, world, rate, f"threads of the measurements: {threads}; {report.caption(where)}")
    results = {"world": asdict(world), "rows": made, "intake_utterances_per_second": rate}
    report.write_json(options.output or report.PLACE / "capacity.json", "capacity", where, results)


if __name__ == "__main__":
    report.run(main)
