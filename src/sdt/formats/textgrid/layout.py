"""Which tiers of a TextGrid hold speech, which describe its utterances, and which are something else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sdt.formats.parsing import tiers as names

_SPEECH = re.compile(r"(?P<speaker>(?:[^@]|@@)+)@speech(?: \d+)?", re.DOTALL)
_CHILD = re.compile(r"(?P<kind>(?:[^@]|@@)+)@(?P<parent>.+)", re.DOTALL)
"""Names that contain `@` have it twice, since it separates the name of a tier from that of the tier it describes."""
_OF_SPEAKER = re.compile(
    r"(?P<speaker>.+?) ?[-_:] ?(?:words?|utterances?|speech|transcript(?:ion)?|text)", re.IGNORECASE
)
"""The tiers of forced aligners: `Ann - words`."""
_WORDS = re.compile(r"(?:.+[-_: ])?(?:words?|tokens?)", re.IGNORECASE)
_PHONES = re.compile(r"(?:.+[-_: ])?(?:phones?|phonemes?|segments?|syllables?|syl|mau|kan|ort-mau)", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """The roles of tiers, by their positions."""

    speech: dict[int, str]
    """The tiers of utterances, and their speakers."""
    children: dict[int, dict[str, int]]
    """Each tier of utterances to the tiers that describe it, by their short names."""
    others: list[int]
    """All other tiers."""
    words: bool = False
    """Whether the intervals of the tiers of speech are words."""


def speech_name(speaker: str, lane: int) -> str:
    """The name of a tier of utterances that nothing else has."""
    return f"{_escape(speaker)}@speech{f' {lane + 1}' if lane else ''}"


def child_name(kind: str, parent: str) -> str:
    """The name of a tier that describes the utterances of another one."""
    return f"{_escape(kind)}@{parent}"


def find_layout(tiers: Sequence[str], points: Sequence[bool], silent: Sequence[bool]) -> Layout:
    """Tell the tiers apart by their names.

    Args:
        tiers: The names, in order.
        points: Whether each tier has points instead of intervals.
        silent: Whether each tier has no text.
    """
    intervals = [number for number, of_points in enumerate(points) if not of_points]
    spoken = [number for number in intervals if not silent[number]]
    marked = {number: found["speaker"] for number in spoken if (found := _SPEECH.fullmatch(tiers[number]))}
    speech = {number: of.replace("@@", "@") for number, of in marked.items()}
    words = False
    if not speech:
        known = {tiers[number] for number in spoken}
        roots = [number for number in spoken if _split(tiers[number])[1] not in known]
        chosen, words = _choose(tiers, roots)
        speech = {number: _speaker(tiers, number, chosen, words=words) for number in chosen}
    children: dict[int, dict[str, int]] = {number: {} for number in speech}
    parents = {tiers[number]: number for number in reversed(speech)}
    used = set(speech)
    for number in intervals:
        kind, parent = _split(tiers[number])
        if number not in used and parent in parents and kind not in children[parents[parent]]:
            children[parents[parent]][kind] = number
            used.add(number)
    return Layout(speech, children, [number for number in range(len(tiers)) if number not in used], words)


def _split(name: str) -> tuple[str, str]:
    """The short name of a tier that describes another one, and the name of that; empty if it does not."""
    found = _CHILD.fullmatch(name)
    return (found["kind"].replace("@@", "@"), found["parent"]) if found else ("", "")


def _escape(name: str) -> str:
    return name.replace("@", "@@")


def _choose(tiers: Sequence[str], roots: Sequence[int]) -> tuple[list[int], bool]:
    """The tiers of utterances among those without a parent, and whether they hold words."""
    spoken = [number for number in roots if not _PHONES.fullmatch(tiers[number])]
    words = [number for number in spoken if _WORDS.fullmatch(tiers[number])]
    whole = [number for number in spoken if number not in words]
    speech = [n for n in whole if names.sounds_like_speech(tiers[n]) and not names.is_other(tiers[n])]
    neutral = [n for n in whole if not names.is_other(tiers[n])]
    if found := speech or neutral:
        return found, False
    return (words, True) if words else (whole or list(roots), False)


def _speaker(tiers: Sequence[str], number: int, chosen: Sequence[int], *, words: bool) -> str:
    """The speaker of a tier: its name, without what says that it holds speech."""
    found = _OF_SPEAKER.fullmatch(tiers[number])
    if found:
        return found["speaker"]
    generic = words or names.sounds_like_speech(tiers[number])
    return "Speaker 1" if generic and len(chosen) == 1 else tiers[number]
