"""DialogueGCN: utterances are vertices, and who speaks to whom before or after is the relation of an edge.

Ghosal, Majumder, Poria, Chhaya, Gelbukh: "DialogueGCN: A Graph Convolutional Neural Network for Emotion Recognition in
Conversation", EMNLP 2019, arXiv 1908.11540.

With u_i the concatenated features of utterance i:

    sequential context  g = BiGRU(u)
    edges               from j to i for i - past <= j <= i + future in the same conversation, i itself among them
    edge weights        alpha_i = softmax over these j of g_i^T W_e g_j
    relations           r(i, j): speaker of i, speaker of j, and whether j was said before i; N_i^r are the j != i of
                        relation r
    first step          h_i  = ReLU(sum over r, j in N_i^r of alpha_ij / |N_i^r| W_r g_j + alpha_ii W_0 g_i)
    second step         h'_i = ReLU(sum over r, j in N_i^r of W h_j + alpha_ii W_0' h_i)
    similarity          x_i = [g_i; h'_i],   beta_i = softmax over all j of x_i^T W_beta x_j
                        x~_i = sum over j of beta_ij x_j
    logits_i            W_s ReLU(W_l x~_i + b_l) + b_s

What differs from the released program: it takes the edge weights from positions instead of the bilinear form, has no
ReLU after the steps, counts an edge from a vertex to itself as a relation, and lets padding into the context network;
here these follow the paper. From it are the two layers of the context network and the matrices W_r as mixtures of
`bases` matrices (Schlichtkrull et al., "Modeling Relational Data with Graph Convolutional Networks", ESWC 2018), which
keeps the 2 S^2 relations of S speakers affordable. Where there are no more relations than bases, each has a matrix.

Speakers are told apart by the corpus' numbers; those without a number are one. Missing modalities are zeros in u_i.

Shapes: N utterances of the batch; E edges; P pairs of a vertex and a relation that it has; R relations; D width of g;
H width of h.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError
from sdt.models.base import Model, Output
from sdt.models.baselines.attention import Matching
from sdt.models.baselines.inputs import check_edges, check_settings, concatenated, conversation_of
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class DialogueGCNConfig:
    """The settings of DialogueGCN."""

    width: int = 200
    """Width of the sequential context g, both directions together."""
    context_layers: int = 2
    """Layers of the sequential context network."""
    graph: int = 100
    """Width of the graph network's states h and of the layer before the classifier."""
    past: int | None = 10
    """Utterances before from which edges come; null for all."""
    future: int | None = 10
    """Utterances after from which edges come; null for all."""
    bases: int = 30
    """Matrices of which those of the relations are mixtures; 0 for a matrix of its own for each relation."""
    dropout: float = 0.5
    """Dropout between the layers of the context network and of the layer before the classifier."""

    def __post_init__(self) -> None:
        check_settings("dialogue_gcn", self, at_least_one=("width", "context_layers", "graph"))
        if self.width % 2:
            raise InputError(f"dialogue_gcn.width: {self.width} is odd; the two directions share it")
        for name in ("past", "future", "bases"):
            if getattr(self, name) is not None and getattr(self, name) < 0:
                raise InputError(f"dialogue_gcn.{name}: {getattr(self, name)} is less than 0")


@dataclass(frozen=True)
class Edges:
    """The edges of the conversations of a batch, those into one vertex end to end."""

    target: Tensor
    """[E]; i."""
    source: Tensor
    """[E]; j."""

    @classmethod
    def of(cls, batch: Batch, past: int | None, future: int | None) -> Edges:
        """Every edge within the window, from each vertex to itself among them."""
        length = batch.lengths[conversation_of(batch)]  # [N]
        position = batch.position
        before = position if past is None else position.clamp(max=past)
        after = length - 1 - position
        after = after if future is None else after.clamp(max=future)
        count = before + 1 + after  # [N]
        index = torch.arange(len(batch), device=position.device)
        target = index.repeat_interleave(count)
        place = torch.arange(len(target), device=position.device) - (count.cumsum(0) - count)[target]
        return cls(target, target - before[target] + place)

    def softmax(self, scores: Tensor, size: int) -> Tensor:
        """Softmax of scores [E] over the edges into each of the vertices."""
        highest = scores.new_full((size,), float("-inf")).scatter_reduce(0, self.target, scores.detach(), "amax")
        exp = (scores - highest[self.target]).exp()
        total = exp.new_zeros(size).index_add(0, self.target, exp)
        return exp / total.index_select(0, self.target)

    def relations(self, speaker: Tensor, speakers: int) -> Tensor:
        """The relation of each edge, [E], of 2 * speakers^2."""
        pair = speaker[self.target] * speakers + speaker[self.source]
        return 2 * pair + (self.source < self.target).long()


