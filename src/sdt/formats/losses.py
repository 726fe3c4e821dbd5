"""Losses: what a transcript has that a format cannot hold, named before it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.formats.format import DEFAULT_SECONDS, Format, Holds
from sdt.formats.transcript import Transcript

TIMES_STEP = "precision of times"
ENDS = "ends"
CONVERSATION_ID = "conversation id"


@dataclass(frozen=True, slots=True)
class Loss:
    """One kind of content that a file of a format will lack."""

    name: str
    """The title of a member of `Holds`, `ends` (of a format with starts alone), `precision of times`, or
    `conversation id`."""
    count: int
    """How many utterances, tiers or conversations lose it."""
    first: str
    """The first of them: `conversation/utterance`, or the conversation with the name of the tier."""

    def __str__(self) -> str:
        return f"{self.name}: {self.count:,}, first {self.first}"


def losses(transcript: Transcript, target: Format, path: Path | None = None) -> list[Loss]:
    """Find the losses of writing a transcript.

    Only what the transcript has is named. The id of a conversation is lost if the format has no place for
    it and the file has another name. Utterances without times, and several conversations, are no losses: formats that
    cannot hold them refuse them, or get a file for each conversation.

    Args:
        transcript: The conversations with all that belongs to them.
        target: The format.
        path: The file; its name becomes the id of the conversation if the format holds only one. None if unknown.

    Returns:
        A loss of each kind, in the order of `Holds`.
    """
    counts: dict[str, int] = {}
    first: dict[str, str] = {}
    for name, place in _content(transcript, target, path):
        counts[name] = counts.get(name, 0) + 1
        first.setdefault(name, place)
    order = [*(one.title for one in Holds), ENDS, TIMES_STEP, CONVERSATION_ID]
    return [Loss(name, counts[name], first[name]) for name in order if name in counts]


def _content(transcript: Transcript, target: Format, path: Path | None) -> Iterator[tuple[str, str]]:
    """The name of each loss with its place."""
    held = target.holds
    for conversation in transcript.conversations:
        if path and Holds.SEVERAL not in held and path.stem != conversation.id and len(transcript.conversations) == 1:
            yield CONVERSATION_ID, conversation.id
        for kind, place in _of_conversation(conversation):
            if kind not in held:
                yield kind.title, place
    for conversation, utterance, prediction in transcript.rows():
        place = f"{conversation.id}/{utterance.id}"
        clip = (conversation.id, utterance.id) in transcript.clips
        for kind in _of_utterance(utterance, prediction, clip=clip):
            if kind is Holds.TIMES and kind not in held and Holds.STARTS in held:
                if utterance.end is not None:
                    yield ENDS, place
            elif kind not in held:
                yield kind.title, place
        if held & (Holds.TIMES | Holds.STARTS) and target.step and _is_finer(utterance, target):
            yield TIMES_STEP, place


def _of_conversation(conversation: Conversation) -> Iterator[tuple[Holds, str]]:
    """What a conversation has, besides its utterances, and what the formats that lack it change."""
    if conversation.media:
        yield Holds.MEDIA, conversation.id
    if conversation.extra:
        yield Holds.CONVERSATION_EXTRA, f"{conversation.id}: {next(iter(conversation.extra))}"
        if any(not isinstance(value, str) for value in conversation.extra.values()):
            yield Holds.VALUE_TYPES, conversation.id
    for tier in conversation.tiers:
        yield Holds.TIERS, f"{conversation.id}: {tier.name}"
        if tier.points:
            yield Holds.POINTS, f"{conversation.id}: {tier.name}"
    starts = [(one.start, one.id) for one in conversation.utterances if one.start is not None]
    for (before, _), (start, id) in pairwise(starts):
        if start <= before:
            yield Holds.ORDER if start < before else Holds.TIES, f"{conversation.id}/{id}"
    for number, one in enumerate(conversation.utterances):
        if one.id != str(number):
            yield Holds.IDS, f"{conversation.id}/{one.id}"
    yield from ((Holds.OVERLAPS, f"{conversation.id}/{one.id}") for one in overlapping(conversation))


def overlapping(conversation: Conversation) -> Iterator[Utterance]:
    """The utterances that start before an earlier one of the same speaker has ended, in order of time."""
    ends: dict[str, float] = {}
    timed = [one for one in conversation.utterances if one.start is not None]
    for one in sorted(timed, key=lambda one: one.start or 0.0):
        assert one.start is not None
        if one.start < ends.get(one.speaker, 0.0):
            yield one
        end = one.start + DEFAULT_SECONDS if one.end is None else one.end
        ends[one.speaker] = max(ends.get(one.speaker, 0.0), end)


def _of_utterance(utterance: Utterance, prediction: Prediction | None, *, clip: bool) -> Iterator[Holds]:
    """What an utterance has."""
    has = {
        Holds.SPEAKERS: bool(utterance.speaker),
        Holds.SPACES: len(utterance.speaker.split()) > 1,
        Holds.TEXT: bool(utterance.text),
        Holds.TIMES: utterance.start is not None,
        Holds.INSTANTS: utterance.start is not None and utterance.end == utterance.start,
        Holds.OPEN_ENDS: utterance.start is not None and utterance.end is None,
        Holds.LABELS: utterance.label is not None,
        Holds.REVIEWS: utterance.review is not None,
        Holds.ANNOTATORS: bool(utterance.annotations),
        Holds.CONFIDENCES: any(one.confidence is not None for one in utterance.annotations),
        Holds.WORDS: bool(utterance.words),
        Holds.WORD_CONFIDENCES: any(one.probability is not None or one.overlapped for one in utterance.words),
        Holds.PREDICTIONS: prediction is not None and prediction.emotion is not None,
        Holds.PREDICTED_LABELS: prediction is not None and prediction.emotion is not None and bool(utterance.label),
        Holds.PROBABILITIES: prediction is not None and bool(prediction.probabilities),
        Holds.BRANCHES: prediction is not None and bool(prediction.branches or prediction.weights),
        Holds.CLIPS: clip,
        Holds.EXTRA: bool(utterance.extra),
        Holds.VALUE_TYPES: any(not isinstance(value, str) for value in utterance.extra.values()),
    }
    return (kind for kind, present in has.items() if present)


def _is_finer(utterance: Utterance, target: Format) -> bool:
    """Whether a time is not a multiple of the step of the format."""
    times = [utterance.start, utterance.end]
    if Holds.WORDS in target.holds:
        times += [time for word in utterance.words for time in (word.start, word.end)]
    return any(abs(time / target.step - round(time / target.step)) > 1e-4 for time in times if time is not None)
