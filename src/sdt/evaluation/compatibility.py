"""Checks whether a model can be evaluated on a corpus."""

from __future__ import annotations

import re

from sdt.corpus.store import Corpus
from sdt.encoders.encoder import STAND_INS
from sdt.errors import InputError
from sdt.models.config import ModelConfig


def check_fit(config: ModelConfig, corpus: Corpus) -> list[str]:
    """Whether a model can be run on a corpus. A corpus may have more modalities than the model, but no fewer.

    Returns:
        Notes for the user, one line each: features that another encoder made than the model's.

    Raises:
        InputError: The corpus lacks a modality of the model, has it in another width, or has labels that the model
            does not know.
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
                f"modality {name!r}: the corpus' features come from the encoder {modality.encoder!r}, those that the "
                f"model needs from {own!r}; "
                + ("they come close to each other" if alike else "the scores mean little unless they are the same")
            )
    unknown = [label for label in corpus.labels if label not in config.labels]
    if unknown:
        raise InputError(
            f"{corpus.folder}: the corpus has labels that the model does not know: {', '.join(unknown)} "
            f"(the model's are: {', '.join(config.labels)})"
        )
    return notes


def _weights(encoder: str) -> str:
    """An encoder's name without the place of its weights, where it says by digits which ones they are."""
    return re.sub(r"^.*(?=@[0-9a-f]{8}\b)", "", encoder)


def _stand_in(encoder: str) -> str:
    """An encoder's name, that of tables of others replaced by this program's encoder for them."""
    name, bar, steps = encoder.partition("|")
    return STAND_INS.get(name, name) + bar + steps
