"""Prediction: `Pipeline.from_pretrained("english-text-audio-small")("chat.txt")`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdt.prediction.pipeline import Pipeline
    from sdt.prediction.predictions import Predictions
    from sdt.prediction.stream_features import StreamInput
    from sdt.prediction.streaming import StreamingPredictor

__all__ = ["Pipeline", "Predictions", "StreamInput", "StreamingPredictor"]

_HOME = {
    "Pipeline": "sdt.prediction.pipeline",
    "Predictions": "sdt.prediction.predictions",
    "StreamInput": "sdt.prediction.stream_features",
    "StreamingPredictor": "sdt.prediction.streaming",
}


def __getattr__(name: str) -> object:
    # Imported when first used, so that errors in a transcript are reported before PyTorch is imported.
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sdt.prediction' has no attribute {name!r}")
