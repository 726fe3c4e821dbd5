"""Classification of the columns of a feature table: keys, annotation, row numbers and features.

Whole names are compared, without case and separators: `Start_Time` is a time, `f0_start` a feature. A column with an
unknown name is not a feature if it numbers the rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.formats.parsing.csv_lines import is_number

# In order of precedence: MELD's `Utterance` is the text if there is an `Utterance_ID`.
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
"""Annotation whose name can have a suffix, such as `label_num`, `emotion_code` or `split_name`."""
_INDEX = {"", "index", "idx", "rowid", "rownumber", "rownames", "srno", "level0"}
_UNNAMED = re.compile(r"unnamed(: ?\d+(\.\d+)?)?|__index_level_\d+__")
_MERGED = re.compile(r"(?<=\w)(?:_[xy]|\.\d{1,2})$")
"""The suffixes that pandas adds to duplicate column names."""
_CODED = re.compile(r"(?<=\w)[ _.-]?(?:id|name|num|number|idx|index|code|true|gold|str|int|class|score|value|raw)$")
_MIN_ROWS = 4
"""The smallest number of rows for which a counting column is an index; with fewer rows, it can be a coincidence."""
_MIN_ROWS_SHUFFLED = 8
"""The same for numbers in another order."""


@dataclass(frozen=True)
class Columns:
    """The kinds of the columns of a table, by their positions."""

    keys: tuple[int, ...]
    """The columns of conversation and utterance, or one column of keys; empty if there are none."""
    values: tuple[int, ...]
    """Columns of numbers that can be features."""
    ignored: tuple[int, ...]
    """Ids and annotation, which are not features."""
    index: tuple[int, ...] = ()
    """The ignored columns that number the rows or utterances."""
    ids: int | None = None
    """The ignored column that can contain utterance ids, if there are no keys."""
    unknown: tuple[int, ...] = ()
    """Columns of text, if there are several that can be keys; the other fields are empty then."""


def is_header(first: Sequence[str], rows: Sequence[Sequence[str]], *, comma: bool) -> bool:
    """Whether the first row of a table is a header.

    The integers 0, 1, 2, ... are a header, as pandas writes it. Other rising integers are a header if no other row
    consists of integers only.

    Args:
        first: The cells of the first row.
        rows: The other rows.
        comma: Whether numbers can have a decimal comma.
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
    """Whether a cell is a non-negative integer without a sign or leading zeros."""
    return re.fullmatch(r"0|[1-9]\d{0,8}", cell.strip()) is not None


def classify_columns(names: Sequence[str], is_text: Sequence[bool]) -> Columns:
    """Classify columns by their names.

    Args:
        names: The names of the columns.
        is_text: Whether each column contains values that are not numbers.
    """
    known = [_normal(name) for name in names]
    pair = [next((known.index(name) for name in group if name in known), None) for group in (_CONVERSATION, _UTTERANCE)]
    named = [position for position, text in enumerate(is_text) if text and known[position] in _IDS]
    unknown = [
        position for position, text in enumerate(is_text) if text and known[position] not in (*_IDS, *_ANNOTATION)
    ]
    if pair[0] is not None and pair[1] is not None:
        keys = [pair[0], pair[1]]
    elif len(named + unknown) > 1:
        return Columns((), (), (), unknown=(*named, *unknown))
    else:
        keys = named + unknown
    other = [position for position in range(len(names)) if position not in keys]
    no_features = {*_IDS, *_ANNOTATION, *_INDEX}
    ignored = [position for position in other if known[position] in no_features]
    ids = [position for position in ignored if not is_text[position] and known[position] in (*_UTTERANCE, "id", "ids")]
    return Columns(
        tuple(keys),
        tuple(position for position in other if position not in ignored),
        tuple(ignored),
        tuple(
            position for position in ignored if not is_text[position] and (position in ids or known[position] in _INDEX)
        ),
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


def find_row_numbers(x: npt.NDArray[Any]) -> list[int]:
    """Find the columns of a matrix [N, D] in double precision that number its rows.

    Their values are 0 to N-1 or 1 to N in any order, or count up by one from any number with at most two restarts
    (concatenated tables of three splits).
    """
    size = len(x)
    if size < _MIN_ROWS:
        return []
    head = x[:_MIN_ROWS_SHUFFLED]
    found = []
    for position in np.flatnonzero(np.isfinite(head).all(axis=0) & (head == np.floor(head)).all(axis=0)).tolist():
        jumps = int((np.diff(x[:, position]) != 1).sum())
        counts = jumps <= 2 and size >= _MIN_ROWS * (1 + 2 * jumps)
        if counts or (size >= _MIN_ROWS_SHUFFLED and is_shuffled(x[:, position])):
            found.append(position)
    return found


def is_shuffled(column: npt.NDArray[Any]) -> bool:
    """Whether numbers are 0 to N-1 or 1 to N, but not in this order."""
    expected = np.arange(len(column)) + (column.min() == 1)
    return not np.array_equal(column, expected) and np.array_equal(np.sort(column), expected)


def is_out_of_order(column: npt.NDArray[Any]) -> bool:
    """Whether numbers are all different, but not in rising order."""
    return len(np.unique(column)) == len(column) and not (np.diff(column) > 0).all()
