"""Score models on degraded input.

The trained models are run again with each modality missing for a share of the utterances, with Gaussian noise on its
features, with unknown speakers, and with the word errors of speech recognition. The scores are plotted as curves, one
for each group of models (such as those trained with and without modality dropout). The scores on unchanged input are
those of the runs. Predictions are saved as they are computed; --resume resumes a stopped command.

  sdt robustness runs/full --output build/robustness
  sdt robustness runs/full dropout=runs/full-dropout --output build/robustness --noise 0.5,1,2
  sdt robustness runs/full --output build/words --missing none --noise none --speakers none --words 5,10,20,40
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_bootstrap_options, add_code_option, add_device_option, import_code, resampling_of
from sdt.errors import InputError, printable

if TYPE_CHECKING:
    from sdt.analysis.robustness.measure import RobustnessTrial, TestedGroup
    from sdt.analysis.robustness.prediction_cache import PredictionCache
    from sdt.analysis.robustness.report import Robustness

POINTS = "points.jsonl"
FILES = (POINTS, "robustness.json", "robustness.md", "robustness.tex", "robustness.png")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("systems", nargs="+", metavar="[NAME=]RUNS", help="runs or groups of runs, one curve each")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the output folder")
    parser.add_argument("--resume", action="store_true", help="resume, or add to, the results in --output")
    parser.add_argument("--overwrite", action="store_true", help="replace the results in --output")
    parser.add_argument("--split", default="test", metavar="NAME", help="dev or test; default: test")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the corpus; default: the corpus of the runs")
    for option, kind, default, of in (
        ("--missing", _shares, "20,40,60,80,100", "modality missing for these percentages of utterances"),
        ("--noise", _strengths, "0.5,1,2,4", "noise with these multiples of each feature's standard deviation"),
        ("--speakers", _shares, "50,100", "speaker unknown for these percentages of utterances"),
        ("--words", _shares, "10,20,30,40,50", "transcription errors at these word error rates in percent"),
    ):
        parser.add_argument(
            option, type=kind, default=default, metavar="X,...", help=f"{of}, or none; default: {default}"
        )
    add_bootstrap_options(parser)
    add_code_option(parser)
    add_device_option(parser)


def run(options: argparse.Namespace) -> int | None:
    """Run the models, score, print and write."""
    from sdt.analysis.robustness.prediction_cache import PredictionCache
    from sdt.files import check_folder

    if options.resume and options.overwrite:
        raise InputError("--resume and --overwrite contradict each other; give one of them")
    import_code(options)
    check_folder(
        options.output, FILES.__contains__, "robustness results", overwrite=options.overwrite or options.resume
    )
    trials = _trials(_subjects(options), options)
    options.output.mkdir(parents=True, exist_ok=True)
    if not options.resume:
        for name in FILES:
            (options.output / name).unlink(missing_ok=True)
    groups = _measure(trials, PredictionCache(options.output / POINTS), options)
    _write(groups, trials[0].subject, options)  # before printing, since the reader of a pipe may stop
    _print(groups, options)
    print(f"written to {options.output}: {', '.join(FILES)}")
    return None


def _subjects(options: argparse.Namespace) -> list[TestedGroup]:
    from sdt.analysis.robustness.measure import TestedGroup
    from sdt.corpus.store import Corpus
    from sdt.evaluation.significance import align
    from sdt.training.systems import resolve_systems

    given = Corpus.open(options.corpus) if options.corpus else None
    found = resolve_systems(options.systems, options.split, given)
    subjects = []
    for of, system in zip(found, align([of.system for of in found], other_features=True), strict=True):
        if of.group is None:
            raise InputError(f"{system.name}: a file of predictions has no model to run again; name runs")
        corpus = of.group.check_corpus(given) if given else of.group.corpus()
        subjects.append(TestedGroup(of.group, system, corpus, options.split))
    return subjects


def _trials(subjects: Sequence[TestedGroup], options: argparse.Namespace) -> list[RobustnessTrial]:
    """The trials of each group."""
    from sdt.analysis.robustness.measure import Levels, plan_trials

    levels = Levels(options.missing, options.noise, options.speakers, options.words)
    found = plan_trials(subjects, levels, options.seed)
    notes = [note for of in found for note in of.notes]
    if not any(of.disturbances for of in found):
        raise InputError(f"no degradation can be applied{': ' if notes else ''}{'; '.join(notes)}")
    return found


def _measure(
    trials: Sequence[RobustnessTrial], points: PredictionCache, options: argparse.Namespace
) -> list[Robustness]:
    """Run and score every group."""
    from sdt.analysis.robustness.measure import measure
    from sdt.analysis.robustness.report import Robustness, score_curve
    from sdt.cli.progress import bars
    from sdt.device import choose_device

    device, resampling, groups = choose_device(options.device), resampling_of(options), []
    for of in trials:
        system = of.subject.system
        bar = {d.name: f"{system.name}, {d.name}" for d in of.disturbances}
        with bars({bar[d.name]: of.conversations(d) for d in of.disturbances}) as advance:
            curves = [
                measure(of.subject, d, points, options.seed, device, partial(advance, bar[d.name]))
                for d in of.disturbances
            ]
        scored = {curve.name: score_curve(curve, resampling) for curve in curves}
        caveats = [f"{system.name}: {caveat}" for caveat in system.caveats]
        groups.append(Robustness(system.name, system.runs, scored, [*of.notes, *caveats]))
    return groups


def _print(groups: Sequence[Robustness], options: argparse.Namespace) -> None:
    from rich.console import Console

    from sdt.analysis.robustness.report import grids

    console = Console(highlight=False, markup=False)
    for grid in grids(groups, options.level / 100):
        console.print(grid.rich())
    for note in (note for group in groups for note in group.notes):
        console.print(f"note: {printable(note)}", soft_wrap=True)


def _write(groups: Sequence[Robustness], first: TestedGroup, options: argparse.Namespace) -> None:
    from sdt.analysis.robustness.figure import write_curves
    from sdt.analysis.robustness.report import grids
    from sdt.escaping import latex_comment, markdown_command, markdown_paragraph
    from sdt.files import write_text

    title = f"{first.corpus.name}, split {options.split}, {len(first.system.utterance_keys):,} utterances"
    settings = {name: getattr(options, name) for name in ("split", "draws", "seed", "level")}
    values = {"command": options.command_line, **settings, "systems": [group.to_dict() for group in groups]}
    tables = list(grids(groups, options.level / 100))
    page = [markdown_command(options.command_line), f"\n{markdown_paragraph(title)}.\n"]
    page += [grid.markdown() for grid in tables]
    page += [markdown_paragraph(f"note: {printable(note)}") + "\n" for group in groups for note in group.notes]
    paper = [latex_comment(options.command_line) + "\n", *(grid.latex() for grid in tables)]
    write_text(options.output / "robustness.json", json.dumps(values, indent=1, ensure_ascii=False) + "\n")
    write_text(options.output / "robustness.md", "\n".join(page))
    write_text(options.output / "robustness.tex", "\n".join(paper))
    write_curves(options.output / "robustness.png", groups, title)


def _shares(text: str) -> list[float]:
    return [share / 100 for share in _numbers(text, highest=100)]


def _strengths(text: str) -> list[float]:
    return _numbers(text, highest=math.inf)


def _numbers(text: str, *, highest: float) -> list[float]:
    """Comma-separated levels, sorted and unique; empty for `none`."""
    if text == "none":
        return []
    try:
        found = sorted({float(part) for part in text.split(",")})
    except ValueError:
        found = [math.nan]
    if not all(0 < level <= highest and math.isfinite(level) for level in found):
        limit = f" up to {highest:g}" if math.isfinite(highest) else ""
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'none' nor comma-separated numbers above 0{limit}")
    return found
