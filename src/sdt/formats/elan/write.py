"""Writer of ELAN's annotation format: a new file."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from sdt.conversation import Conversation, Prediction, Tier, Utterance
from sdt.errors import InputError
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.tiers import lanes
from sdt.formats.parsing.xml import xml_attributes, xml_text
from sdt.formats.transcript import Transcript, tidy

_ROOT = (
    '<ANNOTATION_DOCUMENT AUTHOR="" DATE="1970-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">\n'
)
TYPES = {
    names.SPEECH: None,
    names.FREE: None,
    names.WORDS: "Included_In",
    names.PREDICTION: "Symbolic_Association",
    names.LABEL: "Symbolic_Association",
    names.FIELD: "Symbolic_Association",
}
"""The linguistic types, and how their annotations relate to those of the parent tier."""
CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
_MIME = {".wav": "audio/x-wav", ".mp4": "video/mp4", ".mp3": "audio/mpeg", ".mpg": "video/mpeg"}


@dataclass
class EafWriter:
    """Collects the time slots and annotations of a file."""

    next_id: int = 1
    slots: list[tuple[int, int, int | None]] = field(default_factory=list)
    """(time that sorts it, number, milliseconds or None) of each time slot."""

    def slot(self, order: int, milliseconds: int | None) -> str:
        """Add a time slot and return its id."""
        self.slots.append((order, len(self.slots) + 1, milliseconds))
        return f"ts{len(self.slots)}"

    def annotation_id(self) -> str:
        """A new id of an annotation."""
        self.next_id += 1
        return f"a{self.next_id - 1}"

    def aligned(self, id_: str, start: str, end: str, text: str) -> str:
        """An annotation between two time slots."""
        attributes = xml_attributes(ANNOTATION_ID=id_, TIME_SLOT_REF1=start, TIME_SLOT_REF2=end)
        return _annotation("ALIGNABLE_ANNOTATION", attributes, text)

    def reference(self, parent: str, text: str) -> str:
        """An annotation of another annotation."""
        attributes = xml_attributes(ANNOTATION_ID=self.annotation_id(), ANNOTATION_REF=parent)
        return _annotation("REF_ANNOTATION", attributes, text)

    def time_order(self) -> Iterator[str]:
        """The element of the time slots, in order."""
        yield "    <TIME_ORDER>\n"
        for _, number, milliseconds in sorted(self.slots, key=lambda slot: slot[:2]):
            yield f"        <TIME_SLOT{xml_attributes(TIME_SLOT_ID=f'ts{number}', TIME_VALUE=milliseconds)}/>\n"
        yield "    </TIME_ORDER>\n"


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The parts of a file with one conversation.

    Raises:
        InputError: There are several conversations.
    """
    if len(transcript.conversations) != 1:
        raise InputError(f"{path or '-'}: ELAN files have one conversation each, but there are several; write jsonl")
    (conversation,) = transcript.conversations
    writer = EafWriter()
    tiers = [*_speech(writer, conversation, transcript.predicted), *_free(writer, conversation.tiers)]
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield _ROOT
    yield from _header(writer, conversation, _media(transcript, path))
    yield from writer.time_order()
    yield from tiers
    yield from map(linguistic_type, TYPES)
    yield from (constraint(name) for name in CONSTRAINTS)
    yield "</ANNOTATION_DOCUMENT>\n"


def _annotation(name: str, attributes: str, text: str) -> str:
    inside = f"                <ANNOTATION_VALUE>{xml_text(text)}</ANNOTATION_VALUE>\n"
    element = f"            <{name}{attributes}>\n{inside}            </{name}>\n"
    return f"        <ANNOTATION>\n{element}        </ANNOTATION>\n"


def linguistic_type(name: str) -> str:
    """The element of one of `TYPES`."""
    relation, aligned = TYPES[name], TYPES[name] in (None, "Included_In")
    attributes = xml_attributes(
        CONSTRAINTS=relation,
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID=name,
        TIME_ALIGNABLE="true" if aligned else "false",
    )
    return f"    <LINGUISTIC_TYPE{attributes}/>\n"


