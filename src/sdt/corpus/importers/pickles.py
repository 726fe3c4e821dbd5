"""Published feature files: one of them, or several of the same data set whose features are combined.

COSMIC's file with text and MMGCN's with audio and visual features are such a combination, and so are MultiEMO's files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.pickle_agreement import check_agreement
from sdt.corpus.importers.pickle_content import Annotation, Content, read_content
from sdt.corpus.importers.pickle_holders import choose_holders, same_file
from sdt.corpus.importers.pickle_layouts import LAYOUTS, Layout, TupleLayout, recognise
from sdt.errors import InputError, quoted
from sdt.feature_table import FeatureTable
from sdt.speakers import SpeakerMode, Speakers
from sdt.splits import has_usual_dev, hold_out

__all__ = ["LAYOUTS", "Layout", "read_pickles", "recognise"]


def read_pickles(files: list[Path], options: ImportOptions) -> CorpusBuilder:
    """Read published feature files of one data set.

    The first file that has utterance ids (else the first that has labels) gives the conversations; the others must
    agree with it. See `choose_holders` for where several files hold a modality.

    Args:
        files: Pickles of the layouts in `LAYOUTS`.
        options: What the user decided; `layout` is that of the first file.

    Raises:
        InputError: A file is damaged or of no known layout, or two files disagree.
    """
    contents = [_read(path, options.layout if number == 0 else None, options) for number, path in enumerate(files)]
    base, annotation = _base(contents)
    labels = options.labels or annotation.source.labels
    _check_labels(base, annotation, labels)
    for other in contents:
        if other is not base:
            check_agreement(base, annotation, other)
    notes = [_seen(content) for content in contents]
    holders = choose_holders(contents, options.take, notes)
    kept = _kept(base, annotation, holders, notes)
    return CorpusBuilder(
        name=options.name or annotation.source.name,
        conversations=[_conversation(annotation, conversation, labels) for conversation in kept],
        labels=labels,
        splits=_splits(contents, annotation, kept, options, notes),
        features={modality: _table(holder, modality, annotation, kept) for modality, holder in holders.items()},
        speakers=_speakers(base, annotation, options, notes),
        licence=options.licence or annotation.source.licence,
        provenance={"layouts": {content.path.name: content.layout.name for content in contents}},
        notes=notes,
    )


def _read(path: Path, layout: str | None, options: ImportOptions) -> Content:
    modality = next((modality for modality, taken in options.take.items() if same_file(taken, path)), None)
    return read_content(path, layout=layout, modality=modality)


def _base(contents: Sequence[Content]) -> tuple[Content, Annotation]:
    annotated = [(content, content.annotation) for content in contents if content.annotation is not None]
    if not annotated:
        names = ", ".join(str(content.path) for content in contents)
        raise InputError(f"{names}: features only; give the file with labels, speakers and splits too (MMGCN's, say)")
    return next((pair for pair in annotated if pair[1].ids is not None), annotated[0])


def _seen(content: Content) -> str:
    layout = content.layout
    if content.annotation is None or not isinstance(layout, TupleLayout):
        ((modality, features),) = content.features.items()
        return f"{content.path}: layout {quoted(layout.name)}: {modality} of {len(features)} conversations"
    labels = content.annotation.labels
    return (
        f"{content.path}: layout {quoted(layout.name)} ({len(layout.items)} items): {len(labels)} conversations, "
        f"{sum(map(len, labels.values()))} utterances"
        + ("; the trailing item is ignored" if "ignored" in layout.items else "")
    )


def _check_labels(base: Content, annotation: Annotation, labels: tuple[str, ...]) -> None:
    for conversation, numbers in annotation.labels.items():
        for place, number in enumerate(numbers):
            if not 0 <= number < len(labels):
                raise InputError(
                    f"{base.path}: labels, conversation {quoted(conversation)}, utterance {place} (from 0): label "
                    f"{number} is outside 0 to {len(labels) - 1} ({', '.join(labels)})"
                )


def _kept(base: Content, annotation: Annotation, holders: Mapping[str, Content], notes: list[str]) -> list[str]:
    """The conversations of the corpus: all but those known to be absent that are absent somewhere."""
    absent = sorted(
        conversation
        for conversation in annotation.source.absent
        if conversation in annotation.absent
        or (
            conversation in annotation.labels
            and any(conversation not in holder.features[modality] for modality, holder in holders.items())
        )
    )
    if absent:
        notes.append(f"{base.path}: conversation {', '.join(absent)} is left out: it has no data, as is known of it")
    return [conversation for conversation in annotation.labels if conversation not in absent]


def _conversation(annotation: Annotation, conversation: str, labels: tuple[str, ...]) -> Conversation:
    numbers = annotation.labels[conversation]
    ids = annotation.ids[conversation] if annotation.ids is not None else [str(place) for place in range(len(numbers))]
    utterances = zip(ids, annotation.speakers[conversation], annotation.sentences[conversation], numbers, strict=True)
    return Conversation(
        conversation,
        tuple(
            Utterance(id, _speaker_name(annotation, speaker), text, labels[number])
            for id, speaker, text, number in utterances
        ),
    )


def _speaker_name(annotation: Annotation, number: int) -> str:
    names = annotation.source.speakers
    return names[number] if names is not None else f"speaker{number}"


def _speakers(base: Content, annotation: Annotation, options: ImportOptions, notes: list[str]) -> Speakers:
    """The published numbering: a table of known speakers, or one-hots numbered in each conversation anew."""
    count = annotation.speaker_count
    mode: SpeakerMode = "identity"
    if annotation.source.speakers is None:
        other = [c for c, numbers in annotation.speakers.items() if not _by_appearance(numbers)]
        if other:
            notes.append(
                f"{base.path}: speakers are not numbered by appearance in {len(other)} conversations, "
                f"{quoted(other[0])} the first; their numbers in the file are kept as if they were identities"
            )
        else:
            mode = "appearance"
    if (options.speakers or mode) == "appearance":
        return Speakers("appearance", count)
    return Speakers("identity", count, tuple(_speaker_name(annotation, number) for number in range(count)))


def _by_appearance(numbers: Sequence[int]) -> bool:
    seen: dict[int, int] = {}
    return all(number == seen.setdefault(number, len(seen)) for number in numbers)


def _table(holder: Content, modality: str, annotation: Annotation, kept: Sequence[str]) -> FeatureTable:
    blocks = [holder.matrix(modality, conversation, len(annotation.labels[conversation])) for conversation in kept]
    for conversation, block in zip(kept, blocks, strict=True):
        if block.shape[1] != blocks[0].shape[1]:
            raise InputError(
                f"{holder.path}: {modality}, conversation {quoted(conversation)}: {block.shape[1]} features wide, "
                f"but conversation {quoted(kept[0])} {blocks[0].shape[1]}"
            )
    features = np.concatenate(blocks)  # [N, D]
    return FeatureTable(features, np.ones(len(features), dtype=np.bool_), holder.encoders[modality], str(holder.path))


def _splits(
    contents: Sequence[Content], annotation: Annotation, kept: Sequence[str], options: ImportOptions, notes: list[str]
) -> dict[str, list[str]]:
    """Train, dev and test; dev by the rule that was asked for, else by a file's own list, else as usual."""
    in_train = annotation.splits["train"] | annotation.splits.get("dev", frozenset())
    train = [conversation for conversation in kept if conversation in in_train]
    test = [conversation for conversation in kept if conversation in annotation.splits["test"]]
    if len(train) + len(test) < len(kept):
        notes.append(f"{len(kept) - len(train) - len(test)} conversations are in no split")
    own = [(c.path, c.annotation.splits["dev"]) for c in contents if c.annotation and c.annotation.splits.get("dev")]
    if options.dev is None and own:
        path, members = own[0]
        dev, rule = [c for c in train if c in members], f"the list in {path}"
        train = [c for c in train if c not in members]
    else:
        wanted = options.dev or ("usual" if has_usual_dev(train) else "share")
        train, dev = hold_out(train, wanted, share=options.dev_share, seed=options.seed)
        rule = {
            "usual": "the usual conversations",
            "session4": "Session 4",
            "share": f"a share of {options.dev_share:g} of train, drawn with seed {options.seed}",
        }[wanted]
    notes.append(f"splits: {len(train)} train, {len(dev)} dev ({rule}), {len(test)} test conversations")
    return {"train": train, "dev": dev, "test": test}
