"""SDT: the transformer model with self-distillation for emotion recognition in conversations.

Ma, Wang, Lin, Zhang, Zhang, Xu: "A Transformer-Based Model With Self-Distillation for Multimodal Emotion Recognition in
Conversations", IEEE Transactions on Multimedia 26 (2024), arXiv 2310.20494.

Differences from the published program, with the same results where both can compute them:
- a dictionary of any number of modalities of any width, instead of nine encoders written out;
- conversations are packed, not padded; padding occurs only inside attention;
- missing modalities: they are no keys or values in attention and have no weight in the fusion;
- an optional causal context: an utterance then attends to itself and previous utterances only;
- a frozen identity gate has no parameters, and the nine layer norms that the published program never uses are omitted;
- the loss is in `objective.py` and takes logits.

Shapes: N utterances of the batch, packed end to end; M modalities; D_m features of modality m; d model width; C labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models import base
from sdt.models.config import FUSED, Architecture, ModelConfig, SDTConfig
from sdt.models.context import Context
from sdt.models.dropout import Dropout
from sdt.models.sdt.attention import Layout, layout_of
from sdt.models.sdt.branches import Pair, encode_branches
from sdt.models.sdt.encoder import ModalEncoder, SinusoidalPositions
from sdt.models.sdt.fusion import Reliability, UnimodalFusion, fusion_class, weigh


@dataclass(frozen=True)
class Output(base.Output):
    """The output of SDT for a batch of N utterances.

    The keys of `logits` are `"fused"` (the teacher) and the modalities (the students); those of `states` are `"fused"`
    (F) and the modalities (H_m).
    """

    weights: Tensor
    """Weights of the multimodal fusion [N, M, d]; they sum to 1 over the modalities."""


class Student(nn.Module):
    """The classifier of one modality's branch: Linear(dropout(relu(H_m)))."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)
        self.classifier = nn.Linear(width, labels)

    def forward(self, state: Tensor) -> Tensor:
        """Compute logits, [N, d] to [N, C]."""
        logits: Tensor = self.classifier(self.dropout(torch.relu(state)))
        return logits


