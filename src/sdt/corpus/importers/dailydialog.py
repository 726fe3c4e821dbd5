"""Importer of DailyDialog: dialogues with an emotion and an act for each utterance.

    dialogues_text.txt, dialogues_train.txt ...           a dialogue a line, `__eou__` after each utterance
    dialogues_emotion.txt, dialogues_emotion_train.txt ... the numbers of the emotions of a dialogue a line
    dialogues_act.txt, dialogues_act_train.txt ...         the numbers of the acts; optional
    dialogues_topic.txt                                   the number of the topic; optional

Source: Y. Li et al., "DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset", IJCNLP 2017. The split is in the
name of a file; without one, splits are drawn. A conversation is called by its line (`train_12`, or `12`). Two speakers,
A and B, take turns. The act and the topic become fields of the utterance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sdt.conversation import Conversation, Utterance
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.label_files import Annotated, head, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.split_files import named_split
from sdt.errors import InputError, quoted
from sdt.formats.parsing.csv_lines import read_text_detecting

EMOTIONS = ("no emotion", "anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""By their numbers."""
ACTS = ("", "inform", "question", "directive", "commissive")
"""By their numbers, from 1."""
TOPICS = (
    *("", "ordinary life", "school life", "culture and education", "attitude and emotion", "relationship"),
    *("tourism", "health", "work", "politics", "finance"),
)
"""By their numbers, from 1."""
SPEAKERS = ("A", "B")
_END = "__eou__"
_NUMBERS = re.compile(r"dialogues_(emotion|act|topic)(?:_.*)?")
_TEXT, _EMOTION = "text", "emotion"


def _kind(path: Path) -> str | None:
    """`text`, `emotion`, `act` or `topic`; None for other files."""
    if path.suffix.lower() != ".txt":
        return None
    found = _NUMBERS.fullmatch(path.stem)
    start = head(path)
    if found:
        return found[1] if re.fullmatch(r"[\d\s]+", start) else None
    return _TEXT if re.search(rf"(?:^|\s){_END}(?:\s|$)", start) else None


def import_dailydialog(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import DailyDialog from its files.

    Raises:
        InputError: A file of text or emotions is missing or damaged, or two files have the same role.
    """
    files = files.with_annotations(options)
    roles: dict[tuple[str, str | None], Path] = {}
    for path in files.annotations:
        role = (_kind(path) or _TEXT, named_split(path))
        if (before := roles.setdefault(role, path)) != path:
            raise InputError(f"{path}: second file of {' of '.join(filter(None, role))}, after {before}")
    texts = {split: path for (kind, split), path in roles.items() if kind == _TEXT}
    if not texts:
        raise InputError(f"{files.annotations[0]}: the file of the texts is missing (dialogues_text.txt)")
    found = Annotated("dailydialog", "DailyDialog", [], EMOTIONS, licence="CC-BY-NC-SA-4.0")
    conversations: list[Conversation] = []
    for split, path in texts.items():
        if (_EMOTION, split) not in roles:
            name = "dialogues_emotion" + (f"_{split}" if split else "")
            raise InputError(f"{path}: its emotions are missing; add {name}.txt")
        own = _dialogues({kind: of for (kind, its), of in roles.items() if its == split}, split, found.notes, options)
        conversations += own
        if split:
            found.splits.setdefault(split, []).extend(one.id for one in own)
    found.conversations = conversations
    return to_imported(DAILYDIALOG, found, files, options)


def _dialogues(
    paths: Mapping[str, Path], split: str | None, notes: list[str], options: ImportOptions
) -> list[Conversation]:
    """The dialogues of files of one split, by their role."""
    path = paths[_TEXT]
    lines = _lines(path, options.encoding)
    labels = _numbers(paths[_EMOTION], options.encoding, range(len(EMOTIONS)))
    fields = {
        kind: (names, _numbers(paths[kind], options.encoding, range(1, len(names))))
        for kind, names in (("act", ACTS), ("topic", TOPICS))
        if kind in paths
    }
    for kind, numbers in ((_EMOTION, labels), *((kind, numbers) for kind, (_, numbers) in fields.items())):
        if len(numbers) != len(lines):
            raise InputError(f"{paths[kind]}: {len(numbers)} dialogues, but {path} has {len(lines)}")
    conversations = []
    differing: list[int] = []
    for at, (number, line) in enumerate(lines):
        texts = [part.strip() for part in line.split(_END)]
        texts = texts[:-1] if not texts[-1] else texts
        # A topic is that of the dialogue.
        own = {kind: numbers[at] * (len(texts) if kind == "topic" else 1) for kind, (_, numbers) in fields.items()}
        if any(len(numbers) != len(texts) for numbers in (labels[at], *own.values())):
            differing.append(number)
            continue
        utterances = [
            Utterance(
                str(turn),
                SPEAKERS[turn % 2],
                text or None,
                EMOTIONS[labels[at][turn]],
                extra={kind: fields[kind][0][numbers[turn]] for kind, numbers in own.items()},
            )
            for turn, text in enumerate(texts)
        ]
        conversations.append(Conversation(f"{split}_{number}" if split else str(number), tuple(utterances)))
    if differing:
        notes.append(
            f"{path}: {len(differing)} dialogues left out that have other numbers of utterances than of emotions or "
            f"acts, first in line {differing[0]}"
        )
    return conversations


def _lines(path: Path, encoding: str | None) -> list[tuple[int, str]]:
    text, _ = read_text_detecting(path, encoding)
    return [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]


def _numbers(path: Path, encoding: str | None, known: range) -> list[list[int]]:
    """The numbers of each line."""
    found = []
    for number, line in _lines(path, encoding):
        for word in line.split():
            if not re.fullmatch(r"[0-9]{1,2}", word) or int(word) not in known:
                raise InputError(
                    f"{path}, line {number}: {quoted(word)} is not a number from {known[0]} to {known[-1]}"
                )
        found.append(list(map(int, line.split())))
    return found


DAILYDIALOG = Importer(
    "dailydialog",
    "DailyDialog's dialogues_text.txt, dialogues_emotion.txt and dialogues_act.txt",
    lambda path, _: path.is_file() and _kind(path) is not None,
    import_dailydialog,
)
