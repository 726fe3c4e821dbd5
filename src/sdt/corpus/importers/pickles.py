"""Importer of published feature files: pickles of one data set whose modalities are combined into a corpus.

COSMIC publishes text features, MMGCN audio and visual features of the same utterances, and MultiEMO one file per
modality. Files are combined if they agree on conversations, labels and the test split.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.feature_tables import PICKLE_SUFFIXES
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.pickle_content import Annotation, Content, check_agreement, read_content
from sdt.corpus.importers.pickle_layouts import LAYOUTS, DictionaryLayout, TupleLayout
from sdt.errors import InputError, near_miss, quoted
from sdt.feature_table import FeatureTable
from sdt.speakers import SpeakerMode, Speakers
from sdt.splits import has_usual_dev, hold_out


def read_pickles(files: list[Path], options: ImportOptions) -> CorpusBuilder:
    """Read published feature files of one data set.

    The conversations come from the first file with utterance ids, or else from the first file with labels; the other
    files must agree with it. `choose_containers` selects the file of each modality.

    Args:
        files: Pickles of the layouts in `LAYOUTS`.
        options: The options of the import; `layout` is the layout of the first file.

    Raises:
        InputError: A file is damaged or has an unknown layout, or two files disagree.
    """
    contents = [_read(path, options.layout if number == 0 else None, options) for number, path in enumerate(files)]
    base, annotation = _base(contents)
    labels = options.labels or annotation.source.labels
    _check_labels(base, annotation, labels)
    for other in contents:
        if other is not base:
            check_agreement(base, annotation, other)
    notes = [_describe(content) for content in contents]
    containers = choose_containers(contents, options.take, notes)
    kept = _kept(base, annotation, containers, notes)
    return CorpusBuilder(
        name=options.name or annotation.source.name,
        conversations=[_conversation(annotation, conversation, labels) for conversation in kept],
        labels=labels,
        splits=_splits(contents, annotation, kept, options, notes),
        features={
            modality: _table(container, modality, annotation, kept) for modality, container in containers.items()
        },
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
        raise InputError(f"{names}: features only; add the file with labels, speakers and splits, such as MMGCN's")
    return next((pair for pair in annotated if pair[1].ids is not None), annotated[0])


def _describe(content: Content) -> str:
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
        for position, number in enumerate(numbers):
            if not 0 <= number < len(labels):
                raise InputError(
                    f"{base.path}: labels, conversation {quoted(conversation)}, utterance {position} (from 0): label "
                    f"{number} is outside 0 to {len(labels) - 1} ({', '.join(labels)})"
                )


def _kept(base: Content, annotation: Annotation, containers: Mapping[str, Content], notes: list[str]) -> list[str]:
    """The conversations of the corpus, without those that are known to lack data and lack it in a file."""
    absent = sorted(
        conversation
        for conversation in annotation.source.absent
        if conversation in annotation.absent
        or (
            conversation in annotation.labels
            and any(conversation not in container.features[modality] for modality, container in containers.items())
        )
    )
    if absent:
        notes.append(f"{base.path}: conversation {', '.join(absent)} ignored: the files have no data for it")
    return [conversation for conversation in annotation.labels if conversation not in absent]


def _conversation(annotation: Annotation, conversation: str, labels: tuple[str, ...]) -> Conversation:
    numbers = annotation.labels[conversation]
    ids = (
        annotation.ids[conversation]
        if annotation.ids is not None
        else [str(position) for position in range(len(numbers))]
    )
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
    """The numbering of the files: a table of known speakers, or one-hot vectors numbered within each conversation."""
    count = annotation.speaker_count
    mode: SpeakerMode = "identity"
    if annotation.source.speakers is None:
        other = [c for c, numbers in annotation.speakers.items() if not _by_appearance(numbers)]
        if other:
            notes.append(
                f"{base.path}: speakers are not numbered by appearance in {len(other)} conversations, "
                f"the first is {quoted(other[0])}; the numbers of the file are kept as speaker identities"
            )
        else:
            mode = "appearance"
    if (options.speakers or mode) == "appearance":
        return Speakers("appearance", count)
    return Speakers("identity", count, tuple(_speaker_name(annotation, number) for number in range(count)))


def _by_appearance(numbers: Sequence[int]) -> bool:
    seen: dict[int, int] = {}
    return all(number == seen.setdefault(number, len(seen)) for number in numbers)


def _table(container: Content, modality: str, annotation: Annotation, kept: Sequence[str]) -> FeatureTable:
    blocks = [container.matrix(modality, conversation, len(annotation.labels[conversation])) for conversation in kept]
    for conversation, block in zip(kept, blocks, strict=True):
        if block.shape[1] != blocks[0].shape[1]:
            raise InputError(
                f"{container.path}: {modality}, conversation {quoted(conversation)}: {block.shape[1]} features per "
                f"utterance, but {blocks[0].shape[1]} in conversation {quoted(kept[0])}"
            )
    features = np.concatenate(blocks)  # [N, D]
    return FeatureTable(
        features, np.ones(len(features), dtype=np.bool_), container.encoders[modality], str(container.path)
    )


def _splits(
    contents: Sequence[Content], annotation: Annotation, kept: Sequence[str], options: ImportOptions, notes: list[str]
) -> dict[str, list[str]]:
    """Train, dev and test; dev by the requested rule, or else by a file's list, or else by the usual rule."""
    in_train = annotation.splits["train"] | annotation.splits.get("dev", frozenset())
    train = [conversation for conversation in kept if conversation in in_train]
    test = [conversation for conversation in kept if conversation in annotation.splits["test"]]
    if len(train) + len(test) < len(kept):
        notes.append(f"{len(kept) - len(train) - len(test)} conversations are in no split")
    lists = [(c.path, c.annotation.splits["dev"]) for c in contents if c.annotation and c.annotation.splits.get("dev")]
    if options.dev is None and lists:
        path, members = lists[0]
        dev, rule = [c for c in train if c in members], f"the list in {path}"
        train = [c for c in train if c not in members]
    else:
        wanted = options.dev or ("usual" if has_usual_dev(train) else "share")
        train, dev = hold_out(train, wanted, share=options.dev_share, seed=options.seed)
        rule = {
            "usual": "the usual conversations",
            "session4": "Session 4",
            "share": f"a random {options.dev_share:g} of train, seed {options.seed}",
        }[wanted]
    notes.append(f"splits: {len(train)} train, {len(dev)} dev ({rule}), {len(test)} test conversations")
    return {"train": train, "dev": dev, "test": test}


