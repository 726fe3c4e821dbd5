"""Which columns of a table are features, and which say whose they are or annotate them.

Names count whole, whatever their case and separators: `Start_Time` is a time, `f0_start` a feature. A column without a
known name is not a feature if it numbers the rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.formats.csv_lines import is_number

# The more telling spelling first: MELD's `Utterance` is the text where there is an `Utterance_ID`.
_CONVERSATION = (
    *("conversationid", "conversation", "convid", "conv", "dialogueid", "dialogue", "dialogid", "dialog"),
    *("diaid", "dia", "videoid", "video", "sessionid", "session"),
)
_UTTERANCE = ("utteranceid", "uttid", "utterance", "utt", "clipid", "clip", "segmentid", "segment")
_IDS = {*_CONVERSATION, *_UTTERANCE, "id", "ids", "key", "name", "file", "filename", "path", "filepath"}
_ANNOTATION = {
    *("label", "labels", "labelid", "labelname", "class", "target", "gold", "goldlabel", "groundtruth", "annotation"),
    *("emotion", "emotions", "emotionid", "emotionlabel", "emo", "sentiment", "sentiments", "sentimentid"),
    *("polarity", "valence", "arousal", "dominance"),
    *("start", "starttime", "startsec", "startms", "tstart", "begin", "begintime", "timestamp", "frametime"),
    *("end", "endtime", "endsec", "endms", "tend", "stop", "stoptime"),
    *("split", "splits", "subset", "set", "phase", "partition", "fold", "order", "turn", "turnid", "turnnumber"),
    *("speaker", "speakers", "speakerid", "speakername", "spk", "spkid", "text", "texts", "transcript"),
    *("transcription", "sentence", "media", "mediafile", "recording", "season", "episode"),
}
_CODED_ANNOTATION = {
    *("label", "class", "target", "emotion", "emo", "sentiment", "polarity", "split", "subset", "fold", "speaker")
}
"""Of those, the ones that come as `label_num`, `emotion_code` or `split_name` too."""
_INDEX = {"", "index", "idx", "rowid", "rownumber", "rownames", "srno", "level0"}
_UNNAMED = re.compile(r"unnamed(: ?\d+(\.\d+)?)?|__index_level_\d+__")
_MERGED = re.compile(r"(?<=\w)(?:_[xy]|\.\d{1,2})$")
"""What pandas adds to the names of columns that two tables share, or that one table has twice."""
_CODED = re.compile(r"(?<=\w)[ _.-]?(?:id|name|num|number|idx|index|code|true|gold|str|int|class|score|value|raw)$")
_FEWEST = 4
"""Rows from which on a column that counts them is an index; with fewer it may do so by chance."""
_FEWEST_SHUFFLED = 8
"""Likewise, where the numbers are in another order."""


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are, by their places."""

    keys: tuple[int, ...]
    """Conversation and utterance, or the one that names the row; empty where neither is there."""
    values: tuple[int, ...]
    """Numbers that may be features."""
    left_out: tuple[int, ...]
    index: tuple[int, ...] = ()
    """Of the columns left out, those of numbers that number the rows or the utterances."""
    ids: int | None = None
    """The one of those that may name the utterances, where there are no keys."""
    unknown: tuple[int, ...] = ()
    """Columns of text, if there are several and none is known for the key; the other fields are empty then."""


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]], *, comma: bool) -> bool:
    """Whether the first row of a table names its columns.

    Integers 0, 1, 2, ... are names, as pandas writes them; other rising integers are if no row beside them holds
    integers alone.

    Args:
        first: Its cells.
        rows: The rows under it.
        comma: Whether numbers may have a decimal comma.
    """
    below = rows[0] if rows else first
    over_numbers = [cell.strip() for cell, under in zip(first, below, strict=True) if is_number(under, comma=comma)]
    if not all(is_number(cell, comma=comma) for cell in over_numbers):
        return True
    cells = [cell for cell in over_numbers if cell]
    if not cells:
        return any(not is_number(cell, comma=comma) for cell in first)
    if not all(map(_is_plain, cells)):
        return False
    numbers = [int(cell) for cell in cells]
    counts = numbers == list(range(len(numbers)))
    if counts and len(numbers) > 1:
        return True
    rising = counts or (len(numbers) > 2 and all(a < b for a, b in pairwise(numbers)))
    return rising and bool(rows) and not any(all(map(_is_plain, row)) for row in rows)


