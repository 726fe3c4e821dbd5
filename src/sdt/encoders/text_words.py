r"""Hashed words: a text encoder without a model.

Words and pairs of words are counted in D buckets by their hash, with a sign that also depends on the hash, so that
words in the same bucket cancel instead of adding up (Weinberger et al., ICML 2009). The features are those of
scikit-learn's `HashingVectorizer(ngram_range=(1, 2), token_pattern=r"\w+|[!?]")`.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
_WORD = re.compile(r"\w+|[!?]")
"""`!` and `?` count as words, because they indicate emotion."""


class HashedWords:
    """Counts of hashed words and pairs of words.

    Args:
        width: D.
    """

    context = None

    def __init__(self, width: int) -> None:
        self.name = f"words:{width}"
        self.width = width

    def encode(
        self,
        texts: Sequence[str],
        progress: Callable[[int, int], None] | None = None,
        surroundings: object = None,  # noqa: ARG002 - of the interface
    ) -> Matrix:
        """Encode n texts as float32 [n, D], each row of length 1 (or 0, for a text without words)."""
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            words = _WORD.findall(text.lower())
            for word in (*words, *map(" ".join, itertools.pairwise(words))):
                number = _hash(word)
                row[abs(number) % self.width] += 1 if number >= 0 else -1
            length = np.sqrt(np.square(row, dtype=np.float64).sum())
            if length:
                row /= length
        if progress:
            progress(len(texts), len(texts))
        return rows


@functools.lru_cache(maxsize=1 << 16)
def _hash(word: str) -> int:
    """MurmurHash3 (32 bits, seed 0) of a word in UTF-8, as a signed number."""
    data = word.encode("utf-8", "surrogatepass")
    found = 0
    for at in range(0, len(data), 4):
        block = int.from_bytes(data[at : at + 4], "little")
        block = block * 0xCC9E2D51 & 0xFFFFFFFF
        block = (block << 15 | block >> 17) & 0xFFFFFFFF
        found ^= block * 0x1B873593 & 0xFFFFFFFF
        if at + 4 <= len(data):
            found = (found << 13 | found >> 19) & 0xFFFFFFFF
            found = (found * 5 + 0xE6546B64) & 0xFFFFFFFF
    found ^= len(data)
    found = (found ^ found >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    found = (found ^ found >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    found ^= found >> 16
    return found - (1 << 32) if found >> 31 else found
