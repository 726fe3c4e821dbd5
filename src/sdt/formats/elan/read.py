"""Reader of ELAN's annotation format: utterances with what their child tiers say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.conversation import Annotation, Conversation, Prediction, Review, Span, Tier, Utterance, Word
from sdt.errors import InputError, join_names, quoted
from sdt.formats.elan.document import EafAnnotation, EafDocument, EafTier, parse
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.xml import value
from sdt.formats.transcript import Transcript

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


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
