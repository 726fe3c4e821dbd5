"""sdt-erc: multimodal emotion recognition in conversations.

The names below are imported when first used: `import sdt` alone loads neither torch nor numpy. docs/python.md shows
how they are used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdt.api import metrics
    from sdt.api.evaluate import compare, evaluate
    from sdt.api.run import Run
    from sdt.api.train import train
    from sdt.conversation import Conversation, Prediction, Utterance
    from sdt.corpus.store import Corpus
    from sdt.errors import InputError
    from sdt.formats import read_transcript, write_transcript
    from sdt.models.base import Model, Output
    from sdt.models.sdt.model import SDT
    from sdt.prediction import Pipeline, StreamingPredictor
    from sdt.training.callbacks import Callback
    from sdt.training.settings import Recipe

__version__ = "0.1.0"

_HOME = {
    "Callback": "sdt.training.callbacks",
    "Conversation": "sdt.conversation",
    "Corpus": "sdt.corpus.store",
    "InputError": "sdt.errors",
    "Model": "sdt.models.base",
    "Output": "sdt.models.base",
    "Pipeline": "sdt.prediction",
    "Prediction": "sdt.conversation",
    "Recipe": "sdt.training.settings",
    "Run": "sdt.api.run",
    "SDT": "sdt.models.sdt.model",
    "StreamingPredictor": "sdt.prediction",
    "Utterance": "sdt.conversation",
    "compare": "sdt.api.evaluate",
    "evaluate": "sdt.api.evaluate",
    "metrics": "sdt.api",
    "read_transcript": "sdt.formats",
    "train": "sdt.api.train",
    "write_transcript": "sdt.formats",
}

__all__ = [
    "SDT",
    "Callback",
    "Conversation",
    "Corpus",
    "InputError",
    "Model",
    "Output",
    "Pipeline",
    "Prediction",
    "Recipe",
    "Run",
    "StreamingPredictor",
    "Utterance",
    "__version__",
    "compare",
    "evaluate",
    "metrics",
    "read_transcript",
    "train",
    "write_transcript",
]


def __getattr__(name: str) -> object:
    if name == "metrics":  # a module
        return importlib.import_module("sdt.api.metrics")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sdt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
