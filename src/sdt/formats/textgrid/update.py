"""Predictions added to a TextGrid: their tiers are appended, and the number of tiers changes; all else stays as it was.

The tiers of earlier predictions are replaced; those of corrections stay. New tiers are in the format of the file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from pathlib import Path

from sdt.conversation import Prediction, Utterance
from sdt.errors import InputError
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.decoding import decode_text
from sdt.formats.textgrid.layout import Layout
from sdt.formats.textgrid.parse import Grid, GridSpan, GridTier, parse
from sdt.formats.textgrid.read import layout_of, spoken
from sdt.formats.textgrid.write import long_tier, prediction_tiers, short_tier
from sdt.formats.transcript import Transcript

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def update(content: bytes, transcript: Transcript, encoding: str | None = None) -> bytes:
    """Add the predictions of a transcript to the file from which it was read.

    Args:
        content: The file.
        transcript: Its only conversation and the predictions of its utterances.
        encoding: The encoding of the file; None detects it.

    Raises:
        InputError: The file has other utterances than the transcript.
    """
    path = Path(f"{transcript.conversations[0].id}.TextGrid")
    encoding = decode_text(path, content, encoding).encoding
    bom, encoding = next(((bom, name) for bom, name in _BOMS if content.startswith(bom)), (b"", encoding))
    text = content[len(bom) :].decode(encoding)
    grid = parse(path, text)
    layout = layout_of(grid.tiers)
    rows = [*transcript.rows()]
    found = spoken(grid, layout)
    if len(found) != len(rows):
        raise InputError(f"{path}: has {len(found)} utterances, but {len(rows)} were read; it has changed")
    if layout.words:
        raise InputError(
            f"{path}: has words, but no tier of utterances; write another file, such as predicted.TextGrid"
        )
    by_tier: dict[int, list[tuple[GridSpan, Utterance, Prediction | None]]] = {}
    for (tier, _, span, _), (_, utterance, prediction) in zip(found, rows, strict=True):
        by_tier.setdefault(tier, []).append((span, utterance, prediction))
    old = [number for tier in layout.speech for number in _predicted(layout, tier)]
    new = [
        one
        for tier, of in by_tier.items()
        for one in prediction_tiers(
            grid.tiers[tier].name, of, {kind for kind, number in layout.children[tier].items() if number not in old}
        )
    ]
    return bom + _edited(text, grid, old, new).encode(encoding, "replace")


def _predicted(layout: Layout, tier: int) -> Sequence[int]:
    """The tiers of an earlier prediction: emotion and probability."""
    children = layout.children[tier]
    pairs = ([children[kind] for kind in pair if kind in children] for pair in names.PREDICTED)
    return next((pair for pair in pairs if len(pair) == 2), [])


def _edited(text: str, grid: Grid, old: Sequence[int], new: Sequence[GridTier]) -> str:
    """The text without some tiers and with others at its end."""
    newline = "\r\n" if "\r\n" in text else "\r" if "\r" in text and "\n" not in text else "\n"
    is_long = re.search(r"\bitem\s*\[\s*\]\s*:", text[: grid.tiers[0].first]) is not None
    count = len(grid.tiers) - len(old) + len(new)
    last = max(tier.last for tier in grid.tiers)
    parts = [text[: grid.count[0]], str(count)]
    position = grid.count[1]
    begins = [_item(text, tier.first, is_long=is_long) for tier in grid.tiers]
    ends = [*begins[1:], last]
    for number in sorted(old):
        parts.append(text[position : begins[number]])
        position = ends[number]
    kept, rest = text[position:last], text[last:]
    parts.append(kept)
    first = len(grid.tiers) - len(old) + 1
    added = [
        long_tier(tier, first + number, grid.start, grid.end) if is_long else short_tier(tier, grid.start, grid.end)
        for number, tier in enumerate(new)
    ]
    inserted = "".join(added).rstrip().replace("\n", newline)
    if not kept.endswith(("\n", "\r")) and kept:
        inserted = newline + inserted
    return "".join([*parts, inserted, rest])


def _item(text: str, position: int, *, is_long: bool) -> int:
    """The start of the line `item [1]:` or of the class before a position."""
    found = None
    if is_long:
        before = text[max(0, position - 200) : position]
        found = next(reversed([*re.finditer(r"[ \t]*item\s*\[\s*\d+\s*\]\s*:", before)]), None)
        if found:
            return max(0, position - 200) + found.start()
    return position
