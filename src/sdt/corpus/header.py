"""What corpus.json must hold, checked before anything in it is believed."""

from __future__ import annotations

import re

from sdt.corpus import index, utterance_lines
from sdt.corpus.draft import MODALITY_NAME, SPLITS
from sdt.text import check_names

FORMAT = 2


def check_header(header: object) -> None:
    """Refuse a corpus.json that `write_corpus` cannot have written.

    Raises:
        ValueError: Says which key holds something else than it should.
    """
    values = _dictionary("corpus.json", header)
    for key in ("name", "licence"):
        _require(isinstance(values.get(key), str), f"{key!r} is no text")
    labels = _texts("labels", values.get("labels"))
    _require(len(labels) > 1 and len(set(labels)) == len(labels), "'labels' are not two or more different ones")
    speakers = _dictionary("speakers", values.get("speakers"))
    _require(speakers.get("mode") in ("identity", "appearance"), "'mode' of 'speakers' is unknown")
    _require(_is_size(speakers.get("count")), "'count' of 'speakers' is no positive number")
    _texts("names", speakers.get("names"))
    modalities = _dictionary("modalities", values.get("modalities"))
    for name, entry in modalities.items():
        _require(re.fullmatch(MODALITY_NAME, name) is not None, f"{name!r} cannot name a modality")
        entry = _dictionary(name, entry)
        _require(_is_size(entry.get("width")), f"'width' of {name!r} is no positive number")
        _require(isinstance(entry.get("encoder"), str), f"'encoder' of {name!r} is no text")
    splits = _dictionary("splits", values.get("splits"))
    for split in splits:
        _require(split in SPLITS, f"{split!r} is no split")
    files = {utterance_lines.FILE, *(f"{name}.safetensors" for name in modalities)}
    if values["format"] == 1:
        _check_ids(splits)
    else:
        files.add(index.FILE)
        for split, count in splits.items():
            _require(_is_size(count) or count == 0, f"'splits': {split!r} is no number of conversations")
    encoders = [str(_dictionary(name, entry)["encoder"]) for name, entry in modalities.items()]
    shown = [str(values["name"]), *labels, *_texts("names", speakers["names"]), *encoders]
    check_names("the name", shown)
    _dictionary("provenance", values.get("provenance"))
    hashes = _dictionary("sha256", values.get("sha256"))
    _require(set(hashes) == files, f"'sha256' does not name exactly the files {', '.join(sorted(files))}")


def _check_ids(splits: dict[str, object]) -> None:
    """The splits of format 1, the ids themselves."""
    owner: dict[str, str] = {}
    for split, ids in splits.items():
        for id in _texts(split, ids):
            _require(owner.setdefault(id, split) == split, f"conversation {id!r} is in two splits")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _dictionary(key: str, value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{key!r} is no dictionary")
    return value


def _texts(key: str, value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{key!r} is no list of texts")
    return value
