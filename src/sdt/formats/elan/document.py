"""The tiers of a file of ELAN, and which of them hold speech."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError, quoted
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.xml import parse_xml, value
from sdt.formats.transcript import tidy

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
