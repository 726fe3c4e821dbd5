"""The settings `model.context` and `model.head_patterns`: which utterances of its conversation an utterance attends to.

| `context`   | an utterance attends to                                                        |
|-------------|--------------------------------------------------------------------------------|
| `full`      | the whole conversation, as published                                           |
| `past`      | itself and all previous utterances                                             |
| `window(k)` | itself and the k - 1 previous utterances; `window(1)` is the utterance alone   |

`past` and `window(k)` are causal: later utterances do not change the outputs of earlier ones. With L encoder layers,
the receptive field of an utterance is L windows, because the second layer attends to outputs of the first.

| pattern     | within the context, an attention head reads the utterance itself and           |
|-------------|--------------------------------------------------------------------------------|
| `all`       | all others, as published                                                       |
| `near(W)`   | those at most W utterances away                                                |
| `own`       | those of the same speaker                                                      |
| `own(W)`    | those of the same speaker that are at most W of that speaker's utterances away |
| `others`    | those of other speakers                                                        |
| `others(W)` | those of other speakers that are at most W utterances away                     |

This module does not import torch, so that the command line checks the settings quickly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, Self

from sdt.errors import InputError, near_miss, quoted

_WINDOW = re.compile(r"window\((\d{1,9})\)")
_PATTERN = re.compile(r"(all|own|others)|(near|own|others)\(([1-9]\d{0,8})\)")
_SPEAKERS: dict[str, Literal["same", "other"]] = {"own": "same", "others": "other"}
PATTERNS = ("all", "near(2)", "own", "own(2)", "others", "others(2)")
"""Examples of all patterns, for messages."""
MAX_PATTERNS = 64


@dataclass(frozen=True, slots=True)
class HeadPattern:
    """The utterances of the context that an attention head reads, besides the utterance itself."""

    speaker: Literal["any", "same", "other"] = "any"
    """Whose utterances are read, relative to the utterance's speaker."""
    reach: int | None = None
    """Maximum distance, in utterances of the conversation, or of the speaker for `same`; None for no limit."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse a pattern of the table above.

        Raises:
            InputError: The pattern is invalid.

        Example:
            >>> HeadPattern.of("own(2)")
            HeadPattern(speaker='same', reach=2)
        """
        found = _PATTERN.fullmatch(text)
        if found is None:
            raise InputError(f"model.head_patterns: {quoted(text)}{near_miss(text, PATTERNS)}")
        return cls(_SPEAKERS.get(found[1] or found[2], "any"), int(found[3]) if found[3] else None)


ALL = HeadPattern()


def head_patterns(text: str, heads: int) -> tuple[HeadPattern, ...]:
    """Parse the setting `model.head_patterns`: patterns separated by commas, each for an equal share of the heads.

    Args:
        text: The setting.
        heads: H.

    Returns:
        The pattern of each head; empty if all heads read everything.

    Raises:
        InputError: A pattern is invalid, or the heads cannot be divided among the patterns.

    Example:
        >>> [pattern.reach for pattern in head_patterns("own(2), near(3)", heads=4)]
        [2, 2, 3, 3]
    """
    parts = [part.strip() for part in str(text).split(",")]
    if len(parts) > MAX_PATTERNS:
        raise InputError(f"model.head_patterns: {len(parts)} patterns; the maximum is {MAX_PATTERNS}")
    patterns = [HeadPattern.of(part) for part in parts]
    if heads % len(patterns):
        raise InputError(
            f"model.head_patterns: {len(patterns)} patterns do not divide {heads} heads; set model.heads to a multiple "
            f"of {len(patterns)}, or repeat patterns"
        )
    if set(patterns) == {ALL}:
        return ()
    return tuple(pattern for pattern in patterns for _ in range(heads // len(patterns)))


@dataclass(frozen=True, slots=True)
class Context:
    """The utterances of its conversation that an utterance attends to."""

    causal: bool = False
    """Whether later utterances are excluded."""
    window: int | None = None
    """Maximum number of utterances in a causal context, including the utterance itself; None for all."""
    patterns: tuple[HeadPattern, ...] = ()
    """[H]; the pattern of each attention head; empty if all heads read the whole context."""
    relative: bool = False
    """Whether attention scores have a bias that depends on the distance between utterances."""

    @classmethod
    def of(cls, text: str) -> Self:
        """Parse the setting `model.context`.

        Raises:
            InputError: The setting is invalid.

        Example:
            >>> str(Context.of("window(8)"))
            'window(8)'
        """
        if text in ("full", "past"):
            return cls(causal=text == "past")
        found = _WINDOW.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise InputError(f"model.context: {text!r}{near_miss(str(text), ('full', 'past', 'window(8)'))}")
        if int(found[1]) < 1:
            raise InputError(f"model.context: {text} is empty; the smallest context is window(1)")
        return cls(causal=True, window=int(found[1]))

    @property
    def related(self) -> bool:
        """Whether attention depends on speakers or distances, besides `causal` and `window`."""
        return bool(self.patterns) or self.relative

    def __str__(self) -> str:
        return f"window({self.window})" if self.window else "past" if self.causal else "full"


FULL = Context()
