"""Checks of a corpus on disk: the values of `corpus.json`, the SHA-256 of every file, every line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sdt.conversation import MAX_LABELS
from sdt.corpus.conversations import UTTERANCES_FILE, Conversations
from sdt.corpus.index import INDEX_FILE
from sdt.errors import InputError, join_names, quoted
from sdt.files import sha256
from sdt.json_values import check_statistics, get_dict, get_strings, is_size, require
from sdt.speakers import Speakers
from sdt.splits import SPLITS
from sdt.text import check_names

FORMAT = 2
"""The version of the corpus format that `write_corpus` writes."""
MODALITY_NAME = r"[A-Za-z][A-Za-z0-9_]*"


def check_header(header: object) -> None:
    """Check the content of a corpus.json before it is used.

    Raises:
        ValueError: `write_corpus` cannot have written this; the message names the key.
    """
    values = get_dict("corpus.json", {"corpus.json": header})
    for key in ("name", "licence"):
        require(isinstance(values.get(key), str), f"{quoted(key)} is not a string")
    labels = get_strings("labels", values)
    require(1 < len(set(labels)) == len(labels) <= MAX_LABELS, f"'labels' are not 2 to {MAX_LABELS} different ones")
    speakers = get_dict("speakers", values)
    require(speakers.get("mode") in ("identity", "appearance"), "'mode' of 'speakers' is unknown")
    require(is_size(speakers.get("count")), "'count' of 'speakers' is not a positive number")
    get_strings("names", speakers)
    modalities = get_dict("modalities", values)
    for name in modalities:
        require(re.fullmatch(MODALITY_NAME, name) is not None, f"{quoted(name)} is not a valid modality name")
        entry = get_dict(name, modalities)
        require(is_size(entry.get("width")), f"'width' of {quoted(name)} is not a positive number")
        require(isinstance(entry.get("encoder"), str), f"'encoder' of {quoted(name)} is not a string")
    splits = get_dict("splits", values)
    for split in splits:
        require(split in SPLITS, f"{quoted(split)} is not a split")
    files = {UTTERANCES_FILE, *(f"{name}.safetensors" for name in modalities)}
    if values["format"] == 1:
        _check_split_ids(splits)
    else:
        files.add(INDEX_FILE)
        for split, count in splits.items():
            require(is_size(count) or count == 0, f"'splits': {quoted(split)} is not a number of conversations")
    encoders = [str(get_dict(name, modalities)["encoder"]) for name in modalities]
    check_names("the name", [str(values["name"]), *labels, *get_strings("names", speakers), *encoders])
    check_statistics(get_dict("provenance", values))
    hashes = get_dict("sha256", values)
    require(set(hashes) == files, f"'sha256' does not list exactly the files {join_names(sorted(files))}")


def _check_split_ids(splits: dict[str, object]) -> None:
    """Check the splits of format 1, which lists the conversation ids."""
    owner: dict[str, str] = {}
    for split in splits:
        for id in get_strings(split, splits):
            require(owner.setdefault(id, split) == split, f"conversation {quoted(id)} is in two splits")


def check_files(folder: Path, hashes: Mapping[str, str]) -> None:
    """Compare every file with its recorded SHA-256.

    Raises:
        InputError: A file is missing or has another SHA-256.
    """
    for name, expected in hashes.items():
        path = folder / name
        if not path.is_file():
            raise InputError(f"{path}: missing; import the corpus again")
        if sha256(path) != expected:
            raise InputError(
                f"{path}: its SHA-256 is not the one in corpus.json: the file was changed or damaged; "
                "import the corpus again"
            )


def check_lines(conversations: Conversations, speakers: Speakers) -> None:
    """Read every conversation and compare it with the index.

    Raises:
        InputError: A line is damaged or contradicts the index, or an utterance id is repeated within a conversation.
    """
    index = conversations.index
    for number in range(len(conversations)):
        conversation, rows = conversations.read(number), index.rows(number)
        line = rows.start + 1
        if speakers.numbers(conversation) != index.speaker[rows].tolist():
            raise conversations.mismatch(line, f"other speakers in {quoted(conversation.id)}")
        if len({utterance.id for utterance in conversation.utterances}) < len(conversation):
            raise InputError(
                f"{conversations.path}, line {line}: two utterances of conversation {quoted(conversation.id)} have the "
                "same id; import the corpus again"
            )
