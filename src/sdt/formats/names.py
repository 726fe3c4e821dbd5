r"""Is it a speaker, what stands before the colon? "Joey: Hey!" names one, "He said: no", "10:30" and "http://" do not.

A line may begin with a name in one of these shapes. The colon is followed by a blank, the end of the line, a letter or
an opening quote or bracket: not by a digit (10:30) or a slash (http://). A full-width colon needs nothing after it.

| shape       | example                                 | what it is                                               |
|-------------|-----------------------------------------|----------------------------------------------------------|
| `plain`     | `Joey:`, `Man #2:`, `**Joey:**`         | at most 4 words, 30 characters, no signs but `'.-_&#/()` |
| `unusual`   | `Lee, Ann:`, `+4917...:`, `Ann, Acme:`  | longer or with other signs, but no end of a sentence     |
| `bracketed` | `[JOEY] Hey`, `(JOEY) Hey`              | a name in brackets or emphasised, with no colon          |

Its last word is none that introduces speech or a remark ("He said:", "Note:"). Names are *believed* by what the whole
file looks like:

- plain ones, if the beginning of every utterance has that shape;
- else those that occur twice, if two names do so, or a third of the beginnings have one (half of them where
  there is but one, not capitalised); or if half of the beginnings are capitalised names ("Monica Geller"). Other
  capitalised names are then believed too. Unusual ones have to be capitalised, and to occur twice unless half of the
  beginnings have a name;
- bracketed ones, if half of the beginnings have one, and some occur twice or all beginnings have one. Descriptions of
  sounds are none, and `<Joey>` counts as plain;
- names that programs give (SPEAKER_01), always. In subtitles those all in capitals ("MONICA:") too: a name is often
  given but once there, and no other cue depends on it.

A remark in brackets after a name, "BEN (ON PHONE):", is left out where the name occurs without it, too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from sdt.formats.notices import is_sound, names_sound

MAX_WORDS = 4
MAX_CHARACTERS = 30
MAX_UNUSUAL = 60

_COLON = r"""\s*(?::(?=\s|$|[^\W\d_]|["'“‘„«¿¡(\[♪…])|：)"""
# The letters of some scripts are not all \w, so the name is told by what it does not hold.
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


class Beginning(NamedTuple):
    """A line that may begin with a name."""

    name: str
    words: str
    """What is left of the line."""
    shape: Shape


def beginning(line: str) -> Beginning | None:
    """What may be a name at the beginning of a line that has no blanks before it."""
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
    name = " ".join(found[1].lstrip("~").split())  # as WhatsApp writes those who are no contacts
    if _SPEECH_OR_REMARK.fullmatch(name) or re.match(r"\d+[.)]\s", name) or not re.search(r"\w", name):
        return None
    return Beginning(name, line[found.end() :].strip(), shape if colon else "bracketed")


def split_name(line: str, believed: Collection[str] | None = None) -> tuple[str | None, str]:
    """Split a line into the speaker's name and the words.

    Args:
        line: With no blanks before it.
        believed: The names to look for; None for everything that has the plain shape of one.

    Returns:
        The name (None where there is none) and what is left of the line.

    Example:
        >>> split_name("Monica Geller: Hi!"), split_name("It's 10:30")
        (('Monica Geller', 'Hi!'), (None, "It's 10:30"))
    """
    found = beginning(line)
    if found is None or (believed is None and found.shape != "plain"):
        return None, line
    for name in (found.name, bare(found.name)):
        if believed is None or name in believed:
            return name, found.words
    return None, line


def bare(name: str) -> str:
    """A name without the remark in brackets after it."""
    return _REMARK.sub("", name) or name


def is_capitalised(name: str) -> bool:
    """Whether every word but "von" and the like begins with a capital, a digit, or a letter that has no case."""
    words = (word.lstrip("(#'’+~@") for word in bare(name).split() if not _PARTICLE.fullmatch(word))
    return not any(word[:1].islower() for word in words)


class NamesSoFar:
    """The speakers' names of what has no end yet: the rules for a file, for the lines so far."""

    def __init__(self) -> None:
        self._lines = 0
        self._found: dict[Shape, Counter[str]] = {"plain": Counter(), "unusual": Counter(), "bracketed": Counter()}

    def add(self, line: str) -> None:
        """Take another beginning of an utterance into account."""
        self._lines += 1
        if found := beginning(line):
            self._found[found.shape][found.name] += 1

    def believed(self, *, capitals: bool = False) -> frozenset[str]:
        """See `believed_names`."""
        names = self._colon() | self._bracketed()
        counts = self._found["plain"] + self._found["unusual"] + self._found["bracketed"]
        names |= {name for name in counts if _NUMBERED.fullmatch(name)}
        if capitals:
            names |= {name for name in self._found["plain"] if name.isupper() and len(name) > 1}
        return frozenset(name for name in names if bare(name) == name or bare(name) not in names)

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
        found = {n: k for n, k in self._found["bracketed"].items() if is_capitalised(n) and not names_sound(n)}
        total = sum(found.values())
        if 2 * total < self._lines or not (max(found.values(), default=0) > 1 or total == self._lines > 1):
            return set()
        return set(found)


def believed_names(beginnings: Sequence[str], *, capitals: bool = False, changes: Sequence[str] = ()) -> frozenset[str]:
    """The speakers' names of a file.

    Args:
        beginnings: The lines with which utterances begin, as far as one can tell.
        capitals: Whether names all in capitals are always believed.
        changes: Those of them before which the file says that somebody else speaks: capitalised names are believed.
    """
    names = NamesSoFar()
    for line in beginnings:
        if not is_sound(line):
            names.add(line)
    told = (found.name for line in changes if (found := beginning(line)) and found.shape == "plain")
    return names.believed(capitals=capitals) | {name for name in told if is_capitalised(name)}
