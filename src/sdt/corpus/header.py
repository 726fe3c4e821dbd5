"""What corpus.json must hold, checked before anything in it is believed."""

from __future__ import annotations

import re

from sdt.conversation import MOST_LABELS
from sdt.corpus import index, utterance_lines
from sdt.corpus.draft import MODALITY_NAME
from sdt.errors import listed, quoted
from sdt.json_values import check_statistics, dictionary, is_size, require, texts
from sdt.splits import SPLITS
from sdt.text import check_names

FORMAT = 2


def check_header(header: object) -> None:
    """Refuse a corpus.json that `write_corpus` cannot have written.

    Raises:
        ValueError: Says which key holds something else than it should.
    """
    values = dictionary("corpus.json", {"corpus.json": header})
    for key in ("name", "licence"):
        require(isinstance(values.get(key), str), f"{quoted(key)} is no text")
    labels = texts("labels", values)
    require(1 < len(set(labels)) == len(labels) <= MOST_LABELS, f"'labels' are not 2 to {MOST_LABELS} different ones")
    speakers = dictionary("speakers", values)
    require(speakers.get("mode") in ("identity", "appearance"), "'mode' of 'speakers' is unknown")
    require(is_size(speakers.get("count")), "'count' of 'speakers' is no positive number")
    texts("names", speakers)
    modalities = dictionary("modalities", values)
    for name in modalities:
        require(re.fullmatch(MODALITY_NAME, name) is not None, f"{quoted(name)} cannot name a modality")
        entry = dictionary(name, modalities)
        require(is_size(entry.get("width")), f"'width' of {quoted(name)} is no positive number")
        require(isinstance(entry.get("encoder"), str), f"'encoder' of {quoted(name)} is no text")
    splits = dictionary("splits", values)
    for split in splits:
        require(split in SPLITS, f"{quoted(split)} is no split")
    files = {utterance_lines.FILE, *(f"{name}.safetensors" for name in modalities)}
    if values["format"] == 1:
        _check_ids(splits)
    else:
        files.add(index.FILE)
        for split, count in splits.items():
            require(is_size(count) or count == 0, f"'splits': {quoted(split)} is no number of conversations")
    encoders = [str(dictionary(name, modalities)["encoder"]) for name in modalities]
    check_names("the name", [str(values["name"]), *labels, *texts("names", speakers), *encoders])
    check_statistics(dictionary("provenance", values))
    hashes = dictionary("sha256", values)
    require(set(hashes) == files, f"'sha256' does not name exactly the files {listed(sorted(files))}")


def _check_ids(splits: dict[str, object]) -> None:
    """The splits of format 1, the ids themselves."""
    owner: dict[str, str] = {}
    for split in splits:
        for id in texts(split, splits):
            require(owner.setdefault(id, split) == split, f"conversation {quoted(id)} is in two splits")
