"""The context of a text encoder: neighbouring utterances that it reads together with an utterance.

With two utterances before, one after and the names of the speakers, the input for "Yes!" is

    [CLS] Ann: We won. Bob: Really? [SEP] Ann: Yes! [SEP] Bob: Wow. [SEP]

with the special tokens of the model. It is pooled over the tokens of "Yes!" only, without the name. The format is that
of EmoBERTa (T. Kim and P. Vossen, 2021, arXiv 2108.12009), section 3.

With a window, all utterances are separated, so that those of one window have the same input, which is encoded once:

    [CLS] Ann: We won. [SEP] Bob: Really? [SEP] Ann: Yes! [SEP] Bob: Wow. [SEP]

If the input is too long, the utterances that are farthest away are left out first, each as a whole; of two at the same
distance, the later one. Then the name is left out. A text that is too long alone is split into pieces without context,
see `text_pieces`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sdt.conversation import Conversation, Utterance
from sdt.encoders.text_pieces import Piece, split_into_pieces, split_tokens
from sdt.errors import InputError
from sdt.text import is_blank
from sdt.windows import Windows

MAX_CONTEXT = 64
"""The largest number of utterances on a side; a stream remembers so many for an encoder that is not loaded yet."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an encoder reads around the text of an utterance."""

    name: str = ""
    """Precedes the text: `Ann:`; empty without names."""
    before: tuple[str, ...] = ()
    """The utterances before it, in spoken order, with names if the encoder reads names."""
    after: tuple[str, ...] = ()
    """The utterances after it, in spoken order."""

    @property
    def characters(self) -> int:
        """The number of characters."""
        return len(self.name) + sum(map(len, (*self.before, *self.after)))


@dataclass(frozen=True)
class TextContext:
    """How much context an encoder reads.

    Raises:
        InputError: A number is not from 0 to `MAX_CONTEXT`, or both are 0; or they are not those of the window.
    """

    before: int
    """Number of utterances before an utterance."""
    after: int = 0
    """Number of utterances after it."""
    speaker_names: bool = False
    """Whether the name of its speaker precedes every utterance."""
    window: int = 0
    """Utterances of a window, half of which the next window shares; 0 if every utterance has its own context. See
    `in_windows`."""

    @classmethod
    def in_windows(cls, size: int, *, speaker_names: bool = False) -> TextContext:
        """The context of utterances that are read in windows of `size` utterances.

        An utterance in two windows is encoded in the one that gives it more context, so that it has at least size / 4
        utterances on either side, where the conversation has them.

        Raises:
            InputError: The size is not from 2 to `MAX_CONTEXT`.
        """
        if not 2 <= size <= MAX_CONTEXT:
            raise InputError(f"window: {size} utterances; give 2 to {MAX_CONTEXT}")
        return cls(size - 1, size - 1, speaker_names, size)

    def __post_init__(self) -> None:
        for side, number in (("before", self.before), ("after", self.after)):
            if not isinstance(number, int) or not 0 <= number <= MAX_CONTEXT:
                raise InputError(f"context: {number!r} utterances {side}; give 0 to {MAX_CONTEXT}")
        if not self.before + self.after:
            raise InputError("context: no utterance before or after")
        if self.window and (self.before, self.after) != (self.window - 1, self.window - 1):
            raise InputError(
                f"context: {self.before} utterances before, {self.after} after do not match a window of {self.window}"
            )

    def surroundings(
        self, utterance: Utterance, before: Sequence[Utterance], after: Sequence[Utterance]
    ) -> Surroundings:
        """The surroundings of an utterance; neighbours without text are left out.

        Args:
            utterance: The utterance.
            before: All utterances before it, or the last ones; at most `self.before` are read.
            after: All utterances after it, or the first ones; at most `self.after` are read.
        """
        near = before[max(0, len(before) - self.before) :], after[: self.after]
        sides = [
            tuple(f"{self._name(of)} {of.text}".lstrip() for of in side if of.text and not is_blank(of.text))
            for side in near
        ]
        return Surroundings(self._name(utterance), *sides)

    def _name(self, utterance: Utterance) -> str:
        return f"{utterance.speaker}:" if self.speaker_names and not is_blank(utterance.speaker) else ""


def context_notes(modality: str, context: TextContext | None) -> list[str]:
    """A note for the user on the context of an encoder; none for an encoder of single utterances."""
    if context is None:
        return []
    stream = "; streams do not know the later ones" if context.after else ""
    if context.window:
        return [f"{modality}: the encoder reads {context.window} utterances together{stream}"]
    return [
        f"{modality}: the encoder also reads the {context.before} utterances before and {context.after} after each one"
        f"{stream}"
    ]


