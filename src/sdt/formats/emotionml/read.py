"""Reader of EmotionML 1.0."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.conversation import Annotation, Conversation, Prediction, Review, Utterance, Value
from sdt.errors import InputError, quoted
from sdt.formats.emotionml.names import EMO, OWN
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.xml import parse_xml, value
from sdt.formats.transcript import Transcript, tidy

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass
class _Said:
    """What the emotions of an utterance say."""

    label: str | None = None
    annotations: list[Annotation] = field(default_factory=list)
    prediction: tuple[str, dict[str, float]] | None = None
    dimensions: dict[str, Value] = field(default_factory=dict)


def read(path: Path, decoded: Decoded) -> Transcript:
    """Read the conversation of a file; see `sdt.formats.emotionml`.

    Raises:
        InputError: The file is not XML, has another version, or a time or a value is invalid.
    """
    root = parse_xml(path, decoded.text, "EmotionML")
    if root.tag != f"{{{EMO}}}emotionml" or root.get("version") != "1.0":
        raise InputError(f"{path}: EmotionML of another version; expected version 1.0 of the namespace {EMO}")
    names = _category_names(root)
    emotions = [*root.iter(f"{{{EMO}}}emotion")]
    info = root.find(f"{{{EMO}}}info")
    own = [] if info is None else info.findall(f"{{{OWN}}}utterance")
    if not own:
        return _foreign(path, emotions, names)
    assert info is not None
    said = [_Said() for _ in own]
    for number, emotion in enumerate(emotions, start=1):
        _add(f"{path}, emotion {number}", emotion, names, said)
    utterances = tuple(_utterance(path, one, of, n) for n, (one, of) in enumerate(zip(own, said, strict=True)))
    if len({one.id for one in utterances}) < len(utterances):
        raise InputError(f"{path}: two utterances have the same id")
    media = value(info.find(f"{{{OWN}}}media")) or None
    conversation = Conversation(path.stem, utterances, media=media, extra=_fields(info))
    predictions = [
        Prediction(path.stem, one.id, *of.prediction).with_utterance(one)
        for one, of in zip(utterances, said, strict=True)
        if of.prediction is not None
    ]
    return Transcript([conversation], predictions=predictions)


def _category_names(root: Element) -> dict[str, str]:
    """The names of categories that are no tokens."""
    found = {}
    for item in root.iterfind(f"{{{EMO}}}vocabulary/{{{EMO}}}item"):
        if name := value(item.find(f"{{{EMO}}}info/{{{OWN}}}name")):
            found[item.get("name", "")] = name
    return found


def _add(where: str, emotion: Element, names: Mapping[str, str], said: list[_Said]) -> None:
    """Add what an emotion says to its utterance; one that names none is ignored."""
    of = emotion.find(f"{{{EMO}}}info/{{{OWN}}}of")
    number = "" if of is None else of.get("utterance", "")
    if of is None or not (number.isascii() and number.isdigit()) or int(number[:9]) >= len(said):
        return
    target, categories = said[int(number)], _categories(where, emotion, names)
    by, name = of.get("by"), of.get("name")
    if by == "model" and categories:
        shares = {label: share for label, share, _ in categories if share is not None}
        chosen = name if name in shares else max(shares, key=lambda label: shares[label], default="")
        target.prediction = (chosen, shares) if chosen else None
    elif by == "annotator" and name and categories:
        target.annotations.append(Annotation(tidy(name), categories[0][0], categories[0][2]))
    elif by == "label" and categories:
        target.label = categories[0][0]
    target.dimensions |= _dimensions(where, emotion)


def _utterance(path: Path, one: Element, said: _Said, number: int) -> Utterance:
    where = f"{path}, utterance {number + 1}"
    start, end = (_milliseconds(where, one, name) for name in ("start", "end"))
    if start is not None and end is not None and end < start:
        raise InputError(f"{where}: ends at {end}, before its start at {start}")
    reviews: dict[str | None, Review] = {"corrected": "corrected", "confirmed": "confirmed"}
    text = one.find(f"{{{OWN}}}text")
    return Utterance(
        one.get("id") or str(number),
        tidy(one.get("speaker", "")) or "Speaker 1",
        None if text is None else value(text) or None,
        said.label,
        start,
        end,
        reviews.get(one.get("review")) if said.label else None,
        annotations=tuple(said.annotations),
        extra={**_fields(one), **said.dimensions},
    )


def _fields(element: Element) -> dict[str, Value]:
    found = ((one.get("name", ""), value(one)) for one in element.iterfind(f"{{{OWN}}}field"))
    return {name: text for name, text in found if name and text}


def _foreign(path: Path, emotions: list[Element], names: Mapping[str, str]) -> Transcript:
    """The emotions of another program as utterances without speakers, whose text is that of `info`, if there is any."""
    utterances = []
    media = None
    for number, emotion in enumerate(emotions):
        where = f"{path}, emotion {number + 1}"
        start, end = _times(where, emotion)
        categories = _categories(where, emotion, names)
        strongest = max(categories, key=lambda category: category[1] or category[2] or 0.0, default=None)
        reference = emotion.find(f"{{{EMO}}}reference")
        uri = emotion.get("time-ref-uri") or (reference.get("uri") if reference is not None else None)
        media = media or (uri and uri.partition("#")[0])
        info = emotion.find(f"{{{EMO}}}info")
        words = " ".join(
            filter(None, (value(info), tidy("".join([emotion.text or "", *(one.tail or "" for one in emotion)]))))
        )
        utterances.append(
            Utterance(
                str(number),
                "Speaker 1",
                words or None,
                None if strongest is None else strongest[0],
                start,
                end,
                extra=_dimensions(where, emotion),
            )
        )
    if not utterances:
        raise InputError(f"{path}: the file has no element 'emotion'")
    note = f"{path.name}: no speaker names: all {len(utterances)} emotions are assigned to one speaker"
    return Transcript([Conversation(path.stem, tuple(utterances), media=media or None)], notes=[note])


def _categories(where: str, emotion: Element, names: Mapping[str, str]) -> list[tuple[str, float | None, float | None]]:
    """Name, value and confidence of each category."""
    found = []
    for one in emotion.iterfind(f"{{{EMO}}}category"):
        token = one.get("name", "")
        if not token:
            raise InputError(f"{where}: a category has no name")
        found.append((names.get(token, token), _share(where, one, "value"), _share(where, one, "confidence")))
    return found


def _dimensions(where: str, emotion: Element) -> dict[str, Value]:
    found = ((one.get("name", ""), _share(where, one, "value")) for one in emotion.iterfind(f"{{{EMO}}}dimension"))
    return {name: share for name, share in found if name and share is not None}


def _share(where: str, element: Element, name: str) -> float | None:
    """A value between 0 and 1, as all values of EmotionML are."""
    text = element.get(name)
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise InputError(f"{where}: {name} {quoted(text)} is not a number from 0 to 1")
    return number


def _times(where: str, emotion: Element) -> tuple[float | None, float | None]:
    """Start and end relative to the recording; a time since 1970 is none."""
    start, length = (_milliseconds(where, emotion, name) for name in ("offset-to-start", "duration"))
    if start is None:
        start, end = next(_fragments(emotion), (None, None))
        return start, end
    return start, None if length is None else round(start + length, 6)


def _fragments(emotion: Element) -> Iterator[tuple[float, float | None]]:
    """The times in references such as `talk.wav#t=1.2,3.4`."""
    for one in emotion.iterfind(f"{{{EMO}}}reference"):
        first, _, last = one.get("uri", "").partition("#t=")[2].partition(",")
        try:
            start, end = float(first or ("0" if last else "")), float(last) if last else None
        except ValueError:
            continue
        if 0 <= start < math.inf and (end is None or start <= end < math.inf):
            yield start, end


def _milliseconds(where: str, element: Element, name: str) -> float | None:
    """A time in milliseconds as seconds."""
    text = element.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 13):
        raise InputError(f"{where}: {name} {quoted(text)} is not a time in milliseconds")
    return int(text) / 1000
