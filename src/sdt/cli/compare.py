"""Compare systems by the predictions of finished runs: differences with confidence intervals and p-values.

A system is a run, a group of runs with different seeds (a folder that contains them, or a pattern in quotes), or a file
of predictions of another program: CSV or JSON Lines with the columns conversation, utterance and emotion. The first
system is the reference. No model is run. Scores and differences are in percent; docs/comparing.md explains them.

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

from sdt.cli.options import add_bootstrap_options, resampling_of
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
    parser.add_argument(
        "--split", default="test", metavar="NAME", help="the split of the runs: dev or test; default: test"
    )
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="the annotation for files of predictions")
    parser.add_argument(
        "--other-features",
        action="store_true",
        help="allow systems from corpora with the same test set but different features",
    )
    parser.add_argument(
        "--measure",
        default="weighted_f1",
        metavar="NAME",
        help="the metric of the conclusions: accuracy, weighted_f1 (default), macro_f1 or another metric",
    )
    add_bootstrap_options(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables and conclusions as Markdown")
    parser.add_argument("--latex", type=Path, metavar="FILE", help="write the tables as LaTeX (package booktabs)")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="plot the confusion matrices side by side (.png)")


def run(options: argparse.Namespace) -> int | None:
    """Read the predictions, compare, print, write."""
    from sdt.corpus.store import Corpus
    from sdt.evaluation.metrics import metrics
    from sdt.evaluation.significance import compare
    from sdt.training.systems import find_systems

    if options.measure not in metrics():
        raise InputError(f"--measure {options.measure}: unknown metric{near_miss(options.measure, metrics())}")
    if options.figure:  # report errors before the work
        from sdt.evaluation.figure import check_figure_path

        check_figure_path(options.figure)
    corpus = Corpus.open(options.corpus) if options.corpus else None
    systems = find_systems(options.systems, options.split, corpus)
    if len(systems) < 2:
        raise InputError("name two systems or more; for the scores of one see 'sdt summarise'")
    reference, others = _reference(systems, options.reference)
    comparisons = compare(reference, others, resampling=resampling_of(options), other_features=options.other_features)
    _write(comparisons, options)  # before printing, since the reader of a pipe may stop
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
    """The lines below the tables: a conclusion for each comparison, then the notes."""
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
