"""The ONNX graph of our implementation on onnxruntime, as `sdt predict` runs it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.settings import Setting, random_batch
from benchmarks.workers import seconds
from sdt.feature_batch import FeatureBatch
from sdt.models.graph_precision import Precision
from sdt.models.onnx_export import export_onnx
from sdt.prediction.onnx_engine import OnnxEngine


class GraphBench:
    """Measures a graph; created in the measured process.

    Args:
        precision: The precision of its weights.
        setting: The model.
    """

    def __init__(self, precision: Precision, setting: Setting) -> None:
        torch.manual_seed(0)
        self.setting = setting
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "model.onnx"
            export_onnx(setting.model(), path, precision=precision)
            self.bytes = path.stat().st_size
            self.engine = OnnxEngine(setting.config, path)

    def predict(self, lengths: Sequence[Sequence[int]], seed: int) -> list[float]:
        """The seconds that the prediction of each batch takes."""
        batches = [self._batch(of_batch, seed + number) for number, of_batch in enumerate(lengths)]
        return [seconds(lambda of=batch: self.engine.predict(of), torch.device("cpu")) for batch in batches]  # type: ignore[misc]

    def file_bytes(self) -> int:
        """The size of the file."""
        return self.bytes

    def _batch(self, lengths: Sequence[int], seed: int) -> FeatureBatch:
        batch = random_batch(self.setting, lengths, seed)
        return FeatureBatch(
            features={name: x.numpy() for name, x in batch.features.items()},
            present={name: x.numpy() for name, x in batch.present.items()},
            position=batch.position.numpy(),
            speaker=batch.speaker.numpy(),
            participant=batch.participants.numpy(),
            lengths=tuple(np.asarray(lengths).tolist()),
            conversations=batch.conversations,
        )
