"""Whether two published feature files speak of the same conversations, so that they can be combined."""

from __future__ import annotations

from collections.abc import Collection

from sdt.corpus.importers.pickle_content import Annotation, Content
from sdt.errors import InputError, quoted


def check_agreement(base: Content, annotation: Annotation, other: Content) -> None:
    """Refuse a file that disagrees with the base of the combination.

    Args:
        base: The file that gives the conversations.
        annotation: Its annotation.
        other: The file to compare.

    Raises:
        InputError: Another data set, other conversations, numbers of utterances or labels, another test split.
    """
    if other.annotation is None:
        _check_conversations(base, annotation, other, next(iter(other.features.values())).keys())
        return
    if other.annotation.source is not annotation.source:
        raise InputError(
            f"{other.path}: made from {other.annotation.source.name}, but {base.path} from {annotation.source.name}"
        )
    _check_conversations(base, annotation, other, other.annotation.labels.keys())
    _check_labels(base, annotation, other, other.annotation)
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
                raise InputError(f"{two.path}: there is no conversation {quoted(conversation)}, which {one.path} has")


def _check_labels(base: Content, annotation: Annotation, other: Content, theirs: Annotation) -> None:
    for conversation, labels in annotation.labels.items():
        found = theirs.labels.get(conversation, labels)
        if len(labels) != len(found):
            raise InputError(
                f"{other.path}: conversation {quoted(conversation)} has {len(found)} utterances, "
                f"but {len(labels)} in {base.path}"
            )
        for place, (ours, other_label) in enumerate(zip(labels, found, strict=True)):
            if ours != other_label:
                raise InputError(
                    f"{other.path}: conversation {quoted(conversation)}, utterance {place} (from 0) has label "
                    f"{other_label}, but {ours} in {base.path}"
                )
