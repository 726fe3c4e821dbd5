"""bc-LSTM: bidirectional contextual LSTMs, one for each modality and one over what they found.

Poria, Cambria, Hazarika, Majumder, Zadeh, Morency: "Context-Dependent Sentiment Analysis in User-Generated Videos",
ACL 2017.

Level 1, for each modality m, with x the features of the utterances of a conversation:

    h^m = BiLSTM_m(x^m),   z^m = ReLU(W_z h^m + b_z),   p^m = softmax(W_s z^m + b_s)

Level 2 (hierarchical fusion): the same on the concatenated z^m of all modalities. `fusion: concatenation` is the
paper's non-hierarchical one: a single such network on the concatenated features. With one modality there is level 1
alone, the paper's unimodal bc-LSTM.

Training: level 1 learns from the labels by itself, and level 2 on what level 1 gives, by its own cross-entropy. The
paper trains them one after the other; here they are trained at the same time, and the gradient of level 2 stops at
level 1 (`end_to_end: true` lets it through). In the terms of the objective, `task` is level 2's cross-entropy and
`hard` the sum of level 1's.

Further differences: dropout's places are those of the released program (inputs of the dense layers), which in its
TensorFlow version has GRUs and no ReLU where the paper has LSTMs and ReLU. In the paper's equations, if we have them
right, the output gate of the LSTM also reads the cell's state; in PyTorch's LSTM, which is used here, it does not. The
sizes are those of the released program: 300 for both directions together, 100.

It does not look at speakers. What an utterance lacks is zero in the input; its LSTM still gives it a state, from the
context.
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
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig, Objective
from sdt.models.dropout import Dropout

FUSIONS = ("hierarchical", "concatenation")


@dataclass(frozen=True)
class BcLSTMConfig:
    """The settings of bc-LSTM."""

    width: int = 300
    """Width of every LSTM's state, both directions together."""
    dense: int = 100
    """Width of the dense layers z."""
    fusion: Literal["hierarchical", "concatenation"] = "hierarchical"
    """Hierarchical: an LSTM for each modality, then one over all; concatenation: one over the concatenated features."""
    end_to_end: bool = False
    """Whether level 1 learns from the errors of level 2, too; in the paper it does not."""
    dropout: float = 0.4
    """Dropout before the dense layers and before the classifiers."""
    speakers: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_settings("bc_lstm", self, at_least_one=("width", "dense"))
        if self.width % 2:
            raise InputError(f"bc_lstm.width: {self.width} is odd; the two directions share it")
        if self.fusion not in FUSIONS:
            raise InputError(f"bc_lstm.fusion: {self.fusion!r}{near_miss(self.fusion, FUSIONS)}")


class ContextualLSTM(nn.Module):
    """One network of the paper: BiLSTM, dense layer, classifier."""

    def __init__(self, size: int, settings: BcLSTMConfig, labels: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(size, settings.width // 2, bidirectional=True)
        self.dense = nn.Linear(settings.width, settings.dense)
        self.classifier = nn.Linear(settings.dense, labels)
        self.dropout = Dropout(settings.dropout)

    def forward(self, x: Tensor, steps: Steps) -> tuple[Tensor, Tensor]:
        """[N, D] to z [N, dense] and logits [N, C]."""
        z = self.dense(self.dropout(recurrent(self.lstm, x, steps))).relu()
        return z, self.classifier(self.dropout(z))


class BcLSTM(Model):
    """See the head of this file."""

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
        """Level 2, and level 1 of each modality where there are two levels."""
        levels = len(config.modalities) > 1 and config.architecture.fusion == "hierarchical"
        return (FUSED, *config.modalities) if levels else (FUSED,)

    @classmethod
    def objective_for(cls, config: ModelConfig, objective: Objective) -> Objective:
        """Level 1 has to learn from something.

        Raises:
            InputError: It would not; or see `Model.objective_for`.
        """
        if len(cls.classifier_names_for(config)) > 1 and objective.hard == 0 and not config.architecture.end_to_end:
            raise InputError("objective.hard: 0, but level 1 of bc_lstm learns from nothing else; give "
                             "bc_lstm.end_to_end true")  # fmt: skip
        return super().objective_for(config, objective)

    def forward(self, batch: Batch) -> Output:
        """Read a batch."""
        steps = Steps.of_conversations(batch)
        if not self.hierarchical:
            z, fused = self.multimodal(concatenated(batch, self.config.modalities), steps)
            return Output({FUSED: fused}, states={FUSED: z})
        found = {name: network(features(batch, name), steps) for name, network in self.unimodal.items()}
        below = torch.cat([z for z, _ in found.values()], dim=1)  # [N, M * dense]
        if not self.config.architecture.end_to_end:
            below = below.detach()
        z, fused = self.multimodal(below, steps)
        logits = {FUSED: fused, **{name: of for name, (_, of) in found.items()}}
        return Output(logits, states={FUSED: z, **{name: of for name, (of, _) in found.items()}})
