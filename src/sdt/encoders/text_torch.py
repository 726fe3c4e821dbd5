"""Text encoders on PyTorch and transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.encoders.text_model import TextModel
from sdt.encoders.text_pieces import Piece, pad_pieces
from sdt.encoders.text_pooling import token_vectors


class TorchTextRunner:
    """Runs a text model on the GPU, or on the processor if there is none; see `text.TextRunner`."""

    def __init__(self, text_model: TextModel) -> None:
        self._pooling = text_model.pooling
        self.tokenizer, self._model = text_model.load()
        size, layers = int(self._model.config.hidden_size), int(self._model.config.num_hidden_layers)
        self.shape = (2 * (layers + 1) if self._pooling == "layers" else 1, size)
        self.positions = model_positions(self._model.config)

    def vectors(self, pieces: Sequence[Piece], *, windows: bool) -> npt.NDArray[np.float32]:
        """See `text.TextRunner.vectors`."""
        device = next(self._model.parameters()).device
        with torch.inference_mode():
            padded = padded_tensors(pieces, self.tokenizer.pad_token_id, device, windows=windows)
            hidden = self._model(padded.tokens, padded.mask, output_hidden_states=True).hidden_states
            layers = [padded.of_pieces(of) for of in hidden]  # each [n, tokens, size]
            found: npt.NDArray[np.float32] = token_vectors(self._pooling, layers, padded.counted).cpu().numpy()
        return found


class PaddedTensors(NamedTuple):
    """`text_pieces.Padded` in PyTorch."""

    tokens: Tensor
    """[u, tokens]."""
    mask: Tensor
    """[u, tokens]."""
    counted: Tensor
    """[n, tokens]."""
    row: Tensor | None
    """[n]; None if the row of each piece is its own."""

    def of_pieces(self, hidden: Tensor) -> Tensor:
        """The token vectors of each piece [n, tokens, size], from those of the different tokens [u, tokens, size]."""
        return hidden if self.row is None else hidden[self.row]


def model_positions(config: object) -> int | None:
    """The number of tokens that a Hugging Face model has positions for; None if it does not say."""
    # Some models specify two positions more than they support (positions of RoBERTa start at 2).
    most = getattr(config, "max_position_embeddings", None)
    return None if most is None else int(most) - 2


def padded_tensors(pieces: Sequence[Piece], pad: int, device: torch.device, *, windows: bool) -> PaddedTensors:
    """Pad pieces to a batch on a device; see `text_pieces.pad_pieces`."""
    padded = pad_pieces(pieces, pad, windows=windows)
    tokens, mask, counted, row = map(torch.from_numpy, padded)
    own = len(tokens) == len(counted)
    return PaddedTensors(tokens.to(device), mask.long().to(device), counted.to(device), None if own else row.to(device))
