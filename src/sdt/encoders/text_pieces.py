"""Texts that are longer than a model reads, in overlapping pieces.

Every token counts in one piece only, that in which it has more context; special tokens count once, too. Pooled over the
pieces, a text is pooled over all of its tokens.

Shapes: n pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sdt.windows import Windows

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Piece:
    """What a model reads at once."""

    tokens: Sequence[int]
    """With the special tokens."""
    first: int
    """The first token that counts."""
    end: int
    """The one after the last."""

    @property
    def counted(self) -> int:
        """How many tokens count."""
        return self.end - self.first


def split_tokens(tokenizer: Any, texts: Sequence[str], longest: int) -> list[list[Piece]]:  # noqa: ANN401 - has no types
    """Divide texts into pieces; a text that fits is one piece.

    Args:
        tokenizer: Of the model.
        texts: Any.
        longest: Tokens of a piece, the special ones included.
    """
    encoded = tokenizer(list(texts), return_special_tokens_mask=True, verbose=False)
    return [_divided(*of, longest) for of in zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True)]


def _divided(tokens: Sequence[int], special: Sequence[int], longest: int) -> list[Piece]:
    if len(tokens) <= longest:
        return [Piece(tokens, 0, len(tokens))]
    before, after = special.index(0), special[::-1].index(0)  # tokens that begin and end every piece
    words = tokens[before : len(tokens) - after]
    size = longest - before - after
    found = []
    for window in Windows(size, size // 4).cut(len(words)):
        piece = [*tokens[:before], *words[window.first : window.end], *tokens[len(tokens) - after :]]
        shift = before - window.first
        first = window.counts_from + shift if window.first else 0
        end = window.counts_to + shift if window.end < len(words) else len(piece)
        found.append(Piece(piece, first, end))
    return found


def pack_batches(pieces: Sequence[Piece], pad: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Pieces for a model: token numbers, which of them are no padding, and which count, each [n, tokens]."""
    import torch

    rows = [torch.tensor(piece.tokens) for piece in pieces]
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    place = torch.arange(tokens.shape[1])  # [tokens]
    lengths, first, end = (
        torch.tensor(of)[:, None]
        for of in zip(*((len(piece.tokens), piece.first, piece.end) for piece in pieces), strict=True)
    )
    mask, counted = place < lengths, (place >= first) & (place < end)
    return tokens.to(device), mask.long().to(device), counted.to(device)
