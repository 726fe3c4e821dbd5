"""Detection of unsupported transcript formats, so that an error can name them: their markup would be read as text.

Formats are detected by the beginning of the content, regardless of the name of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

HEAD = 4096
"""The number of characters that detection reads."""


@dataclass(frozen=True)
class UnsupportedFormat:
    """A format that is detected, but not supported."""

    title: str
    matches: Callable[[str], bool]
    """Whether the beginning of a text has this format."""


def unsupported_text(text: str) -> str | None:
    """The name of the unsupported format of a text, or None."""
    head = text[:HEAD].lstrip()
    if len(text) > HEAD:
        head = head[: head.rfind("\n") + 1] or head  # whole lines
    return next((format.title for format in _TEXTS if format.matches(head)), None) or _markup(text)


def unsupported_json(value: object) -> str | None:
    """The name of the unsupported format of a JSON value or of the first of a list, or None."""
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return None
    return next((title for title, keys in _JSON if all(_has(first, key) for key in keys)), None)


def _has(value: Mapping[str, object], key: str | Collection[str]) -> bool:
    return key in value if isinstance(key, str) else any(one in value for one in key)


def _begins(pattern: str) -> Callable[[str], bool]:
    return lambda head: re.match(pattern, head) is not None


def _holds(pattern: str) -> Callable[[str], bool]:
    return lambda head: re.search(pattern, head, re.MULTILINE) is not None


def _every_line(pattern: str, *, comments: str = "") -> Callable[[str], bool]:
    """Whether all lines match, except those that begin with `comments`."""

    def check(head: str) -> bool:
        lines = [line.strip() for line in head.split("\n") if line.strip()]
        lines = [line for line in lines if not (comments and line.startswith(comments))]
        return bool(lines) and all(re.fullmatch(pattern, line) for line in lines)

    return check


def _utterance_keys(head: str) -> bool:
    """Whether lines begin with the keys of an utterance, as in YAML."""
    keys = {found[1] for found in re.finditer(r"^\s*(?:-\s+)?(\w+):(?:\s|$)", head, re.MULTILINE)}
    return {"speaker", "text"} <= keys


_NUMBER = r"\d+(?:\.\d+)?"
_TEXTS = (
    UnsupportedFormat("a TextGrid of Praat", _begins(r'File type = "ooTextFile|"Praat chronological TextGrid')),
    UnsupportedFormat(
        "a CHAT transcript of CHILDES or TalkBank", _begins(r"(?:@(?:Loc|PID|Font|Window|Color).*\n)*@(?:UTF8|Begin)\b")
    ),
    UnsupportedFormat("subtitles in YouTube's SBV format", _begins(r"\d+:\d\d:\d\d\.\d{3},\d+:\d\d:\d\d\.\d{3}\s*\n")),
    UnsupportedFormat(
        "subtitles in the SubViewer format",
        _begins(r"\[INFORMATION\]|\d\d:\d\d:\d\d\.\d\d,\d\d:\d\d:\d\d\.\d\d\s*\n"),
    ),
    UnsupportedFormat("subtitles in the MicroDVD format", _every_line(r"\{\d+\}\{\d*\}.*")),
    UnsupportedFormat("subtitles in the MPL2 format", _every_line(r"\[\d+\]\[\d*\].*")),
    UnsupportedFormat("captions in the Scenarist format (SCC)", _begins(r"Scenarist_SCC")),
    UnsupportedFormat("lyrics in the LRC format", _begins(r"\[(?:ti|ar|al|by|offset|length|re|ve|au):[^\]]*\]\s*\n")),
    UnsupportedFormat(
        "an RTTM file of speaker turns",
        _every_line(r"(?:SPEAKER|SPKR-INFO|LEXEME|NON-LEX|SEGMENT|NOSCORE|SU)(?:\s+\S+){6,9}", comments=";;"),
    ),
    UnsupportedFormat(
        "an STM file of reference transcripts",
        _every_line(rf"\S+\s+\S+\s+\S+\s+(?=\S*\.\d|\S+\s+\S*\.\d){_NUMBER}\s+{_NUMBER}\s+\S.*", comments=";;"),
    ),
    UnsupportedFormat(
        "a CTM file of timed words",
        _every_line(rf"\S+\s+[A-Za-z0-9]\s+{_NUMBER}\s+{_NUMBER}\s+\S+(?:\s+[\d.]+)?(?:\s+\S+){{0,2}}", comments=";;"),
    ),
    UnsupportedFormat(
        "Audacity's labels, or a table without a header", _every_line(rf"{_NUMBER}\t{_NUMBER}(?:\t.*)?", comments="\\")
    ),
    UnsupportedFormat(
        "IEMOCAP's evaluation, which has emotions without text (import the folder IEMOCAP_full_release instead)",
        _holds(r"^% ?\[START_TIME - END_TIME\]|^\[\d+\.\d+ - \d+\.\d+\]\s+Ses\d\d[FM]_\w+\s+[a-z]{3}\s+\["),
    ),
    UnsupportedFormat("IEMOCAP's forced alignment", _begins(r"SFrm\s+EFrm\s+SegAScr")),
    UnsupportedFormat(
        "DailyDialog's dialogues, with __eou__ after each utterance", _holds(r"(?:^|\s)__eo[ut]__(?:\s|$)")
    ),
    UnsupportedFormat("YAML", _utterance_keys),
)


_XML = {
    "annotation_document": "ELAN's annotation format (EAF)",
    "trans": "a transcript of Transcriber (TRS)",
    "tt": "subtitles in TTML",
    "sami": "subtitles in SAMI",
    "transcript": "captions of YouTube as XML",
    "timedtext": "captions of YouTube as XML",
    "tei": "TEI",
    "chat": "TalkBank's XML",
    "basic-transcription": "a transcript of EXMARaLDA",
    "folker-transcription": "a transcript of FOLKER",
    "nite:root": "NXT annotation, such as that of AMI",
}
"""Root elements in lower case."""


def _markup(text: str) -> str | None:
    """The kind of XML: the text has an XML declaration, or ends with the end tag of its first element."""
    found = re.match(
        r"\s*(?P<declared><\?xml\b[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>]*>\s*)*<(?P<root>[A-Za-z][\w:.-]*)",
        text,
        re.DOTALL,
    )
    if not found:
        return "XML" if text.lstrip().startswith("<?xml") else None
    is_xml = found["declared"] or text[-HEAD:].rstrip().lower().endswith(f"</{found['root'].lower()}>")
    return _XML.get(found["root"].lower(), "XML") if is_xml else None


_JSON: tuple[tuple[str, tuple[str | Collection[str], ...]], ...] = (
    ("ConvoKit's utterances", ("conversation_id", "speaker", ("reply-to", "reply_to"))),
    ("a project of Label Studio", ("data", ("annotations", "completions", "predictions"))),
    ("an export of Label Studio", ("annotator", "annotation_id")),
    ("an annotation of Prodigy", ("_input_hash",)),
    ("an answer of Amazon Transcribe", ("jobName", "results")),
    ("an answer of Azure's speech service", (("recognizedPhrases", "combinedRecognizedPhrases", "combinedPhrases"),)),
    ("an answer of Deepgram", ("metadata", "results")),
    ("an answer of Google's speech service", ("results",)),
    ("an answer of AssemblyAI", ("audio_url", ("utterances", "words"))),
    ("a transcript of Rev.ai", ("monologues",)),
    ("words of Vosk", ("result", "text")),
    ("captions of YouTube as JSON", ("events", ("wireMagic", "pens"))),
    ("a podcast's JSON transcript", ("version", "segments")),
    ("an export of Telegram", ("messages", "type", "name")),
    ("an export of Messenger or Instagram", ("messages", "participants")),
    ("an export of Discord", ("messages", "channel")),
    ("chats with a language model", (("messages", "conversations"),)),
    ("an export of Slack", ("type", "ts", "text")),
)
"""Formats, and the keys of their objects; one key of each inner tuple is required."""
