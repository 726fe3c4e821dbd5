"""Reading and writing of XML: without entities, external files or unbounded work."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sdt.errors import InputError
from sdt.formats.parsing.decoding import MAX_DOCUMENT
from sdt.formats.transcript import tidy

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_ELEMENTS = 2_000_000
"""A day of speech with a time for each word has some 500,000 elements."""
_INVALID = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def parse_xml(path: Path, text: str, title: str) -> Element:
    """Parse XML.

    Args:
        path: The file, for error messages.
        text: Its content.
        title: The name of the format, for error messages.

    Raises:
        InputError: The text is not XML, has a document type or entities, or is too long.
    """
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException  # only XML needs them
    from defusedxml.ElementTree import fromstring

    if len(text) > MAX_DOCUMENT or text.count("<") > 2 * MAX_ELEMENTS:
        raise InputError(f"{path}: {len(text):,} characters of XML exceed the limit; split the file")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        raise InputError(
            f"{path}, line {line}: not XML at column {column + 1} ({str(error).partition(':')[0]}); is this "
            f"{title} file truncated?"
        ) from None
    except DefusedXmlException:
        raise InputError(f"{path}: has a document type or entities, which {title} files do not need") from None
    except (ValueError, RecursionError) as error:  # a damaged declaration of the encoding
        raise InputError(f"{path}: not XML ({type(error).__name__}); is this {title} file damaged?") from None
    return root


def value(element: Element | None) -> str:
    """The text of an element in one line; empty without element or text."""
    return "" if element is None else tidy("".join(element.itertext()))


def xml_text(text: str) -> str:
    """Text of an element; characters that XML cannot have become U+FFFD."""
    return html.escape(_INVALID.sub("\ufffd", text), quote=False)


def xml_attributes(**values: str | int | None) -> str:
    """Attributes in a start tag, each with a space before it; those that are None are left out."""
    given = {name: str(value) for name, value in values.items() if value is not None}
    return "".join(f' {name}="{html.escape(_INVALID.sub(chr(0xFFFD), value))}"' for name, value in given.items())
