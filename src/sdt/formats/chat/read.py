"""Reader of CHAT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sdt.conversation import Annotation, Conversation, Prediction, Review, Utterance, Value, Word
from sdt.errors import InputError, quoted
from sdt.formats.chat.cleaning import BULLET, NO_TEXT, clean, split_times
from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.notices import ignored_note
from sdt.formats.transcript import Transcript, tidy

_LINE = re.compile(r"(?P<name>[*%@][^\t:\n]{1,60})(?::(?P<text>.*))?", re.DOTALL)
_SPEAKER = re.compile(r"(?P<code>\S+) is (?P<name>.+)", re.DOTALL)
_WORD = re.compile(rf"(\S+)\s+{BULLET}(\d{{1,12}})_(\d{{1,12}}){BULLET}")
_RECORDING = "recording "
_OWN = ("%wor", "%xtxt", "%xemo", "%xcor", "%xlab", "%xann", "%xrev", "%xid", "%xfld")
_HEADERS = ("@UTF8", "@Begin", "@End", "@Participants", "@ID", "@Media")
"""Headers whose content is in the transcript, or follows from it."""


@dataclass
class _Block:
    """A main tier with its dependent tiers."""

    line: int
    code: str
    text: str
    tiers: dict[str, str] = field(default_factory=dict)


def read(path: Path, decoded: Decoded) -> Transcript:
    """Read the conversation of a file; see `sdt.formats.chat`.

    Utterances of which cleaning leaves nothing are ignored, unless they have a text of their own.

    Raises:
        InputError: A line is neither a header nor a tier, or a dependent tier precedes the first utterance.
    """
    headers: list[tuple[str, str]] = []
    blocks: list[_Block] = []
    for number, name, text in _logical_lines(path, decoded.text):
        if name.startswith("@"):
            headers.append((name, text))
        elif name.startswith("*"):
            blocks.append(_Block(number, name[1:].strip(), text))
        elif not blocks:
            raise InputError(f"{path}, line {number}: {quoted(name)} describes no utterance; expected *CODE: before it")
        else:
            blocks[-1].tiers[name] = f"{blocks[-1].tiers[name]} {text}" if name in blocks[-1].tiers else text
    comments = [text for name, text in headers if name == "@Comment"]
    names = {found["code"]: found["name"] for text in comments if (found := _SPEAKER.fullmatch(text))}
    utterances: dict[str, Utterance] = {}
    predictions = []
    empty = []
    for block in blocks:
        utterance = _utterance(path, block, names.get(block.code, block.code), len(utterances))
        if utterance.text is None and "%xtxt" not in block.tiers:
            empty.append(block.line)
            continue
        if utterances.setdefault(utterance.id, utterance) is not utterance:
            raise InputError(f"{path}, line {block.line}: two utterances have the id {quoted(utterance.id)}")
        if (predicted := _prediction(block)) is not None:
            prediction = Prediction(path.stem, utterance.id, predicted[0], {predicted[0]: predicted[1]})
            predictions.append(prediction.with_utterance(utterance))
    coded = [block.line for block in blocks if _has_codes(block.text)]
    notes = ignored_note("utterances without words", empty)
    notes += [f"codes of the transcriber removed: {len(coded)}, first in line {coded[0]}"] if coded else []
    notes = [f"{path.name}: {note}" for note in notes]
    if not utterances:
        raise InputError(f"{path}: the file has no utterances{'; '.join(['', *notes])}")
    conversation = Conversation(
        path.stem, tuple(utterances.values()), media=_media(headers), extra=_extra(headers, names)
    )
    return Transcript([conversation], notes=notes, predictions=predictions)


def _logical_lines(path: Path, text: str) -> Iterator[tuple[int, str, str]]:
    """Number, name and text of each line; a line that begins with a tab continues the previous one."""
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith(("\t", " ")) and lines:
            lines[-1] = (lines[-1][0], f"{lines[-1][1]} {line.strip()}")
        elif line.strip():
            lines.append((number, line))
    for number, line in lines:
        found = _LINE.fullmatch(line)
        if not found:
            raise InputError(
                f"{path}, line {number}: {quoted(line[:80])} is not a line of CHAT; expected @Header, *CODE: or %tier:"
            )
        yield number, found["name"].strip(), (found["text"] or "").strip()


def _utterance(path: Path, block: _Block, speaker: str, number: int) -> Utterance:
    where = f"{path}, line {block.line}"
    spoken, start, end = split_times(block.text)
    own = {name: tidy(text) for name, text in block.tiers.items()}
    text = own["%xtxt"].replace(NO_TEXT, "") if "%xtxt" in own else tidy(clean(spoken))
    correction, predicted = own.get("%xcor"), _prediction(block)
    reviews: dict[str | None, Review] = {"corrected": "corrected", "confirmed": "confirmed"}
    review: Review | None = None
    if correction:
        inferred: Review = "confirmed" if predicted and correction == predicted[0] else "corrected"
        review = reviews.get(own.get("%xrev"), inferred)
    extra: dict[str, Value] = {name: value for name, value in own.items() if name not in _OWN and value}
    return Utterance(
        own.get("%xid") or str(number),
        tidy(speaker) or "Speaker 1",
        text or None,
        correction or own.get("%xlab") or None,
        start,
        end,
        review,
        _words(block.tiers.get("%wor", "")),
        tuple(
            Annotation(name, str(of[0]), float(of[1]) if of[1] is not None else None)
            for name, of in _json(where, own.get("%xann")).items()
            if isinstance(of, list) and len(of) == 2 and isinstance(of[1], int | float | None)
        ),
        extra | {name: of for name, of in _json(where, own.get("%xfld")).items() if isinstance(of, str | int | float)},
    )


def _has_codes(text: str) -> bool:
    """Whether cleaning removes more from a main tier than the spaces before punctuation."""
    spoken, _, _ = split_times(text)
    return "".join(spoken.split()) != "".join(clean(spoken).split())


def _json(where: str, text: str | None) -> Mapping[str, object]:
    """The object in a dependent tier; empty without one."""
    if not text:
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InputError(f"{where}: a tier %xann or %xfld of this utterance is not a JSON object")
    return value


def _words(text: str) -> tuple[Word, ...]:
    found = ((one[1], int(one[2]) / 1000, int(one[3]) / 1000) for one in _WORD.finditer(text))
    return tuple(Word(tidy(word), start, end) for word, start, end in found if start <= end)


def _prediction(block: _Block) -> tuple[str, float] | None:
    emotion, _, share = tidy(block.tiers.get("%xemo", "")).rpartition(" ")
    try:
        probability = float(share)
    except ValueError:
        return None
    return (emotion, probability) if emotion and 0 <= probability <= 1 else None


def _media(headers: list[tuple[str, str]]) -> str | None:
    """The name in `@Comment: recording NAME`, which this program writes, or else in `@Media: name, audio`."""
    own = (text for name, text in headers if name == "@Comment" and text.startswith(_RECORDING))
    if recording := next(own, None):
        return recording.removeprefix(_RECORDING)
    text = next((text for name, text in headers if name == "@Media"), "")
    found = re.fullmatch(r'"?(.+?)"?(?:,\s*(?:audio|video|missing|unlinked|notrans)\b.*)?', text)
    return found[1].strip() if found else None


def _extra(headers: list[tuple[str, str]], names: Mapping[str, str]) -> dict[str, Value]:
    """The other headers; those that occur several times are joined."""
    found: dict[str, Value] = {}
    for name, text in headers:
        if name in _HEADERS or (name, text) == ("@Languages", "und"):
            continue
        if name == "@Comment" and text.startswith(_RECORDING):
            continue
        if name == "@Comment" and (match := _SPEAKER.fullmatch(text)) and match["code"] in names:
            continue
        if name == "@Comment" and text.startswith("fields {"):
            found |= {
                key: of for key, of in _json("@Comment", text.removeprefix("fields ")).items() if isinstance(of, str)
            }
        elif text:
            found[name] = f"{found[name]}; {tidy(text)}" if name in found else tidy(text)
    return found
