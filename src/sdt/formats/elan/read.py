"""Reader of ELAN's annotation format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.conversation import Annotation, Conversation, Prediction, Review, Span, Tier, Utterance, Word
from sdt.errors import InputError, join_names, quoted
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.xml import parse_xml, value
from sdt.formats.transcript import Transcript, tidy

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class EafAnnotation:
    """An annotation of a tier."""

    id: str
    text: str
    start: float | None = None
    """Seconds; None for one that refers to another annotation, or without a time."""
    end: float | None = None
    order: tuple[int, int] = (0, 0)
    """Sorts annotations: the time of its start in milliseconds, and the position of its time slot."""
    parent: str | None = None
    """The id of the annotation to which it refers."""


@dataclass(frozen=True, slots=True)
class EafTier:
    """A tier with its annotations."""

    id: str
    type: str
    parent: str | None
    participant: str | None
    annotator: str | None
    annotations: list[EafAnnotation] = field(default_factory=list)

    @property
    def aligned(self) -> bool:
        """Whether its annotations have times, instead of referring to others."""
        return all(one.parent is None for one in self.annotations)

    @property
    def speaker(self) -> str:
        """The name of the speaker."""
        return self.participant or tidy(self.id) or "Speaker 1"


@dataclass(frozen=True)
class EafDocument:
    """The tiers of a file, and which of them hold speech."""

    tiers: dict[str, EafTier]
    speech: list[EafTier]

    def spoken(self) -> list[tuple[EafTier, EafAnnotation]]:
        """The utterances in order, as tier and annotation."""
        pairs = [(tier, one) for tier in self.speech for one in tier.annotations]
        return sorted(pairs, key=lambda pair: pair[1].order)

    def children(self, tier: EafTier) -> Iterator[tuple[str, EafTier]]:
        """The tiers that refer to this one, with their short names."""
        for child in self.tiers.values():
            if child.parent == tier.id:
                yield names.child_name(child.id, tier.id), child


def parse(path: Path, text: str) -> tuple[Element, EafDocument]:
    """Parse a file.

    Raises:
        InputError: The file is not XML, or a tier, an annotation or a time is invalid.
    """
    root = parse_xml(path, text, "ELAN")
    slots = _slots(path, root)
    tiers: dict[str, EafTier] = {}
    for element in root.iterfind("TIER"):
        tier = _tier(path, element, slots)
        if tiers.setdefault(tier.id, tier) is not tier:
            raise InputError(f"{path}: two tiers are called {quoted(tier.id)}")
    return root, EafDocument(tiers, _speech_tiers([*tiers.values()]))


def read(path: Path, decoded: Decoded) -> Transcript:
    """Read the conversation of a file; see `sdt.formats.elan`."""
    root, document = parse(path, decoded.text)
    spoken = document.spoken()
    if not spoken:
        raise InputError(f"{path}: no tier has utterances")
    fields = {tier.id: _fields(document, tier) for tier in document.speech}
    words = {tier.id: _words(document, tier) for tier in document.speech}
    utterances: dict[str, Utterance] = {}
    predictions = []
    for number, (tier, one) in enumerate(spoken):
        own = {kind: of[one.id] for kind, of in fields[tier.id].items() if one.id in of}
        utterance = _utterance(number, tier, one, own, words[tier.id].get(one.id, ()))
        if utterances.setdefault(utterance.id, utterance) is not utterance:
            raise InputError(f"{path}: annotation {quoted(one.id)}: two utterances have the id {quoted(utterance.id)}")
        if (predicted := _prediction(own)) is not None:
            emotion, probability = predicted
            prediction = Prediction(path.stem, utterance.id, emotion, {emotion: probability})
            predictions.append(prediction.with_utterance(utterance))
    free = _free_tiers(document)
    conversation = Conversation(path.stem, tuple(utterances.values()), tuple(free), _media(root), _properties(root))
    notes = []
    if any(tier.type != names.SPEECH for tier in document.speech):
        notes.append(f"{path.name}: read as speech: {join_names([tier.id for tier in document.speech])}")
    if free and notes:
        notes.append(f"{path.name}: kept as other tiers: {join_names([tier.name for tier in free])}")
    return Transcript([conversation], notes=notes, predictions=predictions)


Slots = Mapping[str, tuple[float | None, tuple[int, int]]]
"""Id of a time slot to its seconds, and its sort key."""


def _slots(path: Path, root: Element) -> Slots:
    scale = {"milliseconds": 1, "NTSC-frames": 1001 / 30, "PAL-frames": 40}
    header = root.find("HEADER")
    units = "milliseconds" if header is None else header.get("TIME_UNITS") or "milliseconds"
    if units not in scale:
        raise InputError(f"{path}: TIME_UNITS {quoted(units)} are unknown; expected milliseconds")
    found: dict[str, tuple[float | None, tuple[int, int]]] = {}
    last = 0
    for position, slot in enumerate(root.iterfind("TIME_ORDER/TIME_SLOT")):
        id_, given = slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")
        if given is not None:
            try:
                last = round(int(given) * scale[units])
            except ValueError:
                last = -1
            if not 0 <= last < 10**12:
                raise InputError(
                    f"{path}: time slot {quoted(id_)}: TIME_VALUE {quoted(given)} is not a time in milliseconds"
                )
        found[id_] = None if given is None else last / 1000, (last, position)
    return found


def _tier(path: Path, element: Element, slots: Slots) -> EafTier:
    id_, get = element.get("TIER_ID"), element.get
    if not id_:
        raise InputError(f"{path}: a tier has no TIER_ID")
    participant, annotator = (tidy(get(name) or "") or None for name in ("PARTICIPANT", "ANNOTATOR"))
    tier = EafTier(id_, get("LINGUISTIC_TYPE_REF", ""), get("PARENT_REF"), participant, annotator)
    for one in element.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"):
        try:
            start, order = slots[one.get("TIME_SLOT_REF1", "")]
            end, _ = slots[one.get("TIME_SLOT_REF2", "")]
        except KeyError as missing:
            raise InputError(f"{_where(path, id_, one)}: time slot {quoted(missing.args[0])} does not exist") from None
        if start is not None and end is not None and end < start:
            raise InputError(f"{_where(path, id_, one)}: ends at {end}, before its start at {start}")
        text = value(one.find("ANNOTATION_VALUE"))
        tier.annotations.append(EafAnnotation(one.get("ANNOTATION_ID", ""), text, start, end, order))
    for one in element.iterfind("ANNOTATION/REF_ANNOTATION"):
        text = value(one.find("ANNOTATION_VALUE"))
        parent = one.get("ANNOTATION_REF", "")
        tier.annotations.append(EafAnnotation(one.get("ANNOTATION_ID", ""), text, parent=parent))
    return tier


def _where(path: Path, tier: str, annotation: Element) -> str:
    """The place of an annotation, for error messages."""
    return f"{path}: tier {quoted(tier)}, annotation {quoted(annotation.get('ANNOTATION_ID'))}"


def _speech_tiers(tiers: Sequence[EafTier]) -> list[EafTier]:
    """The tiers with utterances: those that this program wrote, or else the top-level tiers whose names fit best.

    Of several top-level tiers of a participant, and of all tiers in a file without participants, those whose name or
    type tells of speech are taken, or else those whose name and type tell of nothing else.
    """
    roots = [tier for tier in tiers if tier.parent is None and tier.annotations and tier.aligned]
    if own := [tier for tier in roots if tier.type == names.SPEECH]:
        return own
    roots = [tier for tier in roots if tier.type != names.FREE] or roots
    if not any(tier.participant for tier in roots):
        return _most_like_speech(roots)
    found: list[EafTier] = []
    for participant in dict.fromkeys(tier.participant for tier in roots):
        if participant is not None:
            found += _most_like_speech([tier for tier in roots if tier.participant == participant])[:1]
    return found


def _most_like_speech(tiers: Sequence[EafTier]) -> list[EafTier]:
    speech = [tier for tier in tiers if names.sounds_like_speech(tier.id) or names.sounds_like_speech(tier.type)]
    speech = [tier for tier in speech if not names.is_other(tier.id)]
    others = [tier for tier in tiers if not (names.is_other(tier.id) or names.is_other(tier.type))]
    return speech or others or list(tiers)


def _fields(document: EafDocument, tier: EafTier) -> dict[tuple[str, str, str | None], dict[str, str]]:
    """(type, short name, annotator) of each child tier that refers to utterances, to the text by utterance."""
    found: dict[tuple[str, str, str | None], dict[str, str]] = {}
    for name, child in document.children(tier):
        if not child.aligned:
            texts = {one.parent or "": one.text for one in child.annotations if one.text}
            found[child.type, name, child.annotator] = texts
    return found


def _words(document: EafDocument, tier: EafTier) -> dict[str, tuple[Word, ...]]:
    """The words of each utterance of a tier, from a child tier of words with times."""
    for name, child in document.children(tier):
        if child.type == names.WORDS or (names.is_words(name) and child.annotations and child.aligned):
            break
    else:
        return {}
    found: dict[str, list[Word]] = {}
    spoken = sorted((one for one in tier.annotations if one.start is not None), key=lambda one: one.order)
    if not spoken:
        return {}
    position = 0
    for one in sorted(child.annotations, key=lambda one: one.order):
        if one.start is None or one.end is None or not one.text:
            continue
        while position + 1 < len(spoken) and (spoken[position + 1].start or 0.0) <= one.start:
            position += 1
        found.setdefault(spoken[position].id, []).append(Word(one.text, one.start, one.end))
    return {id_: tuple(words) for id_, words in found.items()}


def _utterance(
    number: int,
    tier: EafTier,
    one: EafAnnotation,
    own: Mapping[tuple[str, str, str | None], str],
    words: tuple[Word, ...],
) -> Utterance:
    """An utterance with the texts of its child tiers, by (type, name, annotator)."""
    annotations = tuple(
        Annotation(annotator, text)
        for (type_, name, annotator), text in own.items()
        if annotator and _is_label(type_, name)
    )
    label = next((text for (type_, name, of), text in own.items() if of is None and _is_label(type_, name)), None)
    correction = own.get((names.LABEL, names.CORRECTION, None))
    predicted = _prediction(own)
    reviews: dict[str | None, Review] = {"corrected": "corrected", "confirmed": "confirmed"}
    review: Review | None = None
    if correction is not None:
        inferred: Review = "confirmed" if predicted and correction == predicted[0] else "corrected"
        review = reviews.get(own.get((names.FIELD, names.REVIEW, None)), inferred)
    known = {names.REVIEW, names.ID}
    extra = {
        names.field_name(name) if type_ == names.FIELD else name: text
        for (type_, name, _), text in own.items()
        if not (_is_label(type_, name) or type_ in (names.PREDICTION, names.LABEL))
        and not (type_ == names.FIELD and name in known)
    }
    timed = one.start is not None
    return Utterance(
        own.get((names.FIELD, names.ID, None), str(number)),
        tier.speaker,
        one.text or None,
        correction or label,
        one.start,
        one.end if timed else None,
        review,
        words,
        annotations,
        extra,
    )


def _is_label(type_: str, name: str) -> bool:
    if type_ in (names.PREDICTION, names.FIELD) or name == names.CORRECTION:
        return False
    return type_ == names.LABEL or names.is_label(name)


def _prediction(own: Mapping[tuple[str, str, str | None], str]) -> tuple[str, float] | None:
    found = names.find_prediction({name: text for (type_, name, _), text in own.items() if type_ == names.PREDICTION})
    return found and found[1:]


def _free_tiers(document: EafDocument) -> list[Tier]:
    """The tiers with times that are neither utterances nor words."""
    speech = {tier.id for tier in document.speech}
    found = []
    for tier in document.tiers.values():
        of_speech = tier.parent in speech
        if tier.id in speech or not tier.aligned or (tier.parent is not None and not tier.annotations):
            continue
        if of_speech and (tier.type == names.WORDS or names.is_words(names.child_name(tier.id, tier.parent or ""))):
            continue
        ordered = sorted(tier.annotations, key=lambda one: one.order)
        spans = [Span(one.text, one.start, one.end) for one in ordered if one.start is not None]
        found.append(Tier(tier.id, tuple(spans)))
    return found


def _media(root: Element) -> str | None:
    one = root.find("HEADER/MEDIA_DESCRIPTOR")
    return None if one is None else one.get("RELATIVE_MEDIA_URL") or one.get("MEDIA_URL") or None


def _properties(root: Element) -> dict[str, str]:
    """The properties of the document that users set."""
    found = ((one.get("NAME", ""), value(one)) for one in root.iterfind("HEADER/PROPERTY"))
    return {name: text for name, text in found if name and text and name not in names.OWN_PROPERTIES}
