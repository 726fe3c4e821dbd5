"""Writer of CHAT."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePath

from sdt.conversation import Conversation, Prediction, Utterance
from sdt.errors import InputError
from sdt.formats.chat.cleaning import BULLET, NO_TEXT, clean
from sdt.formats.format import DEFAULT_SECONDS
from sdt.formats.transcript import Transcript, tidy

_CODE = re.compile(r"[A-Z][A-Z0-9]{0,6}")
_DEPENDENT = re.compile(r"%(?!x)[a-z][a-z0-9]{0,5}")
_HEADER = re.compile(r"@(?!UTF8|Begin|End|Participants|ID|Media|Comment)[A-Z][A-Za-z0-9 ]{0,30}")
_NAME = re.compile(r"[\w-]+")
_ENDS = re.compile(r"\s*([.?!])$")


def write(transcript: Transcript, path: Path | None) -> Iterator[str]:
    """The lines of a file with one conversation.

    Raises:
        InputError: There are several conversations.
    """
    if len(transcript.conversations) != 1:
        raise InputError(f"{path or '-'}: CHAT files have one conversation each, but there are several; write jsonl")
    (conversation,) = transcript.conversations
    codes = _codes([one.speaker for one in conversation.utterances])
    yield from _headers(conversation, codes, path)
    for number, (_, one, prediction) in enumerate(transcript.rows()):
        yield from _lines(codes[one.speaker], number, one, prediction)
    yield "@End\n"


def _codes(speakers: Sequence[str]) -> dict[str, str]:
    """A code of three or more capitals for each speaker: the name itself if it is one."""
    taken = {speaker for speaker in speakers if _CODE.fullmatch(speaker)}
    codes: dict[str, str] = {}
    for speaker in dict.fromkeys(speakers):
        code = speaker if speaker in taken else (re.sub(r"[^A-Z]", "", speaker.upper()) + "XXX")[:3]
        number = 1
        while code in codes.values() or (code in taken and code != speaker):
            code, number = f"SP{number}", number + 1
        codes[speaker] = code
    return codes


def _headers(conversation: Conversation, codes: Mapping[str, str], path: Path | None) -> Iterator[str]:
    yield "@UTF8\n@Begin\n"
    extra = {name: str(value) for name, value in conversation.extra.items()}
    headers = {n: v for n, v in extra.items() if _HEADER.fullmatch(n) and tidy(v) == v}
    yield f"@Languages:\t{headers.pop('@Languages', 'und')}\n"
    yield f"@Participants:\t{', '.join(f'{code} Participant' for code in codes.values())}\n"
    for code in codes.values():
        yield f"@ID:\tund|sdt|{code}|||||Participant|||\n"
    if conversation.media:
        name = PurePath(conversation.media).stem
        if path is not None and name == path.stem and _NAME.fullmatch(name):  # CHAT has no other recordings
            yield f"@Media:\t{name}, audio\n"
        yield f"@Comment:\trecording {conversation.media}\n"
    yield from (f"@Comment:\t{code} is {speaker}\n" for speaker, code in codes.items() if code != speaker)
    yield from (f"{name}:\t{value}\n" for name, value in headers.items())
    if rest := {name: value for name, value in extra.items() if not (_HEADER.fullmatch(name) and tidy(value) == value)}:
        yield f"@Comment:\tfields {json.dumps(rest, ensure_ascii=False)}\n"


def _lines(code: str, number: int, one: Utterance, prediction: Prediction | None) -> Iterator[str]:
    text = tidy(one.text or "")
    said = _main_tier(text)
    end = DEFAULT_SECONDS + (one.start or 0.0) if one.end is None else one.end
    times = "" if one.start is None else _bullet(one.start, end)
    yield f"*{code}:\t{said}{times and ' '}{times}\n"
    if one.words:
        words = (f"{tidy(word.text).replace(' ', '_')} {_bullet(word.start, word.end)}" for word in one.words)
        yield f"%wor:\t{' '.join(words)} {said[-1]}\n"
    if not text or tidy(clean(said)) != text:
        yield f"%xtxt:\t{text or NO_TEXT}\n"
    if prediction is not None and prediction.emotion is not None:
        yield f"%xemo:\t{prediction.emotion} {prediction.probability:.6g}\n"
    if one.label:
        yield f"%{'xcor' if one.review else 'xlab'}:\t{tidy(one.label)}\n"
    confirms = prediction is not None and prediction.emotion == one.label
    if one.review and one.review != ("confirmed" if confirms else "corrected"):
        yield f"%xrev:\t{one.review}\n"
    if one.annotations:
        given = {of.annotator: [of.label, of.confidence] for of in one.annotations}
        yield f"%xann:\t{json.dumps(given, ensure_ascii=False)}\n"
    if one.id != str(number):
        yield f"%xid:\t{tidy(one.id)}\n"
    tiers = {name: of for name, of in one.extra.items() if _DEPENDENT.fullmatch(name) and isinstance(of, str)}
    yield from (f"{name}:\t{tidy(of)}\n" for name, of in tiers.items() if name != "%wor")
    if rest := {name: of for name, of in one.extra.items() if name not in tiers or name == "%wor"}:
        yield f"%xfld:\t{json.dumps(rest, ensure_ascii=False)}\n"


def _main_tier(text: str) -> str:
    """Words and a terminator, which every utterance of CHAT has; what could be a code is left out."""
    words = " ".join(re.sub(r"[^\w\s'.?!,-]|_", " ", text).split())
    ends = _ENDS.search(words)
    words = _ENDS.sub("", words)
    words = " ".join(re.sub(r"[.?!]|(?<!\w)[',-]+|[',-]+(?!\w)", " ", words).split()) or "0"
    return f"{words} {ends[1] if ends else '.'}"


def _bullet(start: float, end: float) -> str:
    first = round(1000 * start)
    return f"{BULLET}{first}_{max(first + 1, round(1000 * end))}{BULLET}"
