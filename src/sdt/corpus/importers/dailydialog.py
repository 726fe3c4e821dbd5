"""Importer of DailyDialog: dialogues with an emotion and an act for each utterance.

    dialogues_text.txt, dialogues_train.txt ...           a dialogue a line, `__eou__` after each utterance
    dialogues_emotion.txt, dialogues_emotion_train.txt ... the numbers of the emotions of a dialogue a line
    dialogues_act.txt, dialogues_act_train.txt ...         the numbers of the acts; optional

Source: Y. Li et al., "DailyDialog: A Manually Labelled Multi-turn Dialogue Dataset", IJCNLP 2017. The split is in the
name of a file; without one, splits are drawn. A conversation is called by its line (`train_12`, or `12`). Two speakers,
A and B, take turns. The act becomes a field of the utterance.
"""

from __future__ import annotations

import re
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
ACTS = {1: "inform", 2: "question", 3: "directive", 4: "commissive"}
SPEAKERS = ("A", "B")
_END = "__eou__"
_NUMBERS = re.compile(r"dialogues_(emotion|act)(?:_.*)?")
_TEXT, _EMOTION, _ACT = "text", "emotion", "act"


def _kind(path: Path) -> str | None:
    """`text`, `emotion` or `act`; None for other files."""
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
        own = _dialogues(path, roles[_EMOTION, split], roles.get((_ACT, split)), split, found.notes, options.encoding)
        conversations += own
        if split:
            found.splits.setdefault(split, []).extend(one.id for one in own)
    found.conversations = conversations
    return to_imported(DAILYDIALOG, found, files, options)


def _dialogues(
    path: Path, emotions: Path, acts: Path | None, split: str | None, notes: list[str], encoding: str | None
) -> list[Conversation]:
    lines = _lines(path, encoding)
    labels = _numbers(emotions, encoding, range(len(EMOTIONS)))
    kinds = _numbers(acts, encoding, range(1, 5)) if acts else []
    for other, numbers in ((emotions, labels), (acts, kinds)):
        if other and len(numbers) != len(lines):
            raise InputError(f"{other}: {len(numbers)} dialogues, but {path} has {len(lines)}")
    conversations = []
    differing: list[int] = []
    for at, (number, line) in enumerate(lines):
        texts = [part.strip() for part in line.split(_END)]
        texts = texts[:-1] if not texts[-1] else texts
        own = labels[at][1]
        if len(own) != len(texts) or (acts and len(kinds[at][1]) != len(texts)):
            differing.append(number)
            continue
        utterances = [
            Utterance(
                str(turn),
                SPEAKERS[turn % 2],
                text or None,
                EMOTIONS[own[turn]],
                extra={"act": ACTS[kinds[at][1][turn]]} if acts else {},
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


def _numbers(path: Path, encoding: str | None, known: range) -> list[tuple[int, list[int]]]:
    found = []
    for number, line in _lines(path, encoding):
        for word in line.split():
            if not re.fullmatch(r"[0-9]", word) or int(word) not in known:
                raise InputError(
                    f"{path}, line {number}: {quoted(word)} is not a number from {known[0]} to {known[-1]}"
                )
        found.append((number, [int(word) for word in line.split()]))
    return found


DAILYDIALOG = Importer(
    "dailydialog",
    "DailyDialog's dialogues_text.txt, dialogues_emotion.txt and dialogues_act.txt",
    lambda path, _: path.is_file() and _kind(path) is not None,
    import_dailydialog,
)
