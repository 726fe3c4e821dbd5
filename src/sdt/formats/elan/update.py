"""Predictions added to a file of ELAN: only the tiers of predictions are new, every other byte stays as it was.

The tiers of earlier predictions are replaced; that of corrections stays if there is one. The property
`lastUsedAnnotationId` is raised, since ELAN would give the ids of the new annotations again.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers.expat import ExpatError, ParserCreate

from sdt.conversation import Prediction, Utterance
from sdt.errors import InputError, describe_error
from sdt.formats.elan.document import EafDocument, parse
from sdt.formats.elan.write import (
    TYPES,
    EafWriter,
    constraint,
    linguistic_type,
    prediction_tiers,
)
from sdt.formats.parsing import tiers as names
from sdt.formats.parsing.decoding import decode_text
from sdt.formats.transcript import Transcript

_BEFORE_CONSTRAINTS = ("TIER", "LINGUISTIC_TYPE", "LOCALE", "LANGUAGE", "CONSTRAINT")


@dataclass(frozen=True, slots=True)
class Place:
    """An element below the root."""

    name: str
    key: str
    """The id of a tier or linguistic type, or the kind of a constraint."""
    start: int
    """The byte of its start tag."""
    end: int
    """The byte after its end tag."""


@dataclass
class Places:
    """The elements below the root, in order."""

    elements: list[Place] = field(default_factory=list)
    last_id: tuple[str, int, int] | None = None
    """The text of the property `lastUsedAnnotationId`, and its bytes."""
    root_end: int = 0
    """The byte of the end tag of the root."""

    def after(self, kinds: Sequence[str]) -> int:
        """The byte after the last element of these kinds; that of the end of the root if there is none."""
        return max((place.end for place in self.elements if place.name in kinds), default=self.root_end)

    def has(self, name: str, key: str) -> bool:
        """Whether there is an element with this key."""
        return any((place.name, place.key) == (name, key) for place in self.elements)


def update(content: bytes, transcript: Transcript, encoding: str | None = None) -> bytes:
    """Add the predictions of a transcript to the file from which it was read.

    Args:
        content: The file.
        transcript: Its only conversation and the predictions of its utterances.
        encoding: The encoding of the file; None detects it.

    Raises:
        InputError: The file has other utterances than the transcript.
    """
    path = Path(f"{transcript.conversations[0].id}.eaf")
    _, document = parse(path, decode_text(path, content, encoding).text)
    rows = [*transcript.rows()]
    spoken = document.spoken()
    if len(spoken) != len(rows):
        raise InputError(
            f"{path}: has {len(spoken)} utterances, but {len(rows)} were read; it has changed, so try again"
        )
    try:
        places = find_places(content)
    except (ExpatError, LookupError, ValueError) as error:
        raise InputError(
            f"{path}: is not in the encoding that its first line declares ({describe_error(error)}); save it "
            "with ELAN, or write another file"
        ) from None
    kept = [tier for tier in document.tiers.values() if tier.type != names.PREDICTION]
    writer = EafWriter(next_id=1 + max(_number(one.id) for tier in kept for one in tier.annotations))
    by_tier: dict[str, list[tuple[str, Utterance, Prediction | None]]] = {}
    for (tier, one), (_, utterance, prediction) in zip(spoken, rows, strict=True):
        by_tier.setdefault(tier.id, []).append((one.id, utterance, prediction))
    old = _old_tiers(document, places)
    tiers = "".join(
        part for tier, of in by_tier.items() for part in prediction_tiers(writer, tier, of, _taken(document, tier))
    )
    types = [name for name in (names.PREDICTION, names.LABEL) if not places.has("LINGUISTIC_TYPE", name)]
    relations = sorted({TYPES[name] or "" for name in types})
    relations = [name for name in relations if not places.has("CONSTRAINT", name)]
    edits = [(start, end, "") for start, end in old]
    edits.append((places.after(["TIER"]), places.after(["TIER"]), tiers))
    after_types = places.after(["TIER", "LINGUISTIC_TYPE"])
    edits.append((after_types, after_types, "".join(map(linguistic_type, types))))
    after_constraints = places.after(_BEFORE_CONSTRAINTS)
    edits.append((after_constraints, after_constraints, "".join(map(constraint, relations))))
    if places.last_id and int(places.last_id[0]) < writer.next_id - 1:
        edits.append((*places.last_id[1:], str(writer.next_id - 1)))
    return _edited(content, edits)


def find_places(content: bytes) -> Places:
    """Find the elements below the root of a file, which has no document type; `parse` has checked that."""
    places = Places()
    open_: list[tuple[str, str, int]] = []
    parser = ParserCreate()
    parser.buffer_text = True
    property_start: int | None = None

    inside = False  # whether the last start tag is followed by anything but its end tag

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal property_start, inside
        inside = False
        key = attributes.get("TIER_ID") or attributes.get("LINGUISTIC_TYPE_ID") or attributes.get("STEREOTYPE") or ""
        open_.append((name, key, parser.CurrentByteIndex))
        if name == "PROPERTY" and attributes.get("NAME") == "lastUsedAnnotationId":
            property_start = parser.CurrentByteIndex

    def text(data: str) -> None:
        nonlocal property_start, inside
        inside = True
        if property_start is not None and data.strip().isdigit():
            index = parser.CurrentByteIndex
            places.last_id = (data, index, index + len(data.encode(_encoding(content))))
            property_start = None

    def end(name: str) -> None:
        nonlocal property_start, inside
        property_start = None
        # Expat reports the end of an empty element, `<TIER/>`, at the byte after it.
        index, empty = parser.CurrentByteIndex, not inside
        empty = empty and content.endswith("/>".encode(_encoding(content)), 0, index)
        inside = True
        _, key, first = open_.pop()
        if len(open_) == 1:
            places.elements.append(Place(name, key, first, index if empty else _after_tag(content, index)))
        elif not open_:
            places.root_end = index

    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.buffer_text = False
    parser.Parse(content, True)
    return places


def _after_tag(content: bytes, tag: int) -> int:
    """The byte after the tag at a byte."""
    mark = ">".encode(_encoding(content))
    return content.index(mark, tag) + len(mark)


def _taken(document: EafDocument, parent: str) -> set[str]:
    """The short names of the child tiers of a tier, without those of earlier predictions."""
    return {name for name, tier in document.children(document.tiers[parent]) if tier.type != names.PREDICTION}


def _old_tiers(document: EafDocument, places: Places) -> list[tuple[int, int]]:
    """The bytes of the tiers of earlier predictions, with the white space before them."""
    old = {tier.id for tier in document.tiers.values() if tier.type == names.PREDICTION}
    ends = [0, *(place.end for place in places.elements)]
    return [
        (before, place.end)
        for before, place in zip(ends, places.elements, strict=False)
        if place.name == "TIER" and place.key in old
    ]


def _number(id_: str) -> int:
    found = re.fullmatch(r"a(\d{1,15})", id_)
    return int(found[1]) if found else 0


def _encoding(content: bytes) -> str:
    """The encoding of a file, without a byte order mark, by its first bytes."""
    if content.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if content.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    found = re.match(rb"(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=[\"']([\w.-]+)[\"']", content[:200])
    return found[1].decode() if found else "utf-8"


def _edited(content: bytes, edits: Sequence[tuple[int, int, str]]) -> bytes:
    """Replace byte ranges by text. Inserted text starts a new line, with the line ends of the file."""
    encoding = _encoding(content)
    newline = "\r\n" if "\r\n".encode(encoding) in content[:4000] else "\n"
    parts: list[bytes] = []
    position = 0
    for first, last, text in sorted(edits, key=lambda edit: edit[0]):
        inserted = text if first < last or not text else f"\n{text.rstrip()}"
        parts += [content[position:first], inserted.replace("\n", newline).encode(encoding, "xmlcharrefreplace")]
        position = last
    return b"".join([*parts, content[position:]])