def constraint(name: str) -> str:
    """The element of one of `CONSTRAINTS`."""
    return f"    <CONSTRAINT{xml_attributes(DESCRIPTION=CONSTRAINTS[name], STEREOTYPE=name)}/>\n"


def tier(type_: str, id_: str, annotations: Iterable[str], **attributes: str | None) -> str:
    """The element of a tier; the attributes are PARENT_REF, PARTICIPANT and ANNOTATOR."""
    start = xml_attributes(LINGUISTIC_TYPE_REF=type_, TIER_ID=id_, **attributes)
    inside = "".join(annotations)
    return f"    <TIER{start}>\n{inside}    </TIER>\n" if inside else f"    <TIER{start}/>\n"


def prediction_tiers(
    writer: EafWriter,
    parent: str,
    utterances: Sequence[tuple[str, Utterance, Prediction | None]],
    taken: Container[str] = (),
) -> Iterator[str]:
    """The tiers of emotion and probability, and of corrections, also if there is none yet, so that it can be filled.

    Args:
        writer: Gives the ids.
        parent: The tier of the utterances.
        utterances: The id of each annotation, its utterance and its prediction.
        taken: The short names of other child tiers.
    """
    found = [(id_, one) for id_, _, one in utterances if one is not None and one.emotion is not None]
    emotions = [writer.reference(id_, one.emotion or "") for id_, one in found]
    shares = [writer.reference(id_, f"{one.probability:.6g}") for id_, one in found]
    reviewed = [writer.reference(id_, one.label) for id_, one, _ in utterances if one.review and one.label]
    emotion, probability = names.prediction_names(taken)
    yield tier(names.PREDICTION, child_id(emotion, parent), emotions, PARENT_REF=parent)
    yield tier(names.PREDICTION, child_id(probability, parent), shares, PARENT_REF=parent)
    if names.CORRECTION not in taken:
        yield tier(names.LABEL, child_id(names.CORRECTION, parent), reviewed, PARENT_REF=parent)


def child_id(name: str, parent: str) -> str:
    """The id of a child tier."""
    return f"{name}{names.SEPARATOR}{parent}"


def _header(writer: EafWriter, conversation: Conversation, media: str | None) -> Iterator[str]:
    yield '    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">\n'
    if media:
        kind = _MIME.get(PurePath(media).suffix.lower(), "unknown")
        attributes = xml_attributes(MEDIA_URL=media, MIME_TYPE=kind, RELATIVE_MEDIA_URL=media)
        yield f"        <MEDIA_DESCRIPTOR{attributes}/>\n"
    properties = {**conversation.extra, "lastUsedAnnotationId": writer.next_id - 1}
    for name, text in properties.items():
        yield f"        <PROPERTY{xml_attributes(NAME=name)}>{xml_text(str(text))}</PROPERTY>\n"
    yield "    </HEADER>\n"


def _media(transcript: Transcript, path: Path | None) -> str | None:
    """The name of the recording: that of the conversation, or that of all utterances."""
    (conversation,) = transcript.conversations
    clips = {*transcript.clips.values()}
    if conversation.media or len(clips) != 1:
        return conversation.media
    clip = clips.pop().absolute()
    return clip.name if path is not None and clip.parent == path.absolute().parent else clip.as_uri()


def _speech(
    writer: EafWriter, conversation: Conversation, predicted: Mapping[tuple[str, str], Prediction]
) -> Iterator[str]:
    """The tiers of the speakers with their child tiers."""
    groups: dict[tuple[str, int], list[tuple[int, Utterance]]] = {}
    orders = _orders(conversation)
    for utterance, lane, order in zip(conversation.utterances, lanes(conversation), orders, strict=True):
        groups.setdefault((utterance.speaker, lane), []).append((order, utterance))
    numbered = [one.id for one in conversation.utterances] == [str(n) for n in range(len(conversation))]
    numbered = numbered and orders == sorted(orders)
    ids = {key: writer.annotation_id() for key in range(len(conversation))}
    numbers = {one.id: number for number, one in enumerate(conversation.utterances)}
    ends = {}
    starts = {}
    for number, (one, order) in enumerate(zip(conversation.utterances, orders, strict=True)):
        starts[number] = writer.slot(order, None if one.start is None else order)
        end = None if one.end is None or one.start is None else max(round(1000 * one.end), order + 1)
        ends[number] = writer.slot(order if end is None else end, end)
    taken = {tier.name for tier in conversation.tiers}
    for (speaker, _), group in groups.items():
        name = _tier_id(speaker, taken)
        rows = [(ids[numbers[one.id]], one, predicted.get((conversation.id, one.id))) for _, one in group]
        said = [
            writer.aligned(id_, starts[numbers[one.id]], ends[numbers[one.id]], tidy(one.text or ""))
            for id_, one, _ in rows
        ]
        yield tier(names.SPEECH, name, said, PARTICIPANT=speaker)
        yield from _child_tiers(writer, name, rows, with_ids=not numbered)


