"""Splitting of long texts into overlapping pieces.

Every token counts in one piece only, the one that gives it more context; special tokens count once, too. Pooling over
the pieces is therefore pooling over all tokens of the text.

Shapes: n pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sdt.windows import Windows

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text that fits into the model."""

    tokens: Sequence[int]
    """The tokens, including special tokens."""
    first: int
    """The first token that counts."""
    end: int
    """The token after the last one that counts."""

    @property
    def counted(self) -> int:
        """The number of tokens that count."""
        return self.end - self.first


def split_into_pieces(tokenizer: Any, texts: Sequence[str], longest: int) -> list[list[Piece]]:  # noqa: ANN401 - has no types
    """Split texts into pieces; a text that fits into the model is one piece.

    Args:
        tokenizer: The tokenizer of the model.
        texts: The texts.
        longest: The largest number of tokens of a piece, including special tokens.
    """
    encoded = tokenizer(list(texts), return_special_tokens_mask=True, verbose=False)
    return [split_tokens(*of, longest) for of in zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True)]


def split_tokens(tokens: Sequence[int], special: Sequence[int], longest: int) -> list[Piece]:
    """Split the tokens of a text into pieces; `special` is 1 for special tokens."""
    if len(tokens) <= longest:
        return [Piece(tokens, 0, len(tokens))]
    before, after = special.index(0), special[::-1].index(0)  # special tokens at the start and end of every piece
    words = tokens[before : len(tokens) - after]
    size = longest - before - after
    found = []
    for window in Windows(size, size // 4).split(len(words)):
        piece = [*tokens[:before], *words[window.first : window.end], *tokens[len(tokens) - after :]]
        shift = before - window.first
        first = window.predicts_from + shift if window.first else 0
        end = window.predicts_to + shift if window.end < len(words) else len(piece)
        found.append(Piece(piece, first, end))
    return found


class Padded(NamedTuple):
    """A batch of n pieces, of which u have different tokens."""

    tokens: npt.NDArray[np.int64]
    """[u, tokens] token numbers."""
    mask: Mask
    """[u, tokens] the attention mask."""
    counted: Mask
    """[n, tokens] the tokens of each piece that count."""
    row: npt.NDArray[np.int64]
    """[n] the row of `tokens` of each piece."""


def pad_pieces(pieces: Sequence[Piece], pad: int, *, windows: bool) -> Padded:
    """Pad pieces to a batch.

    Args:
        pieces: The pieces.
        pad: The token number of padding.
        windows: Whether pieces with equal tokens are encoded once; they differ in the tokens that count.
    """
    keys = [tuple(piece.tokens) if windows else number for number, piece in enumerate(pieces)]
    rows = {key: piece.tokens for key, piece in zip(keys, pieces, strict=True)}
    numbers = {key: number for number, key in enumerate(rows)}
    lengths = np.array([len(of) for of in rows.values()])[:, None]
    position = np.arange(lengths.max())  # [tokens]
    first, end = (np.array([getattr(piece, name) for piece in pieces])[:, None] for name in ("first", "end"))
    mask, counted = position < lengths, (position >= first) & (position < end)
    tokens = np.full(mask.shape, pad, dtype=np.int64)
    tokens[mask] = [token for of in rows.values() for token in of]
    return Padded(tokens, mask, counted, np.array([numbers[key] for key in keys], dtype=np.int64))
