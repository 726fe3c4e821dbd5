"""Anyone's corpus: one CSV or JSON Lines file of utterances, and one table of features per modality.

A matrix of features has a row for each utterance, in the order of the lines; or its rows have the keys
`conversation/utterance`. A row of NaN, or one that a keyed table does not have, means that the modality is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance
from sdt.corpus.draft import SPLITS, Draft, FeatureTable
from sdt.corpus.importers.feature_tables import align, read_table
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.utterance_file import Row, UtteranceFile, read_utterance_file
from sdt.corpus.splits import hold_out
from sdt.errors import InputError, near_miss
from sdt.speakers import Speakers


def read_tables(
    path: Path, features: Mapping[str, Sequence[Path]], options: ImportOptions
) -> tuple[Draft, dict[tuple[str, str], Path]]:
    """Read a corpus of one's own.

    Args:
        path: The file of utterances.
        features: Modality to its file, exactly one each.
        options: What the user decided.

    Returns:
        The corpus; and (conversation id, utterance id) to the recording that the table names.

    Raises:
        InputError: Names the file and its line, row or key.
    """
    notes: list[str] = []
    file = read_utterance_file(path)
    if file.ignored:
        notes.append(f"{path}: columns that mean nothing here are ignored: {', '.join(file.ignored)}")
    grouped = _conversations(path, file.rows)
    conversations = [_conversation(path, id, rows) for id, rows in grouped.items()]
    # Where the n-th utterance of the corpus stands among the lines of the file.
    index = {row.line: number for number, row in enumerate(file.rows)}
    order = np.array([index[row.line] for rows in grouped.values() for row in rows])  # [N]
    keys = [
        f"{conversation.id}/{utterance.id}" for conversation in conversations for utterance in conversation.utterances
    ]
    draft = Draft(
        name=options.name or path.stem,
        conversations=conversations,
        labels=_labels(path, file.rows, options, notes),
        splits=_splits(path, file, grouped, options, notes),
        features={
            modality: _features(modality, paths, path, order, keys, notes) for modality, paths in features.items()
        },
        speakers=Speakers.of(conversations, options.speakers or "appearance"),
        licence=options.licence or "unknown",
        notes=notes,
    )
    media = [row.media for rows in grouped.values() for row in rows]
    return draft, {
        place: path.parent / name for place, name in zip(draft.places(), media, strict=True) if name is not None
    }


def _conversations(path: Path, rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Conversation id to its rows in the order in which they were spoken."""
    grouped: dict[str, list[Row]] = {}
    for row in rows:
        grouped.setdefault(row.conversation, []).append(row)
    for conversation, found in grouped.items():
        seen: dict[float, int] = {}
        for row in found:
            if (row.order is None) != (found[0].order is None):
                empty = row if row.order is None else found[0]
                raise InputError(f"{path}, line {empty.line}: order is empty, but not so in all of {conversation!r}")
            if row.order is not None and seen.setdefault(row.order, row.line) != row.line:
                raise InputError(
                    f"{path}, line {row.line}: order {row.order:g} in conversation {conversation!r} stands already "
                    f"in line {seen[row.order]}"
                )
        found.sort(key=lambda row: row.order or 0)
    return grouped


def _conversation(path: Path, conversation: str, rows: Sequence[Row]) -> Conversation:
    utterances: dict[str, int] = {}
    for number, row in enumerate(rows):
        id = row.utterance or str(number)
        if utterances.setdefault(id, row.line) != row.line:
            raise InputError(
                f"{path}, line {row.line}: utterance {id!r} of conversation {conversation!r} stands already in "
                f"line {utterances[id]}"
            )
    return Conversation(
        conversation,
        tuple(
            Utterance(id, row.speaker, row.text, row.label, row.start, row.end)
            for id, row in zip(utterances, rows, strict=True)
        ),
    )


def _labels(path: Path, rows: Sequence[Row], options: ImportOptions, notes: list[str]) -> tuple[str, ...]:
    if options.labels is None:
        labels = tuple(sorted({row.label for row in rows if row.label is not None}))
        if len(labels) < 2:
            found = f"is {labels[0]!r} alone" if labels else "is empty throughout"
            raise InputError(
                f"{path}: the column 'label' {found}, and a corpus needs at least two different labels; write the "
                "emotions there, or predict with a trained model: sdt predict"
            )
        notes.append(f"{path}: labels in alphabetical order, since --labels does not say another: {', '.join(labels)}")
        return labels
    for row in rows:
        if row.label is not None and row.label not in options.labels:
            hint = near_miss(row.label, options.labels)
            raise InputError(f"{path}, line {row.line}: label {row.label!r} is not among --labels{hint}")
    return options.labels


def _splits(
    path: Path, file: UtteranceFile, grouped: Mapping[str, Sequence[Row]], options: ImportOptions, notes: list[str]
) -> dict[str, list[str]]:
    """Whole conversations: as the column says, and what it does not say by the options."""
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for conversation, rows in grouped.items():
        said = sorted((row for row in rows if row.split is not None), key=lambda row: row.line)
        for row in said:
            if row.split != said[0].split:
                raise InputError(
                    f"{path}, line {row.line}: conversation {conversation!r} is in split {row.split!r} here and in "
                    f"{said[0].split!r} in line {said[0].line}; one conversation belongs to one split"
                )
        if said and said[0].split is not None:
            splits[said[0].split].append(conversation)
    drawn = f"a share of {options.dev_share:g}, seed {options.seed}"
    if "split" not in file.columns:
        splits["train"], splits["test"] = hold_out(list(grouped), "share", share=options.dev_share, seed=options.seed)
        notes.append(f"{path}: no column 'split': {len(splits['test'])} conversations drawn as test ({drawn})")
    if splits["train"] and (options.dev is not None or not splits["dev"]):
        candidates = [c for c in grouped if c in {*splits["train"], *splits["dev"]}]
        rule = options.dev or "share"
        splits["train"], splits["dev"] = hold_out(candidates, rule, share=options.dev_share, seed=options.seed)
        how = drawn if rule == "share" else rule
        notes.append(f"{path}: {len(splits['dev'])} conversations taken out of train as dev ({how})")
    return {split: ids for split, ids in splits.items() if ids}


def _features(
    modality: str,
    paths: Sequence[Path],
    utterances: Path,
    order: npt.NDArray[np.int64],
    keys: Sequence[str],
    notes: list[str],
) -> FeatureTable:
    """One modality, its rows brought into the order of the conversations."""
    if len(paths) > 1:
        raise InputError(f"{paths[1]}: {paths[0]} is the modality {modality!r} already; give one file for each")
    table = read_table(paths[0])
    if table.keys is None:
        if len(table.features) != len(order):
            raise InputError(
                f"{table.path}: {len(table.features)} rows, but {utterances} has {len(order)} utterances; there must "
                "be a row for each (of NaN where the modality is missing)"
            )
        features = table.features[order]
        present = np.asarray(~np.isnan(features).all(axis=1))
        return FeatureTable(features, present, table.encoder, source=str(table.path))
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
