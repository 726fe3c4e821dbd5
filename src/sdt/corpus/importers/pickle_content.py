"""The content of one published feature file: its annotation and its features."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sdt.corpus.importers.pickle_layouts import (
    LAYOUTS,
    DictionaryLayout,
    Layout,
    Source,
    TupleLayout,
    explain_unknown,
    first_value,
    recognise_layout,
)
from sdt.corpus.importers.pickle_values import Matrix, conversation_id, integers, one_hots, strings
from sdt.corpus.importers.pickle_values import features as feature_matrix
from sdt.errors import InputError, near_miss, quoted
from sdt.formats.parsing.pickles.reader import load

T = TypeVar("T")


@dataclass(frozen=True)
class Annotation:
    """The annotation of a file, without conversations that have no utterances."""

    source: Source
    labels: Mapping[str, list[int]]
    """Conversation id to the label number of each utterance."""
    speakers: Mapping[str, list[int]]
    """Conversation id to the speaker number of each utterance."""
    speaker_count: int
    sentences: Mapping[str, list[str]]
    ids: Mapping[str, list[str]] | None
    """Conversation id to utterance ids; None if the file has no ids."""
    splits: Mapping[str, frozenset[str]]
    """`train`, `test` and, in some files, `dev` to conversation ids."""
    absent: tuple[str, ...]
    """Conversations of the splits that are known to have no data."""


@dataclass(frozen=True)
class Content:
    """One feature file."""

    path: Path
    layout: Layout
    annotation: Annotation | None
    """None for a file with features only."""
    features: Mapping[str, Mapping[str, object]]
    """Modality to conversation id to the features in the form of the file."""
    encoders: Mapping[str, str]
    """Modality to the name of its feature encoder."""

    def matrix(self, modality: str, conversation: str, utterances: int) -> Matrix:
        """The features of a conversation, [utterances, D].

        Raises:
            InputError: The features are missing or not numeric, or their widths or number are inconsistent.
        """
        where = f"{self.path}: {modality}, conversation {quoted(conversation)}"
        if conversation not in self.features[modality]:
            raise InputError(f"{self.path}: {modality}: conversation {quoted(conversation)} is missing")
        matrix = _at(where, feature_matrix, self.features[modality][conversation])
        if len(matrix) != utterances:
            raise InputError(f"{where}: features of {len(matrix)} utterances, but {utterances} labels")
        return matrix


def read_content(path: Path, *, layout: str | None = None, modality: str | None = None) -> Content:
    """Read a published feature file.

    Args:
        path: A pickle.
        layout: The name of its layout; None detects it.
        modality: The modality of a file with features only; None infers it from their width.

    Raises:
        InputError: The file is not a pickle of a known layout, or is damaged.
    """
    value = load(path)
    found = recognise_layout(value)
    if layout is not None:
        if layout not in LAYOUTS:
            raise InputError(f"layout: {quoted(layout)} is unknown{near_miss(layout, LAYOUTS)}")
        found = LAYOUTS[layout]
        if (mismatch := found.mismatch(value)) is not None:
            raise InputError(f"{path}: not of layout {quoted(layout)}: {mismatch}")
    if found is None:
        raise InputError(f"{path}: {explain_unknown(value)}")
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
    width = _at(str(path), feature_matrix, first_value(value)).shape[1]
    inferred, encoder = layout.widths.get(width, (None, "unknown"))
    if modality is None:
        modality = inferred
    if modality is None:
        raise InputError(f"{path}: no known modality has {width} features; name it: --take MODALITY={path.name}")
    features = {modality: _by_conversation(f"{path}: {modality}", value)}
    return Content(path, layout, None, features, {modality: encoder if modality == inferred else "unknown"})


def _annotation(path: Path, layout: TupleLayout, items: Mapping[str, object]) -> Annotation:
    source = layout.source
    labels = {
        conversation: numbers
        for conversation, numbers in _each(path, "labels", items["labels"], integers).items()
        if numbers or conversation not in source.absent
    }
    if source.speakers is None:
        hots = _each(path, "speakers", items["speakers"], one_hots, labels)
        speakers = {conversation: numbers for conversation, (numbers, _) in hots.items()}
        speaker_count = max((width for _, width in hots.values()), default=1)
    else:
        names = _each(path, "speakers", items["speakers"], strings, labels)
        speakers = {c: [_known_speaker(path, c, name, source.speakers) for name in n] for c, n in names.items()}
        speaker_count = len(source.speakers)
    ids = None
    if source.speakers is not None and "ids" in items:
        ids = _each(path, "ids", items["ids"], strings, labels)
    sentences = _each(path, "sentences", items["sentences"], strings, labels)
    for item, values in (("speakers", speakers), ("ids", ids or {}), ("sentences", sentences)):
        for conversation, found in values.items():
            if len(found) != len(labels[conversation]):
                raise InputError(
                    f"{path}: {item}, conversation {quoted(conversation)}: {len(found)} values, "
                    f"but {len(labels[conversation])} labels"
                )
    splits = {name: _split(path, name, items[name]) for name in ("train", "dev", "test") if name in items}
    absent = _check_splits(path, source, splits, labels)
    splits = {name: members - set(absent) for name, members in splits.items()}
    return Annotation(source, labels, speakers, speaker_count, sentences, ids, splits, absent)


def _known_speaker(path: Path, conversation: str, name: str, known: tuple[str, ...]) -> int:
    if name not in known:
        raise InputError(
            f"{path}: speakers, conversation {quoted(conversation)}: unknown speaker {quoted(name)}; known are "
            f"{', '.join(known)}"
        )
    return known.index(name)


def _check_splits(
    path: Path, source: Source, splits: Mapping[str, frozenset[str]], labels: Mapping[str, object]
) -> tuple[str, ...]:
    """Check that splits do not overlap and name known conversations; returns those that are known to lack data."""
    owner: dict[str, str] = {}
    for name, members in splits.items():
        for conversation in sorted(members):
            if conversation not in labels and conversation not in source.absent:
                raise InputError(
                    f"{path}: the {name} list names conversation {quoted(conversation)}, which has no labels"
                )
            if conversation in owner:
                raise InputError(
                    f"{path}: conversation {quoted(conversation)} is in the {owner[conversation]} and {name} lists"
                )
            owner[conversation] = name
    return tuple(sorted(set(owner) - set(labels)))


def _split(path: Path, name: str, value: object) -> frozenset[str]:
    assert isinstance(value, list | tuple | set | frozenset | np.ndarray), "checked by the layout"
    return frozenset(_at(f"{path}: the {name} list", conversation_id, key) for key in value)


def _each(
    path: Path, item: str, value: object, convert: Callable[[object], T], required: Iterable[str] | None = None
) -> dict[str, T]:
    """Convert the value of each conversation, or of the `required` ones only, which must all exist."""
    found = _by_conversation(f"{path}: {item}", value)
    converted = {}
    for conversation in found if required is None else required:
        if conversation not in found:
            raise InputError(f"{path}: {item}: conversation {quoted(conversation)}, which has labels, is missing")
        converted[conversation] = _at(
            f"{path}: {item}, conversation {quoted(conversation)}", convert, found[conversation]
        )
    return converted


def _by_conversation(where: str, value: object) -> dict[str, object]:
    assert isinstance(value, dict), "checked by the layout"
    found: dict[str, object] = {}
    for key, content in value.items():
        conversation = _at(where, conversation_id, key)
        if conversation in found:
            raise InputError(f"{where}: conversation {quoted(conversation)} occurs twice, as text and as a number")
        found[conversation] = content
    return found


def _at(where: str, convert: Callable[[object], T], value: object) -> T:
    """Convert a value; error messages begin with `where`."""
    try:
        return convert(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def check_agreement(base: Content, annotation: Annotation, other: Content) -> None:
    """Check that a file agrees with the file that the conversations come from.

    Args:
        base: The file that the conversations come from.
        annotation: The annotation of `base`.
        other: The file to compare.

    Raises:
        InputError: The data sets, conversations, numbers of utterances, labels or test splits differ.
    """
    if other.annotation is None:
        _check_conversations(base, annotation, other, next(iter(other.features.values())).keys())
        return
    if other.annotation.source is not annotation.source:
        raise InputError(
            f"{other.path}: made from {other.annotation.source.name}, but {base.path} from {annotation.source.name}"
        )
    _check_conversations(base, annotation, other, other.annotation.labels.keys())
    _check_same_labels(base, annotation, other, other.annotation)
    for conversation in annotation.labels:
        here, there = (conversation in a.splits["test"] for a in (annotation, other.annotation))
        if here != there:
            found = "in test" if there else "not in test"
            raise InputError(f"{other.path}: conversation {quoted(conversation)} is {found}, unlike in {base.path}")


def _check_conversations(base: Content, annotation: Annotation, other: Content, theirs: Collection[str]) -> None:
    for one, ids, two, known in (
        (base, annotation.labels.keys(), other, theirs),
        (other, theirs, base, annotation.labels.keys()),
    ):
        for conversation in ids:
            if conversation not in known and conversation not in annotation.source.absent:
                raise InputError(f"{two.path}: conversation {quoted(conversation)} of {one.path} is missing")


def _check_same_labels(base: Content, annotation: Annotation, other: Content, theirs: Annotation) -> None:
    for conversation, labels in annotation.labels.items():
        found = theirs.labels.get(conversation, labels)
        if len(labels) != len(found):
            raise InputError(
                f"{other.path}: conversation {quoted(conversation)} has {len(found)} utterances, "
                f"but {len(labels)} in {base.path}"
            )
        for position, (ours, other_label) in enumerate(zip(labels, found, strict=True)):
            if ours != other_label:
                raise InputError(
                    f"{other.path}: conversation {quoted(conversation)}, utterance {position} (from 0) has label "
                    f"{other_label}, but {ours} in {base.path}"
                )
