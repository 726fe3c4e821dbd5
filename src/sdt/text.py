"""Decoding of text: detection of encodings, repair of wrongly decoded text, refusal of control characters."""

from __future__ import annotations

import codecs
import contextlib
import re
from collections.abc import Iterable, Sequence
from encodings import aliases
from typing import NamedTuple

from sdt.errors import InputError, near_miss, quoted

_CALL = re.compile(r"([a-z_]+)\((\d{1,9}(?:\.\d{1,12})?|\.\d{1,12})\)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_KNOWN = [name for name in aliases.aliases if not re.match(r"base|bz|hex|quo|rot|uu|zip|zlib", name)]
_MULTIBYTE = ("gb18030", "big5", "cp932", "euc_jp", "cp949")
_NOT_LATIN = (
    "cp1251", "koi8_r", "cp866", "iso8859_5", "cp1253", "cp1255", "cp1256", "cp874", *_MULTIBYTE,
)  # fmt: skip
"""Common encodings of alphabets other than Latin."""
_LATIN = ("cp1250", "iso8859_2", "cp1254", "cp1257", "mac_roman", "cp850", "cp437", "cp852")
_BY_LANGUAGE = {"cp1254": ("tr", "az"), "cp1250": ("pl", "cs", "sk", "hu", "ro", "hr", "sl", "bs", "sq")}
"""Encodings that differ from Windows-1252 in a few letters, and the languages (ISO 639-1) that need these."""
_TYPOGRAPHIC = b"\x85\x91\x92\x93\x94\x95\x96\x97"
"""Quotes, dashes and the ellipsis in Windows-1252 and similar encodings."""
_SAMPLE = 1 << 16
"""The number of bytes that detection analyses."""
_CLOSE = 0.03
"""Two encodings are ambiguous if their detected disorder and coherence differ by less."""
_NOT_IN_WORDS = re.compile(
    r"[\x80-\x9f]|[¦¬±¹²³¼¾¶](?=[^\W\d_])|(?<=[^\W\d_])[¡¢£¤¥§©®¯µ¸º»½¿÷×†‡ˆ‰‹›‚ƒ„•˜™](?=[^\W\d_])"
)
# The positions that Windows-1252 leaves undefined (0x81 and four more) stay as they are.
_WINDOWS_1252 = {
    code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}


def is_blank(text: str | None) -> bool:
    r"""Whether a text is empty: None, or white space and invisible characters only.

    Example:
        >>> is_blank(" \u200b"), is_blank("...")
        (True, False)
    """
    return not any(character.isprintable() and not character.isspace() for character in text or "")


def repair_windows1252(text: str) -> str:
    r"""Replace control characters by the characters of Windows-1252 with the same codes.

    Text in that encoding, read as Latin-1, has control characters (U+0080 to U+009F) for typographic quotes, dashes and
    ellipses; MELD's annotation is full of them. No real text contains such characters.

    Example:
        >>> repair_windows1252("don\x92t")
        'don’t'
    """
    return text.translate(_WINDOWS_1252)


def repair_utf8(text: str) -> str:
    r"""Undo the decoding of UTF-8 bytes as Latin-1, which happens to byte strings of Python 2 in a pickle.

    Other text is returned unchanged.

    Example:
        >>> repair_utf8("caf\xc3\xa9"), repair_utf8("caf\xe9")
        ('café', 'café')
    """
    try:
        return text.encode("latin1").decode("utf-8")
    except UnicodeError:
        return text


def check_names(what: str, names: Iterable[str]) -> None:
    r"""Refuse names with control characters, which terminals interpret.

    Args:
        what: The kind of names, such as "label", for error messages.
        names: Ids, labels, speakers, modalities.

    Raises:
        InputError: A name has a control character, such as the start of an escape sequence.

    Example:
        >>> check_names("label", ["joy", "\x1b[31manger"])
        Traceback (most recent call last):
        sdt.errors.InputError: label '\x1b[31manger' contains control characters; remove them
    """
    for name in names:
        if _CONTROL.search(name):
            raise InputError(f"{what} {quoted(name)} contains control characters; remove them")


def parse_call(text: str) -> tuple[str, float] | None:
    """Parse a setting with one number in parentheses.

    Example:
        >>> parse_call("window(8)"), parse_call("window")
        (('window', 8.0), None)
    """
    found = _CALL.fullmatch(text)
    return (found[1], float(found[2])) if found else None


class UnknownEncodingError(InputError):
    """The encoding of a text cannot be detected.

    Args:
        where: The file.
        likely: Encodings that it may have.
    """

    def __init__(self, where: str, likely: Sequence[str]) -> None:
        self.where, self.likely = where, tuple(likely)
        hint = f"give --encoding, for example {', '.join(likely)}" if likely else "give --encoding"
        super().__init__(f"{where}: is not UTF-8, and its encoding cannot be detected; {hint}")


class DecodedText(NamedTuple):
    """Text, and the encoding of its bytes."""

    text: str
    """The text without a byte order mark; line ends are unchanged."""
    encoding: str
    """The Python name of the encoding. Windows-1252 is `latin-1`, because it leaves five bytes undefined; `text` is
    already repaired by `repair_windows1252`."""
    note: str | None
    """A note for the user if the encoding is guessed."""


def decode(where: str, data: bytes, encoding: str | None = None) -> DecodedText:
    """Decode a text file, or a line of one.

    A byte order mark determines UTF-8, UTF-16 or UTF-32. Without one, valid UTF-8 is UTF-8, and text with zero bytes is
    UTF-16. Otherwise, text with single letters outside of ASCII is Windows-1252, unless this yields symbols within
    words; for text with whole words outside of ASCII, charset-normalizer detects the encoding.

    Args:
        where: The file, and the line if `data` is one line, for error messages.
        data: The bytes.
        encoding: The encoding that the user gave.

    Raises:
        InputError: The encoding is unknown or invalid for these bytes.
        UnknownEncodingError: No encoding is given, and it cannot be detected.
    """
    if encoding is not None:
        return DecodedText(_decode_as(where, data, check_encoding(encoding)), encoding, None)
    for bom, name in _BOMS:
        if data.startswith(bom):
            try:
                return DecodedText(data.decode(name), name, None)
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{where}: has the byte order mark of {name.removesuffix('-sig').upper()} but is invalid "
                    f"({error.reason} at byte {error.start}); is the file truncated?"
                ) from None
    for name in (*(["iso2022_jp"] if b"\x1b$" in data else []), "utf-8", *_utf16(data)):
        try:
            text = data.decode(name)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return DecodedText(text, name, None)
    return _detect(where, data)


