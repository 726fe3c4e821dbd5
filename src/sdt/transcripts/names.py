"""Is it a speaker, what stands before the colon? "Joey: Hey!" names one, "He said: no", "10:30" and "http://" do not.

The rule has two parts. By its *shape*, what precedes the first colon of a line can be a name if

- it has 1 to 4 words and at most 30 characters, begins with a letter or digit and holds no punctuation but
  `' . - _ & # / ( )`;
- the colon is followed by a blank, the end of the line, a letter or an opening quote or bracket: not by a digit (10:30)
  or a slash (http://). A full-width colon needs nothing after it;
- its last word is none that introduces speech or a remark ("He said:", "Note:").

Names are *believed* by what the whole file looks like:

- if the beginning of every utterance has the shape, all are names;
- else, if one of them occurs twice, or if half of the beginnings or more are capitalised names ("Monica Geller"), then
  those are names that occur twice or are capitalised;
- else the file names no speakers. In subtitles, where a name is often given but once, names all in capitals ("MONICA:")
  are always believed: there, no other cue depends on it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence

MAX_WORDS = 4
MAX_CHARACTERS = 30

_SHAPE = re.compile(
    # The letters of some scripts are not all \w, so the name is told by what it does not hold.
    rf"""([^\W_][^:：,;!?"“”„«»<>\[\]{{}}|=*…\n]{{0,{MAX_CHARACTERS - 1}}})"""
    r"""(?::(?=\s|$|[^\W\d_]|["'“‘„«¿¡(\[♪…])|：)"""
)
_NEVER_LAST = re.compile(
    r".*\b(?:sa(?:id|ys?|ying)|ask(?:s|ed)|repli(?:es|ed)|answer(?:s|ed)|th(?:inks|ought)|wr(?:ites|ote)|told|add(?:s|ed)|"
    r"shout(?:s|ed)|whisper(?:s|ed)|yell(?:s|ed)|cri(?:es|ed)|is|are|was|were|be|th(?:is|at|ese|ose)|following|"
    r"notes?|nb|p\.?s\.?|re|scene|warning|todo|subject|date|time|example)",
    re.IGNORECASE,
)
_PARTICLE = re.compile(r"v[oa]n|de[rn]?|d[aiu]|del|l[ae]|[ea]l|bin|of|the|and|y|&|#")


def split_name(line: str, believed: Collection[str] | None = None) -> tuple[str | None, str]:
    """Split a line into the speaker's name and the words.

    Args:
        line: With no blanks before it.
        believed: The names to look for; None for everything that has the shape of one.

    Returns:
        The name (None where there is none) and what is left of the line.

    Example:
        >>> split_name("Monica Geller: Hi!"), split_name("It's 10:30")
        (('Monica Geller', 'Hi!'), (None, "It's 10:30"))
    """
    found = _SHAPE.match(line)
    if not found:
        return None, line
    name = " ".join(found[1].split())
    if len(name.split()) > MAX_WORDS or _NEVER_LAST.fullmatch(name) or (believed is not None and name not in believed):
        return None, line
    return name, line[found.end() :].strip()


class NamesSoFar:
    """The speakers' names of what has no end yet: the rules for a file, for the lines so far."""

    def __init__(self) -> None:
        self._lines = 0
        self._named: Counter[str] = Counter()

    def add(self, beginning: str) -> None:
        """Take another beginning of an utterance into account."""
        name, _ = split_name(beginning)
        self._lines += 1
        if name is not None:
            self._named[name] += 1

    def believed(self, *, capitals: bool = False) -> frozenset[str]:
        """See `believed_names`."""
        if self._named.total() == self._lines:
            return frozenset(self._named)
        recurring = {name for name, count in self._named.items() if count > 1}
        capitalised = {name for name in self._named if _capitalised(name)}
        if recurring or 2 * sum(self._named[name] for name in capitalised) >= self._lines:
            return frozenset(recurring | capitalised)
        return frozenset(name for name in self._named if capitals and name.isupper() and len(name) > 1)


def believed_names(beginnings: Sequence[str], *, capitals: bool = False) -> frozenset[str]:
    """The speakers' names of a file.

    Args:
        beginnings: The lines with which utterances begin, as far as one can tell.
        capitals: Whether names all in capitals are always believed.
    """
    names = NamesSoFar()
    for beginning in beginnings:
        names.add(beginning)
    return names.believed(capitals=capitals)


def _capitalised(name: str) -> bool:
    """Whether every word but "von" and the like begins with a capital, a digit, or a letter that has no case."""
    words = (word.lstrip("(#'’") for word in name.split() if not _PARTICLE.fullmatch(word))
    return not any(word[:1].islower() for word in words)
