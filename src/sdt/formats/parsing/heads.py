"""Recognition of a text by its beginning, whatever its file is called."""

from __future__ import annotations

import re
from collections.abc import Callable

from sdt.formats.parsing.decoding import Decoded

HEAD = 4096
"""The number of characters that detection reads."""
TIME = r"\d+:\d+[\d:.,]*"
NUMBER = r"\d+(?:\.\d+)?"
Matches = Callable[[Decoded], bool]


def head(text: str) -> str:
    """The beginning of a text, in whole lines if possible, without white space before it."""
    start = text[:HEAD].lstrip()
    return start[: start.rfind("\n") + 1] or start if len(text) > HEAD else start


def first_lines(decoded: Decoded) -> list[str]:
    """The first lines that are not blank, at most eight."""
    return [line for line in decoded.text.lstrip().split("\n", 8)[:8] if line.strip()]


def begins(pattern: str) -> Matches:
    """Whether the text begins with a pattern."""
    return lambda decoded: re.match(pattern, head(decoded.text)) is not None


def contains(pattern: str) -> Matches:
    """Whether the beginning of the text contains a pattern; `^` matches the start of a line."""
    return lambda decoded: re.search(pattern, head(decoded.text), re.MULTILINE) is not None


def every_line(pattern: str, *, comments: str = "") -> Matches:
    """Whether all lines of the beginning match, except blank ones and those that begin with `comments`."""

    def check(decoded: Decoded) -> bool:
        lines = [line.strip() for line in head(decoded.text).split("\n") if line.strip()]
        lines = [line for line in lines if not (comments and line.startswith(comments))]
        return bool(lines) and all(re.fullmatch(pattern, line) for line in lines)

    return check


def xml_root(text: str) -> str | None:
    """The name of the root element of XML, in lower case; None for other text.

    Text is XML if it has an XML declaration, or if it ends with the end tag of its first element.
    """
    found = re.match(
        r"\s*(?P<declared><\?xml\b[^>]*>\s*)?(?:<!--.*?-->\s*|<!DOCTYPE[^>\[]*(?:\[[^\]]*\]\s*)?>\s*)*<(?P<root>[A-Za-z][\w:.-]*)",
        text,
        re.DOTALL,
    )
    if not found:
        return "" if text.lstrip().startswith("<?xml") else None
    root = found["root"].lower()
    return root if found["declared"] or text[-HEAD:].rstrip().lower().endswith(f"</{root}>") else None


def is_xml(root: str) -> Matches:
    """Whether the text is XML with this root element, given in lower case and without a namespace."""
    return lambda decoded: (xml_root(decoded.text) or "").rpartition(":")[2] == root
