"""Turns, the common output of all readers of transcripts, and their assembly to conversations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from sdt.conversation import (
    Annotation,
    Conversation,
    Prediction,
    Review,
    SpeakerTurn,
    Utterance,
    Value,
    Word,
)
from sdt.errors import InputError, quoted
from sdt.text import repair_windows1252

_CONTROL = dict.fromkeys([*range(0x20), 0x7F], " ")


@dataclass(frozen=True)
class Transcript:
    """The conversations of a file or a folder, and what belongs to them: all that formats read and write."""

    conversations: list[Conversation]
    clips: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    """(conversation id, utterance id) to the media file that the transcript names for this utterance; its existence is
    not checked."""
    notes: list[str] = field(default_factory=list)
    """Repairs and assumptions, one line each."""
    turns: Sequence[SpeakerTurn] = ()
    """Who speaks when in a recording, in order of time, if it is known; also where no word was recognised."""
    predictions: Sequence[Prediction] = ()
    """The predictions for some or all utterances, if the file has them."""

    @cached_property
    def predicted(self) -> Mapping[tuple[str, str], Prediction]:
        """(conversation id, utterance id) to the prediction."""
        return {(one.conversation, one.utterance): one for one in self.predictions}

    def rows(self) -> Iterator[tuple[Conversation, Utterance, Prediction | None]]:
        """Every utterance with its conversation and its prediction, in order."""
        for conversation in self.conversations:
            for utterance in conversation.utterances:
                yield conversation, utterance, self.predicted.get((conversation.id, utterance.id))


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance of a file; unspecified values are None."""

    line: int
    """The line of its start, from 1."""
    text: str | None
    speaker: str | None = None
    start: float | None = None
    end: float | None = None
    id: str | None = None
    label: str | None = None
    clip: Path | None = None
    conversation: str | None = None
    review: Review | None = None
    words: tuple[Word, ...] = ()
    annotations: tuple[Annotation, ...] = ()
    extra: Mapping[str, Value] = field(default_factory=dict)
    prediction: Prediction | None = None
    """A prediction that the file has; `assemble` sets its ids."""
    changed: bool = False
    """Whether the file marks a change of speaker without a name."""


def tidy(text: str) -> str:
    r"""Repair text and join it in one line: white space and control characters become single spaces.

    Example:
        >>> tidy(" don\x92t\n go ")
        'don’t go'
    """
    if not text.isprintable():  # most text is printable and needs no repair
        text = repair_windows1252(text).translate(_CONTROL)
    return " ".join(text.split())


def assemble(path: Path, turns: Sequence[Turn], notes: Sequence[str]) -> Transcript:
    """Turn the turns of a file into conversations.

    Turns without a conversation belong to the conversation with the name of the file. A turn without a speaker has the
    speaker of the previous turn, or a new speaker if there is none; after a change of speaker without a name, it has
    the speaker before the previous one. An utterance without an id gets its number in the conversation, from 0. A turn
    with a start but no end lasts until the start of the next one.

    Raises:
        InputError: There are no turns, two turns have the same id, or a turn ends before it starts.
    """
    if not turns:
        raise InputError(f"{path}: the file has no utterances{'; '.join(['', *notes])}")
    notes = list(notes)
    groups: dict[str, list[Turn]] = {}
    for turn in turns:
        if turn.start is not None and turn.end is not None and turn.end < turn.start:
            raise InputError(f"{path}, line {turn.line}: end {turn.end} is before start {turn.start}")
        groups.setdefault(path.stem if turn.conversation is None else turn.conversation, []).append(turn)
    clips: dict[tuple[str, str], Path] = {}
    predictions: list[Prediction] = []
    conversations = []
    for name, group in groups.items():
        utterances: dict[str, Utterance] = {}
        for number, (turn, speaker) in enumerate(zip(_fill_ends(group), _fill_speakers(group), strict=True)):
            id_ = str(number) if turn.id is None else turn.id
            if id_ in utterances:
                raise InputError(
                    f"{path}, line {turn.line}: conversation {quoted(name)} has two utterances {quoted(id_)}"
                )
            utterances[id_] = Utterance(
                id_,
                speaker,
                turn.text,
                turn.label,
                turn.start,
                turn.end,
                turn.review,
                turn.words,
                turn.annotations,
                turn.extra,
            )
            if turn.prediction is not None:
                prediction = replace(turn.prediction, conversation=name, utterance=id_)
                predictions.append(prediction.with_utterance(utterances[id_]))
            if turn.clip is not None:
                clips[name, id_] = turn.clip
        conversations.append(Conversation(name, tuple(utterances.values())))
    notes += _speaker_notes(turns, groups)
    notes += _time_notes(groups)
    return Transcript(conversations, clips, [f"{path.name}: {note}" for note in notes], predictions=predictions)


