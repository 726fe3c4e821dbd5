r"""Detection of speaker names before a colon: in "Joey: Hey!", but not in "He said: no", "10:30" or "http://".

A line can begin with a name in one of these shapes. The colon is followed by white space, the end of the line, a letter
or an opening quote or bracket, but not by a digit (10:30) or a slash (http://). A full-width colon needs no successor.

| shape       | example                                 | description                                              |
|-------------|-----------------------------------------|----------------------------------------------------------|
| `plain`     | `Joey:`, `Man #2:`, `**Joey:**`         | at most 4 words, 30 characters, no signs but `'.-_&#/()` |
| `unusual`   | `Lee, Ann:`, `+4917...:`, `Ann, Acme:`  | longer or with other signs, but no end of a sentence     |
| `bracketed` | `[JOEY] Hey`, `(JOEY) Hey`              | a name in brackets or emphasised, with no colon          |

The last word must not introduce speech or a remark ("He said:", "Note:"). Candidates are accepted by their pattern in
the whole file:

- plain names, if every utterance begins with one;
- otherwise names that occur twice, if there are two of them, or if a third of the utterances begin with one (half of
  them for a single name that is not capitalised); or if half of the utterances begin with a capitalised name ("Monica
  Geller"). Other capitalised names are then accepted, too. Unusual names must be capitalised, and occur twice unless
  half of the utterances begin with a name;
- bracketed names, if half of the utterances begin with one, and some occur twice or all utterances begin with one.
  Descriptions of sounds are not names, and `<Joey>` counts as plain;
- names that programs assign (SPEAKER_01), always. In subtitles, names in capitals ("MONICA:"), too: they often occur
  only once, and other cues do not depend on them.

A remark in brackets after a name, "BEN (ON PHONE):", is removed if the name also occurs without it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from sdt.formats.parsing.notices import describes_sound, is_sound

MAX_WORDS = 4
MAX_CHARACTERS = 30
MAX_UNUSUAL = 60

_COLON = r"""\s*(?::(?=\s|$|[^\W\d_]|["'“‘„«¿¡(\[♪…])|：)"""
# In some scripts not all letters are \w, so that the pattern lists the characters that a name does not contain.
_PLAIN = re.compile(rf"""([^\W_][^:：,;!?"“”„«»<>\[\]{{}}|=…\n]{{0,{MAX_CHARACTERS - 1}}}?){_COLON}""")
_UNUSUAL = re.compile(rf"""((?:[^\W_]|[+~@#(])[^:：;!?"“”„«»<>{{}}=…\n]{{0,{MAX_UNUSUAL - 1}}}?){_COLON}""")
_ENCLOSED = re.compile(
    rf"(?:\[([^\[\]\n]{{1,{MAX_UNUSUAL}}})\]|\(([^()\n]{{1,{MAX_UNUSUAL}}})\)|<([^<>/\n]{{1,{MAX_UNUSUAL}}})>|"
    rf"(?P<marks>\*\*?|__?)(?=[^\s*_])([^*\n]{{1,{MAX_UNUSUAL}}}?)(?P<inside>[:：])?(?P=marks)(?!\w))"
    rf"(?P<colon>{_COLON})?\s*"
)
_TAG = re.compile(r"(?:[a-z]|em|strong|font|span|br|div|sub|sup)\b", re.IGNORECASE)
_REMARK = re.compile(r"\s*[(\[][^()\[\]]*[)\]]$")
_SPEECH_OR_REMARK = re.compile(
    r".*\b(?:sa(?:id|ys?|ying)|ask(?:s|ed)|repli(?:es|ed)|answer(?:s|ed)|th(?:inks|ought)|wr(?:ites|ote)|told|add(?:s|ed)|"
    r"shout(?:s|ed)|whisper(?:s|ed)|yell(?:s|ed)|cri(?:es|ed)|is|are|was|were|be|th(?:is|at|ese|ose)|following|"
    r"notes?|nb|p\.?s\.?|re|scene|warning|todo|subject|date|time|example|remember|reminder|attention|important|caution|"
    r"conclusion|summary|hint|tip|fyi|update|edit|results?|topic|title|duration|location|participants|attendees)|"
    r"(?:first|second|third|last)(?:ly)?|finally|question|because|but|and|so|like|look|listen|wait|guess what",
    re.IGNORECASE,
)
_PARTICLE = re.compile(r"v[oa]n|de[rn]?|d[aiu]|del|l[ae]|[ea]l|bin|of|the|and|y|&|#")
_NUMBERED = re.compile(r"(?:speaker|spkr?)[ _-]?\d+", re.IGNORECASE)
_SENTENCE = re.compile(r"\w{5,}\.\s")

Shape = Literal["plain", "unusual", "bracketed"]


class Candidate(NamedTuple):
    """A candidate for a speaker name at the start of a line."""

    name: str
    rest: str
    """The rest of the line."""
    shape: Shape


def find_candidate(line: str) -> Candidate | None:
    """Find a candidate for a speaker name at the start of a line without leading white space."""
    colon = True
    if found := _ENCLOSED.match(line):
        name = next(group for group in (found[1], found[2], found[3], found[5]) if group).strip()
        colon = bool(found["colon"] or found["inside"] or name[-1:] in ":：" or (found[3] and not _TAG.match(name)))
        name = name.rstrip(":：")
        if re.search("[:：]", name):
            return None
        line = f"{name}: {line[found.end() :]}"
    found = _PLAIN.match(line)
    shape: Shape = "plain"
    if not found or len(found[1].split()) > MAX_WORDS:
        found, shape = _UNUSUAL.match(line), "unusual"
    if not found or len(found[1].split()) > 2 * MAX_WORDS + 2 or _SENTENCE.search(found[1]):
        return None
    name = " ".join(found[1].lstrip("~").split())  # WhatsApp puts it before names that are not contacts
    if _SPEECH_OR_REMARK.fullmatch(name) or re.match(r"\d+[.)]\s", name) or not re.search(r"\w", name):
        return None
    return Candidate(name, line[found.end() :].strip(), shape if colon else "bracketed")


def split_name(line: str, accepted: Collection[str] | None = None) -> tuple[str | None, str]:
    """Split a line into the name of the speaker and the text.

    Args:
        line: A line without leading white space.
        accepted: The accepted names; None accepts every name of plain shape.

    Returns:
        The name or None, and the rest of the line.

    Example:
        >>> split_name("Monica Geller: Hi!"), split_name("It's 10:30")
        (('Monica Geller', 'Hi!'), (None, "It's 10:30"))
    """
    found = find_candidate(line)
    if found is None or (accepted is None and found.shape != "plain"):
        return None, line
    for name in (found.name, without_remark(found.name)):
        if accepted is None or name in accepted:
            return name, found.rest
    return None, line


def without_remark(name: str) -> str:
    """A name without a trailing remark in brackets."""
    return _REMARK.sub("", name) or name


def is_capitalised(name: str) -> bool:
    """Whether every word except particles such as "von" begins with a capital, a digit, or a letter without case."""
    words = (word.lstrip("(#'’+~@") for word in without_remark(name).split() if not _PARTICLE.fullmatch(word))
    return not any(word[:1].islower() for word in words)


class NameDetector:
    """Detects the speaker names of a growing text, by the rules for a file applied to the lines so far."""

    def __init__(self) -> None:
        self._lines = 0
        self._found: dict[Shape, Counter[str]] = {"plain": Counter(), "unusual": Counter(), "bracketed": Counter()}

    def add(self, line: str) -> None:
        """Add the first line of an utterance."""
        self._lines += 1
        if found := find_candidate(line):
            self._found[found.shape][found.name] += 1

    def accepted(self, *, capitals: bool = False) -> frozenset[str]:
        """The accepted names; see `detect_names`."""
        names = self._colon() | self._bracketed()
        counts = self._found["plain"] + self._found["unusual"] + self._found["bracketed"]
        names |= {name for name in counts if _NUMBERED.fullmatch(name)}
        if capitals:
            names |= {name for name in self._found["plain"] if name.isupper() and len(name) > 1}
        return frozenset(name for name in names if without_remark(name) == name or without_remark(name) not in names)

    def _colon(self) -> set[str]:
        plain, unusual = self._found["plain"], self._found["unusual"]
        if plain.total() == self._lines:
            return set(plain)
        proper = {name for name in unusual if is_capitalised(name)}
        recurring = {name for name in plain if plain[name] > 1} | {name for name in proper if unusual[name] > 1}
        capitalised = {name for name in plain if is_capitalised(name)}
        counts = plain + unusual
        share = sum(counts[name] for name in recurring | capitalised) / self._lines
        if not (
            len(recurring) > 1
            or (recurring and share >= (1 / 3 if capitalised or recurring & proper else 1 / 2))
            or 2 * sum(plain[name] for name in capitalised) >= self._lines
            or (self._lines > 1 and sum(counts[name] for name in capitalised | proper) == self._lines)
        ):
            return set()
        names = recurring | capitalised
        return names | proper if 2 * sum(counts[name] for name in names | proper) >= self._lines else names

    def _bracketed(self) -> set[str]:
        found = {n: k for n, k in self._found["bracketed"].items() if is_capitalised(n) and not describes_sound(n)}
        total = sum(found.values())
        if 2 * total < self._lines or not (max(found.values(), default=0) > 1 or total == self._lines > 1):
            return set()
        return set(found)


def detect_names(beginnings: Sequence[str], *, capitals: bool = False, changes: Sequence[str] = ()) -> frozenset[str]:
    """Detect the speaker names of a file.

    Args:
        beginnings: The first lines of the utterances.
        capitals: Whether names in capitals are always accepted.
        changes: The first lines after a marked change of speaker, where capitalised names are accepted.
    """
    names = NameDetector()
    for line in beginnings:
        if not is_sound(line):
            names.add(line)
    marked = (found.name for line in changes if (found := find_candidate(line)) and found.shape == "plain")
    return names.accepted(capitals=capitals) | {name for name in marked if is_capitalised(name)}
