"""The engine `onnxruntime`: runs the ONNX graph of SDT on the processor, without PyTorch.

The graph computes attention over all utterances of a batch, with a mask that separates conversations, so batches are
small. The longest conversations, whose attention would need too much memory, run on PyTorch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sdt.device import DeviceName
from sdt.errors import InputError
from sdt.feature_batch import FeatureBatch
from sdt.graphs import open_session, read_metadata
from sdt.models.batch_prediction import BatchPrediction
from sdt.models.config import FUSED, ModelConfig, SDTConfig
from sdt.models.saved_config import read_sdt_config
from sdt.models.saved_graph import SDT_GRAPH, input_names, output_names, saved_digest
from sdt.prediction.stream_readers import Reader, RecomputingReader, RereadingReader

if TYPE_CHECKING:
    from sdt.prediction.torch_engine import TorchEngine

UTTERANCES = 128
"""The largest number of utterances of a run, unless a conversation is longer."""
LONGEST = 2048
"""The largest number of utterances of a conversation; attention over it takes 400 MB with eight heads."""


class OnnxEngine:
    """Runs a graph of SDT; see `engine.Engine`.

    Args:
        config: The configuration of the model.
        graph: The file of the graph.
        folder: The folder of the saved model, whose text encoders have graphs, too; None for a graph alone.

    Raises:
        InputError: The graph cannot be loaded.
    """

    def __init__(self, config: SDTConfig, graph: Path, folder: Path | None = None) -> None:
        self.config: ModelConfig = config
        self.context, self._layers = config.architecture.attention_context, config.architecture.layers
        self.graphs = folder
        self._session = open_session(graph)
        self._inputs, self._outputs = input_names(config), output_names(config)

    def predict(self, batch: FeatureBatch) -> BatchPrediction:
        """See `Engine.predict`."""
        if max(batch.lengths) > LONGEST:
            return self._torch.predict(batch)
        starts = np.cumsum([0, *batch.lengths]).tolist()
        parts = []
        for first, end in _groups(batch.lengths):
            rows = slice(starts[first], starts[end])
            parts.append((np.arange(rows.start, rows.stop), self._run(batch, rows)))
        return parts[0][1] if len(parts) == 1 else BatchPrediction.merge(parts, len(batch))

    def reader(self, history: int) -> Reader:
        """Computes the receptive field of a causal model again for every utterance."""
        return RecomputingReader(self, self._receptive_field) if self.context.causal else RereadingReader(self, history)

    @property
    def _receptive_field(self) -> int | None:
        """The number of utterances, up to the newest, that its output depends on; None for all."""
        if self.context.window is None:
            return None
        return self._layers * (self.context.window - 1) + 1

    @cached_property
    def _torch(self) -> TorchEngine:
        """The same model on PyTorch, for conversations that are too long.

        Raises:
            InputError: PyTorch is not installed.
        """
        with contextlib.suppress(ModuleNotFoundError):
            from sdt.prediction.torch_engine import load_torch_engine

            if self.graphs is not None:
                return load_torch_engine(self.graphs, "cpu")
        raise InputError(
            f"a conversation has more than {LONGEST:,} utterances, the most that onnxruntime computes at once: split "
            "it with --window 512, or install PyTorch with: pip install 'sdt-erc[train]'"
        )

    def _run(self, batch: FeatureBatch, rows: slice) -> BatchPrediction:
        names = self.config.modalities
        present = np.stack([batch.present[name][rows] for name in names], axis=1)
        given = {
            **{f"features_{name}": batch.features[name][rows] for name in names},
            **{f"present_{name}": batch.present[name][rows] for name in names},
            "conversation": batch.conversation[rows],
            "position": batch.position[rows],
            "speaker": batch.speaker[rows],
            "participant": batch.participant[rows],
        }
        found = dict(
            zip(
                self._outputs,
                self._session.run(self._outputs, {name: given[name] for name in self._inputs}),
                strict=True,
            )
        )
        weights = found.pop("weights")
        has: dict[str, npt.NDArray[np.bool_]] = {
            FUSED: np.logical_or.reduce(present, axis=1),
            **{name: present[:, column] for column, name in enumerate(names)},
        }
        probabilities = {}
        for output, logs in found.items():
            name = output.removeprefix("branch_")
            # Where a modality is missing, the graph gives NaN; there is nothing to choose between the labels.
            probabilities[name] = np.where(has[name][:, None], np.exp(logs), np.float32(1 / len(self.config.labels)))
        return BatchPrediction(probabilities, np.where(present, weights, np.float32(0)), present)


def _groups(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of conversations with at most `UTTERANCES` utterances, or a single longer conversation."""
    first = size = 0
    for index, length in enumerate(lengths):
        if index > first and size + length > UTTERANCES:
            yield first, index
            first, size = index, 0
        size += length
    yield first, len(lengths)


def load_onnx_engine(folder: Path, device: DeviceName) -> OnnxEngine | None:  # noqa: ARG001 - of the interface
    """Load the graphs of a model folder; None if it has none, or if they were made from another configuration."""
    graph = folder / SDT_GRAPH
    if not graph.is_file() or (config := read_sdt_config(folder / "config.json")) is None:
        return None
    if read_metadata(graph).get("saved") != saved_digest(folder):
        return None
    return OnnxEngine(config, graph, folder)
