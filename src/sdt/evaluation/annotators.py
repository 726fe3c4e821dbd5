"""Reading of the labels of several annotators from files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.evaluation.ratings import Key, Labelled
from sdt.formats import Transcript
from sdt.formats.read import read_any


@dataclass(frozen=True)
class Annotators:
    """The labels of every annotator."""

    labels: dict[str, list[Labelled]] = field(default_factory=dict)
    """The name of the annotator to the labels, one an utterance."""
    texts: dict[Key, str] = field(default_factory=dict)
    """The text of every utterance in the first file that has it."""
    notes: list[str] = field(default_factory=list)


def read_annotators(paths: Sequence[Path], encoding: str | None) -> Annotators:
    """Read the labels of all annotators.

    A file without the labels of single annotators is that of one annotator, with the name of the file. An annotator
    can have labels in several files. If all files have one conversation and no id for it, it is the same conversation.

    Args:
        paths: Files, or folders with a file for each conversation.
        encoding: The encoding of text; None detects it.

    Raises:
        InputError: A file cannot be read or has no labels, is given twice, or there is only one annotator.
    """
    names = _names(paths)
    files = [read_any(path, encoding=encoding) for path in paths]
    found = Annotators()
    same = _same_conversation(paths, files)
    if same is not None:
        found.notes.append("the files do not name their conversation: it is taken to be the same in all of them")
    edited: set[Key] = set()
    taken: set[tuple[str, Key]] = set()
    repeated = 0
    for path, name, transcript in zip(paths, names, files, strict=True):
        utterances = [(same or of.id, one) for of in transcript.conversations for one in of.utterances]
        single = not any(one.annotations for _, one in utterances)
        if single and not any(one.label is not None for _, one in utterances):
            raise InputError(f"{path}: no utterance has a label")
        for conversation, one in utterances:
            key, text = (conversation, one.id), one.text or ""
            if found.texts.setdefault(key, text) != text:
                edited.add(key)
            given = [(name, one.label)] if single else [(of.annotator, of.label) for of in one.annotations]
            for annotator, label in given:
                if label is None:
                    continue
                if (annotator, key) in taken:
                    repeated += 1
                    continue
                taken.add((annotator, key))
                labelled = Labelled(conversation, one.id, label, one.speaker, one.start, one.end)
                found.labels.setdefault(annotator, []).append(labelled)
    if len(found.labels) < 2:
        raise InputError(
            f"{paths[0]}: all labels are of one annotator, {quoted(next(iter(found.labels)))}; name the files of at "
            "least two annotators"
        )
    if edited:
        found.notes.append(f"the text of {len(edited):,} utterances differs between the files")
    if repeated:
        found.notes.append(f"several labels of an annotator for an utterance, of which the first counts: {repeated:,}")
    return found


def _same_conversation(paths: Sequence[Path], files: Sequence[Transcript]) -> str | None:
    """The id for the conversations of files that have one conversation each, with the name of the file."""
    ids = [of.conversations[0].id for of in files]
    unnamed = all(len(of.conversations) == 1 for of in files) and ids == [path.stem for path in paths]
    return ids[0] if unnamed and len(set(ids)) > 1 else None


def _names(paths: Sequence[Path]) -> list[str]:
    """The names of annotators: the names of the files, or their paths where two have the same name."""
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{quoted(twice)}: given twice; name the files of different annotators")
    return names
