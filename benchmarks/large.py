"""A corpus that is larger than memory, and one of a hundredth of its size: memory, time and throughput.

Both are generated, imported, opened, checked, trained on for some steps and evaluated, each in a separate process whose
memory is sampled. Training alternates between both, so that other load on the machine affects both.

    python -m benchmarks.large --folder /tmp/large --figure build/benchmarks/large.png
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.figure import figure_format, write_memory_figure
from benchmarks.large_corpus import WIDTHS, Files, generate
from benchmarks.large_steps import WARM_UP
from benchmarks.memory import MemoryCurve, watch_memory
from benchmarks.workers import ENVIRONMENT
from sdt.errors import InputError
from sdt.evaluation.table import Grid
from sdt.files import write_text

SIZES = ("large", "small")
SMALLER = 100
"""Size of the large corpus divided by that of the small one."""
OPEN = """
import json, sys, time
from sdt.corpus.store import Corpus
begun = time.perf_counter()
corpus = Corpus.open(sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - begun, "utterances": corpus.size}))
"""
_POINTS = 200
"""Maximum number of points of a curve in the JSON file."""


def commands(files: Files, corpus: Path, steps: int) -> dict[str, list[str]]:
    """The measured commands, in order."""
    sdt, step = [sys.executable, "-m", "sdt"], [sys.executable, "-m", "benchmarks.large_steps"]
    normalise = [f"--normalise={name}={how}" for name, how in (("audio", "conversation"), ("visual", "corpus"))]
    given = [str(files.utterances), *map(str, files.features.values()), *normalise]
    return {
        "import": [*sdt, "corpus", "import", *given, "--output", str(corpus), "--overwrite"],
        "open": [sys.executable, "-c", OPEN, str(corpus)],
        "check": [*sdt, "corpus", "check", str(corpus)],
        "train": [*step, "train", str(corpus), str(steps)],
        "evaluate": [*step, "evaluate", str(corpus)],
    }


def measure(folder: Path, options: argparse.Namespace) -> dict[str, dict[str, list[MemoryCurve]]]:
    """Measure the curves by phase and size: one per round for `train`, one for the other phases."""
    environment = {**ENVIRONMENT, **os.environ, "OMP_NUM_THREADS": str(options.threads)}
    of_size = {}
    for size, share in zip(SIZES, (1, SMALLER), strict=True):
        place = folder / size
        conversations = max(10, options.conversations // share)
        files = generate(place, options.utterances // share, conversations, options.seed)
        of_size[size] = commands(files, place / "corpus", options.steps)
    found: dict[str, dict[str, list[MemoryCurve]]] = {}
    for phase in of_size[SIZES[0]]:
        found[phase] = {size: [] for size in SIZES}
        for _ in range(options.repeats if phase == "train" else 1):
            for size in SIZES:
                found[phase][size].append(watch_memory(of_size[size][phase], environment))
    return found


def results(found: Mapping[str, Mapping[str, Sequence[MemoryCurve]]]) -> dict[str, Any]:
    """Values for the JSON file."""
    return {
        phase: {
            size: {
                "seconds": [curve.seconds[-1] for curve in curves],
                "processor_seconds": [curve.processor for curve in curves],
                "peak_anonymous_mib": max(curve.peak for curve in curves) / 2**20,
                "peak_resident_mib": max(max(curve.resident) for curve in curves) / 2**20,
                "said": [_printed(curve) for curve in curves] if phase in ("open", "train", "evaluate") else [],
                "curve": curves[0].downsample(_POINTS),
            }
            for size, curves in of_phase.items()
        }
        for phase, of_phase in found.items()
    }


def table(of: Mapping[str, Any], title: str) -> Grid:
    """Table of the processor time and the peak of anonymous memory of every process."""
    rows = [
        [
            phase,
            *(f"{max(of_phase[size]['processor_seconds']):,.1f}" for size in SIZES),
            *(f"{of_phase[size]['peak_anonymous_mib']:,.0f}" for size in SIZES),
            f"{of_phase['large']['peak_resident_mib']:,.0f}",
        ]
        for phase, of_phase in of.items()
    ]
    columns = (
        "process",
        *(f"{size}, processor s" for size in SIZES),
        *(f"{size}: peak, MiB" for size in SIZES),
        "large, with mapped pages",
    )
    return Grid(title, columns, rows)


def sentences(of: Mapping[str, Any]) -> list[str]:
    """Sentences on the values that the processes print."""
    opening = {size: of["open"][size]["said"][0]["seconds"] for size in SIZES}
    first = {size: of["train"][size]["said"][0]["seconds_to_first_step"] for size in SIZES}
    speed = {
        size: [values["utterances_per_processor_second"] for values in of["train"][size]["said"]] for size in SIZES
    }
    ratios = [large / small for large, small in zip(speed["large"], speed["small"], strict=True)]
    return [
        f"opening: {1000 * opening['large']:.1f} ms (small: {1000 * opening['small']:.1f} ms)",
        f"from opening to the end of the first step: {first['large']:.2f} s (small: {first['small']:.2f} s)",
        "utterances per second of processor time of training, by round: "
        + "; ".join(f"{size} {', '.join(f'{x:,.0f}' for x in speed[size])}" for size in SIZES),
        f"large / small: {report.median_range(ratios, 2)}",
    ]


def _printed(curve: MemoryCurve) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(curve.output.splitlines()[-1])
    return values


def main() -> None:
    """Run the benchmark."""
    parser = report.parser(__doc__, repeats=2)
    parser.add_argument("--folder", type=Path, required=True, help="a new folder for the corpora")
    parser.add_argument("--utterances", type=report.positive, default=2_000_000, help="default: %(default)s")
    parser.add_argument("--conversations", type=report.positive, default=40_000, help="default: %(default)s")
    parser.add_argument("--steps", type=report.positive, default=150, help="training steps; default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the corpora")
    parser.add_argument(
        "--figure", type=report.file_path, metavar="FILE", help=f"a .png, .svg or .pdf; default: in {report.FOLDER}"
    )
    options = parser.parse_args()
    path = options.output or report.FOLDER / "large.json"
    figure = options.figure or path.with_suffix(".png")
    figure_format(figure)
    if options.folder.exists():
        raise InputError(f"{options.folder}: already exists; name a new folder, which is removed afterwards")
    if options.steps <= WARM_UP + 1:
        raise InputError(f"--steps {options.steps}: too few; the first {WARM_UP} are the warm-up")
    where = report.machine(options.threads)
    try:
        of = results(measure(options.folder, options))
    finally:
        if not options.keep:
            shutil.rmtree(options.folder, ignore_errors=True)
    _write(options, of, where, path, figure)


def _write(options: argparse.Namespace, of: dict[str, Any], where: dict[str, Any], path: Path, figure: Path) -> None:
    widths = "/".join(map(str, WIDTHS.values()))
    title = (
        f"{options.utterances:,} utterances in {options.conversations:,} conversations ({widths} features), and a "
        f"hundredth of them; {report.caption(where)}"
    )
    grid, lines = table(of, title), sentences(of)
    report.console().print(grid.rich())
    print("\n".join(lines))
    write_text(path.with_suffix(".md"), grid.markdown() + "\n" + "".join(f"- {line}\n" for line in lines))
    report.write_json(path, "large", where, {"phases": of, "utterances": options.utterances})
    write_memory_figure(figure, of, title)


if __name__ == "__main__":
    report.run(main)
