"""Removal of repeated words in captions: rolling lines, lines that grow word by word, and highlighted words.

Only a pattern of the whole file is removed, never a single repetition: "No." "No." stays.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdt.formats.parsing.markup import strip_markup

GAP = 0.05
"""The longest pause, in seconds, after which a cue continues the one before it."""
_SHORT = 0.2
"""Seconds; a longer cue with the same text is a repetition by the speaker."""
_WORD_TIME = re.compile(r"<\d+:\d\d[\d:.]*>")
_HIGHLIGHT = re.compile(r"<(u|b|font|c)\b[^<>]*>")

Lines = list[tuple[int, str]]


@dataclass(slots=True)
class Cue:
    """A caption; `lines` are its non-empty lines with their numbers in the file."""

    line: int
    id: str | None
    start: float
    end: float
    lines: Lines

    @property
    def text(self) -> str:
        """The lines, with their markup."""
        return "\n".join(line for _, line in self.lines)

    @property
    def shown(self) -> list[str]:
        """The lines without markup."""
        return [text for _, line in self.lines if (text := " ".join(strip_markup(line).split()))]


def unroll(cues: list[Cue]) -> list[str]:
    """Remove repeated text from the captions of a file.

    Args:
        cues: All cues of a file; they are modified in place, and cues without new words are removed.

    Returns:
        Notes about the removed text.
    """
    for step, note in (
        (_highlighted, "captions with a highlighted word: cues joined into utterances"),
        (_growing, "captions that grow word by word: cues joined into utterances"),
        (_rolling, "rolling captions: repeated lines ignored"),
    ):
        if count := step(cues):
            return [f"{note}: {count}"]
    return []


def _highlighted(cues: list[Cue]) -> int:
    """Join cues that highlight one word after the other, as Whisper's `--highlight_words` writes them."""
    offsets = [_highlight(cue) for cue in cues]
    advances = sum(
        a.shown == b.shown and _continues(a, b) and before is not None and offset is not None and before < offset
        for (a, before), (b, offset) in itertools.pairwise(zip(cues, offsets, strict=True))
    )
    if 3 * advances < sum(offset is not None for offset in offsets) or not advances:
        return 0
    joined: list[Cue] = []
    last = -1
    for cue, offset in zip(cues, offsets, strict=True):
        repeats = bool(joined) and cue.shown == joined[-1].shown and cue.start <= joined[-1].end + 1
        if repeats and offset is None:  # a pause between two words or after the last one
            continue
        if repeats and offset is not None and offset > last:
            joined[-1].end = cue.end
        else:
            joined.append(cue)
        last = -1 if offset is None else offset
    count = len(cues) - len(joined)
    cues[:] = joined
    return count


def _highlight(cue: Cue) -> int | None:
    """The offset of the highlighted part of a cue; None if no part, or the whole cue, is highlighted."""
    text = cue.text
    found = _HIGHLIGHT.search(text)
    if not found:
        return None
    closing = text.find(f"</{found[1]}>", found.end())
    inside = text[found.end() : closing] if closing >= 0 else ""
    words = strip_markup(text).split()
    if not inside or (len(words) != 1 and strip_markup(inside).split() == words):
        return None
    return len(strip_markup(text[: found.start()]))


def _growing(cues: list[Cue]) -> int:
    """Join cues that repeat the previous cue and add words, as in live captions."""

    def grows(before: Cue, cue: Cue) -> bool:
        return " ".join(cue.shown).startswith(" ".join(before.shown) + " ") and len(cue.shown) <= len(before.shown)

    if not _is_pattern(cues, grows):
        return 0
    joined: list[Cue] = []
    for cue in cues:
        if joined and _continues(joined[-1], cue) and joined[-1].shown and grows(joined[-1], cue):
            joined[-1].end, joined[-1].lines = cue.end, cue.lines
        else:
            joined.append(cue)
    count = len(cues) - len(joined)
    cues[:] = joined
    return count


def _rolling(cues: list[Cue]) -> int:
    """Remove lines that repeat the last lines of the previous cue, as in YouTube's captions."""
    timed = any(_WORD_TIME.search(line) for cue in cues for _, line in cue.lines)
    if not timed and not (
        _is_pattern(cues, lambda a, b: bool(_repeated_lines(a, b)))
        and any(0 < _repeated_lines(a, b) < len(b.shown) for a, b in itertools.pairwise(cues))
    ):
        return 0
    shown = [cue for cue in cues if cue.shown]
    if not shown:  # word times without words
        return 0
    repeated = [0, *(_repeated_lines(a, b) if _continues(a, b) else 0 for a, b in itertools.pairwise(shown))]
    for cue, count in zip(shown, repeated, strict=True):
        cue.lines = [line for line in cue.lines if strip_markup(line[1]).strip()][count:]
    cues[:] = [cue for cue in shown if cue.lines]
    return sum(repeated)


def _repeated_lines(before: Cue, cue: Cue) -> int:
    """The number of lines at the start of a cue that repeat the last lines of the previous cue."""
    a, b = before.shown, cue.shown
    if a == b and cue.end - cue.start > _SHORT:
        return 0
    return next((size for size in range(min(len(a), len(b)), 0, -1) if a[-size:] == b[:size]), 0)


def _is_pattern(cues: Sequence[Cue], repeats: Callable[[Cue, Cue], bool]) -> bool:
    """Whether at least half of the consecutive cues, and at least two, repeat the previous cue."""
    pairs = [(a, b) for a, b in itertools.pairwise(cues) if a.shown and b.shown]
    count = sum(_continues(a, b) and repeats(a, b) for a, b in pairs)
    return count > 1 and 2 * count >= len(pairs)


def _continues(before: Cue, cue: Cue) -> bool:
    """Whether a cue starts while the previous one is shown, or immediately afterwards."""
    return before.start <= cue.start <= before.end + GAP
