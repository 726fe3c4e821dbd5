"""Removal of repeated words in captions: rolling lines, lines that grow word by word, and highlighted words.

Only a pattern of the whole file is removed, never a single repetition: "No." "No." stays.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdt.formats.markup import plain

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
        return [text for _, line in self.lines if (text := " ".join(plain(line).split()))]


def unroll(cues: list[Cue]) -> list[str]:
    """Remove repeated text from the captions of a file.

    Args:
        cues: All cues of a file; they are modified in place, and cues without new words are removed.

    Returns:
        Notes about the removed text.
    """
    for step, note in (
        (_highlighted, "captions with a highlighted word: cues joined into utterances"),
        (_growing, "captions that grow: cues joined into utterances"),
        (_rolling, "rolling captions: lines that repeat the one before left out"),
    ):
        if count := step(cues):
            return [f"{note}: {count}"]
    return []


def _highlighted(cues: list[Cue]) -> int:
    """Join cues that show the same words while a highlight goes through them, as Whisper's `--highlight_words` does."""
    places = [_highlight(cue) for cue in cues]
    habit = sum(
        a.shown == b.shown and _goes_on(a, b) and before is not None and place is not None and before < place
        for (a, before), (b, place) in itertools.pairwise(zip(cues, places, strict=True))
    )
    if 3 * habit < sum(place is not None for place in places) or not habit:
        return 0
    joined: list[Cue] = []
    last = -1
    for cue, place in zip(cues, places, strict=True):
        again = bool(joined) and cue.shown == joined[-1].shown and cue.start <= joined[-1].end + 1
        if again and place is None:  # between two words, or after the last: nothing is said
            continue
        if again and place is not None and place > last:
            joined[-1].end = cue.end
        else:
            joined.append(cue)
        last = -1 if place is None else place
    count = len(cues) - len(joined)
    cues[:] = joined
    return count


def _highlight(cue: Cue) -> int | None:
    """Where the highlighted part of a cue begins; None where none or all of it is."""
    text = cue.text
    found = _HIGHLIGHT.search(text)
    if not found:
        return None
    closing = text.find(f"</{found[1]}>", found.end())
    inside = text[found.end() : closing] if closing >= 0 else ""
    words = plain(text).split()
    return len(plain(text[: found.start()])) if inside and (len(words) == 1 or plain(inside).split() != words) else None


def _growing(cues: list[Cue]) -> int:
    """Join cues of which each shows the one before and more, as live captions do."""

    def grows(before: Cue, cue: Cue) -> bool:
        return " ".join(cue.shown).startswith(" ".join(before.shown) + " ") and len(cue.shown) <= len(before.shown)

    if not _habit(cues, grows):
        return 0
    joined: list[Cue] = []
    for cue in cues:
        if joined and _goes_on(joined[-1], cue) and joined[-1].shown and grows(joined[-1], cue):
            joined[-1].end, joined[-1].lines = cue.end, cue.lines
        else:
            joined.append(cue)
    count = len(cues) - len(joined)
    cues[:] = joined
    return count


def _rolling(cues: list[Cue]) -> int:
    """Remove lines that move up: each cue begins with the last lines of the one before. Captions of YouTube do so."""
    timed = any(_WORD_TIME.search(line) for cue in cues for _, line in cue.lines)
    if not timed and not (
        _habit(cues, lambda a, b: bool(_again(a, b)))
        and any(0 < _again(a, b) < len(b.shown) for a, b in itertools.pairwise(cues))
    ):
        return 0
    shown = [cue for cue in cues if cue.shown]
    repeated = [0, *(_again(a, b) if _goes_on(a, b) else 0 for a, b in itertools.pairwise(shown))]
    for cue, again in zip(shown, repeated, strict=True):
        cue.lines = [line for line in cue.lines if plain(line[1]).strip()][again:]
    cues[:] = [cue for cue in shown if cue.lines]
    return sum(repeated)


def _again(before: Cue, cue: Cue) -> int:
    """How many lines at the beginning of a cue are the last ones of that before, which have moved up or stay."""
    a, b = before.shown, cue.shown
    if a == b and cue.end - cue.start > _SHORT:
        return 0
    return next((size for size in range(min(len(a), len(b)), 0, -1) if a[-size:] == b[:size]), 0)


def _habit(cues: Sequence[Cue], repeats: Callable[[Cue, Cue], bool]) -> bool:
    """Whether half of the cues that go on with the one before repeat it, and two at least."""
    pairs = [(a, b) for a, b in itertools.pairwise(cues) if a.shown and b.shown]
    count = sum(_goes_on(a, b) and repeats(a, b) for a, b in pairs)
    return count > 1 and 2 * count >= len(pairs)


def _goes_on(before: Cue, cue: Cue) -> bool:
    return before.start <= cue.start <= before.end + GAP
