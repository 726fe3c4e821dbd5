"""CTM (time-marked conversation): a word with its time and confidence on each line, without utterances.

`file channel start duration word [confidence]`, of NIST's scoring tools and Kaldi. Words of a file and channel become
utterances at pauses; with several channels, each is a speaker. Of alternatives (`<ALT_BEGIN>`), the first one counts.
"""

from __future__ import annotations

import math
from pathlib import Path

from sdt.conversation import Word
from sdt.errors import InputError, quoted
from sdt.formats.format import Format, Holds
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import NUMBER, every_line
from sdt.formats.parsing.word_groups import group_words
from sdt.formats.transcript import Turn, tidy

_ALTERNATIVES = {"<ALT_BEGIN>": 1, "<ALT>": 2, "<ALT_END>": 0}
"""The number of the alternative that follows; 0 outside of alternatives."""


def read(path: Path, decoded: Decoded) -> tuple[list[Turn], list[str]]:
    """Read the words of a file as utterances, in order of time.

    Raises:
        InputError: A line is not a word with its time.
    """
    words: dict[tuple[str, str], list[tuple[int, Word]]] = {}
    alternative = 0
    for number, line in enumerate(decoded.text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith(";;"):
            continue
        if len(fields) > 4 and fields[4] in _ALTERNATIVES:
            marked = _ALTERNATIVES[fields[4]]
            alternative = marked if marked != 2 else alternative + 1
        elif alternative < 2:
            words.setdefault((fields[0], fields[1] if len(fields) > 1 else ""), []).append(
                (number, _word(path, number, fields))
            )
    turns = []
    channels = {name: sum(of == name for of, _ in words) for name, _ in words}
    for (name, channel), of in words.items():
        lines = {id(word): number for number, word in of}
        for group in group_words(sorted((word for _, word in of), key=lambda word: word.start)):
            text = " ".join(word.text for word in group)
            speaker = channel if channels[name] > 1 else None
            line_ = lines[id(group[0])]
            end = max(word.end for word in group)
            turns.append(Turn(line_, text, speaker, group[0].start, end, conversation=name, words=group))
    return sorted(turns, key=lambda turn: turn.start or 0.0), []


def _word(path: Path, number: int, fields: list[str]) -> Word:
    try:
        start, seconds, text = float(fields[2]), float(fields[3]), tidy(fields[4])
        confidence = float(fields[5]) if len(fields) > 5 and fields[5] != "NA" else None
    except (IndexError, ValueError):
        start = seconds = math.nan
        text, confidence = "", None
    if not (0 <= start < math.inf and 0 <= seconds < math.inf and text):
        raise InputError(
            f"{path}, line {number}: {quoted(' '.join(fields)[:80])} is not a word with its time; expected 'file "
            "channel start duration word [confidence]'"
        )
    sure = confidence if confidence is not None and 0 <= confidence <= 1 else None
    return Word(text, round(start, 6), round(start + seconds, 6), sure)


CTM = Format(
    "ctm",
    (".ctm",),
    every_line(
        rf"\S+\s+[A-Za-z0-9]\s+(?:{NUMBER}\s+{NUMBER}|\*\s+\*)\s+\S+(?:\s+[\d.]+)?(?:\s+\S+){{0,2}}", comments=";;"
    ),
    certain=True,
    exclusive=True,
    read=read,
    title="CTM, words with times",
    holds=Holds.TEXT | Holds.TIMES | Holds.WORDS | Holds.WORD_CONFIDENCES | Holds.SEVERAL,
)