def _child_tiers(
    writer: EafWriter, parent: str, rows: Sequence[tuple[str, Utterance, Prediction | None]], *, with_ids: bool
) -> Iterator[str]:
    if any(prediction is not None or one.review for _, one, prediction in rows):
        yield from prediction_tiers(writer, parent, rows)
    labels = [writer.reference(id_, one.label) for id_, one, _ in rows if one.label and not one.review]
    if labels:
        yield tier(names.LABEL, child_id("label", parent), labels, PARENT_REF=parent)
    for number, (annotator, of) in enumerate(_annotators(rows).items(), start=1):
        given = [writer.reference(id_, label) for id_, label in of]
        name = child_id(f"label {number}", parent)
        yield tier(names.LABEL, name, given, PARENT_REF=parent, ANNOTATOR=annotator)
    fields: dict[str, list[tuple[str, str]]] = {}
    for id_, one, prediction in rows:
        inferred = "confirmed" if prediction is not None and prediction.emotion == one.label else "corrected"
        if one.review and one.review != inferred:
            fields.setdefault(names.REVIEW, []).append((id_, one.review))
        if with_ids:
            fields.setdefault(names.ID, []).append((id_, one.id))
        for name, text in one.extra.items():
            fields.setdefault(names.field_tier(name), []).append((id_, tidy(str(text))))
    for name, texts in fields.items():
        given = [writer.reference(id_, text) for id_, text in texts]
        yield tier(names.FIELD, child_id(name, parent), given, PARENT_REF=parent)
    if any(one.words for _, one, _ in rows):
        words = [
            writer.aligned(writer.annotation_id(), *_range(writer, word.start, word.end), tidy(word.text))
            for _, one, _ in rows
            for word in one.words
        ]
        yield tier(names.WORDS, child_id("words", parent), words, PARENT_REF=parent)


def _annotators(rows: Sequence[tuple[str, Utterance, Prediction | None]]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for id_, one, _ in rows:
        for annotation in one.annotations:
            found.setdefault(annotation.annotator, []).append((id_, annotation.label))
    return found


def _free(writer: EafWriter, tiers: Sequence[Tier]) -> Iterator[str]:
    for one in tiers:
        spans = [
            writer.aligned(writer.annotation_id(), *_range(writer, span.start, span.end), tidy(span.text))
            for span in one.spans
        ]
        yield tier(names.FREE, one.name, spans)


def _range(writer: EafWriter, start: float, end: float | None) -> tuple[str, str]:
    """The slots of a time range of at least 1 ms."""
    first = round(1000 * start)
    last = max(first + 1, round(1000 * (start if end is None else end)))
    return writer.slot(first, first), writer.slot(last, last)


def _orders(conversation: Conversation) -> list[int]:
    """The milliseconds that sort the start of each utterance; one without a time follows the previous one."""
    found: list[int] = []
    for one in conversation.utterances:
        found.append((found[-1] if found else 0) if one.start is None else round(1000 * one.start))
    return found


def _tier_id(speaker: str, taken: set[str]) -> str:
    """An id for the tier of a speaker that no other tier has, nor could a child tier of it have."""
    base = speaker.replace(names.SEPARATOR, "_") or "speaker"
    name, number = base, 1
    while any(one == name or one.endswith(f"{names.SEPARATOR}{name}") for one in taken):
        number += 1
        name = f"{base} {number}"
    taken.add(name)
    return name
