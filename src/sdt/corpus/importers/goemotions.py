"""Importer of GoEmotions: `train.tsv`, `dev.tsv` and `test.tsv`, a comment a line: text, numbers of emotions, id.

Source: D. Demszky et al., "GoEmotions: A Dataset of Fine-Grained Emotions", ACL 2020. The names of the emotions are
those of `labels.txt` (or `emotions.txt`) in the folder of the files, or else the 28 of the release. `--layout
goemotions-ekman` maps them to Ekman's six and neutral, as the paper does. Every comment is a conversation of one
utterance. A comment with several emotions has all of them as annotations, and the first one as its label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.label_files import Annotated, head, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.split_files import named_split
from sdt.errors import InputError, quoted
from sdt.formats.parsing.csv_lines import read_text_detecting

EKMAN = {
    "anger": ("anger", "annoyance", "disapproval"),
    "disgust": ("disgust",),
    "fear": ("fear", "nervousness"),
    "joy": (
        *("joy", "amusement", "approval", "excitement", "gratitude", "love", "optimism", "relief", "pride"),
        *("admiration", "desire", "caring"),
    ),
    "sadness": ("sadness", "disappointment", "embarrassment", "grief", "remorse"),
    "surprise": ("surprise", "realization", "confusion", "curiosity"),
    "neutral": ("neutral",),
}
"""Ekman's emotions and neutral, with the emotions of GoEmotions that the paper maps to each."""
EMOTIONS = (*sorted(name for names in EKMAN.values() for name in names if name != "neutral"), "neutral")
"""The emotions of the release by their numbers: in alphabetical order, neutral last."""
ANNOTATOR = "GoEmotions"
_NAMES = ("labels.txt", "emotions.txt")
_LINE = re.compile(r"[^\t\n]+\t\d{1,2}(?:,\d{1,2})*\t\w{5,9}")
_EKMAN_LAYOUT = "goemotions-ekman"


def is_goemotions(path: Path, _: str | None) -> bool:
    """Whether the first line of a `.tsv` file has the three columns of GoEmotions."""
    return path.suffix.lower() == ".tsv" and bool(_LINE.fullmatch(head(path).split("\n")[0].rstrip("\r")))


def import_goemotions(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import GoEmotions from its files.

    Raises:
        InputError: The split of a file is unknown, or a line is not one of GoEmotions.
    """
    files = files.with_annotations(options)
    found = Annotated("goemotions", "GoEmotions", [], licence="CC-BY-4.0")
    conversations: list[Conversation] = []
    for path in files.annotations:
        split = named_split(path)
        if split is None:
            raise InputError(f"{path}: unknown split; add train, dev or test to the file name")
        if split in found.splits:
            raise InputError(f"{path}: second file of the {split} split; give one per split")
        emotions, target = _emotions(path, ekman=options.layout == _EKMAN_LAYOUT)
        own = list(_comments(path, split, emotions, options.encoding))
        found.labels, found.splits[split] = target, [one.id for one in own]
        conversations += own
    found.conversations = conversations
    return to_imported(GOEMOTIONS, found, files, options)


def _emotions(path: Path, *, ekman: bool) -> tuple[Sequence[str], Sequence[str]]:
    """The emotion of each number, and the labels of the corpus."""
    named = next((path.with_name(name) for name in _NAMES if path.with_name(name).is_file()), None)
    names = EMOTIONS if named is None else [line.strip() for line in head(named).splitlines() if line.strip()]
    if not ekman:
        return names, names
    mapped = {name: label for label, own in EKMAN.items() for name in own}
    unknown = next((name for name in names if name not in mapped), None)
    if unknown is not None:
        raise InputError(f"{named or path}: {quoted(unknown)} is not an emotion of GoEmotions; omit --layout")
    return [mapped[name] for name in names], list(EKMAN)


def _comments(path: Path, split: str, emotions: Sequence[str], encoding: str | None) -> Iterator[Conversation]:
    text, _ = read_text_detecting(path, encoding)
    for number, line in enumerate(text.split("\n"), start=1):
        cells = line.rstrip("\r").split("\t")
        if cells == [""]:
            continue
        numbers = cells[1].split(",") if len(cells) == 3 else []
        if not numbers or not all(one.isdecimal() and int(one) < len(emotions) for one in numbers):
            raise InputError(
                f"{path}, line {number}: expected text, numbers of emotions from 0 to {len(emotions) - 1} (1,5) and an "
                "id, with tabs between them"
            )
        labels = list(dict.fromkeys(emotions[int(one)] for one in numbers))
        rated = tuple(Annotation(ANNOTATOR, label) for label in labels) if len(labels) > 1 else ()
        yield Conversation(
            f"{split}_{number}",
            (Utterance("0", cells[2].strip(), cells[0].strip() or None, labels[0], annotations=rated),),
        )


GOEMOTIONS = Importer(
    "goemotions",
    "GoEmotions' {train,dev,test}.tsv; goemotions-ekman maps its emotions to Ekman's",
    is_goemotions,
    import_goemotions,
    layouts=("goemotions", _EKMAN_LAYOUT),
)
