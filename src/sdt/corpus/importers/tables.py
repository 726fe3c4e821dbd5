"""Anyone's corpus: one CSV or JSON Lines file of utterances, and one table of features per modality.

A matrix of features has a row for each utterance, in the order of the lines; or its rows have the keys
`conversation/utterance`. A row of NaN, or one that a keyed table does not have, means that the modality is missing.

The utterances of a JSON Lines file and the matrices without keys are read piece by piece, so that they may be larger
than memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.corpus.draft import SPLITS, Draft, FeatureTable
from sdt.corpus.importers.feature_tables import Matrix, Table, align, read_table
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.survey import FileConversations, Survey
from sdt.corpus.importers.utterance_file import UtteranceFile, read_utterance_file
from sdt.corpus.pieces import pieces
from sdt.corpus.splits import hold_out
from sdt.corpus.streamed import StreamedTable
from sdt.errors import InputError


def read_tables(
    path: Path, features: Mapping[str, Sequence[Path]], options: ImportOptions
) -> tuple[Draft, dict[tuple[str, str], Path]]:
    """Read a corpus of one's own.

    Args:
        path: The file of utterances.
        features: Modality to its file, exactly one each.
        options: What the user decided.

    Returns:
        The corpus, its conversations and matrices still in their files; and (conversation id, utterance id) to the
        recording that the table names.

    Raises:
        InputError: Names the file and its line, row or key.
    """
    notes: list[str] = []
    file = read_utterance_file(path, options.encoding)
    if file.ignored:
        notes.append(f"{path}: columns that mean nothing here are ignored: {', '.join(file.ignored)}")
    survey = Survey(file, options)
    conversations = FileConversations(file, survey.lengths)
    draft = Draft(
        name=options.name or path.stem,
        conversations=conversations,
        labels=_labels(path, survey, options, notes),
        splits=_splits(path, file, survey, options, notes),
        features={
            modality: _features(modality, paths, path, conversations, survey, notes)
            for modality, paths in features.items()
        },
        speakers=survey.speakers,
        licence=options.licence or "unknown",
        notes=notes,
    )
    return draft, survey.media


def _labels(path: Path, survey: Survey, options: ImportOptions, notes: list[str]) -> tuple[str, ...]:
    if options.labels is not None:
        return options.labels
    labels = tuple(sorted(survey.labels))
    if len(labels) < 2:
        found = f"is {labels[0]!r} alone" if labels else "is empty throughout"
        raise InputError(
            f"{path}: the column 'label' {found}, and a corpus needs at least two different labels; write the "
            "emotions there, or predict with a trained model: sdt predict"
        )
    notes.append(f"{path}: labels in alphabetical order, since --labels does not say another: {', '.join(labels)}")
    return labels


def _splits(
    path: Path, file: UtteranceFile, survey: Survey, options: ImportOptions, notes: list[str]
) -> dict[str, list[str]]:
    """Whole conversations: as the column says, and what it does not say by the options."""
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for conversation, split in zip(file.conversations, survey.splits, strict=True):
        if split is not None:
            splits[split].append(conversation)
    drawn = f"a share of {options.dev_share:g}, seed {options.seed}"
    if "split" not in file.columns:
        splits["train"], splits["test"] = hold_out(
            file.conversations, "share", share=options.dev_share, seed=options.seed
        )
        notes.append(f"{path}: no column 'split': {len(splits['test'])} conversations drawn as test ({drawn})")
    if splits["train"] and (options.dev is not None or not splits["dev"]):
        both = {*splits["train"], *splits["dev"]}
        candidates = [c for c in file.conversations if c in both]
        rule = options.dev or "share"
        splits["train"], splits["dev"] = hold_out(candidates, rule, share=options.dev_share, seed=options.seed)
        how = drawn if rule == "share" else rule
        notes.append(f"{path}: {len(splits['dev'])} conversations taken out of train as dev ({how})")
    return {split: ids for split, ids in splits.items() if ids}


def _features(
    modality: str,
    paths: Sequence[Path],
    utterances: Path,
    conversations: FileConversations,
    survey: Survey,
    notes: list[str],
) -> FeatureTable:
    """One modality, its rows brought into the order of the conversations."""
    if len(paths) > 1:
        raise InputError(f"{paths[1]}: {paths[0]} is the modality {modality!r} already; give one file for each")
    table = read_table(paths[0])
    if table.keys is None:
        if table.size != survey.size:
            raise InputError(
                f"{table.path}: {table.size} rows, but {utterances} has {survey.size} utterances; there must "
                "be a row for each (of NaN where the modality is missing)"
            )
        return _by_place(table, survey.order)
    keys = [f"{c.id}/{utterance.id}" for c in conversations for utterance in c.utterances]
    features, present, unused = align(table, keys, str)
    if not present.any():
        raise InputError(
            f"{table.path}: none of its keys is an utterance of {utterances}; expected keys such as {keys[0]!r}, found "
            f"{table.keys[0]!r}"
        )
    if unused:
        notes.append(f"{table.path}: {len(unused)} rows are of no utterance, the first {unused[0]!r}")
    if not present.all():
        first = keys[int(np.argmin(present))]
        notes.append(f"{table.path}: {int((~present).sum())} utterances have no row, the first {first!r}")
    return FeatureTable(features, present, table.encoder, source=str(table.path))


def _by_place(table: Table, order: npt.NDArray[np.int32] | None) -> StreamedTable:
    """A table with a row for each line of the file of utterances, read when it is written."""

    def read(rows: slice) -> Matrix:
        return table.rows(rows if order is None else order[rows])

    shape = table.size, table.width
    present = np.empty(table.size, dtype=np.bool_)
    for rows in pieces(shape):
        present[rows] = ~np.isnan(read(rows)).all(axis=1)
    return StreamedTable(read, shape, present, table.encoder, source=str(table.path))
