"""One published feature file, read: its annotation and where its features lie."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sdt.corpus.importers import pickle_values
from sdt.corpus.importers.pickle_layouts import (
    LAYOUTS,
    DictionaryLayout,
    Layout,
    Source,
    TupleLayout,
    first_value,
    recognise,
    why_unknown,
)
from sdt.corpus.importers.pickle_values import Matrix
from sdt.errors import InputError, near_miss, quoted
from sdt.formats.pickles import reader as unpickle

T = TypeVar("T")


@dataclass(frozen=True)
class Annotation:
    """What a file says beside features. Conversations without utterances are left out."""

    source: Source
    labels: Mapping[str, list[int]]
    """Conversation id to the label number of each utterance."""
    speakers: Mapping[str, list[int]]
    """Conversation id to the speaker number of each utterance."""
    speaker_count: int
    sentences: Mapping[str, list[str]]
    ids: Mapping[str, list[str]] | None
    """Conversation id to utterance ids; None where the file has none."""
    splits: Mapping[str, frozenset[str]]
    """`train`, `test` and perhaps `dev` to conversation ids."""
    absent: tuple[str, ...]
    """Conversations that a split names, known to have no data."""


@dataclass(frozen=True)
class Content:
    """One file."""

    path: Path
    layout: Layout
    annotation: Annotation | None
    """None for a file of features alone."""
    features: Mapping[str, Mapping[str, object]]
    """Modality to conversation id to the features as they lie in the file."""
    encoders: Mapping[str, str]
    """Modality to the name of its feature encoder."""

    def matrix(self, modality: str, conversation: str, utterances: int) -> Matrix:
        """The features of a conversation, [utterances, D].

        Raises:
            InputError: They are not there, are no numbers, differ in width, or are not as many as the utterances.
        """
        where = f"{self.path}: {modality}, conversation {quoted(conversation)}"
        if conversation not in self.features[modality]:
            raise InputError(f"{self.path}: {modality}: there is no conversation {quoted(conversation)}")
        matrix = _at(where, pickle_values.features, self.features[modality][conversation])
        if len(matrix) != utterances:
            raise InputError(f"{where}: features of {len(matrix)} utterances, but there are {utterances} labels")
        return matrix


def read_content(path: Path, *, layout: str | None = None, modality: str | None = None) -> Content:
    """Read one file.

    Args:
        path: A pickle.
        layout: The name of its layout; None recognises it.
        modality: The modality of a file that holds features only; None tells it by their width.

    Raises:
        InputError: The file is no pickle of a known layout, or damaged.
    """
    value = unpickle.load(path)
    found = recognise(value)
    if layout is not None:
        if layout not in LAYOUTS:
            raise InputError(f"layout: {quoted(layout)} is unknown{near_miss(layout, LAYOUTS)}")
        found = LAYOUTS[layout]
        if (mismatch := found.mismatch(value)) is not None:
            raise InputError(f"{path}: not of layout {quoted(layout)}: {mismatch}")
    if found is None:
        raise InputError(f"{path}: {why_unknown(value)}")
    if isinstance(found, DictionaryLayout):
        assert isinstance(value, dict)
        return _one_modality(path, found, value, modality)
    assert isinstance(value, tuple | list)
    items = dict(zip(found.items, value, strict=True))
    return Content(
        path,
        found,
        _annotation(path, found, items),
        {modality: _by_conversation(f"{path}: {modality}", items[modality]) for modality in found.encoders},
        found.encoders,
    )


def _one_modality(path: Path, layout: DictionaryLayout, value: dict[object, object], modality: str | None) -> Content:
    width = _at(str(path), pickle_values.features, first_value(value)).shape[1]
    told, encoder = layout.widths.get(width, (None, "unknown"))
    if modality is None:
        modality = told
    if modality is None:
        raise InputError(
            f"{path}: features of width {width}, which tells no modality; name it: --take MODALITY={path.name}"
        )
    features = {modality: _by_conversation(f"{path}: {modality}", value)}
    return Content(path, layout, None, features, {modality: encoder if modality == told else "unknown"})


def _annotation(path: Path, layout: TupleLayout, items: Mapping[str, object]) -> Annotation:
    source = layout.source
    labels = {
        conversation: numbers
        for conversation, numbers in _each(path, "labels", items["labels"], pickle_values.integers).items()
        if numbers or conversation not in source.absent
    }
    if source.speakers is None:
        hots = _each(path, "speakers", items["speakers"], pickle_values.one_hots, labels)
        speakers = {conversation: numbers for conversation, (numbers, _) in hots.items()}
        speaker_count = max((width for _, width in hots.values()), default=1)
    else:
        names = _each(path, "speakers", items["speakers"], pickle_values.strings, labels)
        speakers = {c: [_known_speaker(path, c, name, source.speakers) for name in n] for c, n in names.items()}
        speaker_count = len(source.speakers)
    ids = None
    if source.speakers is not None and "ids" in items:
        ids = _each(path, "ids", items["ids"], pickle_values.strings, labels)
    sentences = _each(path, "sentences", items["sentences"], pickle_values.strings, labels)
    for item, values in (("speakers", speakers), ("ids", ids or {}), ("sentences", sentences)):
        for conversation, found in values.items():
            if len(found) != len(labels[conversation]):
                raise InputError(
                    f"{path}: {item}, conversation {quoted(conversation)}: {len(found)} of them, "
                    f"but there are {len(labels[conversation])} labels"
                )
    splits = {name: _split(path, name, items[name]) for name in ("train", "dev", "test") if name in items}
    absent = _check_splits(path, source, splits, labels)
    splits = {name: members - set(absent) for name, members in splits.items()}
    return Annotation(source, labels, speakers, speaker_count, sentences, ids, splits, absent)


def _known_speaker(path: Path, conversation: str, name: str, known: tuple[str, ...]) -> int:
    if name not in known:
        raise InputError(
            f"{path}: speakers, conversation {quoted(conversation)}: speaker {quoted(name)} is none of "
            f"{', '.join(known)}"
        )
    return known.index(name)


def _check_splits(
    path: Path, source: Source, splits: Mapping[str, frozenset[str]], labels: Mapping[str, object]
) -> tuple[str, ...]:
    """Refuse splits that overlap or name unknown conversations; returns those that are known to have no data."""
    owner: dict[str, str] = {}
    for name, members in splits.items():
        for conversation in sorted(members):
            if conversation not in labels and conversation not in source.absent:
                raise InputError(
                    f"{path}: the {name} list names conversation {quoted(conversation)}, for which there are no labels"
                )
            if conversation in owner:
                raise InputError(
                    f"{path}: conversation {quoted(conversation)} is in the {owner[conversation]} and {name} lists"
                )
            owner[conversation] = name
    return tuple(sorted(set(owner) - set(labels)))


def _split(path: Path, name: str, value: object) -> frozenset[str]:
    assert isinstance(value, list | tuple | set | frozenset | np.ndarray), "the layout says so"
    return frozenset(_at(f"{path}: the {name} list", pickle_values.conversation_id, key) for key in value)


def _each(
    path: Path, item: str, value: object, convert: Callable[[object], T], wanted: Iterable[str] | None = None
) -> dict[str, T]:
    """Convert the value of each conversation; with `wanted`, of those, each of which must be there."""
    found = _by_conversation(f"{path}: {item}", value)
    converted = {}
    for conversation in found if wanted is None else wanted:
        if conversation not in found:
            raise InputError(f"{path}: {item}: there is no conversation {quoted(conversation)}, though it has labels")
        converted[conversation] = _at(
            f"{path}: {item}, conversation {quoted(conversation)}", convert, found[conversation]
        )
    return converted


def _by_conversation(where: str, value: object) -> dict[str, object]:
    assert isinstance(value, dict), "the layout says so"
    found: dict[str, object] = {}
    for key, content in value.items():
        conversation = _at(where, pickle_values.conversation_id, key)
        if conversation in found:
            raise InputError(f"{where}: conversation {quoted(conversation)} occurs twice, as text and as a number")
        found[conversation] = content
    return found


def _at(where: str, convert: Callable[[object], T], value: object) -> T:
    """Convert, and say where it failed."""
    try:
        return convert(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
