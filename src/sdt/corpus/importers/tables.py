"""Importer of a table of utterances (CSV, JSON Lines or Parquet) and one feature table per modality.

A feature matrix has a row per utterance in the order of the lines, or rows with the keys `conversation/utterance`, or
it is in a corpus folder and has the order of this corpus. A row of NaN, or a missing row of a keyed table, means that
the utterance lacks the modality.

The utterances of a JSON Lines file and matrices without keys are read in chunks, so that they can be larger than
memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.alignment import Matrix, Table, align, match_keys
from sdt.corpus.importers.corpus_features import is_in_corpus_folder, match_corpus_rows
from sdt.corpus.importers.feature_tables import read_table
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles, has_columns, read_columns
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.scan import FileConversations, TableScan
from sdt.errors import InputError, join_names, quoted
from sdt.feature_table import FeatureTable, StreamedTable, row_chunks
from sdt.formats.parsing.utterance_table import (
    JSON_ARRAY,
    JSON_LINES,
    UtteranceFile,
    is_utterance_table,
    read_utterance_file,
)
from sdt.splits import SPLITS, hold_out


def read_tables(
    path: Path, features: Mapping[str, Sequence[Path]], options: ImportOptions
) -> tuple[CorpusBuilder, dict[tuple[str, str], Path]]:
    """Read a table of utterances and its feature tables.

    Args:
        path: The table of utterances.
        features: Modality to its only file.
        options: The options of the import.

    Returns:
        The corpus, whose conversations and matrices are still in their files; and (conversation id, utterance id) to
        the recording that the table names.

    Raises:
        InputError: The message names the file and its line, row or key.
    """
    file = read_utterance_file(path, options.encoding, options.keep)
    notes = list(file.notes)
    if ignored := [name for name in file.ignored if name]:
        notes.append(f"{path}: unknown columns ignored: {join_names(ignored)}")
    scan = TableScan(file, options)
    notes += scan.labels.notes
    conversations = FileConversations(file, scan.lengths, scan.labels.of)
    builder = CorpusBuilder(
        name=options.name or path.stem,
        conversations=conversations,
        labels=scan.labels.names,
        splits=_splits(path, file, scan, options, notes),
        features={
            modality: _features(modality, paths, path, conversations, scan, notes)
            for modality, paths in features.items()
        },
        speakers=scan.speakers,
        licence=options.licence or "unknown",
        notes=notes,
    )
    return builder, scan.media


def _splits(
    path: Path, file: UtteranceFile, scan: TableScan, options: ImportOptions, notes: list[str]
) -> dict[str, list[str]]:
    """The splits of the column `split`, and of the options for conversations without one."""
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for conversation, split in zip(file.conversations, scan.splits, strict=True):
        if split is not None:
            splits[split].append(conversation)
    drawn = f"a random {options.dev_share:g}, seed {options.seed}"
    if "split" not in file.columns:
        splits["train"], splits["test"] = hold_out(
            file.conversations, "share", share=options.dev_share, seed=options.seed
        )
        notes.append(f"{path}: no column 'split': {len(splits['test'])} conversations chosen as test ({drawn})")
    if splits["train"] and (options.dev is not None or not splits["dev"]):
        both = {*splits["train"], *splits["dev"]}
        candidates = [c for c in file.conversations if c in both]
        rule = options.dev or "share"
        splits["train"], splits["dev"] = hold_out(candidates, rule, share=options.dev_share, seed=options.seed)
        how = drawn if rule == "share" else rule
        notes.append(f"{path}: {len(splits['dev'])} conversations moved from train to dev ({how})")
    return {split: ids for split, ids in splits.items() if ids}


def _features(
    modality: str,
    paths: Sequence[Path],
    utterances: Path,
    conversations: FileConversations,
    scan: TableScan,
    notes: list[str],
) -> FeatureTable:
    """One modality, with rows in the order of the conversations."""
    table = _read_one(modality, paths, notes)
    if table.keys is None and is_in_corpus_folder(table.path):
        table, order = match_corpus_rows(table, conversations, notes)
        return _in_order(table, order)
    if table.keys is None and (ids := _keys_from_ids(table, conversations)) is None:
        _check_order(table, utterances, scan)
        return _in_order(table, scan.order)
    if table.keys is None:
        table = replace(table, keys=ids)
    return _by_key(table, utterances, conversations, notes)


def features_by_key(
    modality: str, paths: Sequence[Path], utterances: Path, conversations: Sequence[Conversation], notes: list[str]
) -> FeatureTable:
    """One modality from a table with keys, with rows in the order of the conversations.

    Args:
        modality: The modality.
        paths: Its only file.
        utterances: The file of the utterances, for error messages.
        conversations: The utterances.
        notes: Receives notes on the table.

    Raises:
        InputError: There are several files, or the rows have no keys, or keys that match no utterance.
    """
    table = _read_one(modality, paths, notes)
    if table.keys is None:
        raise InputError(
            f"{table.path}: the rows have no keys; a column of keys such as 'conversation/utterance' is required"
        )
    return _by_key(table, utterances, conversations, notes)


def _read_one(modality: str, paths: Sequence[Path], notes: list[str]) -> Table:
    if len(paths) > 1:
        raise InputError(
            f"{paths[1]}: second file of modality {quoted(modality)}, after {paths[0]}; give one file per modality"
        )
    table = read_table(paths[0])
    notes += table.notes
    return table


def _keys_from_ids(table: Table, conversations: FileConversations) -> tuple[str, ...] | None:
    """The keys of the rows if their numbers are the ids of the utterances, or None."""
    if table.ids is None:
        return None
    keys = {utterance.id: f"{c.id}/{utterance.id}" for c in conversations for utterance in c.utterances}
    if len(keys) != conversations.lengths.sum() or {*keys} != {*table.ids}:
        return None
    return tuple(keys[id] for id in table.ids)


def _check_order(table: Table, utterances: Path, scan: TableScan) -> None:
    """Check that the rows of a table are in the order of the utterances."""
    if table.size != scan.size:
        hint = f"; its first line ({table.header}) was read as a header" if table.header else ""
        raise InputError(
            f"{table.path}: {table.size} rows, but {utterances} has {scan.size} utterances; there must be one row per "
            f"utterance (of NaN if the modality is missing){hint}"
        )
    if table.shuffled:
        raise InputError(
            f"{table.path}: the numbers in column {table.shuffled} are not in rising order; sort the rows by them, or "
            "remove the column if the rows are already in the order of the utterances"
        )
    if table.present is not None and scan.order is not None:
        raise InputError(
            f"{table.path}: has the order of the corpus that it comes from, but {utterances} has another order; give "
            "the file in its corpus folder, or sort the lines by conversation and order"
        )


def _by_key(table: Table, utterances: Path, conversations: Sequence[Conversation], notes: list[str]) -> FeatureTable:
    assert table.keys is not None
    for conversation in conversations if table.lengths else ():
        if (rows := table.lengths.get(conversation.id, len(conversation))) != len(conversation):
            raise InputError(
                f"{table.path}: conversation {quoted(conversation.id)} has {rows} rows, but {len(conversation)} "
                f"utterances in {utterances}"
            )
    keys, meanings = match_keys(table.keys, conversations)
    features, present, unused = align(table, keys, meanings.get)
    if not present.any() and table.lengths:
        key, rows = next(iter(table.lengths.items()))
        raise InputError(
            f"{table.path}: {quoted(key)} has {rows} rows, but is not a conversation of {utterances}; expected one "
            "vector per utterance (average features over time)"
        )
    if not present.any():
        raise InputError(
            f"{table.path}: no key matches an utterance of {utterances}; expected keys such as {quoted(keys[0])}, "
            f"found {quoted(table.keys[0])}"
        )
    if unused:
        notes.append(f"{table.path}: {len(unused)} rows without an utterance ignored, first {quoted(unused[0])}")
    if not present.all():
        first = keys[int(np.argmin(present))]
        notes.append(f"{table.path}: {int((~present).sum())} utterances have no row, first {quoted(first)}")
    return FeatureTable(features, present, table.encoder, source=str(table.path))


def _in_order(table: Table, order: npt.NDArray[np.int32] | None) -> StreamedTable:
    """A table with one row per utterance in this order; it is read when the corpus is written."""

    def read(rows: slice) -> Matrix:
        return table.rows(rows if order is None else order[rows])

    shape = table.size if order is None else len(order), table.width
    present = np.empty(shape[0], dtype=np.bool_)
    for rows in row_chunks(shape):
        present[rows] = ~np.isnan(read(rows)).all(axis=1)
    return StreamedTable(read, shape, present, table.encoder, source=str(table.path))


def import_tables(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import a file of utterances and tables of features; see `read_tables`."""
    files = files.with_annotations(options)
    annotation, *others = files.annotations
    if others:
        raise InputError(f"{others[0]}: second table of utterances, after {annotation}; give one")
    builder, recordings = read_tables(annotation, files.by_modality(), options)
    how = "--layout" if options.layout else "recognised by its columns"
    builder.notes.insert(0, f"{annotation}: read as a table of utterances ({how})")
    return Imported(TABLES.name, builder, annotation, recordings=recordings)


def is_annotation(path: Path, encoding: str | None) -> bool:
    """Whether a file lists utterances, by its suffix or its columns."""
    if path.suffix.lower() in (*JSON_LINES, JSON_ARRAY):
        return True
    return has_columns(path) and is_utterance_table(read_columns(path, encoding))


TABLES = Importer(
    "table", "a table of utterances and tables of features", is_annotation, import_tables, recordings="named"
)