class SDT(base.Model):
    """The SDT model: computes the logits of every utterance of a packed batch.

    Args:
        config: Modalities, labels, speakers and architecture.

    Raises:
        InputError: A modality name is reserved or invalid; see `sdt.models.base.Model`.

    Example:
        >>> from sdt.speakers import Speakers
        >>> small = Architecture(width=16, heads=2)
        >>> config = SDTConfig({"text": 8, "audio": 4}, ("calm", "cross"), Speakers("appearance", 2), small)
        >>> sum(p.numel() for p in SDT(config).parameters())
        10066
    """

    settings = Architecture
    config_class = SDTConfig
    title = "SDT"
    source = (
        'Ma et al., "A Transformer-Based Model With Self-Distillation for Multimodal Emotion Recognition in '
        'Conversations", IEEE Transactions on Multimedia 26 (2024), arXiv 2310.20494'
    )
    terms = ("task", "hard", "soft")

    config: SDTConfig

    def __init__(self, config: SDTConfig) -> None:
        super().__init__(config)
        settings = config.architecture
        self.context = settings.attention_context
        width, names = settings.width, list(config.modalities)

        # 1. Projection: published as a temporal convolution of kernel size 1, which is a linear layer without bias.
        self.projections = nn.ModuleDict(
            {name: nn.Linear(size, width, bias=False) for name, size in config.modalities.items()}
        )
        # 2. Position and speaker. The last row of the embedding is for speakers without a number and stays zero.
        self.positions = SinusoidalPositions(width) if settings.positions else None
        self.speakers = (
            nn.Embedding(config.speakers.count + 1, width, padding_idx=config.speakers.count)
            if settings.speakers
            else None
        )
        # 3. Intra- and inter-modal transformers, by target and source.
        self.encoders = nn.ModuleDict(
            {
                target: nn.ModuleDict(
                    {source: ModalEncoder(settings, intra=source == target) for source in config.sources(target)}
                )
                for target in names
            }
        )
        # 4. and 5. Hierarchical gated fusion.
        self.unimodal = nn.ModuleDict(
            {target: UnimodalFusion(width, config.sources(target), settings.unimodal_gate) for target in names}
        )
        self.multimodal = fusion_class(settings.fusion)(width, len(names))
        self.multimodal.temperature = settings.gate_temperature
        self.reliability = nn.ModuleDict(
            {name: Reliability(width) for name in names} if settings.reliability and len(names) > 1 else {}
        )
        # 6. Classifiers.
        self.classifier = nn.Linear(self.multimodal.width, len(config.labels))
        self.students = nn.ModuleDict({name: Student(width, len(config.labels), settings.dropout) for name in names})

    @classmethod
    def classifier_names_for(cls, config: ModelConfig) -> tuple[str, ...]:
        """The teacher and one student per modality."""
        return (FUSED, *config.modalities)

    @property
    def fusion_weights(self) -> str:
        """The fusion's description of its weights."""
        return self.multimodal.weights_kind

    @property
    def attention_context(self) -> Context:
        """The settings `context`, `head_patterns` and `relative_positions`."""
        return self.context

    @property
    def supports_streaming(self) -> bool:
        """True for a causal context: keys and values of an utterance do not depend on later utterances."""
        return self.context.causal

    @property
    def attention_pairs(self) -> tuple[Pair, ...]:
        """(target, source) modality of each intra- and inter-modal encoder."""
        return tuple((target, source) for target in self.config.modalities for source in self.config.sources(target))

    @property
    def exports_onnx(self) -> bool:
        """SDT can be exported with any settings."""
        return True

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch; conversations are independent of each other.

        Args:
            batch: A packed batch with every modality of the model.
        """
        return self.forward_with_layout(batch, layout_of(batch, self.context))

    def forward_with_layout(self, batch: Batch, layout: Layout) -> Output:
        """Run the model with a given implementation of attention; `forward` chooses the fastest."""
        keys = {name: layout.keys(batch.present[name]) for name in self.projections}
        encoders: dict[Pair, ModalEncoder] = {
            (target, source): encoder
            for target, of_target in self.encoders.items()
            for source, encoder in of_target.items()  # type: ignore[operator]
        }
        fusions: dict[str, UnimodalFusion] = dict(self.unimodal.items())  # type: ignore[arg-type]
        inputs, reliability = self._inputs(batch)
        states = encode_branches(encoders, fusions, inputs, keys, layout)  # target -> H_m [N, d]
        present = torch.stack([batch.present[name] for name in states], dim=1)  # [N, M]
        stacked = torch.stack(list(states.values()), dim=1)  # [N, M, d]
        fused, weights = self.multimodal(stacked, present)  # [N, d], [N, M, d]
        if reliability:
            fused, weights = weigh(stacked, weights, torch.cat(reliability, dim=1))
        logits = {FUSED: self.classifier(fused)}  # [N, C]
        logits.update({name: student(states[name]) for name, student in self.students.items()})
        return Output(logits, weights, {FUSED: fused, **states})

    def _inputs(self, batch: Batch) -> tuple[dict[str, Tensor], list[Tensor]]:
        """X_m = projection + position + speaker, [N, d] for each modality, and the reliabilities [N, 1], if any."""
        shared: Tensor | float = 0.0
        if self.positions is not None:
            shared = shared + self.positions(batch.position)
        if self.speakers is not None:
            shared = shared + self.speakers(batch.speaker)
        inputs, reliability = {}, []
        for name, projection in self.projections.items():
            # Missing rows are zero in a corpus; the mask ensures this for batches from other sources.
            x = projection(batch.features[name] * batch.present[name][:, None])
            if name in self.reliability:
                reliability.append(self.reliability[name](x))
                x = x * reliability[-1]
            inputs[name] = x + shared
        return inputs, reliability
