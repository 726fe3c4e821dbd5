"""Compatibility of a model with a corpus."""

from __future__ import annotations

import re

from sdt.corpus.store import Corpus
from sdt.encoders.encoder import STAND_INS
from sdt.errors import InputError
from sdt.models.config import ModelConfig


def check_compatibility(config: ModelConfig, corpus: Corpus) -> list[str]:
    """Check that a model can be run on a corpus. The corpus may have additional modalities.

    Returns:
        Notes for the user, one line each, about features from another encoder than the model's.

    Raises:
        InputError: The corpus lacks a modality of the model, has it in another width, or has other labels.
    """
    notes = []
    for name, width in config.modalities.items():
        if name not in corpus.modalities:
            raise InputError(
                f"{corpus.folder}: the corpus has no modality {name!r}, which the model needs "
                f"(corpus: {', '.join(corpus.modalities)}; model: {', '.join(config.modalities)})"
            )
        modality = corpus.modalities[name]
        if modality.width != width:
            raise InputError(
                f"{corpus.folder}: modality {name!r} has width {modality.width} (encoder {modality.encoder!r}), but "
                f"the model needs width {width} (encoder {config.encoders.get(name, 'unknown')!r}); import the corpus "
                "with the model's encoder"
            )
        own = config.encoders.get(name, modality.encoder)
        if _weights(own) != _weights(modality.encoder):
            alike = _stand_in(own) == _stand_in(modality.encoder)
            notes.append(
                f"modality {name!r}: the features of the corpus are from encoder {modality.encoder!r}, but the model "
                f"was trained on {own!r}; "
                + ("these encoders are similar" if alike else "the scores are unreliable unless both are the same")
            )
    unknown = [label for label in corpus.labels if label not in config.labels]
    if unknown:
        raise InputError(
            f"{corpus.folder}: labels unknown to the model: {', '.join(unknown)} (labels of the model: "
            f"{', '.join(config.labels)})"
        )
    return notes


def _weights(encoder: str) -> str:
    """An encoder's name without the path of its weights if it includes their hash."""
    return re.sub(r"^.*(?=@[0-9a-f]{8}\b)", "", encoder)


def _stand_in(encoder: str) -> str:
    """An encoder's name; the name of a published feature file is replaced by that of the corresponding encoder."""
    name, bar, steps = encoder.partition("|")
    return STAND_INS.get(name, name) + bar + steps
