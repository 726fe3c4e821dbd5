"""Importer of M3ED, dialogues of Chinese television series with the labels of three annotators.

    {"SERIES": {"SERIES_1": {"SpeakerInfo": {"A": {"Name": ...}}, "Dialog": {"SERIES_1_1": {
        "StartTime", "EndTime", "Text", "Speaker": "A",
        "EmoAnnotation": {"EmoAnnotator1", ..., "final_mul_emo", "final_main_emo"}}}}}}

Source: J. Zhao et al., "M3ED: Multi-modal Multi-scene Multi-label Emotional Dialogue Database", ACL 2022. An utterance
is called like its recording, `A_SERIES_1_1`. The label is `final_main_emo`; the annotators' labels are kept, and all
labels of an utterance are its field `final_mul_emo`. The official splits are lists of series,
`movie_list_{train,val,test}.txt`; without these files, splits are drawn. Times are relative to the episode; times that
end with frames of unknown rate are read as whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Utterance, Value
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.label_files import Annotated, head, load_json, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.errors import InputError
from sdt.formats.parsing.csv_lines import read_text_detecting
from sdt.formats.parsing.json_nodes import JsonNode
from sdt.splits import parse_split

LABELS = ("happy", "neutral", "sad", "disgust", "anger", "fear", "surprise")
_LIST = re.compile(r"movie_list_(\w+)")
_FRAMES = re.compile(r"(\d{1,2}:\d\d:\d\d):\d\d")
_ANNOTATOR = re.compile(r"(?:Emo)?Annotator_?(\d+)", re.IGNORECASE)


def _is_list(path: Path) -> bool:
    found = _LIST.fullmatch(path.stem)
    return path.suffix.lower() == ".txt" and found is not None and parse_split(found[1]) is not None


def is_m3ed(path: Path) -> bool:
    """Whether a file is the annotation of M3ED, or a list of the series of a split."""
    if not path.is_file():
        return False
    if path.suffix.lower() != ".json":
        return _is_list(path)
    start = head(path, 16384)
    return start.startswith("{") and ('"SpeakerInfo"' in start or '"EmoAnnotation"' in start)


def import_m3ed(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import M3ED from its annotation, and lists of the series of the splits.

    Raises:
        InputError: The annotation is missing or damaged; the message names the place.
    """
    files = files.with_annotations(options)
    found = Annotated("m3ed", "M3ED", [], LABELS)
    series = {name: split for path in files.annotations if _is_list(path) for name, split in _series(path, options)}
    conversations: list[Conversation] = []
    framed = 0
    for path in files.annotations:
        if _is_list(path):
            continue
        root = load_json(path, options.encoding)
        for name, dialogues in root.items():
            own = [_dialogue(node, dialogue) for dialogue, node in dialogues.items()]
            framed += sum(frames for _, frames in own)
            conversations += [conversation for conversation, _ in own]
            if name in series:
                found.splits.setdefault(series[name], []).extend(conversation.id for conversation, _ in own)
    if not conversations:
        raise InputError(f"{files.annotations[0]}: the annotation is missing; add M3ED_annotation.json")
    if framed:
        found.notes.append(f"{framed} utterances have times with frames of unknown rate: read as whole seconds")
    found.conversations = conversations
    return to_imported(M3ED, found, files, options)


def _series(path: Path, options: ImportOptions) -> Iterator[tuple[str, str]]:
    """The names of a list, with its split."""
    match = _LIST.fullmatch(path.stem)
    split = parse_split(match[1]) if match else None
    text, _ = read_text_detecting(path, options.encoding)
    return ((line.strip(), split) for line in text.split("\n") if split and line.strip())


def _dialogue(node: JsonNode, name: str) -> tuple[Conversation, int]:
    """The dialogue, and how many of its utterances have times with frames."""
    speakers = node["SpeakerInfo"]
    found = [_utterance(one, key, speakers) for key, one in node["Dialog"].items()]
    if not found:
        raise node["Dialog"].error("utterances")
    return Conversation(name, tuple(utterance for utterance, _ in found)), sum(framed for _, framed in found)


def _utterance(node: JsonNode, key: str, speakers: JsonNode) -> tuple[Utterance, bool]:
    letter = node["Speaker"].text()
    if letter is None:
        raise node["Speaker"].error("a speaker")
    emotions = node["EmoAnnotation"]
    annotations = [
        Annotation(one, label.lower())
        for one, value in emotions.items()
        if _ANNOTATOR.fullmatch(one) and (label := _labels(value))
    ]
    several = _labels(emotions["final_mul_emo"])
    main = emotions["final_main_emo"].text()
    extra: dict[str, Value] = {"final_mul_emo": several.lower()} if several else {}
    start, end = (_time(node[side]) for side in ("StartTime", "EndTime"))
    utterance = Utterance(
        f"{letter}_{key}",
        speakers[letter]["Name"].text() or letter,
        node["Text"].text(),
        main.lower() if main else None,
        start[0],
        end[0],
        annotations=tuple(annotations),
        extra=extra,
    )
    return utterance, start[1] or end[1]


def _labels(node: JsonNode) -> str:
    """The label or labels of an annotator, separated by commas."""
    if isinstance(node.value, list):
        return ",".join(filter(None, (one.text() for one in node)))
    return node.text() or ""


def _time(node: JsonNode) -> tuple[float | None, bool]:
    """The time in seconds, and whether it had frames."""
    if isinstance(node.value, str) and (frames := _FRAMES.fullmatch(node.value.strip())):
        return JsonNode(node.file, frames[1], node.path).seconds(), True
    return node.seconds(), False


M3ED = Importer(
    "m3ed", "M3ED's annotation and lists of series", lambda path, _: is_m3ed(path), import_m3ed, recordings="named"
)
