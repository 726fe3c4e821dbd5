"""The context of a text encoder: neighbouring utterances that it reads together with an utterance.

With two utterances before, one after and the names of the speakers, the input for "Yes!" is

    [CLS] Ann: We won. Bob: Really? [SEP] Ann: Yes! [SEP] Bob: Wow. [SEP]

with the special tokens of the model. It is pooled over the tokens of "Yes!" only, without the name. The format is that
of EmoBERTa (T. Kim and P. Vossen, 2021, arXiv 2108.12009), section 3.

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
        InputError: A number is not from 0 to `MAX_CONTEXT`, or both are 0.
    """

    before: int
    """Number of utterances before an utterance."""
    after: int = 0
    """Number of utterances after it."""
    speaker_names: bool = False
    """Whether the name of its speaker precedes every utterance."""

    def __post_init__(self) -> None:
        for side, number in (("before", self.before), ("after", self.after)):
            if not isinstance(number, int) or not 0 <= number <= MAX_CONTEXT:
                raise InputError(f"context: {number!r} utterances {side}; give 0 to {MAX_CONTEXT}")
        if not self.before + self.after:
            raise InputError("context: no utterance before or after")

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
    unique = sorted(parts)
    encoded = tokenizer(unique, add_special_tokens=False, verbose=False)["input_ids"]
    join = _Join(tokenizer, context, longest, dict(zip(unique, map(list, encoded), strict=True)))
    return [join.pieces(text, of) for text, of in zip(texts, surroundings, strict=True)]


class _Join:
    """Joins the tokens of a text and its surroundings."""

    def __init__(self, tokenizer: Any, context: TextContext, longest: int, tokens: dict[str, list[int]]) -> None:  # noqa: ANN401
        pair = tokenizer("a", "a", return_special_tokens_mask=True)
        ids, special = list(pair["input_ids"]), list(pair["special_tokens_mask"])
        start, end = special.index(0), len(ids) - special[::-1].index(0)
        self.first, self.last = ids[:start], ids[end:]
        """Special tokens at the start and at the end of an input."""
        between = [token for token, is_special in zip(ids[start:end], special[start:end], strict=True) if is_special]
        # A separator stays where the context is empty, so that the model can tell the utterance from its neighbours.
        self.left, self.right = between if context.before else [], between if context.after else []
        self.longest, self.tokens = longest, tokens

    def pieces(self, text: str, of: Surroundings) -> list[Piece]:
        own, name = self.tokens[text], self.tokens[of.name]
        room = self.longest - len(self.first) - len(self.last) - len(own)
        if room < 0 or not own:  # a text of invisible characters has no tokens to pool over
            special = [1] * len(self.first) + [0] * len(own) + [1] * len(self.last)
            return split_tokens([*self.first, *own, *self.last], special, self.longest)
        room -= len(self.left) + len(self.right)
        if room < 0:
            return [self._piece([], own, [])]
        name = name if len(name) <= room else []
        room -= len(name)
        before, after = ([self.tokens[part] for part in side] for side in (of.before, of.after))
        while sum(map(len, before + after)) > room:
            before, after = (before[1:], after) if len(before) > len(after) else (before, after[:-1])
        return [self._piece([*chain(*before), *self.left, *name], own, [*self.right, *chain(*after)])]

    def _piece(self, before: Sequence[int], own: Sequence[int], after: Sequence[int]) -> Piece:
        first = len(self.first) + len(before)
        return Piece([*self.first, *before, *own, *after, *self.last], first, first + len(own))
