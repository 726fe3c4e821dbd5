"""From a conversation to emotions: `Pipeline.from_pretrained("meld-text-audio-small")("chat.txt")`."""

from sdt.prediction.pipeline import Pipeline
from sdt.prediction.predictions import Predictions

__all__ = ["Pipeline", "Predictions"]
