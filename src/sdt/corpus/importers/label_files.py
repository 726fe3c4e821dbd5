"""From the label files of a published corpus to its builder: labels, splits, speakers and features by key.

For importers of files that have annotation only; `split_files` is the same for CSV files of fixed columns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdt.conversation import Conversation
from sdt.corpus.builder import CorpusBuilder
from sdt.corpus.importers.importer import Imported, Importer, ImportFiles
from sdt.corpus.importers.options import ImportOptions
from sdt.corpus.importers.tables import features_by_key
from sdt.errors import InputError, join_names
from sdt.formats.parsing.csv_lines import read_text_detecting
from sdt.formats.parsing.json_nodes import JsonNode
from sdt.speakers import Speakers
from sdt.splits import SPLITS, hold_out


@dataclass
class Annotated:
    """What the annotation files of a corpus contain."""

    name: str
    title: str
    """The name for users."""
    conversations: Sequence[Conversation]
    labels: Sequence[str] = ()
    """The labels in the order of their numbers; empty takes the found ones, sorted."""
    splits: dict[str, list[str]] = field(default_factory=dict)
    """Split to the ids of its conversations. Missing splits are drawn at random."""
    licence: str = "unknown"
    notes: list[str] = field(default_factory=list)


def to_imported(importer: Importer, found: Annotated, files: ImportFiles, options: ImportOptions) -> Imported:
    """Make the result of an importer.

    Raises:
        InputError: There are no labels, an option does not apply, or a feature table has no keys.
    """
    annotation = files.annotations[0]
    counts = Counter(utterance.label for one in found.conversations for utterance in one.utterances)
    unlabelled = counts.pop(None, 0)
    if not counts:
        raise InputError(f"{annotation}: no utterance has a label; add the files with the emotions of {found.title}")
    notes = [f"{join_names(list(map(str, files.annotations)))}: annotation of {found.title}, {how(options)}"]
    notes += found.notes
    if unlabelled:
        notes.append(f"{annotation}: {unlabelled} utterances have no label: they are context only")
    builder = CorpusBuilder(
        name=options.name or found.name,
        conversations=found.conversations,
        labels=options.labels or tuple(found.labels) or tuple(sorted(filter(None, counts))),
        splits=_splits(found, annotation, options, notes),
        features={
            modality: features_by_key(modality, paths, annotation, found.conversations, notes)
            for modality, paths in files.by_modality(names=False).items()
        },
        speakers=Speakers.from_conversations(found.conversations, options.speakers or "appearance"),
        licence=options.licence or found.licence,
        notes=notes,
    )
    return Imported(importer.name, builder, annotation)


def how(options: ImportOptions) -> str:
    """How the layout was selected, for notes."""
    return "as --layout says" if options.layout else "recognised by its content"


def _splits(found: Annotated, annotation: Path, options: ImportOptions, notes: list[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {split: list(found.splits.get(split, ())) for split in SPLITS}
    placed = {id for ids in splits.values() for id in ids}
    rest = [one.id for one in found.conversations if one.id not in placed]
    drawn = f"a random {options.dev_share:g}, seed {options.seed}"
    if not placed and len(rest) > 2:
        rest, splits["test"] = hold_out(rest, "share", share=options.dev_share, seed=options.seed)
        notes.append(f"{annotation}: no test split in the files: {len(splits['test'])} conversations chosen ({drawn})")
    if not placed:
        splits["train"] = rest
    if len(splits["train"]) > 1 and (options.dev is not None or not splits["dev"]):
        candidates = [*splits["train"], *splits["dev"]]
        rule = options.dev or "share"
        splits["train"], splits["dev"] = hold_out(candidates, rule, share=options.dev_share, seed=options.seed)
        chosen = drawn if rule == "share" else rule
        notes.append(f"{annotation}: {len(splits['dev'])} conversations moved from train to dev ({chosen})")
    return {split: ids for split, ids in splits.items() if ids}


def load_json(path: Path, encoding: str | None) -> JsonNode:
    """Read a file that is one JSON value.

    Raises:
        InputError: The file cannot be read or is not JSON.
    """
    text, _ = read_text_detecting(path, encoding)
    try:
        return JsonNode(path, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}); is the file truncated?") from None


def head(path: Path, size: int = 4096) -> str:
    """The beginning of a text file; empty for a file that is not readable text."""
    try:
        with path.open("rb") as file:
            data = file.read(size)
    except OSError:
        return ""
    text = data.decode("utf-8-sig", "replace")
    return "" if "\0" in text else text.lstrip()