def check_encoding(name: str) -> str:
    """Check the name of an encoding that the user gave.

    Returns:
        The name.

    Raises:
        InputError: Python does not know the encoding.
    """
    try:
        with contextlib.suppress(UnicodeError):
            b"a".decode(name)
    except (LookupError, ValueError):
        hint = near_miss(name, _KNOWN)
        hint = hint if "did you mean" in hint else "; known are gb18030, cp1250, ..."  # there are 300
        raise InputError(f"encoding {quoted(name)} is unknown{hint}") from None
    return name


def _decode_as(where: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{where}: not {encoding} (byte {data[error.start]:#04x} in line {line}); give the correct encoding"
        ) from None


def _utf16(data: bytes) -> list[str]:
    """UTF-16 without a byte order mark: in every language many characters, such as line ends, have one zero byte."""
    little, big = (data[first::2].count(0) for first in (1, 0))
    share = max(little, big) / max(1, len(data) // 2)
    # In ASCII text all letters have a zero byte; a few zero bytes have another cause.
    if len(data) % 2 or min(little, big) or share < (0.5 if data.isascii() else 0.05):
        return []
    return ["utf-16-le" if little else "utf-16-be"]


def _detect(where: str, data: bytes) -> DecodedText:
    latin = repair_windows1252(data.decode("latin-1"))
    if "\0" in latin:  # not text; the caller reports it
        return DecodedText(latin, "latin-1", None)
    sample = b"\n".join(line for line in data[: 16 * _SAMPLE].splitlines() if not line.isascii())[:_SAMPLE]
    letters = sample.translate(None, _TYPOGRAPHIC)
    runs = re.findall(rb"[\x80-\xff]+", letters)
    is_latin = 2 * sum(len(run) > 1 for run in runs) < max(1, len(runs))
    # In another alphabet, letters outside of ASCII are not next to letters of ASCII.
    beside = len(re.findall(rb"(?<=[A-Za-z])[\x80-\xff]+|[\x80-\xff]+(?=[a-z])", letters))
    is_latin = is_latin or 3 * beside > 2 * len(runs)
    if is_latin and not _is_garbled(repair_windows1252(sample.decode("latin-1"))):
        name = _by_language(sample)
        if name == "cp1252":
            return DecodedText(latin, "latin-1", _note("Windows-1252"))
        return DecodedText(data.decode(name, "replace"), name, _note(name))
    kinds = (_LATIN, _MULTIBYTE) if is_latin else (_NOT_LATIN, _LATIN)
    likely = _likely(sample, kinds[0]) or _likely(sample, kinds[1])
    if len(likely) == 1:
        with contextlib.suppress(UnicodeDecodeError):
            return DecodedText(data.decode(likely[0]), likely[0], _note(likely[0]))
    raise UnknownEncodingError(where, likely)


def _note(encoding: str) -> str:
    return f"not UTF-8: read as {encoding}; if characters are wrong, give --encoding"


def _by_language(sample: bytes) -> str:
    """The encoding of a Latin alphabet by the language of the text, for Turkish and languages of central Europe."""
    from sdt.language import most_likely_language  # rarely needed

    language, probability = most_likely_language(sample.decode("cp1252", "replace"))
    for encoding, languages in _BY_LANGUAGE.items():
        other, share = most_likely_language(sample.decode(encoding, "replace"))
        if other in languages and share >= 0.5 and (language in languages or share > probability):
            return encoding
    return "cp1252"


def _likely(sample: bytes, encodings: Sequence[str]) -> list[str]:
    """The encodings that charset-normalizer cannot distinguish; guessing among them would silently corrupt words."""
    from charset_normalizer import from_bytes  # rarely needed

    found = [m for m in from_bytes(sample, cp_isolation=list(encodings)) if not _is_garbled(str(m))]
    likely = [
        m.encoding for m in found if m.chaos - found[0].chaos < _CLOSE and found[0].coherence - m.coherence < _CLOSE
    ]
    # Bytes are rarely valid in a multi-byte encoding by chance, and always valid in a single-byte one.
    return [name for name in likely if name in _MULTIBYTE] or likely


def _is_garbled(text: str) -> bool:
    """Whether words contain symbols or capitals, as text decoded with the wrong Latin encoding does."""
    capitals = (
        text[found.start()].isupper() and text[found.start() - 1].islower() and text[found.end()].islower()
        for found in re.finditer(r"(?<=[^\W\d_])[^\x00-\x7f](?=[^\W\d_])", text)
    )
    return 20 * (len(_NOT_IN_WORDS.findall(text)) + sum(capitals)) > len(re.findall(r"[^\x00-\x7f]", text))
