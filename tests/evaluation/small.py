"""A small corpus and an untrained model that fits it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder, write_corpus
from sdt.corpus.store import Corpus
from sdt.feature_table import FeatureTable
from sdt.models.config import Architecture, SDTConfig
from sdt.models.sdt.model import SDT
from sdt.speakers import Speakers

LABELS = ("calm", "cross", "glad")
LENGTHS = {"train": (3, 1), "dev": (2,), "test": (4, 1, 6, 2)}


def small_corpus(
    folder: Path, *, labels: tuple[str, ...] = LABELS, widths: dict[str, int] | None = None, labelled: bool = True
) -> Corpus:
    """A corpus whose conversations are `train0`, `train1`, `dev0`, `test0`...; every fifth utterance lacks a label,
    every third its audio."""
    widths = widths or {"text": 5, "audio": 4}
    rng = np.random.default_rng(7)
    conversations, splits = [], {}
    for split, lengths in LENGTHS.items():
        splits[split] = [f"{split}{index}" for index in range(len(lengths))]
        for name, length in zip(splits[split], lengths, strict=True):
            spoken = [
                Utterance(
                    id=f"u{i}", speaker="AB"[i % 2], label=labels[(i * i) % len(labels)] if labelled and i % 5 else None
                )
                for i in range(length)
            ]
            conversations.append(Conversation(name, tuple(spoken)))
    size = sum(map(len, conversations))
    features = {
        name: FeatureTable(
            features=rng.normal(size=(size, width)).astype(np.float32),
            present=np.arange(size) % 3 > 0 if name == "audio" else np.ones(size, dtype=bool),
            encoder=f"{name}-encoder",
        )
        for name, width in widths.items()
    }
    builder = CorpusBuilder(
        "small", conversations, labels, splits, features, Speakers.from_conversations(conversations, "identity")
    )
    return write_corpus(builder, folder)


def small_model(corpus: Corpus, modalities: tuple[str, ...] | None = None, /, **provenance: Any) -> SDT:
    """A model for the corpus with random parameters, in evaluation mode."""
    config = SDTConfig.for_corpus(corpus, Architecture(width=8, heads=2), modalities)
    torch.manual_seed(3)
    return SDT(SDTConfig(**{**vars(config), "provenance": provenance})).eval()
