"""Text encoders on onnxruntime: a graph with its tokenizer, see `text_graph` and `text_export`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sdt.encoders.text_model import TextModel
from sdt.encoders.text_pieces import Piece, pad_pieces
from sdt.errors import InputError, describe_error
from sdt.graphs import layout_digest, open_session, read_metadata


class GraphTokenizer:
    """A tokenizer with the interface of those of transformers, as far as this package uses it.

    Args:
        text: The tokenizer as JSON, as the library tokenizers writes it.
        pad: The number of the token for padding.
    """

    def __init__(self, text: str, pad: int) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(text)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.pad_token_id = pad

    def __call__(
        self, text: str | list[str], pair: str | None = None, *, add_special_tokens: bool = True, **_: object
    ) -> dict[str, Any]:
        """The token numbers of a text or of a list of texts, and whether they are special."""
        encode = functools.partial(self._tokenizer.encode, add_special_tokens=add_special_tokens)
        if isinstance(text, str):
            one = encode(text, pair)
            return {"input_ids": one.ids, "special_tokens_mask": one.special_tokens_mask}
        found = self._tokenizer.encode_batch(text, add_special_tokens=add_special_tokens)
        return {
            "input_ids": [one.ids for one in found],
            "special_tokens_mask": [one.special_tokens_mask for one in found],
        }


class GraphTextRunner:
    """Runs the graph of a text model on the processor; see `text.TextRunner`.

    Args:
        graph: The file of the graph.
        text_model: The model, whose weights it uses.

    Raises:
        InputError: The graph is damaged.
        OtherEncoderError: The graph was made from another model.
        MissingDependencyError: onnxruntime is not installed.
    """

    def __init__(self, graph: Path, text_model: TextModel) -> None:
        about = read_metadata(graph)
        try:
            same = about["encoder"] == text_model.name and about["layout"] == weights_digest(text_model)
            self.tokenizer = GraphTokenizer(about["tokenizer"], int(about["pad"]))
            self.shape = (int(about["vectors"]), int(about["size"]))
            self.positions: int | None = about["positions"]
        except Exception as error:  # tokenizers raises Exception itself
            raise InputError(f"{graph}: damaged ({describe_error(error)})") from None
        if not same:
            raise OtherEncoderError(f"{graph}: made from another text encoder than {text_model.name!r}")
        self._session = open_session(graph, weights_folder(graph, text_model), repack=False)

    def vectors(self, pieces: Sequence[Piece], *, windows: bool) -> npt.NDArray[np.float32]:
        """See `text.TextRunner.vectors`."""
        padded = pad_pieces(pieces, self.tokenizer.pad_token_id, windows=windows)
        found: npt.NDArray[np.float32] = self._session.run(["vectors"], padded._asdict())[0]
        return found


class OtherEncoderError(InputError):
    """A graph was made from another text encoder."""


def weight_files(text_model: TextModel) -> list[str]:
    """The safetensors files of a text model, by name."""
    return sorted(path.name for path in text_model.folder.glob("*.safetensors"))


def weights_digest(text_model: TextModel) -> str:
    """Identifies where the weights of a text model are in their files."""
    return layout_digest(text_model.folder, weight_files(text_model))


def weights_folder(graph: Path, text_model: TextModel) -> Path | None:
    """The folder that the names of files in a graph are relative to; None for that of the graph."""
    return None if text_model.folder.is_relative_to(graph.parent) else text_model.folder
