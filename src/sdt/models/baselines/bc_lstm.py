"""bc-LSTM: bidirectional contextual LSTMs, one per modality and one over their outputs.

Poria, Cambria, Hazarika, Majumder, Zadeh, Morency: "Context-Dependent Sentiment Analysis in User-Generated Videos",
ACL 2017.

Level 1, for each modality m, where x^m are the features of the utterances of a conversation:

    h^m = BiLSTM_m(x^m),   z^m = ReLU(W_z h^m + b_z),   p^m = softmax(W_s z^m + b_s)

Level 2 (hierarchical fusion): the same network on the concatenated z^m of all modalities. `fusion: concatenation` is
the paper's non-hierarchical variant: a single network on the concatenated features. With one modality, only level 1
exists, the paper's unimodal bc-LSTM.

As published: the equations, LSTMs and ReLU. As in the released program: the positions of dropout (inputs of the dense
layers) and the sizes (300 for both directions together, 100). The released TensorFlow program has GRUs and no ReLU.

Differences:
- Training: the paper trains level 1 first and level 2 on its outputs. Here both are trained at the same time; level 1
  by
  its own cross-entropies (`hard` in the objective) and level 2 by its cross-entropy (`task`), whose gradient stops at
  level 1 unless `end_to_end: true`.
- In the paper's equations, as we read them, the output gate of the LSTM also depends on the cell state; in PyTorch's
  LSTM, used here, it does not.

Speakers are not used. Missing features are zero; the LSTM still computes a state for the utterance from its context.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError, near_miss
from sdt.models.base import Model, Output
from sdt.models.baselines.inputs import check_settings, concatenated, features
from sdt.models.baselines.steps import Steps, bidirectional, recurrent
from sdt.models.config import FUSED, ModelConfig, Objective
from sdt.models.dropout import Dropout

FUSIONS = ("hierarchical", "concatenation")


@dataclass(frozen=True)
class BcLSTMConfig:
    """Settings of bc-LSTM."""

    width: int = 300
    """Width of the state of each LSTM, both directions together."""
    dense: int = 100
    """Width of the dense layers z."""
    fusion: Literal["hierarchical", "concatenation"] = "hierarchical"
    """Hierarchical: an LSTM per modality, then one over all; concatenation: one over the concatenated features."""
    end_to_end: bool = False
    """Whether the gradient of level 2 also trains level 1; false in the paper."""
    dropout: float = 0.4
    """Dropout before the dense layers and before the classifiers."""
    speakers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings("bc_lstm", self, at_least_one=("width", "dense"))
        if self.width % 2:
            raise InputError(f"bc_lstm.width: {self.width} is odd; each of the two directions has half the width")
        if self.fusion not in FUSIONS:
            raise InputError(f"bc_lstm.fusion: {self.fusion!r}{near_miss(self.fusion, FUSIONS)}")


class ContextualLSTM(nn.Module):
    """One network of the paper: BiLSTM, dense layer, classifier."""

    def __init__(self, size: int, settings: BcLSTMConfig, labels: int) -> None:
        super().__init__()
        self.lstm = bidirectional(nn.LSTM, size, settings.width)
        self.dense = nn.Linear(settings.width, settings.dense)
        self.classifier = nn.Linear(settings.dense, labels)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """Compute z [N, dense] and logits [N, C] from features [N, D]."""
        z = self.dense(self.dropout(recurrent(self.lstm, x, steps))).relu()
        return z, self.classifier(self.dropout(z))


class BcLSTM(Model):
    """bc-LSTM; see the module docstring."""

    settings = BcLSTMConfig
    title = "bc-LSTM"
    source = 'Poria et al., "Context-Dependent Sentiment Analysis in User-Generated Videos", ACL 2017'
    terms = ("task", "hard")

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: BcLSTMConfig = config.architecture
        labels, sizes = len(config.labels), config.modalities
        self.hierarchical = len(self.classifier_names) > 1
        self.unimodal = nn.ModuleDict(
            {name: ContextualLSTM(size, settings, labels) for name, size in sizes.items()} if self.hierarchical else {}
        )
        size = settings.dense * len(sizes) if self.hierarchical else sum(sizes.values())
        self.multimodal = ContextualLSTM(size, settings, labels)

    @classmethod
    def classifier_names_for(cls, config: ModelConfig) -> tuple[str, ...]:
        """Level 2 and, if there are two levels, level 1 of each modality."""
        levels = len(config.modalities) > 1 and config.architecture.fusion == "hierarchical"
        return (FUSED, *config.modalities) if levels else (FUSED,)

    @classmethod
    def objective_for(cls, config: ModelConfig, objective: Objective) -> Objective:
        """Check that level 1 is trained; see `Model.objective_for`.

        Raises:
            InputError: No term of the objective trains level 1, or see `Model.objective_for`.
        """
        if len(cls.classifier_names_for(config)) > 1 and objective.hard == 0 and not config.architecture.end_to_end:
            raise InputError("objective.hard: 0, but no other term trains level 1 of bc_lstm; set objective.hard above "
                             "0 or bc_lstm.end_to_end to true")  # fmt: skip
        return super().objective_for(config, objective)

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
        steps = Steps.of_conversations(batch)
        if not self.hierarchical:
            z, fused = self.multimodal(concatenated(batch, self.config.modalities), steps)
            return Output({FUSED: fused}, states={FUSED: z})
        level_1 = {name: network(features(batch, name), steps) for name, network in self.unimodal.items()}
        inputs = torch.cat([z for z, _ in level_1.values()], dim=1)  # [N, M * dense]
        if not self.config.architecture.end_to_end:
            inputs = inputs.detach()
        z, fused = self.multimodal(inputs, steps)
        logits = {FUSED: fused, **{name: logits for name, (_, logits) in level_1.items()}}
        return Output(logits, states={FUSED: z, **{name: state for name, (state, _) in level_1.items()}})