class RelationalStep(nn.Module):
    """The first step: a matrix for each relation, and W_0 for the vertex itself."""

    def __init__(self, size: int, width: int, relations: int, bases: int) -> None:
        super().__init__()
        matrices = relations if bases == 0 or relations <= bases else bases
        self.matrices = nn.Parameter(torch.empty(matrices, size, width))
        nn.init.xavier_uniform_(self.matrices)
        self.mixture = None if matrices == relations else nn.Parameter(torch.empty(relations, matrices))
        if self.mixture is not None:
            nn.init.xavier_uniform_(self.mixture)
        self.own = nn.Linear(size, width, bias=False)

    def forward(self, g: Tensor, edges: Edges, alpha: Tensor, relation: Tensor) -> Tensor:
        """[N, D] to [N, H]; alpha and relation are [E]."""
        itself = edges.target == edges.source
        target, source, weight, kind = (x[~itself] for x in (edges.target, edges.source, alpha, relation))
        # Sorted by relation, so that each matrix is multiplied once.
        pairs, pair, count = (kind * len(g) + target).unique(return_inverse=True, return_counts=True)  # [P], [E'], [P]
        sent = g.index_select(0, source) * (weight / count[pair])[:, None]  # [E', D]
        gathered = g.new_zeros(len(pairs), g.shape[1]).index_add(0, pair, sent.to(g.dtype))  # [P, D]
        present, sizes = (pairs // len(g)).unique_consecutive(return_counts=True)
        parts = zip(gathered.split(sizes.tolist()), self._of(present), strict=True)
        transformed = [part @ matrix for part, matrix in parts]
        h: Tensor = self.own(g) * alpha[itself][:, None]  # [N, H]; one edge to itself each, in order
        return h.index_add(0, pairs % len(g), torch.cat(transformed).to(h.dtype)) if transformed else h

    def _of(self, relations: Tensor) -> Tensor:
        """W_r of some relations, [r, D, H]."""
        if self.mixture is None:
            return self.matrices.index_select(0, relations)
        return torch.einsum("rb,bdh->rdh", self.mixture.index_select(0, relations), self.matrices)


class SecondStep(nn.Module):
    """The second step: one matrix for all neighbours, W_0' for the vertex itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(width, width, bias=False)
        self.own = nn.Linear(width, width, bias=False)

    def forward(self, h: Tensor, edges: Edges, alpha: Tensor) -> Tensor:
        """[N, H] to [N, H]."""
        itself = edges.target == edges.source
        sent = self.neighbours(h).index_select(0, edges.source[~itself])
        own: Tensor = self.own(h) * alpha[itself][:, None]
        return own.index_add(0, edges.target[~itself], sent.to(own.dtype))


class DialogueGCN(Model):
    """See the head of this file."""

    settings = DialogueGCNConfig
    title = "DialogueGCN"
    source = (
        'Ghosal et al., "DialogueGCN: A Graph Convolutional Neural Network for Emotion Recognition in Conversation", '
        "EMNLP 2019, arXiv 1908.11540"
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: DialogueGCNConfig = config.architecture
        self.speakers = config.speakers.count + 1
        layers = settings.context_layers
        self.context = nn.GRU(
            sum(config.modalities.values()),
            settings.width // 2,
            num_layers=layers,
            bidirectional=True,
            dropout=settings.dropout if layers > 1 else 0.0,
        )
        self.edge = nn.Linear(settings.width, settings.width, bias=False)
        self.first = RelationalStep(settings.width, settings.graph, 2 * self.speakers**2, settings.bases)
        self.second = SecondStep(settings.graph)
        self.matching = Matching(settings.width + settings.graph)
        self.hidden = nn.Linear(settings.width + settings.graph, settings.graph)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(settings.graph, len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Read a batch."""
        settings: DialogueGCNConfig = self.config.architecture
        g = recurrent(self.context, concatenated(batch, self.config.modalities), Steps.of_conversations(batch))
        if settings.past is None or settings.future is None:
            check_edges("DialogueGCN", int(batch.lengths.square().sum()), batch, settings.width)
        edges = Edges.of(batch, settings.past, settings.future)
        scores = (self.edge(g).index_select(0, edges.source) * g.index_select(0, edges.target)).sum(dim=1)  # [E]
        alpha = edges.softmax(scores.float(), len(batch))
        h = self.first(g, edges, alpha, edges.relations(batch.speaker, self.speakers)).relu()  # [N, H]
        h = self.second(h, edges, alpha).relu()
        x = self.matching(torch.cat((g, h), dim=1), batch)  # [N, D + H]
        hidden = self.dropout(self.hidden(x).relu())
        return Output({FUSED: self.classifier(hidden)}, states={FUSED: x})
