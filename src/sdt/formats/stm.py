"""STM (segment time-marked): an utterance on each line, of NIST's scoring tools and meeteval.

`file channel speaker start end [<labels>] text`. Segments that are not scored are ignored; of alternatives `{a / b}`
the first one counts, without `@`, which stands for no word.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from sdt.errors import InputError, quoted
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import NUMBER, every_line
from sdt.formats.parsing.notices import ignored_note
from sdt.formats.transcript import Turn, tidy

_LINE = re.compile(r"(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)(?:\s+(<[^>]*>))?(?:\s+(.*))?")
_ALTERNATIVES = re.compile(r"\{([^{}]*)\}")
_UNSCORED = "IGNORE_TIME_SEGMENT_IN_SCORING"


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the turns of a file, in order of time; each recording is a conversation.

    Raises:
        InputError: A line is not an utterance.
    """
    turns: list[Turn] = []
    ignored: list[int] = []
    for number, line in enumerate(decoded.text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(";;"):
            continue
        found = _LINE.fullmatch(line.strip())
        start, end = (_seconds(found[side]) if found else math.nan for side in (4, 5))
        if not found or not (0 <= start <= end < math.inf):
            raise InputError(
                f"{path}, line {number}: {quoted(line[:80])} is not an utterance; expected 'file channel speaker start "
                "end <labels> text' with times in seconds"
            )
        name, speaker, text = found[1], found[3], tidy(_ALTERNATIVES.sub(_first, found[7] or ""))
        if text.upper() == _UNSCORED or speaker in ("inter_segment_gap", "excluded_region"):
            ignored.append(number)
            continue
        turns.append(Turn(number, text or None, speaker, round(start, 6), round(end, 6), conversation=name))
    notes = ignored_note("segments that are not scored", ignored)
    return sorted(turns, key=lambda turn: turn.start or 0.0), notes


def _first(found: re.Match[str]) -> str:
    words = found[1].split("/")[0].split()
    return f" {' '.join(word for word in words if word != '@')} "


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


STM = Format(
    "stm",
    (".stm",),
    every_line(rf"\S+\s+\S+\s+\S+\s+(?=\S*\.\d|\S+\s+\S*\.\d){NUMBER}\s+{NUMBER}\s+\S.*", comments=";;"),
    certain=True,
    exclusive=True,
    read=read,
    title="STM, reference transcripts",
    holds=Holds.SPEAKERS | Holds.TEXT | Holds.TIMES | Holds.OVERLAPS | Holds.SEVERAL,
)
