"""Text encoders, which turn a sentence into a vector. Only pinned revisions of the hub are downloaded.

| name            | encoder                                                                              | width |
|-----------------|--------------------------------------------------------------------------------------|-------|
| `minilm`        | the bundled all-MiniLM-L6-v2, mean over the tokens of the last layer                 | 384   |
| `minilm:layers` | the same model, mean and maximum over the tokens of every layer, each standardised   | 5376  |
| `words:D`       | hashed words and pairs of words, D buckets (`words` alone: 256); no model is needed  | D     |
| a folder path   | a Hugging Face model; the first token of the last layer, as published for RoBERTa    | its   |
| `minilm+FOLDER` | the bundled model with a fine-tuned low-rank adapter                                 | 384   |

See `text_model` for all names, pooling and pinned weights, and `text_context` for encoders that read neighbouring
utterances. A text that exceeds the length limit of the model is encoded in overlapping pieces and pooled over all of
them; see `text_pieces`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation, Utterance
from sdt.encoders.text_context import Surroundings, TextContext, neighbours, split_in_context
from sdt.encoders.text_model import Pooling, TextModel, find_text_model
from sdt.encoders.text_pieces import Piece
from sdt.encoders.text_words import HashedWords
from sdt.errors import InputError, MissingDependencyError
from sdt.feature_table import FeatureTable
from sdt.text import is_blank

Matrix = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (texts done, total)."""

WORDS_WIDTH = 256
BATCH_TEXTS = 64
"""The largest number of texts, or pieces of long texts, in a batch."""
BATCH_TOKENS = 2048
"""The largest number of tokens in a batch, including padding, which limits the memory for long texts."""
NORM_EPSILON = 1e-5
"""Added to the variance of a standardised vector, as in PyTorch's layer norm."""
MAX_TOKENS = 256
"""The largest number of tokens in a piece; MiniLM was trained with this length."""


class TextEncoder(Protocol):
    """The interface of text encoders."""

    @property
    def name(self) -> str:
        """The name; `text_encoder` makes an equal encoder from it."""

    @property
    def width(self) -> int:
        """D, the number of features."""

    @property
    def context(self) -> TextContext | None:
        """The neighbouring utterances that it reads; None for an encoder of single texts."""

    def encode(
        self, texts: Sequence[str], progress: Progress | None = None, surroundings: Sequence[Surroundings] | None = None
    ) -> Matrix:
        """Encode n texts as float32 [n, D]; an encoder with a context reads them in their surroundings, if given."""


def text_encoder(name: str, base: Path | None = None, graph: Path | None = None) -> TextEncoder:
    """Make a text encoder from its name.

    Args:
        name: `words`, `words:D`, or a name of `text_model`: `minilm`, `minilm:layers`, the path of a Hugging Face model
            folder, `minilm+ADAPTER`.
        base: The folder in which a relative path is looked up first: that of the model which records the name.
        graph: The ONNX graph of the encoder, which then runs on onnxruntime, unless it was made from another encoder;
            None for PyTorch.

    Raises:
        InputError: The name is unknown, the model cannot be loaded, or its weights do not match the name.
        MissingDependencyError: The name is `minilm`, and its package is not installed.

    Example:
        >>> text_encoder("words:64").encode(["Oh my God!", "What?"]).shape
        (2, 64)
    """
    kind, _, width = name.partition(":")
    if kind == "words":
        return HashedWords(_words_width(name, width))
    text_model = find_text_model(name, base)
    return PiecewiseEncoder(text_model, _runner(text_model, graph))


def _runner(text_model: TextModel, graph: Path | None) -> TextRunner:
    if graph is not None:
        from sdt.encoders.text_onnx import GraphTextRunner, OtherEncoderError

        with contextlib.suppress(OtherEncoderError):
            return GraphTextRunner(graph, text_model)
    try:
        from sdt.encoders.text_torch import TorchTextRunner

        return TorchTextRunner(text_model)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"text encoder {text_model.name!r}: has no ONNX graph, so it runs on {error.name}; install it with: pip "
            "install 'sdt-erc[train]'"
        ) from None


def encode_conversations(
    encoder: TextEncoder, conversations: Sequence[Conversation], progress: Progress | None = None
) -> FeatureTable:
    """Encode the text of every utterance; utterances without text are marked as missing.

    Args:
        encoder: A text encoder.
        conversations: Conversations with N utterances in total.
        progress: Called with (texts done, total).

    Returns:
        Features [N, D] and presence [N], rows in the order of the conversations.
    """
    turns = [turn for conversation in conversations for turn in neighbours(conversation, encoder.context)]
    return FeatureTable(*encode_turns(encoder, turns, progress), encoder.name, source="the utterances' text")


def encode_turns(
    encoder: TextEncoder,
    turns: Sequence[tuple[Utterance, Sequence[Utterance], Sequence[Utterance]]],
    progress: Progress | None = None,
) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """Encode the text of n utterances.

    Args:
        encoder: A text encoder.
        turns: Utterances, each with the utterances before and after it that the encoder's context covers.
        progress: Called with (texts done, total).

    Returns:
        Features [n, D], zero for utterances without text, and whether they have text [n].
    """
    texts = [utterance.text or "" for utterance, _, _ in turns]
    present = np.array([not is_blank(text) for text in texts], dtype=np.bool_)
    features = np.zeros((len(texts), encoder.width), dtype=np.float32)
    if present.any():
        rows = np.flatnonzero(present).tolist()
        context = encoder.context
        surroundings = [context.surroundings(*turns[row]) for row in rows] if context else None
        features[present] = encoder.encode([texts[row] for row in rows], progress, surroundings)
    return features, present


