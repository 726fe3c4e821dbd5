"""From words and speaker turns to utterances: who said each word, and where one utterance ends."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import replace

from sdt.conversation import SpeakerTurn, Utterance, Word
from sdt.formats.parsing.word_groups import ENDS, PAUSE, split_words
from sdt.speech.turns import overlapped, speaker_name

FAR = 1.0
"""Words that are more seconds away from any speaker turn were said by nobody, and are dropped."""
FRAGMENT = 2
"""At most so many words at the edge of a sentence that fall to another speaker than the rest are moved to it."""
NEAR = 0.5
"""Seconds to the turn of the rest's speaker up to which such a fragment is moved to it."""
DOUBTFUL = 0.3
"""Words with a lower probability are counted in a note."""


def attribute(words: Sequence[Word], turns: Sequence[SpeakerTurn]) -> list[tuple[str, Word]]:
    """The speaker of each word: who speaks most of its time, or else the nearest turn.

    One or two words at the edge of a sentence follow the rest of it, if its speaker speaks near them. Words far from
    any turn are dropped: recognisers invent text over silence and noise.

    Args:
        words: In order of time.
        turns: In order of time; may overlap.

    Returns:
        (speaker, word), with `overlapped` set where several speakers speak for most of the word.
    """
    if not turns:
        return [(speaker_name(0), word) for word in words]
    found: list[tuple[str, Word]] = []
    longest = max(turn.seconds for turn in turns)
    begins = [turn.start for turn in turns]
    for word in words:
        near = turns[
            bisect.bisect_left(begins, word.start - longest - FAR) : bisect.bisect_right(begins, word.end + FAR)
        ]
        if not near:
            continue
        previous = found[-1][0] if found else None
        turn = max(near, key=lambda turn: (_closeness(turn, word), turn.speaker == previous))
        if _closeness(turn, word) < -FAR:
            continue
        shared = sum(max(0.0, min(end, word.end) - max(start, word.start)) for start, end in overlapped(near))
        found.append((turn.speaker, replace(word, overlapped=2 * shared > word.end - word.start > 0)))
    return [pair for sentence in _sentences(found) for pair in _mended(sentence, turns)]


def _sentences(spoken: Sequence[tuple[str, Word]]) -> list[list[tuple[str, Word]]]:
    """Words up to the end of a sentence or a pause, whoever speaks."""
    found: list[list[tuple[str, Word]]] = []
    for speaker, word in spoken:
        before = found[-1][-1][1] if found else None
        if before is None or before.text.endswith(ENDS) or word.start - before.end >= PAUSE:
            found.append([])
        found[-1].append((speaker, word))
    return found


def _mended(sentence: list[tuple[str, Word]], turns: Sequence[SpeakerTurn]) -> list[tuple[str, Word]]:
    """Move a fragment at the edge of a sentence to the speaker of the rest, who speaks near it."""
    runs = [list(run) for _, run in itertools.groupby(sentence, key=lambda pair: pair[0])]
    if len(runs) < 2:
        return sentence
    longest = max(runs, key=len)
    speaker = longest[0][0]
    own = [turn for turn in turns if turn.speaker == speaker]
    for number in (0, len(runs) - 1):
        run = runs[number]
        if run is not longest and len(run) <= FRAGMENT < len(longest):
            near = all(max((_closeness(turn, word) for turn in own), default=-FAR) >= -NEAR for _, word in run)
            runs[number] = [(speaker, word) for _, word in run] if near else run
    return [pair for run in runs for pair in run]


def _closeness(turn: SpeakerTurn, word: Word) -> float:
    """Seconds that a word and a turn have in common; or else minus the seconds between them."""
    gap = max(turn.start - word.end, word.start - turn.end)
    return -gap if gap > 0 else turn.overlap(word.start, word.end)


def cut(spoken: Sequence[tuple[str, Word]]) -> list[Utterance]:
    """Cut words into utterances; see `split_words`.

    Args:
        spoken: (speaker, word) in order of time.

    Returns:
        Utterances with ids `0`, `1`, ...
    """
    return [
        Utterance(
            str(number),
            piece[0][0],
            " ".join(word.text for _, word in piece),
            start=round(piece[0][1].start, 3),
            end=round(max(word.end for _, word in piece), 3),
            words=tuple(word for _, word in piece),
        )
        for number, piece in enumerate(split_words(spoken))
    ]


def doubtful_note(utterances: Sequence[Utterance]) -> list[str]:
    """A note on the words that the recogniser doubts, and on those with several speakers."""
    words = [word for utterance in utterances for word in utterance.words]
    doubted = sum(word.probability is not None and word.probability < DOUBTFUL for word in words)
    several = sum(word.overlapped for word in words)
    notes = []
    if doubted:
        notes.append(f"{doubted} of {len(words)} words are uncertain (probability below {DOUBTFUL})")
    if several:
        notes.append(f"{several} of {len(words)} words overlap with another speaker; their speaker is uncertain")
    return notes


def spans(utterances: Sequence[Utterance]) -> list[SpeakerTurn]:
    """The utterances that have times as speaker turns."""
    return [
        SpeakerTurn(utterance.speaker, utterance.start, utterance.end)
        for utterance in utterances
        if utterance.start is not None and utterance.end is not None
    ]


def nearest_speaker(utterance: Utterance, turns: Sequence[SpeakerTurn]) -> str:
    """Who speaks most of an utterance, or else nearest to it; the first speaker if nothing is known of either."""
    if not turns or utterance.start is None:
        return speaker_name(0)
    whole = Word("", utterance.start, utterance.start if utterance.end is None else utterance.end)
    shares: dict[str, float] = {}
    for turn in turns:
        shares[turn.speaker] = shares.get(turn.speaker, 0.0) + turn.overlap(whole.start, whole.end)
    most = max(shares, key=lambda speaker: shares[speaker])
    return most if shares[most] else max(turns, key=lambda turn: _closeness(turn, whole)).speaker
