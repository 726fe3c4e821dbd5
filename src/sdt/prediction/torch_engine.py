"""The engine `torch`: runs every model, on the processor or a GPU."""

from __future__ import annotations

from pathlib import Path

import torch

from sdt.batch import Batch
from sdt.device import DeviceName, choose_device
from sdt.feature_batch import FeatureBatch
from sdt.models.base import Model
from sdt.models.batch_prediction import BatchPrediction
from sdt.models.inference import calibrated
from sdt.models.saved import load
from sdt.prediction.stream_cache import CachingReader
from sdt.prediction.stream_readers import Reader, RereadingReader


class TorchEngine:
    """Runs a model on PyTorch; see `engine.Engine`.

    Args:
        model: The model; it is moved to the device.
        device: `auto`, `cpu` or `cuda`.
    """

    graphs: Path | None = None

    def __init__(self, model: Model, device: DeviceName = "auto") -> None:
        self.device = choose_device(device)
        self.model = model.to(self.device).eval()
        self.config, self.context = model.config, model.attention_context

    def predict(self, batch: FeatureBatch) -> BatchPrediction:
        """See `Engine.predict`."""
        with torch.inference_mode():
            output = self.model(Batch.from_features(batch).to(self.device))
            return calibrated(self.model, output, batch.present_modalities)

    def reader(self, history: int) -> Reader:
        """Caches keys and values if the model supports it."""
        return CachingReader(self.model) if self.model.supports_streaming else RereadingReader(self, history)


def load_torch_engine(folder: Path, device: DeviceName) -> TorchEngine:
    """Load a model folder; see `engine.load_engine`."""
    return TorchEngine(load(folder), device)
