"""Text encoders: a sentence becomes a vector. Nothing is ever fetched but a revision of the hub that is asked for.

| name            | what it is                                                                           | width |
|-----------------|--------------------------------------------------------------------------------------|-------|
| `minilm`        | the packaged all-MiniLM-L6-v2, mean over the last layer's tokens                     | 384   |
| `minilm:layers` | the same model, mean and maximum over the tokens of every layer, each standardised   | 5376  |
| `words:D`       | hashed words and pairs of words, D buckets (`words` alone: 256); no model is needed  | D     |
| a folder path   | a Hugging Face model on disk; the last layer's first token, as published for RoBERTa | its   |
| `minilm+FOLDER` | the packaged model with a fine-tuned low-rank adapter                                | 384   |

See `text_model` for all names of models: other pooling, and which weights a recorded name means. A text of more tokens
than the model reads at once is read in overlapping pieces, and pooled over all of them; see `text_pieces`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.encoders.text_model import Pooling, TextModel, find_text_model
from sdt.encoders.text_pieces import Piece, pack_batches, split_tokens
from sdt.errors import InputError
from sdt.feature_table import FeatureTable
from sdt.text import is_blank

if TYPE_CHECKING:
    from torch import Tensor

Matrix = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""

WORDS_WIDTH = 256
BATCH = 64
"""Texts, or pieces of long ones, that a model reads together, at most."""
TOKENS = 4096
"""Tokens that it reads together, at most, padding included: what bounds the memory that long texts take."""
LONGEST = 256
"""Tokens that a model reads at once, at most: what MiniLM was trained with."""


class TextEncoder(Protocol):
    """What every text encoder offers."""

    @property
    def name(self) -> str:
        """The name that `text_encoder` makes this encoder from."""

    @property
    def width(self) -> int:
        """D, the number of features."""

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Matrix:
        """Encode n texts as float32 [n, D]."""


def text_encoder(name: str, base: Path | None = None) -> TextEncoder:
    """Make the encoder of a name.

    Args:
        name: `words`, `words:D`, or a name of `text_model`: `minilm`, `minilm:layers`, the path of a Hugging Face model
            folder, `minilm+ADAPTER`.
        base: Where a relative path is looked for first: the folder of the model whose configuration holds the name.

    Raises:
        InputError: The name is none of these, or the folder holds no model that can be loaded, or not the one meant.
        MissingDependencyError: `minilm` is asked for and its package is not installed.

    Example:
        >>> text_encoder("words:64").encode(["Oh my God!", "What?"]).shape
        (2, 64)
    """
    kind, _, width = name.partition(":")
    return _Words(_words_width(name, width)) if kind == "words" else _Transformer(find_text_model(name, base))


def encode_conversations(
    encoder: TextEncoder, conversations: Sequence[Conversation], progress: Progress | None = None
) -> FeatureTable:
    """Encode every utterance of some conversations; an utterance with no text is marked as missing.

    Args:
        encoder: A text encoder.
        conversations: N utterances in all.
        progress: Called with (texts done, texts in all).

    Returns:
        Features [N, D] and presence [N], rows in the order of the conversations.
    """
    texts = [utterance.text or "" for conversation in conversations for utterance in conversation.utterances]
    present = np.array([not is_blank(text) for text in texts], dtype=np.bool_)
    features = np.zeros((len(texts), encoder.width), dtype=np.float32)
    if present.any():
        features[present] = encoder.encode([texts[row] for row in np.flatnonzero(present)], progress)
    return FeatureTable(features, present, encoder.name, source="the utterances' text")


class _Words:
    """Hashed words and pairs of words; `!` and `?` count as words, since they speak of emotion."""

    def __init__(self, width: int) -> None:
        self.name = f"words:{width}"
        self.width = width

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Matrix:
        """Encode n texts as float32 [n, D], each row of length 1 (or 0, for a text without any word)."""
        from sklearn.feature_extraction.text import HashingVectorizer

        vectorizer = HashingVectorizer(
            n_features=self.width,
            ngram_range=(1, 2),
            token_pattern=r"\w+|[!?]",  # noqa: S106 - no password
            norm="l2",
            dtype=np.float32,
        )
        rows: Matrix = vectorizer.transform(texts).toarray().astype(np.float32)
        if progress:
            progress(len(texts), len(texts))
        return rows


class _Transformer:
    """A Hugging Face encoder: one vector per text, pooled from the token vectors."""

    def __init__(self, text_model: TextModel) -> None:
        self.name = text_model.name
        self._pooling = text_model.pooling
        self._tokenizer, self._model = text_model.load()
        size, layers = int(self._model.config.hidden_size), int(self._model.config.num_hidden_layers)
        self.width = 2 * (layers + 1) * size if self._pooling == "layers" else size
        self._longest = longest(self._model.config)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Matrix:
        """Encode n texts as float32 [n, D], in batches of similar length."""
        import torch

        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        with torch.inference_mode():
            for first in range(0, len(order), BATCH):
                chosen = order[first : first + BATCH]
                rows[chosen] = self._pooled([texts[index] for index in chosen]).cpu().numpy()
                if progress:
                    progress(first + len(chosen), len(texts))
        return rows

    def _pooled(self, texts: Sequence[str]) -> Tensor:
        """Texts as [n, D]."""
        import torch

        device = next(self._model.parameters()).device
        divided = split_tokens(self._tokenizer, texts, self._longest)
        pieces = [(number, piece) for number, of in enumerate(divided) for piece in of]
        whole: dict[int, Pooled] = {}
        for part in _together(pieces):
            tokens, mask, counted = pack_batches([piece for _, piece in part], self._tokenizer.pad_token_id, device)
            layers = self._model(tokens, mask, output_hidden_states=True).hidden_states  # each [pieces, tokens, size]
            for (number, piece), vectors in zip(part, token_vectors(self._pooling, layers, counted), strict=True):
                found = vectors, 1 if self._pooling == "first" else piece.counted
                whole[number] = _joined(self._pooling, whole[number], found) if number in whole else found
        return _finished(self._pooling, torch.stack([whole[number][0] for number in range(len(texts))]))


def _together(pieces: Sequence[tuple[int, Piece]]) -> Iterator[Sequence[tuple[int, Piece]]]:
    """The pieces of some texts in batches of at most `BATCH` pieces and `TOKENS` tokens."""
    first = width = 0
    for end, (_, piece) in enumerate(pieces):
        width = max(width, len(piece.tokens))
        if end > first and (end - first == BATCH or (end - first + 1) * width > TOKENS):
            yield pieces[first:end]
            first, width = end, len(piece.tokens)
    yield pieces[first:]


def longest(config: object) -> int:
    """The number of tokens that a model reads at once."""
    # Some models count two positions more than they can take (RoBERTa's begin at 2).
    return min(LONGEST, getattr(config, "max_position_embeddings", LONGEST + 2) - 2)


def pool(how: Pooling, layers: Sequence[Tensor], counted: Tensor) -> Tensor:
    """Token vectors of every layer, each [n, tokens, size], to [n, D]; `counted` [n, tokens] are those that count."""
    return _finished(how, token_vectors(how, layers, counted))


def token_vectors(how: Pooling, layers: Sequence[Tensor], counted: Tensor) -> Tensor:
    """The same as [n, V, size]: the first token, the mean, or the means and then the maxima of all layers."""
    import torch

    mask = counted.unsqueeze(-1).bool()  # [n, tokens, 1]

    def mean(hidden: Tensor) -> Tensor:
        return (hidden.float() * mask).sum(1) / mask.sum(1)  # [n, size]

    if how == "first":
        return layers[-1][:, :1].float()
    if how == "mean":
        return mean(layers[-1])[:, None]
    maxima = [hidden.float().masked_fill(~mask, float("-inf")).amax(1) for hidden in layers]
    return torch.stack([*map(mean, layers), *maxima], dim=1)


Pooled = tuple["Tensor", int]
"""Vectors [V, size] of some tokens of a text, and how much they weigh in a mean: the tokens, or the first ones."""


def _joined(how: Pooling, one: Pooled, other: Pooled) -> Pooled:
    """Two parts of a text, pooled."""
    import torch

    (x, n), (y, m) = one, other
    means = (n * x + m * y) / (n + m)
    if how == "layers":
        maxima = len(x) // 2
        means[maxima:] = torch.maximum(x, y)[maxima:]
    return means, n + m


def _finished(how: Pooling, vectors: Tensor) -> Tensor:
    """Vectors [n, V, size] to [n, D]; those of several layers standardised."""
    import torch

    if how == "layers":
        vectors = torch.nn.functional.layer_norm(vectors, vectors.shape[-1:])
    return vectors.flatten(1)


def _words_width(name: str, width: str) -> int:
    if not width and ":" not in name:
        return WORDS_WIDTH
    if not (width.isascii() and width.isdigit() and 0 < int(width) <= 2**20):
        raise InputError(f"text encoder {name!r}: after 'words:' comes a width from 1 to {2**20}, as in 'words:256'")
    return int(width)
