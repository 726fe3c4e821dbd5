"""Reader of TextGrids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Prediction, Review, Span, Tier, Utterance, Word
from sdt.errors import InputError, join_names
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.word_groups import group_words
from sdt.formats.textgrid.layout import Layout, find_layout
from sdt.formats.textgrid.parse import Grid, GridSpan, GridTier, parse
from sdt.formats.transcript import Transcript, tidy

NO_TEXT = "[no text]"
"""The text of an utterance without one: an interval without text is a pause."""
PAUSE_SECONDS = 0.3
"""Words with a longer pause between them are in different utterances."""
_SILENCE = re.compile(r"<(?:sil|sp|spn|p:?|eps|pau|#)>|sil|sp", re.IGNORECASE)


def read(path: Path, decoded: Decoded) -> Transcript:
    """Read the conversation of a file; see `sdt.formats.textgrid`.

    Raises:
        InputError: The file is damaged, or no tier has utterances; the message names the line.
    """
    grid = parse(path, decoded.text)
    layout = layout_of(grid.tiers)
    rows = spoken(grid, layout)
    if not rows:
        raise InputError(f"{path}: no interval tier has text")
    fields = {number: _fields(grid, layout, number) for number in layout.speech}
    utterances: list[Utterance] = []
    predictions = []
    for number, (tier, position, span, words) in enumerate(rows):
        own = {kind: of[position] for kind, of in fields[tier].items() if position in of}
        utterance = _utterance(number, layout.speech[tier], span, own, words or _words_of(grid, layout, tier, span))
        utterances.append(utterance)
        if (predicted := names.find_prediction(own)) is not None:
            _, emotion, probability = predicted
            prediction = Prediction(path.stem, utterance.id, emotion, {emotion: probability})
            predictions.append(prediction.with_utterance(utterance))
    if len({one.id for one in utterances}) < len(utterances):
        raise InputError(f"{path}: two utterances have the same id in the tiers {names.ID}{names.SEPARATOR}...")
    free = [_free_tier(grid, number) for number in layout.others]
    notes = [f"{path.name}: read as speech: {join_names([grid.tiers[number].name for number in layout.speech])}"]
    if free:
        notes.append(f"{path.name}: kept as other tiers: {join_names([tier.name for tier in free])}")
    return Transcript(
        [Conversation(path.stem, tuple(utterances), tuple(free))],
        notes=notes if free or layout.words else [],
        predictions=predictions,
    )


def layout_of(tiers: Sequence[GridTier]) -> Layout:
    """The roles of tiers."""
    names_, points = [tier.name for tier in tiers], [tier.points for tier in tiers]
    return find_layout(names_, points, [not tier.filled for tier in tiers])


Row = tuple[int, int, GridSpan, tuple[Word, ...]]
"""The tier of an utterance, its position among the intervals of this tier, its interval, and its words."""


def spoken(grid: Grid, layout: Layout) -> list[Row]:
    """The utterances in order of their starts."""
    rows: list[Row] = []
    for tier in layout.speech:
        spans = [(position, span) for position, span in enumerate(grid.tiers[tier].spans) if _is_said(span.text)]
        if layout.words:
            groups = group_words([Word(tidy(span.text), span.start, span.end) for _, span in spans], PAUSE_SECONDS)
            rows += [(tier, position, _joined(group), group) for position, group in enumerate(groups)]
        else:
            rows += [(tier, position, span, ()) for position, span in spans]
    return sorted(rows, key=lambda row: row[2].start)


def _is_said(text: str) -> bool:
    return bool(tidy(text)) and not _SILENCE.fullmatch(tidy(text))


def _joined(words: Sequence[Word]) -> GridSpan:
    return GridSpan(words[0].start, words[-1].end, " ".join(word.text for word in words))


def _fields(grid: Grid, layout: Layout, tier: int) -> dict[str, dict[int, str]]:
    """Short name of each tier that describes utterances, to the text by the position of the utterance's interval."""
    spans = [(position, span) for position, span in enumerate(grid.tiers[tier].spans) if _is_said(span.text)]
    found: dict[str, dict[int, str]] = {}
    for kind, child in layout.children[tier].items():
        if names.is_words(kind):
            continue
        texts: dict[int, str] = {}
        next_ = 0
        for span in grid.tiers[child].filled:
            middle = (span.start + span.end) / 2
            while next_ < len(spans) and spans[next_][1].end <= middle:
                next_ += 1
            if next_ < len(spans) and spans[next_][1].start <= middle:
                texts.setdefault(spans[next_][0], tidy(span.text))
        found[kind] = texts
    return found


def _words_of(grid: Grid, layout: Layout, tier: int, span: GridSpan) -> tuple[Word, ...]:
    child = next((of for kind, of in layout.children[tier].items() if names.is_words(kind)), None)
    if child is None:
        return ()
    words = (word for word in _between(grid.tiers[child].spans, span) if _is_said(word.text))
    return tuple(Word(tidy(word.text), word.start, word.end) for word in words)


def _between(spans: Sequence[GridSpan], around: GridSpan) -> Sequence[GridSpan]:
    """The spans whose middle is in another one; spans are sorted."""
    from bisect import bisect_left

    first = bisect_left(spans, around.start, key=lambda span: (span.start + span.end) / 2)
    last = bisect_left(spans, around.end, key=lambda span: (span.start + span.end) / 2)
    return spans[first:last]


def _utterance(number: int, speaker: str, span: GridSpan, own: Mapping[str, str], words: tuple[Word, ...]) -> Utterance:
    """An utterance with the texts of the tiers that describe it, by their short names."""
    text = tidy(span.text)
    correction, predicted = own.get(names.CORRECTION), names.find_prediction(own)
    others = {kind: of for kind, of in own.items() if not (predicted and kind in predicted[0])}
    label = correction or own.get("label") or others.get(names.EMOTION)
    reviews: dict[str | None, Review] = {"corrected": "corrected", "confirmed": "confirmed"}
    review: Review | None = None
    if correction is not None:
        inferred: Review = "confirmed" if predicted and correction == predicted[1] else "corrected"
        review = reviews.get(own.get(names.REVIEW), inferred)
    annotators = {kind: of for kind, of in own.items() if kind.startswith("label ")}
    known = {names.CORRECTION, names.EMOTION, names.REVIEW, names.ID, "label"}
    return Utterance(
        own.get(names.ID, str(number)),
        tidy(speaker) or "Speaker 1",
        None if text == NO_TEXT else text,
        label,
        span.start,
        span.end,
        review,
        words,
        tuple(Annotation(kind.removeprefix("label "), of) for kind, of in annotators.items()),
        {names.field_name(kind): of for kind, of in others.items() if kind not in known and kind not in annotators},
    )


def _free_tier(grid: Grid, number: int) -> Tier:
    tier = grid.tiers[number]
    spans = [Span(tidy(span.text), span.start, None if tier.points else span.end) for span in tier.filled]
    return Tier(tier.name, tuple(spans), tier.points)
