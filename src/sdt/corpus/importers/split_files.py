"""Annotation as MELD and EmoryNLP distribute it: one CSV file for each split.

The split is in the name of a file. A line is one utterance, with the numbers of the conversation and of the utterance;
lines may be in any order and repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError, join_names, quoted
from sdt.formats.parsing.csv_lines import Line, read_csv
from sdt.formats.parsing.times import parse_seconds
from sdt.speakers import Speakers
from sdt.splits import SPLITS, parse_split


@dataclass(frozen=True)
class SplitLayout:
    """A corpus in this form; all have the columns `Utterance`, `Speaker`, `Emotion` and `Utterance_ID`."""

    title: str
    """The name of the corpus in messages."""
    unit: str
    """What a conversation is called in messages."""
    numbers: tuple[str, ...]
    """The columns whose numbers identify a conversation within a split."""
    start: str
    """The column of the start time, which may be absent."""
    end: str
    """The column of the end time, which may be absent."""
    labels: tuple[str, ...]
    licence: str
    conversation: Callable[[str, tuple[int, ...]], str]
    """Makes the id of a conversation, unique among all splits, from its split and numbers."""
    speaker: Callable[[str], str] = str
    """Makes the name of the speaker from the cell."""
    fields: tuple[str, ...] = ()
    """Optional columns of numbers that become fields of the utterance."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a file must have."""
        return ("Utterance", "Speaker", "Emotion", *self.numbers, "Utterance_ID")


Numbers = tuple[int, ...]
Dialogues = dict[Numbers, dict[int, Utterance]]
"""The numbers of a conversation to utterance id to utterance."""


def read_split_files(
    layout: SplitLayout, annotations: Sequence[Path], options: ImportOptions
) -> tuple[CorpusBuilder, dict[str, list[tuple[Numbers, int]]]]:
    """Read the annotation of a corpus.

    Args:
        layout: The corpus.
        annotations: One to three files; the name of each contains `train`, `dev` or `test`.
        options: The options of the import.

    Returns:
        The corpus without features; and split to the numbers of the conversation and of the utterance of each
        utterance, in order.

    Raises:
        InputError: A file is damaged, or its split is unknown or is that of another file.
    """
    if options.dev not in (None, "usual"):
        raise InputError(
            f"dev: {quoted(options.dev)} does not apply to {layout.title}'s own files, which include a dev split"
        )
    notes: list[str] = []
    by_split: dict[str, Path] = {}
    for path in annotations:
        split = named_split(path)
        if split is None:
            raise InputError(f"{path}: unknown split; add train, dev or test to the file name")
        if split in by_split:
            raise InputError(f"{path}: second file of the {split} split, after {by_split[split]}; give one per split")
        by_split[split] = path
    dialogues = {
        split: _read_annotation(layout, by_split[split], notes, options.encoding)
        for split in SPLITS
        if split in by_split
    }
    conversations = [
        Conversation(layout.conversation(split, numbers), tuple(utterances[number] for number in sorted(utterances)))
        for split, found in dialogues.items()
        for numbers, utterances in sorted(found.items())
    ]
    keys = {split: [(d, u) for d in sorted(found) for u in sorted(found[d])] for split, found in dialogues.items()}
    builder = CorpusBuilder(
        name=options.name or layout.title.lower(),
        conversations=conversations,
        labels=options.labels or layout.labels,
        splits={
            split: [layout.conversation(split, numbers) for numbers in sorted(found)]
            for split, found in dialogues.items()
        },
        features={},
        speakers=Speakers.from_conversations(conversations, options.speakers or "appearance"),
        licence=options.licence or layout.licence,
        notes=notes,
    )
    return builder, keys


def named_split(path: Path) -> str | None:
    """The split that a file name contains as a word; None unless there is exactly one."""
    words = re.findall(r"[a-z]+", path.stem.lower())
    found = {split for word in words if (split := parse_split(word)) is not None}
    return found.pop() if len(found) == 1 else None


def _read_annotation(layout: SplitLayout, path: Path, notes: list[str], encoding: str | None) -> Dialogues:
    table = read_csv(path, encoding=encoding)
    header, *lines = table.lines
    notes += table.notes
    names = [name.strip() for name in header.cells]
    for column in layout.columns:
        if column not in names:
            raise InputError(f"{path}: column {quoted(column)} is missing; found are: {join_names(names[:12])}")
    dialogues: Dialogues = {}
    repeated = 0
    for line in lines:
        cells = dict(zip(names, (cell.strip() for cell in line.cells), strict=True))
        numbers = tuple(_integer(path, line, column, cells) for column in layout.numbers)
        number = _integer(path, line, "Utterance_ID", cells)
        utterance = _utterance(layout, path, line, number, cells)
        before = dialogues.setdefault(numbers, {}).setdefault(number, utterance)
        if before is not utterance:
            if before != utterance:
                raise InputError(
                    f"{path}, line {line.number}: duplicate row of {layout.unit} {'/'.join(map(str, numbers))}, "
                    f"utterance {number}, with conflicting values"
                )
            repeated += 1
    if repeated:
        notes.append(f"{path}: {repeated} repeated lines ignored")
    return dialogues


def _utterance(layout: SplitLayout, path: Path, line: Line, number: int, cells: Mapping[str, str]) -> Utterance:
    return Utterance(
        id=str(number),
        speaker=layout.speaker(cells["Speaker"]),
        text=cells["Utterance"] or None,
        label=cells["Emotion"].lower() or None,
        start=_time(path, line, cells.get(layout.start, "")),
        end=_time(path, line, cells.get(layout.end, "")),
        extra={column: _integer(path, line, column, cells) for column in layout.fields if column in cells},
    )


def _integer(path: Path, line: Line, column: str, cells: Mapping[str, str]) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", cells[column]):
        raise InputError(f"{path}, line {line.number}: {column} {quoted(cells[column])} is not a whole number")
    return int(cells[column])


def _time(path: Path, line: Line, cell: str) -> float | None:
    try:
        return parse_seconds(cell)
    except ValueError:
        raise InputError(f"{path}, line {line.number}: {quoted(cell)} is not a time; expected HH:MM:SS,mmm") from None
