"""A BERT small enough for tests, and a corpus that it can learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sdt.conversation import Conversation, Utterance
from sdt.corpus.builder import CorpusBuilder
from sdt.feature_table import FeatureTable
from sdt.speakers import Speakers

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "oh", "my", "god", "what", "!", "?"]
TELLING = {"glad": "god", "cross": "what", "calm": "my"}
"""The word that tells each label."""


def write_bert(folder: Path, seed: int = 0, positions: int = 12) -> Path:
    """Write a Hugging Face folder with a BERT of width 8, two layers and eleven words."""
    import torch
    from transformers import BertConfig, BertModel

    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=positions,
    )
    BertModel(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
    return folder


def make_spoken(sizes: dict[str, int] | None = None) -> CorpusBuilder:
    """Conversations of three utterances, each with one telling word; a few without label or text."""
    random = np.random.default_rng(0)
    splits: dict[str, list[str]] = {}
    conversations = []
    for split, count in (sizes or {"train": 16, "dev": 6, "test": 6}).items():
        for index in range(count):
            utterances = []
            for place in range(3):
                label = list(TELLING)[random.integers(3)]
                words = ["oh"] * int(random.integers(1, 4)) + [TELLING[label], "!"]
                text = None if (index, place) == (0, 1) else " ".join(words)
                utterances.append(Utterance(str(place), "AB"[place % 2], text, None if index + place == 3 else label))
            conversations.append(Conversation(f"{split}{index}", tuple(utterances)))
            splits.setdefault(split, []).append(f"{split}{index}")
    n = sum(map(len, conversations))
    table = FeatureTable(np.ones((n, 2), np.float32), np.ones(n, np.bool_), "made")
    return CorpusBuilder("spoken", conversations, tuple(TELLING), splits, {"voice": table}, Speakers("appearance", 2))
