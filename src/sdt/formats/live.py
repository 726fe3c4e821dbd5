"""A transcript that is still being written: turns line by line, from a terminal or a pipe.

| form    | a line                                                                                              |
|---------|-----------------------------------------------------------------------------------------------------|
| `lines` | `Speaker: words`, see `sdt.formats.plain`; a line of three dashes or more begins a conversation |
| `json`  | a JSON object, see `sdt.formats.tables`; what names no conversation is of the first             |

Blank lines say nothing, as in every transcript.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

from sdt.errors import InputError
from sdt.formats.decoding import MAX_LINE
from sdt.formats.plain import PlainLines
from sdt.formats.tables import read_json_line
from sdt.formats.transcript import Turn
from sdt.text import decode, repair_windows1252

Form = Literal["lines", "json"]
_DIVIDER = re.compile(r"\s*[-\u2013\u2014]{3,}\s*")


class LiveTranscript:
    """Reads lines as they come.

    Args:
        name: What messages call the source.
        form: `lines` or `json`; None to tell by the first line.
        encoding: That of the lines; None to tell it line by line.
    """

    def __init__(self, name: str, form: Form | None = None, encoding: str | None = None) -> None:
        self.form = form
        self.line = 0
        """The number of the last line, from 1."""
        self._path, self._plain, self._conversation = Path(name), PlainLines(), 1
        self._encoding = encoding

    @property
    def place(self) -> str:
        """How messages name the last line."""
        return f"{self._path}, line {self.line}"

    def turn(self, raw: bytes) -> Turn | None:
        """The turn of the next line; None where it holds none.

        Args:
            raw: Its bytes.

        Raises:
            InputError: The line cannot be read, or its encoding cannot be told; the message names it. The next one can
                be.
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
        said = self._plain.turn(self._path, self.line, text)
        return said and replace(said, conversation=str(self._conversation))

    def _decoded(self, raw: bytes) -> str:
        text = decode(self.place, raw.rstrip(b"\r\n"), self._encoding).text
        if "\0" in text:
            raise InputError(f"{self.place}: holds a NUL byte, so it is not text")
        if len(text) > MAX_LINE:
            raise InputError(f"{self.place}: more than {MAX_LINE:,} characters; no utterance has so many")
        return repair_windows1252(text)
