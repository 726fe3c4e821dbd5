"""Repairing text that went through the wrong encoding, and refusing names that a terminal would act upon."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sdt.errors import InputError, quoted

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# The positions that Windows-1252 leaves undefined (0x81 and four more) stay as they are.
_WINDOWS_1252 = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def repair_windows1252(text: str) -> str:
    r"""Replace control characters by what they were in Windows-1252.

    Text in that encoding, read as Latin-1, has control characters (U+0080 to U+009F) for typographic quotes, dashes and
    ellipses; MELD's annotation is full of them. No real text contains such characters.

    Example:
        >>> repair_windows1252("don\x92t")
        'don’t'
    """
    return text.translate(_WINDOWS_1252)


def repair_utf8(text: str) -> str:
    r"""Undo the reading of UTF-8 bytes as Latin-1, which is how byte strings of Python 2 come out of a pickle.

    Text that cannot have come about in this way is returned as it is.

    Example:
        >>> repair_utf8("caf\xc3\xa9"), repair_utf8("caf\xe9")
        ('café', 'café')
    """
    try:
        return text.encode("latin1").decode("utf-8")
    except UnicodeError:
        return text


def check_names(what: str, names: Iterable[str]) -> None:
    r"""Refuse names that hold control characters: no real name does, and a terminal acts upon some of them.

    Args:
        what: What they name, as in "label".
        names: Ids, labels, speakers, modalities.

    Raises:
        InputError: One holds a control character, such as the beginning of an escape sequence.

    Example:
        >>> check_names("label", ["joy", "\x1b[31manger"])
        Traceback (most recent call last):
        sdt.errors.InputError: label '\x1b[31manger' holds control characters; remove them
    """
    for name in names:
        if _CONTROL.search(name):
            raise InputError(f"{what} {quoted(name)} holds control characters; remove them")