class TextRunner(Protocol):
    """Computes pooled token vectors of pieces of text, on PyTorch or onnxruntime."""

    tokenizer: Any
    """The tokenizer of the model, with the interface of those of transformers."""
    shape: tuple[int, int]
    """(V, size): the vectors of a text, and their width."""
    positions: int | None
    """The largest number of tokens of a piece; None for no limit."""

    def vectors(self, pieces: Sequence[Piece], *, windows: bool) -> Matrix:
        """The pooled vectors of n pieces, float32 [n, V, size]; see `text_pooling`.

        Args:
            pieces: The pieces.
            windows: Whether pieces with equal tokens are encoded once; they differ in the tokens that count.
        """


class PiecewiseEncoder:
    """A Hugging Face encoder with pooled token vectors; a long text is pooled over its pieces.

    Args:
        text_model: The model.
        runner: Runs it.
    """

    def __init__(self, text_model: TextModel, runner: TextRunner) -> None:
        self.name, self.context = text_model.name, text_model.context
        self._pooling, self._runner = text_model.pooling, runner
        self.width = runner.shape[0] * runner.shape[1]
        self._windows = bool(self.context and self.context.window)
        self._max_tokens = max_tokens(runner.positions, text_model.tokens)

    def encode(
        self, texts: Sequence[str], progress: Progress | None = None, surroundings: Sequence[Surroundings] | None = None
    ) -> Matrix:
        """Encode n texts as float32 [n, D], in batches of similar length."""
        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        around = surroundings if surroundings and self.context else [Surroundings()] * len(texts)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]) + around[index].characters)
        for first in range(0, len(order), BATCH_TEXTS):
            batch = order[first : first + BATCH_TEXTS]
            rows[batch] = self._encode_batch([texts[index] for index in batch], [around[index] for index in batch])
            if progress:
                progress(first + len(batch), len(texts))
        return rows

    def _encode_batch(self, texts: Sequence[str], around: Sequence[Surroundings]) -> Matrix:
        """Encode a batch of texts as [n, D]."""
        pieces_of = split_in_context(self._runner.tokenizer, texts, around, self.context, self._max_tokens)
        pieces = [(number, piece) for number, of in enumerate(pieces_of) for piece in of]
        whole: dict[int, Pooled] = {}
        for part in _batches(pieces, windows=self._windows):
            found = self._runner.vectors([piece for _, piece in part], windows=self._windows)
            for (number, piece), vectors in zip(part, found, strict=True):
                pooled = vectors, 1 if self._pooling == "first" else piece.counted
                whole[number] = _merge(self._pooling, whole[number], pooled) if number in whole else pooled
        return _finish(self._pooling, np.stack([whole[number][0] for number in range(len(texts))]))


def _batches(pieces: Sequence[tuple[int, Piece]], *, windows: bool) -> Iterator[Sequence[tuple[int, Piece]]]:
    """Group pieces into batches of at most `BATCH_TEXTS` pieces and `BATCH_TOKENS` tokens; windows count once."""
    first = width = inputs = 0
    for end, (_, piece) in enumerate(pieces):
        width = max(width, len(piece.tokens))
        inputs += not (windows and end > first and list(piece.tokens) == list(pieces[end - 1][1].tokens))
        if end > first and (end - first == BATCH_TEXTS or inputs * width > BATCH_TOKENS):
            yield pieces[first:end]
            first, width, inputs = end, len(piece.tokens), 1
    yield pieces[first:]


def max_tokens(positions: int | None, tokens: int | None = None) -> int:
    """The largest number of tokens of a piece.

    Args:
        positions: The number of tokens that the model has positions for; None for no limit.
        tokens: The largest number of tokens in fine-tuning with context; None without context.
    """
    most = tokens or MAX_TOKENS
    return most if positions is None else min(most, positions)


Pooled = tuple[Matrix, int]
"""Pooled vectors [V, size] of a part of a text, and its weight in a mean: the number of tokens, or 1 for the first."""


def _merge(how: Pooling, one: Pooled, other: Pooled) -> Pooled:
    """Merge the pooled vectors of two parts of a text."""
    (x, n), (y, m) = one, other
    means = ((n * x + m * y) / (n + m)).astype(np.float32)
    if how == "layers":
        maxima = len(x) // 2
        means[maxima:] = np.maximum(x, y)[maxima:]
    return means, n + m


def _finish(how: Pooling, vectors: Matrix) -> Matrix:
    """Flatten vectors [n, V, size] to [n, D]; several layers are standardised."""
    if how == "layers":
        vectors = vectors - vectors.mean(axis=-1, keepdims=True)
        vectors /= np.sqrt(np.square(vectors).mean(axis=-1, keepdims=True) + NORM_EPSILON)
    return vectors.reshape(len(vectors), -1)


def _words_width(name: str, width: str) -> int:
    if not width and ":" not in name:
        return WORDS_WIDTH
    if not (width.isascii() and width.isdigit() and 0 < int(width) <= 2**20):
        raise InputError(f"text encoder {name!r}: give a width from 1 to {2**20} after 'words:', as in 'words:256'")
    return int(width)
