"""Your own model: a subclass of `sdt.Model` with its settings, trained like every other model, saved and loaded.

This one averages the modalities of an utterance and reads the conversation with a GRU. From the command line:
sdt train RECIPE --corpus FOLDER --architecture examples/own_model.py:AverageGRU --own_model.width 64
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

import sdt
from sdt.batch import Batch
from sdt.models.config import ModelConfig


@dataclass(frozen=True)
class Settings:
    """Settings of the model."""

    width: int = 32
    """Width of the states."""
    dropout: float = 0.2
    """Dropout of the states."""


class AverageGRU(sdt.Model):
    """Mean of the projected modalities of an utterance, then a GRU over the conversation."""

    settings = Settings

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        d = config.architecture.width
        self.projections = nn.ModuleDict({name: nn.Linear(D, d) for name, D in config.modalities.items()})
        self.gru = nn.GRU(d, d // 2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(config.architecture.dropout)
        self.classifier = nn.Linear(d, len(config.labels))

    def forward(self, batch: Batch) -> sdt.Output:
        """The logits [N, C] of a packed batch of N utterances."""
        present = torch.stack([batch.present[name] for name in self.projections], dim=1).float()  # [N, M]
        projected = torch.stack([self.projections[name](batch.features[name]) for name in self.projections], dim=1)
        mean = (projected * present[..., None]).sum(dim=1) / present.sum(dim=1).clamp(min=1)[:, None]  # [N, d]
        conversations = nn.utils.rnn.pack_sequence(mean.split(batch.lengths.tolist()), enforce_sorted=False)
        states, lengths = nn.utils.rnn.pad_packed_sequence(self.gru(conversations)[0], batch_first=True)
        states = torch.cat([state[:length] for state, length in zip(states, lengths.tolist(), strict=True)])  # [N, d]
        return sdt.Output({"fused": self.classifier(self.dropout(states))})


if __name__ == "__main__":
    random = np.random.default_rng(0)
    labels = random.integers(3, size=240)
    features = {
        name: random.normal(size=(3, width))[labels] + random.normal(size=(240, width))
        for name, width in (("text", 12), ("audio", 6))
    }
    corpus = sdt.Corpus.from_arrays(
        [("calm", "cross", "glad")[label] for label in labels],
        features,
        conversations=[f"talk-{number // 6}" for number in range(240)],
    )
    settings = {"own_model.width": 16, "training.learning_rate": 1e-2, "training.batch_conversations": 4}
    run = sdt.train({**settings, "training.epochs": 8}, corpus, model=AverageGRU, progress=False)
    print(run, run.model.config.architecture)
    with tempfile.TemporaryDirectory() as folder:
        run.save(Path(folder) / "model")
        again = sdt.Model.from_pretrained(Path(folder) / "model")
    assert sdt.evaluate(again, corpus).scores["fused"].weighted_f1 == run.scores["test"]["fused"].weighted_f1
