"""Words of the main tier of CHAT, without the codes of the transcriber.

| code                                        | becomes                                   |
|---------------------------------------------|-------------------------------------------|
| `(be)cause`                                 | `because`                                 |
| `goed [: went]`                             | `went`                                    |
| `<I want> [/] I want`, `[//]`, `[?]`, `[= x]` | without the brackets                      |
| `&-uh`, `&~w`                               | `uh`, `w`                                 |
| `&=laughs`, `(.)`, `(1.5)`, `+...`, `0is`, `+"/.` | nothing                             |
| `dada@f`                                    | `dada`                                    |
| `xxx`, `yyy`, `www`                         | nothing                                   |
| `what ?`                                    | `what?`                                   |
"""

from __future__ import annotations

import re

BULLET = "\x15"
"""Before and after the times of an utterance or a word; some programs drop it."""
NO_TEXT = "[no text]"
"""The text of an utterance without one."""
_TIMES = re.compile(rf"[ \t]*(?:{BULLET}(\d{{1,12}})_(\d{{1,12}}){BULLET}|(?<=\s)(\d{{1,12}})_(\d{{1,12}})(?=\s*$))")
_REPLACED = re.compile(r"(?:<([^<>]*)>|(\S+))\s*\[:+\s*([^\[\]]*)\]")
_CODES = re.compile(r"\[[^\[\]]*\]")
_PAUSES = re.compile(r"\((?:\.{1,3}|\d+(?:[:.]\d+)*\.?)\)")
_EVENTS = re.compile(r"(?<!\S)&=\S+|(?<!\S)&[{}][^\s]*")
_LINKERS = re.compile(r'(?<!\S)\+(?:"/?\.|[<^,+"]|//?[.?!]|/[.?!]|\.\.\.\??|\.\.[?!]|!\?|\.|/\?)(?=\s|$)')
_FILLERS = re.compile(r"(?<!\S)&[-~+]?(?=\w)")
_OMITTED = re.compile(r"(?<!\S)0\w*(?!\S)")
_UNINTELLIGIBLE = re.compile(r"(?<!\S)(?:xxx|yyy|www)(?!\S)")
_FORM = re.compile(r"(?<=\w)@[a-z]+(?::\w+)?")
_SHORTENED = re.compile(r"(?<=\w)\((\w+)\)|\((\w+)\)(?=\w)")
_STRESS = re.compile("[ˈˌ↑↓⇗↗→↘⇘∞≈≋≡∙⌈⌉⌊⌋∆∇⁎°▁▔☺♋Ϋ∬⁇„‡∾↻ψ]|(?<=\\w):+|(?<=\\w)\\^(?=\\w)")
_PUNCTUATION = re.compile(r"\s+([.?!,;:]+)(?=\s|$)")


def split_times(line: str) -> tuple[str, float | None, float | None]:
    """Split the times from a main tier: text, start and end in seconds; the last bullet counts."""
    found = list(_TIMES.finditer(line))
    if not found:
        return line, None, None
    first, last = found[0], found[-1]
    start, end = int(first[1] or first[3]), int(last[2] or last[4])
    text = _TIMES.sub(" ", line)
    return (text, start / 1000, end / 1000) if start <= end else (text, None, None)


def clean(text: str) -> str:
    """The words of a main tier without codes.

    Example:
        >>> clean("<I want> [/] I want (.) &-uh two goed [: went] cook(ie)s !")
        'I want I want uh two went cookies!'
    """
    text = _REPLACED.sub(lambda found: found[3], text)
    for pattern in (_CODES, _PAUSES, _EVENTS, _LINKERS, _OMITTED):
        text = pattern.sub(" ", text)
    text = _FILLERS.sub("", text)
    text = _UNINTELLIGIBLE.sub(" ", text)
    text = _FORM.sub("", text)
    text = _SHORTENED.sub(lambda found: found[1] or found[2], text)
    text = _STRESS.sub("", text).replace("<", "").replace(">", "").replace("_", " ")
    words = " ".join(text.split())
    return _PUNCTUATION.sub(r"\1", words) if re.search(r"\w", words) else ""
