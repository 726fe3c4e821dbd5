"""Importer of MELD: `{train,dev,test}_sent_emo.csv` and feature tables with keys `diaD_uttU`.

Also of Dyadic MELD (`{train,dev,test}_sent_emo_dya.csv`), the dialogues of two speakers within MELD's. Its utterances
have fields with their numbers in MELD, which are those of the keys of feature tables.

Dialogue ids start at 0 in each of the three files, so that conversations are called `train_0`, `dev_0`, `test_0`, and a
feature table belongs to one split. The importer handles the defects of the files: gaps in the numbering (train dialogue
60), clips that are in no table (train dia125_utt3, dev dia110_utt7), rows of clips without annotation, repeated rows,
and Windows-1252 control characters in the text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdt.conversation import Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.alignment import Table, align
from sdt.corpus.importers.feature_tables import read_table
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles, has_columns, read_columns
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.split_files import SplitLayout, named_split, read_split_files
from sdt.errors import InputError, quoted
from sdt.feature_table import FeatureTable
from sdt.formats.parsing.turn_records import is_meld

OLD = ("Old_Dialogue_ID", "Old_Utterance_ID")
"""The columns of Dyadic MELD with the numbers in MELD."""
LABELS = ("neutral", "surprise", "fear", "sadness", "joy", "disgust", "anger")
LAYOUT = SplitLayout(
    title="MELD",
    unit="dialogue",
    numbers=("Dialogue_ID",),
    start="StartTime",
    end="EndTime",
    labels=LABELS,
    licence="GPL-3.0",
    conversation=lambda split, numbers: f"{split}_{numbers[0]}",
    fields=OLD,
)
PRAAT = (
    *("duration", "avg_intensity", "intensity_variation", "avg_pitch"),
    *("pitch_std", "pitch_range", "articulation_rate", "mean_hnr"),
)
"""The columns of the Praat tables; their encoder is called `praat8`."""

MeldKey = tuple[int, int]
"""(dialogue id, utterance id) within a split."""


def read_meld(
    annotations: Sequence[Path], features: Mapping[str, Sequence[Path]], options: ImportOptions
) -> CorpusBuilder:
    """Read MELD's annotation and feature tables.

    Args:
        annotations: One to three of the annotation files; the name of each contains `train`, `dev` or `test`.
        features: Modality to its files, at most one for each split. The modality is missing in a split without a table.
        options: The options of the import.

    Raises:
        InputError: A file is damaged, its split is unknown or is that of another file, or a table matches no
            utterance.
    """
    builder, numbers = read_split_files(LAYOUT, annotations, options)
    utterances = (utterance for conversation in builder.conversations for utterance in conversation.utterances)
    keys = {split: [_key(next(utterances), *of) for of in found] for split, found in numbers.items()}
    builder.features = {
        modality: _features(modality, paths, keys, builder.notes) for modality, paths in features.items()
    }
    return builder


def _key(utterance: Utterance, numbers: tuple[int, ...], number: int) -> MeldKey:
    """The numbers of an utterance in MELD."""
    old = [int(utterance.extra[column]) for column in OLD if column in utterance.extra]
    return (old[0], old[1]) if len(old) == len(OLD) else (numbers[0], number)


def _features(
    modality: str, paths: Sequence[Path], keys: Mapping[str, Sequence[MeldKey]], notes: list[str]
) -> FeatureTable:
    """Align the tables of one modality with the utterances."""
    tables: dict[str, Table] = {}
    for path in paths:
        table = read_table(path)
        split = _table_split(table, keys)
        notes += table.notes
        if split in tables:
            raise InputError(
                f"{path}: second table of {quoted(modality)} for the {split} split, after {tables[split].path}"
            )
        tables[split] = table
    first = next(iter(tables.values()))
    blocks, presence = [], []
    for split, wanted in keys.items():
        if split not in tables:
            notes.append(f"{modality}: no table for the {split} split: missing in its utterances")
            blocks.append(np.zeros((len(wanted), first.width), dtype=np.float32))
            presence.append(np.zeros(len(wanted), dtype=np.bool_))
            continue
        table = tables[split]
        if table.width != first.width or table.columns != first.columns:
            raise InputError(
                f"{table.path}: {table.width} features ({', '.join(table.columns[:3])}...), but {first.path} has "
                f"{first.width} ({', '.join(first.columns[:3])}...); the tables of {quoted(modality)} must have the "
                "same features"
            )
        features, present, unused = align(table, wanted, _meld_key)
        notes.append(f"{table.path}: {modality} of the {split} split")
        if unused:
            notes.append(
                f"{table.path}: {len(unused)} rows without an annotated utterance ignored, first {quoted(unused[0])}"
            )
        if not present.all():
            dialogue, number = wanted[int(np.argmin(present))]
            notes.append(
                f"{table.path}: {int((~present).sum())} utterances have no row, first dia{dialogue}_utt{number}: "
                f"{modality} is missing"
            )
        blocks.append(features)
        presence.append(present)
    return FeatureTable(
        np.concatenate(blocks),
        np.concatenate(presence),
        encoder="praat8" if first.columns == PRAAT else first.encoder,
        source=", ".join(str(table.path) for table in tables.values()),
    )


def _meld_key(key: str) -> MeldKey | None:
    """Dialogue and utterance id in a key such as `dia0_utt1.wav`, `dia0_utt1`, `0_1` or `0/1`."""
    found = re.fullmatch(r"(?:.*[/\\])?(?:dia)?(\d{1,9})[_/](?:utt)?(\d{1,9})(?:\.\w+)?", key)
    return (int(found[1]), int(found[2])) if found else None


def _table_split(table: Table, by_split: Mapping[str, Sequence[MeldKey]]) -> str:
    """The split of a table: the split in its name, or else the split whose utterances match its keys best."""
    if table.keys is None:
        raise InputError(
            f"{table.path}: the rows have no keys; a table for MELD requires a column of keys such as 'diaD_uttU.wav'"
        )
    keys = {key for key in map(_meld_key, table.keys) if key is not None}
    # Intersection over union, because the ids of the splits overlap: the keys of a small split are in a large one, too.
    fit = {split: len(keys & set(wanted)) / len(keys | set(wanted)) for split, wanted in by_split.items()}
    split = named_split(table.path)
    if split is not None and split not in by_split:
        raise InputError(f"{table.path}: is of the {split} split by its name; give the annotation of this split, too")
    best, *others = sorted(fit, key=lambda name: fit[name], reverse=True)
    if fit[split or best] == 0:
        raise InputError(
            f"{table.path}: no key is an utterance of the {split or 'given'} split; expected keys such as "
            f"'dia0_utt1.wav', found {quoted(table.keys[0])}"
        )
    if split is None and others and fit[best] - fit[others[0]] < 0.2:
        raise InputError(
            f"{table.path}: ambiguous split: its keys match {best} ({fit[best]:.0%}) and {others[0]} "
            f"({fit[others[0]]:.0%}); add train, dev or test to the file name"
        )
    return split or best


def import_meld(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import MELD from its annotation files and tables of features; see `read_meld`."""
    files = files.with_annotations(options)
    builder = read_meld(files.annotations, files.by_modality(names=False), options)
    how = "as --layout says" if options.layout else "recognised by the columns Dialogue_ID and Utterance_ID"
    builder.notes.insert(0, f"{', '.join(map(str, files.annotations))}: MELD's annotation, {how}")
    return Imported(MELD.name, builder, files.annotations[0])


def is_annotation(path: Path, encoding: str | None) -> bool:
    """Whether a file is an annotation file of MELD, by its columns."""
    return has_columns(path) and is_meld(read_columns(path, encoding))


MELD = Importer("meld-csv", "MELD's {train,dev,test}_sent_emo.csv and tables of features", is_annotation, import_meld)
