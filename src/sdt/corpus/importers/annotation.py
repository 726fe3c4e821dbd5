"""Importer of conversations with labels in files of annotation tools and datasets, such as ELAN, Excel and audformat.

A field `split` of the utterances or of the conversation assigns a conversation to a split. If not all conversations
have it, shares of them become test and dev. Features come from encoders, and recordings are those that the files name,
if they are beside them, or those of `--media`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.labels import LabelSpelling, resolve_labels
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.tables import features_by_key
from sdt.errors import InputError, quoted
from sdt.files import resolve_beside
from sdt.formats import Transcript
from sdt.formats.format import Holds
from sdt.formats.read import detect_file, format_of_content, read_transcript
from sdt.formats.table import BUILTIN
from sdt.speakers import Speakers
from sdt.splits import hold_out, parse_split

_TABLES = ("csv", "jsonl", "json", "parquet")
"""The formats of the importer of tables."""
FORMATS = {one.name: one for one in BUILTIN if one.readable and Holds.LABELS in one.holds and one.name not in _TABLES}
"""The formats of annotation with labels, besides tables."""
SUFFIXES = {suffix for one in FORMATS.values() for suffix in one.suffixes}


def is_annotation(path: Path, encoding: str | None) -> bool:
    """Whether a file is annotation, by its suffix and its content, or a folder is a dataset, by its files."""
    if path.is_dir():
        return (found := detect_file(path)) is not None and found.name in FORMATS
    if not path.is_file() or path.suffix.lower() not in SUFFIXES:
        return False
    try:
        return format_of_content(path, encoding).name in FORMATS
    except InputError:  # the other importers say what is wrong with it
        return False


def read_annotation(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import the labelled conversations of files.

    Raises:
        InputError: A file is damaged, two conversations have the same name, or no utterance has a label.
    """
    transcripts = {path: read_transcript(path, encoding=options.encoding) for path in files.annotations}
    conversations: list[Conversation] = []
    origin: dict[str, Path] = {}
    recordings: dict[tuple[str, str], Path] = {}
    for path, transcript in transcripts.items():
        for conversation in transcript.conversations:
            if conversation.id in origin:
                raise InputError(f"{path}: conversation {quoted(conversation.id)} is also in {origin[conversation.id]}")
            origin[conversation.id] = path
            conversations.append(conversation)
        recordings |= _recordings(path, transcript)
    first = files.annotations[0]
    spellings = _spellings(conversations)
    if not spellings:
        raise InputError(f"{first}: no utterance has a label; annotate a tier label@SPEAKER or correction@SPEAKER")
    labels = resolve_labels(first, spellings, options.labels)
    notes = [note for transcript in transcripts.values() for note in transcript.notes] + [*labels.notes]
    conversations = [_relabelled(conversation, labels.of) for conversation in conversations]
    builder = CorpusBuilder(
        name=options.name or first.stem,
        conversations=conversations,
        labels=labels.names,
        splits=_given_splits(conversations) or _splits([one.id for one in conversations], options, notes),
        features={
            modality: features_by_key(modality, paths, first, conversations, notes)
            for modality, paths in files.by_modality().items()
        },
        speakers=Speakers.from_conversations(conversations, options.speakers or "appearance"),
        licence=options.licence or "unknown",
        notes=[f"{first}: annotation of {len(transcripts)} files, recognised by their content", *notes],
    )
    return Imported(ANNOTATION.name, builder, first, sources=files.annotations, recordings=recordings)


def _recordings(path: Path, transcript: Transcript) -> Mapping[tuple[str, str], Path]:
    """The recordings that a file names, if they exist: for each utterance, or for the conversation."""
    found = dict(transcript.clips)
    for conversation in transcript.conversations:
        if not conversation.media or "://" in conversation.media:
            continue
        recording = resolve_beside(path / "_" if path.is_dir() else path, conversation.media)
        if recording.is_file():
            found |= {(conversation.id, one.id): recording for one in conversation.utterances}
    return found


def _spellings(conversations: Sequence[Conversation]) -> dict[str, LabelSpelling]:
    found: dict[str, LabelSpelling] = {}
    for conversation in conversations:
        for number, one in enumerate(conversation.utterances, start=1):
            if one.label is not None:
                times, first = found.get(one.label, LabelSpelling(0, number))
                found[one.label] = LabelSpelling(times + 1, first)
    return found


def _relabelled(conversation: Conversation, of: Mapping[str, str]) -> Conversation:
    utterances = tuple(replace(one, label=one.label and of[one.label]) for one in conversation.utterances)
    return replace(conversation, utterances=utterances)


def _given_splits(conversations: Sequence[Conversation]) -> dict[str, list[str]]:
    """The splits that fields of the conversations name; empty if a conversation has none, or an unknown one."""
    splits: dict[str, list[str]] = {}
    for conversation in conversations:
        named = {conversation.extra.get("split", one.extra.get("split")) for one in conversation.utterances}
        split = parse_split(str(named.pop())) if len(named) == 1 else None
        if split is None:
            return {}
        splits.setdefault(split, []).append(conversation.id)
    return splits


def _splits(ids: list[str], options: ImportOptions, notes: list[str]) -> dict[str, list[str]]:
    """Shares of the conversations as test and dev; all are in train if there are fewer than three."""
    if len(ids) < 3:
        notes.append(f"{len(ids)} conversations: all are in train; import more for dev and test")
        return {"train": ids}
    train, test = hold_out(ids, "share", share=options.dev_share, seed=options.seed)
    train, dev = hold_out(train, options.dev or "share", share=options.dev_share, seed=options.seed)
    notes.append(
        f"{len(test)} conversations chosen as test and {len(dev)} as dev (a random {options.dev_share:g}, seed "
        f"{options.seed})"
    )
    return {"train": train, "dev": dev, "test": test}


ANNOTATION = Importer(
    "annotation",
    "annotation tools and datasets: ELAN, Praat, Excel, audformat, ConvoKit, Label Studio, subtitles with labels",
    is_annotation,
    read_annotation,
    recordings="named",
)
