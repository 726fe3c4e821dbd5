"""Random conversations, and what of them a format keeps if only the named losses are lost."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sdt.conversation import Annotation, Conversation, Prediction, Review, Span, Tier, Utterance, Word
from sdt.formats.format import DEFAULT_SECONDS, Format, Holds
from sdt.formats.losses import CONVERSATION_ID, TIMES_STEP, losses
from sdt.formats.parsing.notices import is_sound
from sdt.formats.read import read_transcript
from sdt.formats.transcript import Transcript, tidy

EXAMPLES = int(os.environ.get("SDT_FORMAT_EXAMPLES", "1000"))
"""Random conversations a format; SDT_FORMAT_EXAMPLES=10000 tests more."""
few = settings(max_examples=max(EXAMPLES // 20, 10), deadline=None)
"""For checks by readers of other packages, which are slow."""
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PIECES = (
    "<b>", "&amp;", "&#65;", "-->", '"', '""', "'", "[joy 0.50] ", "[joy, labelled] ", "Ann: ", "|", "\\", "%", "*",
    "@", "#", ";;", "<NA>", "]]>", "(.)", "xxx", "\x85", "\u2028", "ärger", "生气", "😠", "e\u0301", "\u202e", "0",
    "-1", "=1", " ", " ", "a", "I got the job!", "no", "\u00a0", "{\\an8}", "&", ",", "\t", "\n", "؟", "x" * 50,
)  # fmt: skip
NAMES = ("Ann", "Ann 2", "Bob O'Neil", "Zoë", "王", "SPEAKER_00", "the other one")
ODD_NAMES = (*NAMES, "emotion@Ann", "a@b", "<b>", "- x", "id", "label", "field id", "words", "[1]", "A:", "\u202eAnn")
LABELS = ("joy", "so [so]", "a, b", "no emotion", "ärger 😠", "=1+1", "null", "very happy", "0")
FEATURES = ("untimed", "open", "fine", "unordered", "instant", "ids", "labels", "reviews", "annotators", "words",
            "extra", "tiers", "media", "properties", "predictions", "empty")  # fmt: skip


FILLING = ("jsonl", "json", "csv", "xlsx", "parquet", "datasets", "convokit", "audformat", "labelstudio")
"""Formats in which an utterance without an end lasts until the next one."""


@dataclass(frozen=True)
class Maker:
    """Makes random conversations. Hypothesis chooses the features and the size, so that failures become small."""

    random: Random
    features: frozenset[str]
    names: Sequence[str]

    def has(self, feature: str, share: float = 0.5) -> bool:
        return feature in self.features and self.random.random() < share

    def text(self, most: int = 5) -> str:
        pieces = [self.random.choice(PIECES) for _ in range(self.random.randint(1, most))]
        text = tidy("".join(pieces))
        return text if text and not is_sound(text) else "ok"  # readers of subtitles remove descriptions of sounds

    def milliseconds(self, least: int, most: int) -> float:
        return self.random.randint(least, most) / 1000

    def share(self) -> float:
        return self.random.randint(0, 1000) / 1000

    def conversation(self, name: str, size: int) -> Conversation:
        choice, now = self.random.choice, 0.0
        speakers = [choice(self.names) for _ in range(3)]
        ids = self.random.sample(ODD_NAMES, size) if self.has("ids") else [str(number) for number in range(size)]
        fine = 0.0002 if self.has("fine") else 0.0
        found = []
        for id_ in ids:
            now = round(max(0.0, now + self.milliseconds(-2000 if self.has("unordered", 0.3) else 0, 4000)), 3)
            start = None if self.has("untimed", 0.3) else round(now + fine, 6)
            found.append(self.utterance(id_, choice(speakers), start, fine))
        names = self.random.sample(ODD_NAMES, 2)
        return Conversation(
            name,
            tuple(found),
            tuple(self.tier(one) for one in names if self.has("tiers")),
            choice(["talk.wav", "media/the talk.mp4", "file:///a%20b/ü.wav"]) if self.has("media") else None,
            {one: self.text() for one in names} if self.has("properties") else {},
        )

    def utterance(self, id_: str, speaker: str, start: float | None, fine: float) -> Utterance:
        length = 0.0 if self.has("instant", 0.2) else self.milliseconds(1, 5000)
        end = None if start is None or self.has("open", 0.2) else round(start + length + fine, 6)
        text = None if self.has("empty", 0.2) else self.text()
        label = self.random.choice(LABELS) if self.has("labels") else None
        words: tuple[Word, ...] = ()
        if text and start is not None and end is not None and self.has("words"):
            words = self.words(text.split(), start, end)
        annotators = self.random.sample(NAMES, 2) if self.has("annotators") else []
        values = (self.text(), 3, True) if self.has("extra", 0.2) else (self.text(),)
        extra = self.random.sample(ODD_NAMES, 2) if self.has("extra") else []
        reviews: tuple[Review, ...] = ("corrected", "confirmed")
        return Utterance(
            id_,
            speaker,
            text,
            label,
            start,
            end,
            self.random.choice(reviews) if label and self.has("reviews") else None,
            words,
            tuple(
                Annotation(one, self.random.choice(LABELS), self.share() if self.random.random() < 0.5 else None)
                for one in annotators
            ),
            {one: self.random.choice(values) for one in extra},
        )

    def words(self, pieces: Sequence[str], start: float, end: float) -> tuple[Word, ...]:
        step = (end - start) / len(pieces)
        if step < 0.02:
            return ()
        begins = [round(start + 0.001 + number * step, 3) for number in range(len(pieces))]
        return tuple(
            Word(one, begin, round(begin + 0.8 * step - 0.002, 3), self.share() if self.random.random() < 0.5 else None)
            for one, begin in zip(pieces, begins, strict=True)
        )

    def tier(self, name: str) -> Tier:
        points, now, spans = self.random.random() < 0.3, 0.0, []
        for _ in range(self.random.randint(0, 3)):
            start = round(now + self.milliseconds(0, 2000), 3)
            now = round(start + self.milliseconds(1, 2000), 3)
            spans.append(Span(self.text(), start, None if points else now))
        return Tier(name, tuple(spans), points)

    def prediction(self, conversation: str, utterance: Utterance) -> Prediction:
        share = self.share()
        probabilities = dict(zip(self.random.sample(LABELS, 2), (share, round(1 - share, 3)), strict=True))
        emotion = max(probabilities, key=lambda label: probabilities[label])
        branches = {"text": probabilities, "audio": None}
        prediction = Prediction(
            conversation, utterance.id, emotion, probabilities, branches, {"text": 1.0, "audio": None}
        )
        return prediction.with_utterance(utterance)


def transcripts(
    *, without: Sequence[str] = (), several: tuple[int, int] = (1, 1), names: Sequence[str] = ODD_NAMES
) -> st.SearchStrategy[Transcript]:
    """Conversations with everything that formats hold.

    Args:
        without: Features that they lack: the format refuses them.
        several: The smallest and the largest number of conversations.
        names: The names of speakers.
    """
    features = [feature for feature in FEATURES if feature not in without]

    def make(seed: int, chosen: frozenset[str], size: int, count: int) -> Transcript:
        maker = Maker(Random(seed), chosen, names)
        ids = ["talk", *maker.random.sample([*NAMES, *map(str, range(count))], count - 1)]
        conversations = [maker.conversation(id_, size) for id_ in ids]
        predictions = [maker.prediction(c.id, u) for c in conversations for u in c.utterances]
        return Transcript(conversations, predictions=predictions if "predictions" in chosen else [])

    return st.builds(
        make,
        st.integers(0, 2**32),
        st.frozensets(st.sampled_from(features)),
        st.integers(1, 6),
        st.integers(*several),
    )


def kept(transcript: Transcript, format: Format, path: Path) -> Transcript:
    """What a file keeps, if exactly the named losses are lost."""
    lost = {loss.name for loss in losses(transcript, format, path)}
    pairs = [_kept(one, transcript, format, path, lost) for one in transcript.conversations]
    return Transcript([one for one, _ in pairs], predictions=[one for _, of in pairs for one in of])


def _kept(
    conversation: Conversation, transcript: Transcript, format: Format, path: Path, lost: set[str]
) -> tuple[Conversation, list[Prediction]]:
    given = [transcript.predicted.get((conversation.id, one.id)) for one in conversation.utterances]
    rows = [
        (_kept_utterance(one, format, lost), _kept_prediction(prediction, format, lost))
        for one, prediction in zip(conversation.utterances, given, strict=True)
    ]
    if Holds.PREDICTED_LABELS.title in lost:
        rows = [(one, None if one.label else prediction) for one, prediction in rows]
    if Holds.ORDER.title in lost:
        last, order = 0.0, []
        for number, (one, _) in enumerate(rows):  # one without a time stays behind the previous one
            last = last if one.start is None else one.start
            order.append((last, number))
        rows = [rows[number] for _, number in sorted(order)]
    found, predictions = [one for one, _ in rows], [prediction for _, prediction in rows]
    if Holds.OPEN_ENDS.title in lost and format.name in FILLING:
        found = _until_next(found)
    if Holds.IDS.title in lost or (Holds.ORDER.title in lost and Holds.IDS not in format.holds):
        found = [replace(one, id=str(number)) for number, one in enumerate(found)]
    id_ = path.stem if CONVERSATION_ID in lost else conversation.id
    kept_conversation = Conversation(
        id_,
        tuple(found),
        () if Holds.TIERS.title in lost else tuple(_kept_tier(tier, format, lost) for tier in conversation.tiers),
        None if Holds.MEDIA.title in lost else conversation.media,
        {} if Holds.CONVERSATION_EXTRA.title in lost else conversation.extra,
    )
    pairs = zip(found, predictions, strict=True)
    return kept_conversation, [replace(of, conversation=id_, utterance=one.id) for one, of in pairs if of is not None]


def _kept_tier(tier: Tier, format: Format, lost: set[str]) -> Tier:
    if not (tier.points and Holds.POINTS.title in lost):
        return tier
    spans = tuple(replace(span, end=round(span.start + format.step, 6)) for span in tier.spans)
    return Tier(tier.name, spans)


def _kept_utterance(one: Utterance, format: Format, lost: set[str]) -> Utterance:
    def gone(kind: Holds) -> bool:
        return kind.title in lost

    if gone(Holds.WORD_CONFIDENCES):
        one = replace(one, words=tuple(Word(word.text, word.start, word.end) for word in one.words))
    fills = format.name not in FILLING
    if gone(Holds.OPEN_ENDS) and fills and one.start is not None and one.end is None:
        one = replace(one, end=round(one.start + DEFAULT_SECONDS, 6))
    if TIMES_STEP in lost:
        one = replace(one, start=_rounded(one.start, format), end=_rounded(one.end, format))
    if Holds.INSTANTS not in format.holds and one.start is not None and one.start == one.end:  # also by rounding
        one = replace(one, end=round(one.start + (format.step or 0.001), 6))
    if gone(Holds.CONFIDENCES):
        one = replace(one, annotations=tuple(replace(of, confidence=None) for of in one.annotations))
    if gone(Holds.VALUE_TYPES):
        one = replace(one, extra={name: str(value) for name, value in one.extra.items()})
    without = {
        Holds.TEXT: {"text": None},
        Holds.TIMES: {"start": None, "end": None, "words": ()},
        Holds.LABELS: {"label": None, "review": None},
        Holds.REVIEWS: {"review": None},
        Holds.ANNOTATORS: {"annotations": ()},
        Holds.WORDS: {"words": ()},
        Holds.EXTRA: {"extra": {}},
    }
    for kind, fields in without.items():
        if gone(kind):
            one = replace(one, **fields)  # type: ignore[arg-type]
    if gone(Holds.SPACES):
        one = replace(one, speaker="_".join(one.speaker.split()))
    return replace(one, speaker="Speaker 1") if gone(Holds.SPEAKERS) else one


def _until_next(found: list[Utterance]) -> list[Utterance]:
    """Utterances without an end last until the next one."""
    for number, one in enumerate(found[:-1]):
        start = found[number + 1].start
        if one.start is not None and one.end is None and start is not None:
            found[number] = replace(one, end=start if start > one.start else None)
    return found


def _rounded(time: float | None, format: Format) -> float | None:
    return None if time is None else round(round(time / format.step) * format.step, 6)


def _kept_prediction(prediction: Prediction | None, format: Format, lost: set[str]) -> Prediction | None:
    if prediction is None or prediction.emotion is None or Holds.PREDICTIONS.title in lost:
        return None
    if Holds.BRANCHES.title in lost:
        prediction = replace(prediction, branches={}, weights={})
    if Holds.PROBABILITIES.title not in lost:
        return prediction
    assert prediction.emotion is not None
    share = round(prediction.probability or 0.0, 2 if format.name in ("vtt", "srt", "audacity") else 6)
    return replace(prediction, probabilities={prediction.emotion: share})


def comparable(transcript: Transcript) -> object:
    """All that a transcript holds, to the millisecond for words."""
    utterances = [
        (
            conversation.id,
            conversation.tiers,
            conversation.media,
            dict(conversation.extra),
            list(map(_plain, conversation.utterances)),
        )
        for conversation in transcript.conversations
    ]
    predictions = [
        (
            one.emotion,
            dict(one.probabilities),
            {m: of and dict(of) for m, of in one.branches.items()},
            dict(one.weights),
        )
        for one in transcript.predictions
    ]
    return utterances, predictions


def _plain(one: Utterance) -> object:
    annotations = tuple(sorted(one.annotations, key=lambda of: of.annotator))  # their order means nothing
    return replace(one, extra=dict(one.extra), annotations=annotations)


def render(path: Path, transcript: Transcript, format: Format) -> None:
    """Write a file or a folder without making it durable, which takes longer than all else."""
    if format.write_file:
        if format.content == "folder":
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        format.write_file(transcript, path)
        return
    assert format.write
    path.write_text("".join(format.write(transcript, path)), encoding="utf-8", newline="")


def sorted_ties(transcript: Transcript) -> Transcript:
    """Utterances that start at the same time in an order of their own, without their positions as ids."""
    conversations = []
    predictions = []
    for conversation in transcript.conversations:
        found = sorted(conversation.utterances, key=lambda one: (one.start or 0.0, one.speaker, repr(_plain(one))))
        conversations.append(replace(conversation, utterances=tuple(found)))
        predictions += [
            transcript.predicted[conversation.id, one.id]
            for one in found
            if (conversation.id, one.id) in transcript.predicted
        ]
    return Transcript(conversations, predictions=predictions)


def check_round_trip(folder: Path, transcript: Transcript, format: Format) -> Path:
    """Write a file, read it, and compare it with what the named losses leave."""
    path = folder / f"talk{format.suffix}"
    render(path, transcript, format)
    found, expected = read_transcript(path), kept(transcript, format, path)
    lost = {loss.name for loss in losses(transcript, format, path)}
    if Holds.TIES not in format.holds and lost & {Holds.TIES.title, Holds.ORDER.title}:
        found, expected = sorted_ties(found), sorted_ties(expected)
    assert comparable(found) == comparable(expected)
    return path
