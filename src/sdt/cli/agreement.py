"""Compare the labels of several annotators: raw agreement, Cohen's and Fleiss' kappa, Krippendorff's alpha.

Each FILE holds the labels of one annotator, for example a file that the page of `sdt serve` saved, or the labels of
several annotators. A folder holds a file for each conversation. Utterances are compared by the ids of conversation and
utterance, and by time: where annotators segmented a recording differently, every millisecond of a speaker is compared.
docs/comparing.md explains the measures.

  sdt agreement ann.jsonl ben.jsonl
  sdt agreement ann/ ben/ cleo.csv --output disagreements.csv --json agreement.json
  sdt agreement audformat-database/
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_bootstrap_options, add_encoding_option, resampling_of
from sdt.errors import InputError
from sdt.files import atomic_file, check_writable, write_text

if TYPE_CHECKING:
    from sdt.evaluation.agreement import Agreement
    from sdt.evaluation.agreement_tables import Unit
    from sdt.evaluation.annotators import Annotators
    from sdt.evaluation.ratings import MatchedUtterances, Ratings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help="the labels of one annotator, or of several; or a folder"
    )
    parser.add_argument("--output", type=Path, metavar="FILE.csv", help="write the utterances with different labels")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    add_encoding_option(parser)
    add_bootstrap_options(parser)


def run(options: argparse.Namespace) -> None:
    """Read, compare, print, write."""
    from rich.console import Console

    from sdt.evaluation.agreement import measure_agreement
    from sdt.evaluation.agreement_tables import grids, values
    from sdt.evaluation.annotators import read_annotators
    from sdt.evaluation.ratings import match_times, match_utterances

    for path in filter(None, (options.output, options.json)):
        check_writable(path)
    annotators = read_annotators(options.files, options.encoding)
    matched = match_utterances(annotators.labels)
    compared: list[tuple[Unit, Ratings | None]] = [
        ("utterances", matched.ratings),
        ("seconds", match_times(annotators.labels)),
    ]
    how = resampling_of(options)
    measured: list[tuple[Unit, Ratings, Agreement]] = [
        (unit, ratings, measure_agreement(ratings, how)) for unit, ratings in compared if ratings and ratings.compared
    ]
    if not measured:
        raise InputError(
            "the annotators have no labelled utterance in common; compare the ids of their conversations, and, for "
            "files with times, the names of the speakers"
        )
    notes = annotators.notes + _notes(matched, [agreement for _, _, agreement in measured])
    if options.output is not None:
        _write(options.output, matched, annotators)
    if options.json is not None:
        settings = {name: getattr(options, name) for name in ("draws", "seed", "level")}
        found = {
            **settings,
            "annotators": list(annotators.labels),
            "disagreements": len(matched.disagreements()),
            "notes": notes,
            **{"time" if unit == "seconds" else unit: values(of, agreement, unit) for unit, of, agreement in measured},
        }
        write_text(options.json, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    console = Console(highlight=False, markup=False)
    for unit, ratings, agreement in measured:
        for grid in grids(ratings, agreement, unit, options.level):
            console.print(grid.rich())
    console.print(f"utterances with different labels: {len(matched.disagreements()):,}")
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True)
    for path in filter(None, (options.output, options.json)):
        console.print(f"written to {path}", soft_wrap=True)


def _notes(matched: MatchedUtterances, measured: list[Agreement]) -> list[str]:
    from sdt.evaluation.agreement import MOST_IN_PAIRS

    notes = []
    if matched.different:
        notes.append(
            f"{matched.different:,} labels are of utterances with the same id at another time; they are compared by "
            "time only"
        )
    if any(not of.pairs for of in measured):
        notes.append(f"pairs are not compared, as there are more than {MOST_IN_PAIRS} annotators")
    intervals = [of.krippendorff_alpha.interval for of in measured]
    intervals += [pair.interval for of in measured for pair in of.pairs]
    notes += [f"no confidence interval: {note}" for note in dict.fromkeys(of.note for of in intervals) if note]
    return notes


def _write(path: Path, matched: MatchedUtterances, annotators: Annotators) -> None:
    from sdt.formats.csv_table import cell

    given = [{(one.conversation, one.utterance): one.label for one in of} for of in annotators.labels.values()]
    try:
        with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["conversation", "utterance", "text", *annotators.labels])
            for key in matched.disagreements():
                labels = (of.get(key, "") for of in given)
                writer.writerow([cell(value) for value in (*key, annotators.texts[key], *labels)])
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