ORDER = ("text", "audio", "visual")
"""The order of known modalities; others follow in alphabetical order."""


def choose_containers(contents: Sequence[Content], take: Mapping[str, Path], notes: list[str]) -> dict[str, Content]:
    """Choose the file of each modality.

    Files of this modality only are preferred, then files with RoBERTa text features, then the first file.

    Args:
        contents: The files, in the order in which the user named them.
        take: Modality to the file that the user chose for it.
        notes: Receives a line for each file that is not used.

    Returns:
        Modality to file.

    Raises:
        InputError: A file in `take` is not among the files, or does not contain the modality.
    """
    found = {modality for content in contents for modality in content.features}
    containers: dict[str, Content] = {}
    for modality in sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)):
        ranked = [
            (-_rank(content, modality), position)
            for position, content in enumerate(contents)
            if modality in content.features
        ]
        containers[modality] = contents[min(ranked)[1]]
    for modality, path in take.items():
        containers[modality] = _user_choice(contents, modality, path)
    for modality, container in containers.items():
        for other in contents:
            if modality in other.features and other is not container:
                notes.append(
                    f"{modality}: from {container.path} ({container.encoders[modality]}), "
                    f"not from {other.path} ({other.encoders[modality]})"
                )
    return containers


def same_file(one: Path, two: Path) -> bool:
    """Whether two paths name the same file."""
    return one.resolve() == two.resolve()


def _rank(content: Content, modality: str) -> int:
    if isinstance(content.layout, DictionaryLayout):
        return 2
    return 1 if content.encoders[modality].startswith("roberta") else 0


def _user_choice(contents: Sequence[Content], modality: str, path: Path) -> Content:
    for content in contents:
        if same_file(content.path, path):
            if modality not in content.features:
                raise InputError(
                    f"--take {modality}={path}: has no {quoted(modality)}{near_miss(modality, content.features)}"
                )
            return content
    raise InputError(f"--take {modality}={path}: not among the files to import")


def import_pickles(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import published pickles; see `read_pickles`."""
    builder = read_pickles(list(files.paths), options)
    layout = options.layout or PICKLES.name
    note = f"read as {layout} (--layout)" if options.layout else "read as published pickles"
    builder.notes.insert(0, note)
    return Imported(layout, builder, files.paths[0])


def is_pickle(path: Path, _encoding: str | None) -> bool:
    """Whether a file is a pickle, by its suffix."""
    return path.suffix.lower() in PICKLE_SUFFIXES


PICKLES = Importer(
    "pickles", "published feature files", is_pickle, import_pickles, layouts=tuple(LAYOUTS), containers=True
)
