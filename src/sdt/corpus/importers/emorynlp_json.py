"""Importer of EmoryNLP's JSON: `emotion-detection-{trn,dev,tst}.json`, and seasons of the character-mining project.

    {"season_id": "trn", "episodes": [{"episode_id": "s01_e02", "scenes": [{"scene_id": "s01_e02_c03", "utterances": [
        {"utterance_id": "s01_e02_c03_u004", "speakers": [...], "transcript": "...", "emotion": "Joyful"}]}]}]}

Conversations, utterances and speakers are called as in the CSV files, so that features with their keys match. In files
of seasons, `emotion` is a list: the label, then those of the annotators. The split is that of the file's name or season
id; in files of seasons it is that of the episode.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Utterance
from sdt.corpus.importers.emorynlp import LABELS
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.label_files import Annotated, head, load_json, to_imported
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.split_files import named_split
from sdt.formats.parsing.json_nodes import JsonNode
from sdt.splits import parse_split

DEV = {
    *("s01_e15", "s01_e20", "s02_e10", "s02_e20", "s03_e01", "s03_e09", "s03_e21"),
    *("s04_e01", "s04_e06", "s04_e10", "s04_e21"),
}
"""The episodes of the official dev split."""
TEST = {
    *("s01_e01", "s01_e10", "s02_e08", "s02_e23", "s03_e08", "s03_e20"),
    *("s04_e02", "s04_e17", "s04_e20"),
}
"""The episodes of the official test split."""


def is_emorynlp_json(path: Path) -> bool:
    """Whether a file has episodes with scenes."""
    if path.suffix.lower() != ".json" or not path.is_file():
        return False
    start = head(path)
    return start.startswith("{") and '"episodes"' in start and '"scenes"' in start


def import_emorynlp_json(files: ImportFiles, options: ImportOptions) -> Imported:
    """Import EmoryNLP from its JSON files.

    Raises:
        InputError: A file is damaged; the message names the place.
    """
    files = files.with_annotations(options)
    found = Annotated("emorynlp", "EmoryNLP", [], LABELS)
    conversations: list[Conversation] = []
    for path in files.annotations:
        root = load_json(path, options.encoding)
        whole = named_split(path) or parse_split(root["season_id"].text() or "")
        for episode in root["episodes"]:
            name = episode["episode_id"].text() or ""
            split = whole or ("dev" if name in DEV else "test" if name in TEST else "train")
            own = [one for scene in episode["scenes"] if (one := _scene(scene)) is not None]
            found.splits.setdefault(split, []).extend(one.id for one in own)
            conversations += own
    found.conversations = conversations
    return to_imported(EMORYNLP_JSON, found, files, options)


def _scene(scene: JsonNode) -> Conversation | None:
    """The utterances of a scene that have words; None if none of them has an emotion."""
    name = scene["scene_id"].text()
    if name is None:
        raise scene["scene_id"].error("the id of a scene")
    utterances = [_utterance(one) for one in scene["utterances"] if one["transcript"].text()]
    return Conversation(name, tuple(utterances)) if any(one.label for one in utterances) else None


def _utterance(node: JsonNode) -> Utterance:
    id = re.search(r"_u(\d{1,9})$", node["utterance_id"].text() or "")
    if id is None:
        raise node["utterance_id"].error("an id such as s01_e02_c03_u004")
    speaker = ", ".join(filter(None, (one.text() for one in node["speakers"]))) or "unknown"
    emotions = [one.lower() for one in _strings(node["emotion"])]
    annotations = [Annotation(f"annotator {n}", one) for n, one in enumerate(emotions[1:], start=1)]
    return Utterance(
        str(int(id[1])),
        speaker,
        node["transcript"].text(),
        emotions[0] if emotions else None,
        annotations=tuple(annotations),
    )


def _strings(node: JsonNode) -> Iterator[str]:
    """The texts of a text or of nested lists."""
    if isinstance(node.value, list):
        for one in node:
            yield from _strings(one)
    elif text := node.text():
        yield text


EMORYNLP_JSON = Importer(
    "emorynlp-json",
    "EmoryNLP's emotion-detection-{trn,dev,tst}.json",
    lambda path, _: is_emorynlp_json(path),
    import_emorynlp_json,
)
