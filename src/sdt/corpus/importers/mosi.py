"""Importer of CMU-MOSI with the features of contextual inter-modal attention: a folder of CSV files without headers.

    transcripts.csv                       VIDEO_NUMBER, text, a number, label (0 negative, 1 positive)
    text_{train,test}.csv                 in column 0 the row of transcripts.csv, from 0: the order of the files below
    {text,audio,video}_{train,test}0.csv  the features of these rows; the last column is the label

Source: D. Ghosal et al., "Contextual Inter-modal Attention for Multi-modal Sentiment Analysis", EMNLP 2018. A
conversation is a video, a monologue of one speaker, and an utterance is called by its number in the video. There is no
dev split.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.alignment import Matrix
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError, quoted
from sdt.feature_table import FeatureTable
from sdt.formats.parsing.csv_lines import Line, parse_number, read_csv
from sdt.speakers import Speakers
from sdt.splits import hold_out

LABELS = ("negative", "positive")
"""By the numbers in the files."""
FILES = {"text": "text", "audio": "audio", "visual": "video"}
"""Modality to the first word of the names of its files."""
SPLITS = ("train", "test")
TRANSCRIPTS = "transcripts.csv"
CAVEAT = (
    "the text and visual features of train have seen its labels: they score above 90 % on a dev split of train, "
    "whatever the score on test, so that such a split cannot select an epoch"
)

Row = tuple[str, Utterance]
"""A line of the transcripts: its video and utterance."""


def is_mosi(folder: Path) -> bool:
    """Whether a folder has the files."""
    return all((folder / name).is_file() for name in (TRANSCRIPTS, *(f"text_{split}.csv" for split in SPLITS)))


def read_mosi(folder: Path, options: ImportOptions) -> tuple[CorpusBuilder, list[Path]]:
    """Read the folder.

    Args:
        folder: See `is_mosi`.
        options: The options of the import; only with `dev`, conversations of train become dev.

    Returns:
        The corpus, and the files that were read.

    Raises:
        InputError: A file is missing or damaged, or contradicts the transcripts.
    """
    transcripts = _read_transcripts(folder / TRANSCRIPTS, options.encoding)
    orders = {split: _read_order(folder / f"text_{split}.csv", transcripts) for split in SPLITS}
    rows = [(split, *transcripts[row]) for split in SPLITS for row in orders[split]]
    spoken = sorted(range(len(rows)), key=lambda at: (SPLITS.index(rows[at][0]), rows[at][1], int(rows[at][2].id)))
    videos: dict[tuple[str, str], list[Utterance]] = {}
    for split, video, utterance in (rows[at] for at in spoken):
        videos.setdefault((split, video), []).append(utterance)
    conversations = [Conversation(video, tuple(utterances)) for (_, video), utterances in videos.items()]
    splits = {split: [video for of, video in videos if of == split] for split in SPLITS}
    notes = [f"{folder}: CMU-MOSI, recognised by its files", CAVEAT]
    if options.dev is not None:
        train, dev = hold_out(splits["train"], options.dev, share=options.dev_share, seed=options.seed)
        splits = {"train": train, "dev": dev, "test": splits["test"]}
        notes.append(f"{folder}: {len(dev)} conversations moved from train to dev")
    files = {name: [folder / f"{word}_{split}0.csv" for split in SPLITS] for name, word in FILES.items()}
    builder = CorpusBuilder(
        name=options.name or "mosi",
        conversations=conversations,
        labels=options.labels or LABELS,
        splits=splits,
        features={name: _read_modality(paths, orders, transcripts, spoken) for name, paths in files.items()},
        speakers=Speakers.from_conversations(conversations, options.speakers or "appearance"),
        licence=options.licence or "MIT",
        provenance={"caveats": [CAVEAT]},
        notes=notes,
    )
    return builder, [folder / TRANSCRIPTS, *(folder / f"text_{split}.csv" for split in SPLITS), *chain(*files.values())]


def _read_transcripts(path: Path, encoding: str | None) -> list[Row]:
    found = []
    for line in read_csv(path, encoding=encoding):
        if len(line.cells) != 4:
            raise InputError(
                f"{path}, line {line.number}: {len(line.cells)} cells; expected VIDEO_NUMBER, text, a number, label"
            )
        name = re.fullmatch(r"(.+)_(\d{1,9})", line.cells[0].strip(), re.ASCII)
        if name is None:
            raise InputError(
                f"{path}, line {line.number}: {quoted(line.cells[0])} is not VIDEO_NUMBER, such as 03bSnISJMiM_1"
            )
        label = LABELS[_label(path, line)]
        found.append((name[1], Utterance(name[2], speaker=name[1], text=line.cells[1].strip() or None, label=label)))
    return found


def _read_order(path: Path, transcripts: Sequence[Row]) -> list[int]:
    """The row of the transcripts of each utterance of a split."""
    rows: dict[int, int] = {}
    for line in read_csv(path):
        cell = line.cells[0].strip()
        if not re.fullmatch(r"[0-9]{1,9}", cell) or int(cell) >= len(transcripts):
            last = len(transcripts) - 1
            raise InputError(
                f"{path}, line {line.number}: {quoted(cell)} is not a row of {TRANSCRIPTS}; expected 0 to {last}"
            )
        if (before := rows.setdefault(int(cell), line.number)) != line.number:
            raise InputError(f"{path}, line {line.number}: row {cell} of {TRANSCRIPTS} is already in line {before}")
    return list(rows)


def _read_modality(
    paths: Sequence[Path], orders: Mapping[str, Sequence[int]], transcripts: Sequence[Row], spoken: Sequence[int]
) -> FeatureTable:
    """The features of all splits, in spoken order; an utterance with a row of empty cells lacks the modality."""
    parts = [_read_features(path, orders[split], transcripts) for path, split in zip(paths, SPLITS, strict=True)]
    train, test = (part.shape[1] for part in parts)
    if train != test:
        raise InputError(f"{paths[1]}: {test} features, but {paths[0]} has {train}")
    features = np.concatenate(parts)[spoken]
    present = np.logical_not(np.isnan(features).all(axis=1))  # [N]
    return FeatureTable(features, np.ones_like(present), "unknown", ", ".join(map(str, paths))).with_presence(present)


def _read_features(path: Path, order: Sequence[int], transcripts: Sequence[Row]) -> Matrix:
    """The features [rows, D] of a split, in the order of the file."""
    if not path.is_file():
        raise InputError(f"{path}: file not found")
    lines = read_csv(path).lines
    if len(lines) != len(order):
        raise InputError(f"{path}: {len(lines)} rows, but the split has {len(order)} utterances")
    features = np.zeros((len(lines), len(lines[0].cells) - 1), dtype=np.float32)
    for at, (line, row) in enumerate(zip(lines, order, strict=True)):
        video, utterance = transcripts[row]
        if LABELS[_label(path, line)] != utterance.label:
            raise InputError(
                f"{path}, line {line.number}: the label {line.cells[-1].strip()} is not that of "
                f"{video}_{utterance.id} in {TRANSCRIPTS}"
            )
        for column, cell in enumerate(line.cells[:-1], start=1):
            try:
                features[at, column - 1] = parse_number(cell)
            except ValueError:
                raise InputError(
                    f"{path}, line {line.number}, column {column}: {quoted(cell)} is not a number"
                ) from None
    return features


def _label(path: Path, line: Line) -> int:
    if (cell := line.cells[-1].strip()) not in ("0", "1"):
        raise InputError(
            f"{path}, line {line.number}: the label {quoted(cell)} is neither 0 (negative) nor 1 (positive)"
        )
    return int(cell)


def import_mosi(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import the folder; see `read_mosi`."""
    (folder,) = files.paths
    builder, sources = read_mosi(folder, options)
    return Imported(MOSI.name, builder, folder, sources)


MOSI = Importer(
    "mosi",
    "CMU-MOSI: transcripts and features of text, audio and video",
    lambda folder, _: is_mosi(folder),
    import_mosi,
    folder=True,
)