def _fill_speakers(turns: Sequence[Turn]) -> list[str]:
    """The speaker of each turn of a conversation; see `assemble`."""
    named = {turn.speaker for turn in turns}
    new = (name for n in itertools.count(1) if (name := f"Speaker {n}") not in named)
    speakers: list[str] = []
    speaker = other = ""
    for turn in turns:
        following = turn.speaker or (other if turn.changed and speaker else speaker) or next(new)
        if following != speaker:
            speaker, other = following, speaker
        speakers.append(speaker)
    return speakers


def _fill_ends(turns: Sequence[Turn]) -> list[Turn]:
    """The turns of a conversation; a turn with a start but no end lasts until the start of the next one."""
    filled = list(turns)
    for index, (turn, following) in enumerate(itertools.pairwise(turns)):
        if turn.start is not None and turn.end is None and following.start is not None:
            filled[index] = replace(turn, end=following.start if following.start > turn.start else None)
    return filled


def _speaker_notes(turns: Sequence[Turn], groups: Mapping[str, Sequence[Turn]]) -> list[str]:
    named = [group for group in groups.values() if any(turn.speaker or turn.changed for turn in group)]
    if not named:
        one = "one speaker" if len(groups) == 1 else "one speaker per conversation"
        count = "the utterance is" if len(turns) == 1 else f"all {len(turns)} utterances are"
        return [f"no speaker names found: {count} assigned to {one}"]
    notes = []
    if unnamed := len(groups) - len(named):
        notes.append(f"{unnamed} of {len(groups)} conversations have no speaker names: one speaker is assumed for each")
    if changed := sum(turn.changed and not turn.speaker for turn in turns):
        notes.append(f"changes of speaker without a name: {changed}; assigned to the speaker before the previous one")
    if carried := sum(not (turn.speaker or turn.changed) for group in named for turn in group):
        notes.append(f"{carried} of {len(turns)} utterances have no speaker name: assigned to the previous speaker")
    return notes


def _time_notes(groups: Mapping[str, Sequence[Turn]]) -> list[str]:
    unordered, overlapping, without_end = [], [], []
    for turns in groups.values():
        for turn, following in itertools.pairwise(turns):
            if turn.start is None or following.start is None:
                continue
            if turn.end is None:
                without_end.append(turn.line)
            if following.start < turn.start:
                unordered.append(following.line)
                continue
            same = (turn.start, turn.end) == (following.start, following.end)  # several speakers of one cue
            if turn.end is not None and turn.start <= following.start < turn.end and not same:
                overlapping.append(following.line)
    notes = []
    if without_end:
        notes.append(f"utterances without an end: {_count(without_end)}; each lasts until the next one starts")
    if unordered:
        notes.append(f"utterances that start before the previous one: {_count(unordered)}; order of the file kept")
    if overlapping:
        notes.append(f"utterances that overlap the previous one: {_count(overlapping)}; times kept")
    return notes


def _count(lines: Sequence[int]) -> str:
    return f"{len(lines)}, first in line {lines[0]}"
