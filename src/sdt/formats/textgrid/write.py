"""Writer of TextGrids, in the long format and UTF-8."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from sdt.conversation import Conversation, Prediction, Tier, Utterance
from sdt.formats.cues import require_times
from sdt.formats.format import DEFAULT_SECONDS
from sdt.formats.parsing import tiers as names
from sdt.formats.textgrid.layout import child_name, speech_name
from sdt.formats.textgrid.parse import GridSpan, GridTier
from sdt.formats.textgrid.read import NO_TEXT, layout_of
from sdt.formats.transcript import Transcript, tidy

SHORTEST = 0.001
"""Seconds; Praat has no intervals of length 0."""
Rows = Sequence[tuple[GridSpan, Utterance, Prediction | None]]
"""The interval of each utterance of a tier, the utterance and its prediction."""


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The parts of a file with one conversation.

    Raises:
        InputError: There are several conversations, or an utterance has no time.
    """
    require_times(transcript, path, "TextGrid")
    (conversation,) = transcript.conversations
    tiers = [*_speech(conversation, transcript.predicted), *map(_free, conversation.tiers)]
    end = max((span.end for tier in tiers for span in tier.spans), default=SHORTEST)
    yield f'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = {end!r} \n'
    yield f"tiers? <exists> \nsize = {len(tiers)} \nitem []: \n"
    for number, tier in enumerate(tiers, start=1):
        yield long_tier(tier, number, 0.0, end)


def long_tier(tier: GridTier, number: int, start: float, end: float) -> str:
    """A tier in the long format.

    Args:
        tier: The tier; an interval tier is filled with pauses.
        number: Its position, from 1.
        start: The start of the grid in seconds.
        end: The end of the grid in seconds.
    """
    head = [f"    item [{number}]:", f'        class = "{"TextTier" if tier.points else "IntervalTier"}" ']
    head += [
        f"        name = {_quote(tier.name)} ",
        f"        xmin = {_number(start)} ",
        f"        xmax = {_number(end)} ",
    ]
    lines: list[str] = []
    spans = tier.spans if tier.points else tiled(tier.spans, start, end)
    for position, span in enumerate(spans, start=1):
        if tier.points:
            lines.append(f"        points [{position}]:\n            number = {_number(span.start)} ")
            lines.append(f"            mark = {_quote(span.text)} ")
        else:
            lines.append(f"        intervals [{position}]:\n            xmin = {_number(span.start)} ")
            lines.append(f"            xmax = {_number(span.end)} \n            text = {_quote(span.text)} ")
    kind = "points" if tier.points else "intervals"
    return "\n".join([*head, f"        {kind}: size = {len(spans)} ", *lines, ""])


def short_tier(tier: GridTier, start: float, end: float) -> str:
    """A tier in the short format; see `long_tier`."""
    spans = tier.spans if tier.points else tiled(tier.spans, start, end)
    lines = ['"TextTier"' if tier.points else '"IntervalTier"', _quote(tier.name), _number(start), _number(end)]
    lines.append(str(len(spans)))
    for span in spans:
        lines += [_number(span.start), *([] if tier.points else [_number(span.end)]), _quote(span.text)]
    return "\n".join([*lines, ""])


def tiled(spans: Iterable[GridSpan], start: float, end: float) -> list[GridSpan]:
    """Intervals without gaps and overlaps, as Praat requires."""
    found: list[GridSpan] = []
    now = start
    for span in spans:
        if span.start > now:
            found.append(GridSpan(now, span.start, ""))
        first = max(now, span.start)
        if span.end > first:
            found.append(GridSpan(first, span.end, span.text))
            now = span.end
    return [*found, GridSpan(now, end, "")] if end > now or not found else found


def prediction_tiers(name: str, rows: Rows, taken: Container[str] = ()) -> Iterator[GridTier]:
    """The tiers of emotion and probability, and of corrections, also if there is none yet, so that it can be filled.

    Args:
        name: The tier of the utterances.
        rows: The utterances.
        taken: The short names of other tiers that describe them.
    """
    emotion, probability = names.prediction_names(taken)
    found = [(span, one) for span, _, one in rows if one is not None and one.emotion is not None]
    yield _child(emotion, name, [(span, one.emotion or "") for span, one in found])
    yield _child(probability, name, [(span, f"{one.probability:.6g}") for span, one in found])
    if names.CORRECTION not in taken:
        reviewed = [(span, one.label) for span, one, _ in rows if one.review and one.label]
        yield _child(names.CORRECTION, name, reviewed)