def neighbours(
    conversation: Conversation, context: TextContext | None
) -> Iterator[tuple[Utterance, tuple[Utterance, ...], tuple[Utterance, ...]]]:
    """Yield every utterance with the utterances before and after it that a context covers."""
    before, after = (context.before, context.after) if context else (0, 0)
    turns = conversation.utterances
    if context and context.window and turns:
        for window in Windows(context.window, context.window // 2).split(len(turns)):
            for row in range(window.predicts_from, window.predicts_to):
                yield turns[row], turns[window.first : row], turns[row + 1 : window.end]
        return
    for row, utterance in enumerate(turns):
        yield utterance, turns[max(0, row - before) : row], turns[row + 1 : row + 1 + after]


def split_in_context(
    tokenizer: Any,  # noqa: ANN401 - has no types
    texts: Sequence[str],
    surroundings: Sequence[Surroundings],
    context: TextContext | None,
    longest: int,
) -> list[list[Piece]]:
    """Make the inputs of n texts in their context; only a text that is too long alone has several pieces.

    Without a context, these are the inputs of `split_into_pieces`.

    Args:
        tokenizer: The tokenizer of the model.
        texts: The texts.
        surroundings: What surrounds each text; ignored without a context.
        context: The context of the encoder.
        longest: The largest number of tokens of a piece, including special tokens.
    """
    if context is None:
        return split_into_pieces(tokenizer, texts, longest)
    parts = {part for of in surroundings for part in (of.name, *of.before, *of.after)}.union(texts)
    if context.window:
        parts |= {_named(text, of) for text, of in zip(texts, surroundings, strict=True)}
    unique = sorted(parts)
    encoded = tokenizer(unique, add_special_tokens=False, verbose=False)["input_ids"]
    join = _Join(tokenizer, context, longest, dict(zip(unique, map(list, encoded), strict=True)))
    return [join.pieces(text, of) for text, of in zip(texts, surroundings, strict=True)]


def _named(text: str, of: Surroundings) -> str:
    return f"{of.name} {text}".lstrip()


class _Join:
    """Joins the tokens of a text and its surroundings."""

    def __init__(self, tokenizer: Any, context: TextContext, longest: int, tokens: dict[str, list[int]]) -> None:  # noqa: ANN401
        pair = tokenizer("a", "a", return_special_tokens_mask=True)
        ids, special = list(pair["input_ids"]), list(pair["special_tokens_mask"])
        start, end = special.index(0), len(ids) - special[::-1].index(0)
        self.first, self.last = ids[:start], ids[end:]
        """Special tokens at the start and at the end of an input."""
        self.separator = [
            token for token, is_special in zip(ids[start:end], special[start:end], strict=True) if is_special
        ]
        self.context, self.longest, self.tokens = context, longest, tokens

    def pieces(self, text: str, of: Surroundings) -> list[Piece]:
        name, own = self._own(text, of)
        if len(self.first) + len(own) + len(self.last) > self.longest or not own:
            special = [1] * len(self.first) + [0] * len(own) + [1] * len(self.last)
            return split_tokens([*self.first, *own, *self.last], special, self.longest)
        before, after = ([self.tokens[part] for part in side] for side in (of.before, of.after))
        while (before or after) and not self._fits(before, name + own, after):
            before, after = (before[1:], after) if len(before) > len(after) else (before, after[:-1])
        if not self._fits(before, name + own, after):
            name = []
        if not self._fits(before, own, after):
            return [self._piece([], own, [])]
        left, right = self._sides(before, after)
        return [self._piece([*left, *name], own, right)]

    def _own(self, text: str, of: Surroundings) -> tuple[list[int], list[int]]:
        """The tokens of the name and of the text; in a window, those of both as a part of other inputs."""
        name = self.tokens[of.name]
        if not self.context.window:
            return name, self.tokens[text]
        both = self.tokens[_named(text, of)]
        return both[: len(name)], both[len(name) :]

    def _sides(self, before: Sequence[list[int]], after: Sequence[list[int]]) -> tuple[list[int], list[int]]:
        """The tokens of the surroundings, with separators."""
        if self.context.window:
            return (
                list(chain(*([*part, *self.separator] for part in before))),
                list(chain(*([*self.separator, *part] for part in after))),
            )
        # A separator stays where the context is empty, so that the model can tell the utterance from its neighbours.
        left, right = (self.separator if side else [] for side in (self.context.before, self.context.after))
        return [*chain(*before), *left], [*right, *chain(*after)]

    def _fits(self, before: Sequence[list[int]], own: Sequence[int], after: Sequence[list[int]]) -> bool:
        context = self.context
        separators = len(before) + len(after) if context.window else bool(context.before) + bool(context.after)
        tokens = sum(map(len, (self.first, *before, own, *after, self.last)))
        return tokens + separators * len(self.separator) <= self.longest

    def _piece(self, before: Sequence[int], own: Sequence[int], after: Sequence[int]) -> Piece:
        first = len(self.first) + len(before)
        return Piece([*self.first, *before, *own, *after, *self.last], first, first + len(own))
