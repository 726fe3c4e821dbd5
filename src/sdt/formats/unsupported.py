"""Detection of unsupported transcript formats, so that an error can name them: their markup would be read as text.

Formats are detected by the beginning of the content, regardless of the name of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from sdt.formats.parsing.decoding import Decoded
from sdt.formats.parsing.heads import begins, contains, every_line, head, xml_root


@dataclass(frozen=True)
class UnsupportedFormat:
    """A format that is detected, but not supported."""

    title: str
    matches: Callable[[Decoded], bool]
    """Whether the beginning of a text has this format."""


def unsupported_text(decoded: Decoded) -> str | None:
    """The name of the unsupported format of a text, or None."""
    found = next((format.title for format in _TEXTS if format.matches(decoded)), None)
    return found or (_XML.get(root, "XML") if (root := xml_root(decoded.text)) is not None else None)


def unsupported_json(value: object) -> str | None:
    """The name of the unsupported format of a JSON value or of the first of a list, or None."""
    first = value[0] if isinstance(value, list) and value else value
    if not isinstance(first, dict):
        return None
    return next((title for title, keys in _JSON if all(_has(first, key) for key in keys)), None)


def _has(value: Mapping[str, object], key: str | Collection[str]) -> bool:
    return key in value if isinstance(key, str) else any(one in value for one in key)


def _utterance_keys(decoded: Decoded) -> bool:
    """Whether lines begin with the keys of an utterance, as in YAML."""
    keys = {found[1] for found in re.finditer(r"^\s*(?:-\s+)?(\w+):(?:\s|$)", head(decoded.text), re.MULTILINE)}
    return {"speaker", "text"} <= keys


_TEXTS = (
    UnsupportedFormat("a chronological TextGrid of Praat", begins(r'"Praat chronological TextGrid')),
    UnsupportedFormat(
        "subtitles in the SubViewer format",
        begins(r"\[INFORMATION\]|\d\d:\d\d:\d\d\.\d\d,\d\d:\d\d:\d\d\.\d\d\s*\n"),
    ),
    UnsupportedFormat("subtitles in the MicroDVD format", every_line(r"\{\d+\}\{\d*\}.*")),
    UnsupportedFormat("subtitles in the MPL2 format", every_line(r"\[\d+\]\[\d*\].*")),
    UnsupportedFormat("captions in the Scenarist format (SCC)", begins(r"Scenarist_SCC")),
    UnsupportedFormat(
        "IEMOCAP's evaluation, which has emotions without text (import it with its transcription: sdt corpus import)",
        contains(r"^% ?\[START_TIME - END_TIME\]|^\[\d+\.\d+ - \d+\.\d+\]\s+Ses\d\d[FM]_\w+\s+[a-z]{3}\s+\["),
    ),
    UnsupportedFormat("IEMOCAP's forced alignment", begins(r"SFrm\s+EFrm\s+SegAScr")),
    UnsupportedFormat(
        "DailyDialog's dialogues, with __eou__ after each utterance (import them: sdt corpus import)",
        contains(r"(?:^|\s)__eo[ut]__(?:\s|$)"),
    ),
    UnsupportedFormat("YAML", _utterance_keys),
)


_XML = {
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


_JSON: tuple[tuple[str, tuple[str | Collection[str], ...]], ...] = (
    ("an old project of Label Studio", ("data", "completions")),
    ("a short export (JSON-MIN) of Label Studio", ("annotator", "annotation_id")),
    ("an annotation of Prodigy", ("_input_hash",)),
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
