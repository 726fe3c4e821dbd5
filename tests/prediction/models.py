"""Tiny untrained models that work on raw text and sound, and conversations for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from sdt.conversation import Conversation, Utterance
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from sdt.speakers import Speakers

LABELS = ("neutral", "joy", "anger")
TEXT = {"text": "words:16"}
TEXT_AUDIO = {"text": "words:16", "audio": "prosody|z:conversation"}
WIDTHS = {"words:16": 16, "prosody": 174, "voice8": 8, "praat": 8, "praat8": 8, "faces": 322}


def tiny_model(encoders: Mapping[str, str] = TEXT, seed: int = 0, **values: Any) -> SDT:
    """A model whose features these encoders make."""
    widths = {name: WIDTHS.get(encoder.partition("|")[0], 16) for name, encoder in encoders.items()}
    torch.manual_seed(seed)
    settings = {"speakers": Speakers("appearance", 3), "architecture": Architecture(width=16, heads=2), **values}
    return SDT(SDTConfig(widths, LABELS, encoders=encoders, **settings)).eval()


def chat(name: str = "chat", length: int = 4, *, timed: bool = False) -> Conversation:
    """Two people who say something different each time."""
    return Conversation(
        name,
        tuple(
            Utterance(
                str(i),
                ("Ann", "Bob")[i % 2],
                f"{name} says number {i}!",
                start=0.5 * i if timed else None,
                end=0.5 * i + 0.5 if timed else None,
            )
            for i in range(length)
        ),
    )
