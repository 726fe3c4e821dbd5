"""sdt-erc: multimodal emotion recognition in conversations.

The names below are imported when first used: `import sdt` alone loads neither torch nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sdt.conversation import Conversation, Prediction, Utterance
    from sdt.corpus.store import Corpus
    from sdt.errors import InputError
    from sdt.formats import read_transcript, write_transcript
    from sdt.models.base import Model
    from sdt.models.sdt.model import SDT
    from sdt.prediction import Pipeline, StreamingPredictor

__version__ = "0.1.0"

_HOME = {
    "Conversation": "sdt.conversation",
    "Corpus": "sdt.corpus.store",
    "InputError": "sdt.errors",
    "Model": "sdt.models.base",
    "Pipeline": "sdt.prediction",
    "Prediction": "sdt.conversation",
    "SDT": "sdt.models.sdt.model",
    "StreamingPredictor": "sdt.prediction",
    "Utterance": "sdt.conversation",
    "read_transcript": "sdt.formats",
    "write_transcript": "sdt.formats",
}

__all__ = [
    "SDT",
    "Conversation",
    "Corpus",
    "InputError",
    "Model",
    "Pipeline",
    "Prediction",
    "StreamingPredictor",
    "Utterance",
    "__version__",
    "read_transcript",
    "write_transcript",
]


def __getattr__(name: str) -> object:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'sdt' has no attribute {name!r}")
