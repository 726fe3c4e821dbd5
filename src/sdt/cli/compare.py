"""Is one system better than another? Differences with intervals and p, from the predictions of finished runs.

A system is a run, a group of runs that differ in their seed (a folder that holds them, or a pattern in quotes), or a
file of predictions of any other program: CSV or JSON Lines with the columns conversation, utterance and emotion. The
first one is the reference. No model is run. Scores and differences are in percent; docs/comparing.md says how to read
them.

  sdt compare runs/full runs/no-speakers
  sdt compare full='runs/meld-both-*' text='runs/meld-text-*' --figure build/confusions.png
  sdt compare runs/full mine.csv --markdown build/comparison.md --latex build/comparison.tex
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.resampling import add_resampling, resampling
from sdt.errors import InputError, near_miss, printable

if TYPE_CHECKING:
    from sdt.evaluation.significance import Comparison
    from sdt.evaluation.system import System


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "systems", nargs="+", metavar="[NAME=]SYSTEM", help="runs, groups of runs or files of predictions; two or more"
    )
    parser.add_argument(
        "--reference", metavar="NAME", help="the system the others are compared with; default: the first"
    )
    parser.add_argument("--split", default="test", metavar="NAME", help="of the runs: dev or test; default: test")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="where files of predictions find the annotation")
    parser.add_argument(
        "--other-features",
        action="store_true",
        help="the systems may come from corpus folders that differ in their features, with the same test set",
    )
    parser.add_argument(
        "--measure",
        default="weighted_f1",
        metavar="NAME",
        help="of the sentences: accuracy, weighted_f1 (default), macro_f1 or another metric",
    )
    add_resampling(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables and sentences for a page")
    parser.add_argument("--latex", type=Path, metavar="FILE", help="write the tables for a paper (package booktabs)")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the confusion matrices side by side (.png)")


def run(options: argparse.Namespace) -> int | None:
    """Read the predictions, compare, print, write."""
    from sdt.corpus.store import Corpus
    from sdt.evaluation.metrics import metrics
    from sdt.evaluation.significance import compare
    from sdt.training.systems import find_systems

    if options.measure not in metrics():
        raise InputError(f"--measure {options.measure}: unknown metric{near_miss(options.measure, metrics())}")
    if options.figure:  # before the work rather than after it; drawing takes a while to import
        from sdt.evaluation.figure import check_picture

        check_picture(options.figure)
    corpus = Corpus.open(options.corpus) if options.corpus else None
    systems = find_systems(options.systems, options.split, corpus)
    if len(systems) < 2:
        raise InputError("name two systems or more; see 'sdt summarise' for the scores of one")
    reference, others = _reference(systems, options.reference)
    comparisons = compare(reference, others, how=resampling(options), other_features=options.other_features)
    _write(comparisons, options)  # first, since what reads the tables may stop reading
    _print(comparisons, options.measure)
    _say_written(options)
    return None


def _reference(systems: Sequence[System], name: str | None) -> tuple[System, list[System]]:
    if name is None:
        return systems[0], list(systems[1:])
    names = [system.name for system in systems]
    if name not in names:
        raise InputError(f"--reference {name}: no system is called this{near_miss(name, names)}")
    return systems[names.index(name)], [system for system in systems if system.name != name]


def sentences(comparisons: Sequence[Comparison], measure: str) -> list[str]:
    """What to say below the tables: a sentence for each comparison, then the notes, each once."""
    notes = dict.fromkeys(note for comparison in comparisons for note in comparison.notes)
    return [
        *(comparison.sentence(measure) for comparison in comparisons),
        *(f"note: {printable(note)}" for note in notes),
    ]


def _print(comparisons: Sequence[Comparison], measure: str) -> None:
    from rich.console import Console

    from sdt.evaluation.comparison_tables import grids

    console = Console(highlight=False, markup=False)
    for grid in grids(comparisons):
        console.print(grid.rich())
    for line in sentences(comparisons, measure):
        console.print(line, soft_wrap=True)


def _write(comparisons: Sequence[Comparison], options: argparse.Namespace) -> None:
    from sdt.escaping import latex_comment, markdown_command, markdown_paragraph
    from sdt.evaluation.comparison_tables import grids, values
    from sdt.files import write_text

    if options.json:
        settings = {name: getattr(options, name) for name in ("split", "draws", "seed", "level")}
        write_text(options.json, json.dumps(values(comparisons, settings), indent=1, ensure_ascii=False) + "\n")
    if options.markdown:
        parts = [markdown_command(options.command_line) + "\n", *(grid.markdown() for grid in grids(comparisons))]
        parts += [markdown_paragraph(line) + "\n" for line in sentences(comparisons, options.measure)]
        write_text(options.markdown, "\n".join(parts))
    if options.latex:
        tables = [grid.latex() for grid in grids(comparisons)]
        write_text(options.latex, "\n".join([latex_comment(options.command_line) + "\n", *tables]))
    if options.figure:
        from sdt.evaluation.figure_confusions import write_confusions

        first = comparisons[0].reference
        title = f"split {options.split}, {len(first.utterance_keys):,} utterances, percent of the annotated class"
        write_confusions(options.figure, first, [comparison.other for comparison in comparisons], title)


def _say_written(options: argparse.Namespace) -> None:
    for path in filter(None, (options.json, options.markdown, options.latex, options.figure)):
        print(f"written to {path}")
