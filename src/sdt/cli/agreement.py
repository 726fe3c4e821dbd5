"""Compare the labels of several annotators on the same conversations: agreement, Cohen's kappa, Krippendorff's alpha.

Each FILE holds the labels of one annotator: a file that the page of `sdt serve` saved, or any transcript with a column
`label`. Utterances are matched by the ids of conversation and utterance; those without a label are not counted.

  sdt agreement ann.jsonl ben.jsonl
  sdt agreement ann.jsonl ben.jsonl cleo.csv --output disagreements.csv
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.cli.options import add_bootstrap_options, add_encoding_option, resampling_of
from sdt.errors import InputError, quoted
from sdt.files import atomic_file, check_writable

if TYPE_CHECKING:
    from rich.console import Group

    from sdt.evaluation.agreement import Key, PairAgreement


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="the labels of one annotator")
    parser.add_argument("--output", type=Path, metavar="FILE.csv", help="write the utterances with different labels")
    add_encoding_option(parser)
    add_bootstrap_options(parser)


def run(options: argparse.Namespace) -> None:
    """Read, compare, print."""
    from rich.console import Console

    from sdt.evaluation.agreement import all_pairs, disagreements, krippendorff_alpha
    from sdt.formats import read_transcript

    files: list[Path] = options.files
    if len(files) < 2:
        raise InputError(f"{files[0]}: name at least two files, one for each annotator")
    if options.output is not None:
        check_writable(options.output)
    names = _names(files)
    texts: dict[Key, str] = {}
    edited: set[Key] = set()
    annotators: dict[str, dict[Key, str]] = {}
    for name, path in zip(names, files, strict=True):
        labels: dict[Key, str] = {}
        for conversation in read_transcript(path, encoding=options.encoding).conversations:
            for utterance in conversation.utterances:
                key = (conversation.id, utterance.id)
                if texts.setdefault(key, utterance.text or "") != (utterance.text or ""):
                    edited.add(key)
                if utterance.label is not None:
                    labels[key] = utterance.label
        if not labels:
            raise InputError(f"{path}: no utterance has a label")
        annotators[name] = labels
    pairs = all_pairs(annotators, resampling_of(options))
    if not any(pair.utterances for pair in pairs):
        raise InputError("the files have no labelled utterance in common; compare the ids of their conversations")
    console = Console(highlight=False, markup=False)
    for table in _tables(pairs, options.level):
        console.print(table)
    alpha = krippendorff_alpha(list(annotators.values()))
    console.print(f"Krippendorff's alpha of {len(files)} annotators: {_number(alpha)}")
    found = disagreements(annotators)
    console.print(f"utterances with different labels: {len(found):,}")
    if edited:
        console.print(f"note: the text of {len(edited):,} utterances differs between the files", soft_wrap=True)
    for note in dict.fromkeys(pair.interval.note for pair in pairs if pair.interval.note):
        console.print(f"note: no confidence interval: {note}", soft_wrap=True)
    if options.output is not None:
        _write(options.output, found, texts, annotators)
        console.print(f"written to {options.output}", soft_wrap=True)


def _names(files: list[Path]) -> list[str]:
    """The names of the annotators: the names of the files, or their paths where two have the same name."""
    stems = [path.stem for path in files]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in files]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{quoted(twice)}: given twice; name the files of different annotators")
    return names


def _tables(pairs: list[PairAgreement], level: float) -> list[Group]:
    from sdt.evaluation.table import Grid

    rows = []
    for pair in pairs:
        low, high, note = pair.interval
        spread = "–" if note else f"{low:.2f} to {high:.2f}"
        agreed = f"{100 * pair.agreement:.1f} %" if pair.utterances else "–"
        names = f"{pair.first} and {pair.second}"
        rows.append((names, f"{pair.utterances:,}", agreed, _number(pair.kappa), spread))
    columns = ("annotators", "utterances", "agreement", "kappa", f"{level:g} % interval")
    tables = [Grid("Agreement", columns, rows).rich()]
    labels = list(dict.fromkeys(label for pair in pairs for label in pair.by_label))
    cells = [
        (f"{pair.first} and {pair.second}", *(_number(pair.by_label.get(label, math.nan)) for label in labels))
        for pair in pairs
    ]
    if len(labels) <= 12:
        title = "Agreement by label (F1 of one annotator against the other)"
        tables.append(Grid(title, ("annotators", *labels), cells).rich())
    return tables


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _write(path: Path, found: list[Key], texts: dict[Key, str], annotators: dict[str, dict[Key, str]]) -> None:
    from sdt.formats.csv_table import cell

    try:
        with atomic_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["conversation", "utterance", "text", *annotators])
            for key in found:
                labels = (of.get(key, "") for of in annotators.values())
                writer.writerow([cell(value) for value in (*key, texts[key], *labels)])
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