def _is_plain(cell: str) -> bool:
    """Whether a cell is an integer from 0 on, written as such."""
    return re.fullmatch(r"0|[1-9]\d{0,8}", cell.strip()) is not None


def sort_columns(names: Sequence[str], is_text: Sequence[bool]) -> Columns:
    """Tell the columns apart by their names.

    Args:
        names: Their names.
        is_text: Whether each holds something other than numbers.
    """
    known = [_normal(name) for name in names]
    pair = [next((known.index(name) for name in group if name in known), None) for group in (_CONVERSATION, _UTTERANCE)]
    named = [place for place, text in enumerate(is_text) if text and known[place] in _IDS]
    unknown = [place for place, text in enumerate(is_text) if text and known[place] not in (*_IDS, *_ANNOTATION)]
    if pair[0] is not None and pair[1] is not None:
        keys = [pair[0], pair[1]]
    elif len(named + unknown) > 1:
        return Columns((), (), (), unknown=(*named, *unknown))
    else:
        keys = named + unknown
    other = [place for place in range(len(names)) if place not in keys]
    no_features = {*_IDS, *_ANNOTATION, *_INDEX}
    left_out = [place for place in other if known[place] in no_features]
    ids = [place for place in left_out if not is_text[place] and known[place] in (*_UTTERANCE, "id", "ids")]
    return Columns(
        tuple(keys),
        tuple(place for place in other if place not in left_out),
        tuple(left_out),
        tuple(place for place in left_out if not is_text[place] and (place in ids or known[place] in _INDEX)),
        ids[0] if len(ids) == 1 and not keys else None,
    )


def _normal(name: str) -> str:
    name = name.strip().casefold()
    if _UNNAMED.fullmatch(name):
        return ""
    name = _MERGED.sub("", name)
    plain = re.sub(r"[\W_]+", "", name)
    coded = re.sub(r"[\W_]+", "", _CODED.sub("", name))
    return coded if plain not in {*_IDS, *_ANNOTATION, *_INDEX} and coded in _CODED_ANNOTATION else plain


def counting_columns(x: npt.NDArray[Any]) -> list[int]:
    """Find the columns of a matrix [N, D] in double precision that number its rows.

    They hold 0 to N-1 or 1 to N in any order; or count by ones from anywhere, beginning again at most twice (tables of
    three splits, one below the other).
    """
    size = len(x)
    if size < _FEWEST:
        return []
    head = x[:_FEWEST_SHUFFLED]
    found = []
    for place in np.flatnonzero(np.isfinite(head).all(axis=0) & (head == np.floor(head)).all(axis=0)).tolist():
        jumps = int((np.diff(x[:, place]) != 1).sum())
        counts = jumps <= 2 and size >= _FEWEST * (1 + 2 * jumps)
        if counts or (size >= _FEWEST_SHUFFLED and is_shuffled(x[:, place])):
            found.append(place)
    return found


def is_shuffled(column: npt.NDArray[Any]) -> bool:
    """Whether numbers are 0 to N-1 or 1 to N, but not in this order."""
    expected = np.arange(len(column)) + (column.min() == 1)
    return not np.array_equal(column, expected) and np.array_equal(np.sort(column), expected)


def is_out_of_order(column: npt.NDArray[Any]) -> bool:
    """Whether different numbers do not rise."""
    return len(np.unique(column)) == len(column) and not (np.diff(column) > 0).all()