def _speech(conversation: Conversation, predicted: Mapping[tuple[str, str], Prediction]) -> Iterator[GridTier]:
    """The tiers of the speakers, and those that describe them."""
    groups: dict[tuple[str, int], list[tuple[GridSpan, Utterance, Prediction | None]]] = {}
    for one, lane in zip(conversation.utterances, names.lanes(conversation, DEFAULT_SECONDS), strict=True):
        assert one.start is not None
        end = round(one.start + DEFAULT_SECONDS, 6) if one.end is None else one.end
        end = end if end > one.start else round(one.start + SHORTEST, 6)
        span = GridSpan(one.start, end, tidy(one.text or "") or NO_TEXT)
        groups.setdefault((one.speaker, lane), []).append((span, one, predicted.get((conversation.id, one.id))))
    starts = [one.start or 0.0 for one in conversation.utterances]
    numbered = [one.id for one in conversation.utterances] == [str(number) for number in range(len(conversation))]
    with_ids = not numbered or any(after <= before for before, after in pairwise(starts))
    for plain in (True, False):
        tiers: list[GridTier] = []
        speech: set[int] = set()
        for (speaker, lane), rows in groups.items():
            name = speaker if plain and not lane else speech_name(speaker, lane)
            rows.sort(key=lambda row: row[0].start)
            speech.add(len(tiers))
            tiers.append(GridTier(name, False, [span for span, _, _ in rows]))
            tiers += _child_tiers(name, rows, with_ids=with_ids)
        if not plain or _is_clear(tiers, speech, groups, conversation):
            yield from tiers
            return


def _is_clear(
    tiers: Sequence[GridTier], speech: set[int], groups: Mapping[tuple[str, int], object], conversation: Conversation
) -> bool:
    """Whether the names tell which tiers hold speech, and of whom."""
    if any(lane for _, lane in groups):
        return False
    every = [*tiers, *map(_free, conversation.tiers)]
    if len({tier.name for tier in every}) < len(every):
        return False
    layout = layout_of(every)
    speakers = [speaker for speaker, _ in groups]
    others = range(len(tiers), len(every))
    clear = set(layout.speech) == speech and list(layout.speech.values()) == speakers and not layout.words
    return clear and layout.others == [*others]


def _child_tiers(name: str, rows: Rows, *, with_ids: bool) -> Iterator[GridTier]:
    if any(prediction is not None or one.review for _, one, prediction in rows):
        yield from prediction_tiers(name, rows)
    texts: dict[str, list[tuple[GridSpan, str]]] = {}
    for span, one, prediction in rows:
        inferred = "confirmed" if prediction is not None and prediction.emotion == one.label else "corrected"
        found = [("label", one.label)] if one.label and not one.review else []
        found += [(f"label {of.annotator}", of.label) for of in one.annotations]
        found += [(names.REVIEW, one.review)] if one.review and one.review != inferred else []
        found += [(names.ID, one.id)] if with_ids else []
        found += [(names.field_tier(field), tidy(str(value))) for field, value in one.extra.items()]
        for kind, text in found:
            texts.setdefault(kind, []).append((span, text or ""))
    yield from (_child(kind, name, of) for kind, of in texts.items())
    words = [GridSpan(word.start, word.end, tidy(word.text)) for _, one, _ in rows for word in one.words]
    if words:
        yield GridTier(child_name("words", name), False, words)


def _child(kind: str, name: str, texts: Iterable[tuple[GridSpan, str]]) -> GridTier:
    spans = [GridSpan(span.start, span.end, tidy(text)) for span, text in texts]
    return GridTier(child_name(kind, name), False, spans)


def _free(tier: Tier) -> GridTier:
    spans = []
    for span in tier.spans:
        end = span.start if tier.points else max(span.end or 0.0, round(span.start + SHORTEST, 6))
        spans.append(GridSpan(span.start, end, tidy(span.text)))
    return GridTier(tier.name, tier.points, spans)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _quote(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
