"""Live transcripts: turns line by line, from a terminal or a pipe.

| form    | a line                                                                                           |
|---------|--------------------------------------------------------------------------------------------------|
| `lines` | `Speaker: text`, see `sdt.formats.plain`; three or more dashes start a new conversation          |
| `json`  | a JSON object, see `sdt.formats.parsing.turn_records`; the default conversation is `1`           |

Blank lines are ignored.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

from sdt.errors import InputError
from sdt.formats.parsing.decoding import MAX_LINE
from sdt.formats.parsing.turn_records import read_json_line
from sdt.formats.plain import PlainLines
from sdt.formats.transcript import Turn
from sdt.text import decode, repair_windows1252

Form = Literal["lines", "json"]
_DIVIDER = re.compile(r"\s*[-\u2013\u2014]{3,}\s*")


class LiveTranscript:
    """Reads a transcript line by line.

    Args:
        name: The name of the source in messages.
        form: `lines` or `json`; None detects it by the first line.
        encoding: The encoding; None detects it line by line.
    """

    def __init__(self, name: str, form: Form | None = None, encoding: str | None = None) -> None:
        self.form = form
        self.line = 0
        """The number of the last line, from 1."""
        self._path, self._plain, self._conversation = Path(name), PlainLines(), 1
        self._encoding = encoding

    @property
    def location(self) -> str:
        """The position of the last line, for messages."""
        return f"{self._path}, line {self.line}"

    def turn(self, raw: bytes) -> Turn | None:
        """Read the turn of the next line; None if it has none.

        Args:
            raw: The bytes of the line.

        Raises:
            InputError: The line or its encoding is invalid; the next line can still be read.
        """
        self.line += 1
        text = self._decoded(raw)
        if not text.strip():
            return None
        if self.form is None:
            self.form = "json" if text.lstrip().startswith("{") else "lines"
        if self.form == "json":
            turn = read_json_line(self._path, self.line, text)
            return turn if turn.conversation else replace(turn, conversation="1")
        if _DIVIDER.fullmatch(text):
            self._conversation += 1
            return None
        found = self._plain.turn(self._path, self.line, text)
        return found and replace(found, conversation=str(self._conversation))

    def _decoded(self, raw: bytes) -> str:
        text = decode(self.location, raw.rstrip(b"\r\n"), self._encoding).text
        if "\0" in text:
            raise InputError(f"{self.location}: contains a NUL byte, so it is not text")
        if len(text) > MAX_LINE:
            raise InputError(f"{self.location}: exceeds the limit of {MAX_LINE:,} characters for a line")
        return repair_windows1252(text)
