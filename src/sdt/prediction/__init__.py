"""From a conversation to emotions: `Pipeline.from_pretrained("meld-text-audio-small")("chat.txt")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdt.prediction.pipeline import Pipeline
    from sdt.prediction.predictions import Predictions

__all__ = ["Pipeline", "Predictions"]


def __getattr__(name: str) -> object:
    # Imported when first used: a transcript with a mistake in it should not wait for PyTorch.
    if name == "Pipeline":
        from sdt.prediction.pipeline import Pipeline

        return Pipeline
    if name == "Predictions":
        from sdt.prediction.predictions import Predictions

        return Predictions
    raise AttributeError(f"module 'sdt.prediction' has no attribute {name!r}")
