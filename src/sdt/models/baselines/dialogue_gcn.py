"""DialogueGCN: a graph of utterances whose edge relations encode speaker pair and temporal order.

Ghosal, Majumder, Poria, Chhaya, Gelbukh: "DialogueGCN: A Graph Convolutional Neural Network for Emotion Recognition in
Conversation", EMNLP 2019, arXiv 1908.11540.

u_i are the concatenated features of utterance i:

    sequential context  g = BiGRU(u)
    edges               from j to i for i - past <= j <= i + future in the same conversation, including j = i
    edge weights        alpha_i = softmax over these j of g_i^T W_e g_j
    relations           r(i, j): speaker of i, speaker of j, whether j precedes i; N_i^r are the j != i of relation r
    first layer         h_i  = ReLU(sum over r, j in N_i^r of alpha_ij / |N_i^r| W_r g_j + alpha_ii W_0 g_i)
    second layer        h'_i = ReLU(sum over r, j in N_i^r of W h_j + alpha_ii W_0' h_i)
    attention           x_i = [g_i; h'_i],   beta_i = softmax over all j of x_i^T W_beta x_j
                        x~_i = sum over j of beta_ij x_j
    logits_i            W_s ReLU(W_l x~_i + b_l) + b_s

As published: the equations above. The released program differs from the paper, and from this module: it computes edge
weights from positions instead of the bilinear form, has no ReLU after the graph layers, treats self-loops as a
relation, and feeds padding to the context network. As in the released program: the two layers of the context network,
and the basis decomposition of W_r into `bases` matrices (Schlichtkrull et al., "Modeling Relational Data with Graph
Convolutional Networks", ESWC 2018), which limits the parameters for the 2 S^2 relations of S speakers. With at most
`bases` relations, each has its own matrix.

Speakers are identified by their numbers in the corpus; all speakers without a number count as one. Missing features are
zero.

Shapes: N utterances of the batch; E edges; P pairs of a node and one of its relations; R relations; D width of g; H
width of h.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.errors import InputError
from sdt.models.base import Model, Output
from sdt.models.baselines.attention import BilinearAttention
from sdt.models.baselines.inputs import check_edges, check_settings, concatenated, conversation_of
from sdt.models.baselines.steps import Steps, bidirectional, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class DialogueGCNConfig:
    """Settings of DialogueGCN."""

    width: int = 200
    """Width of the sequential context g, both directions together."""
    context_layers: int = 2
    """Layers of the sequential context network."""
    graph: int = 100
    """Width of the graph states h and of the hidden layer before the classifier."""
    past: int | None = 10
    """Number of previous utterances with an edge to an utterance; null for all."""
    future: int | None = 10
    """Number of following utterances with an edge to an utterance; null for all."""
    bases: int = 30
    """Number of basis matrices of the relations; 0 for a separate matrix per relation."""
    dropout: float = 0.5
    """Dropout between the layers of the context network and before the classifier."""

    def __post_init__(self) -> None:
        check_settings("dialogue_gcn", self, at_least_one=("width", "context_layers", "graph"))
        if self.width % 2:
            raise InputError(f"dialogue_gcn.width: {self.width} is odd; each of the two directions has half the width")
        for name in ("past", "future", "bases"):
            if getattr(self, name) is not None and getattr(self, name) < 0:
                raise InputError(f"dialogue_gcn.{name}: {getattr(self, name)} is less than 0")


@dataclass(frozen=True)
class Edges:
    """The edges of all conversations of a batch, grouped by target node."""

    target: Tensor
    """i, [E]."""
    source: Tensor
    """j, [E]."""

    @classmethod
    def of(cls, batch: Batch, past: int | None, future: int | None) -> Edges:
        """Create every edge within the window, including self-loops."""
        length = batch.lengths[conversation_of(batch)]  # [N]
        position = batch.position
        before = position if past is None else position.clamp(max=past)
        after = length - 1 - position
        after = after if future is None else after.clamp(max=future)
        count = before + 1 + after  # [N]
        index = torch.arange(len(batch), device=position.device)
        target = index.repeat_interleave(count)
        offset = torch.arange(len(target), device=position.device) - (count.cumsum(0) - count)[target]
        return cls(target, target - before[target] + offset)

    def softmax(self, scores: Tensor, size: int) -> Tensor:
        """Softmax of scores [E] over the incoming edges of each of `size` nodes."""
        highest = scores.new_full((size,), float("-inf")).scatter_reduce(0, self.target, scores.detach(), "amax")
        exp = (scores - highest[self.target]).exp()
        total = exp.new_zeros(size).index_add(0, self.target, exp)
        return exp / total.index_select(0, self.target)

    def relations(self, speaker: Tensor, speakers: int) -> Tensor:
        """The relation of each edge, [E], in [0, 2 * speakers^2)."""
        pair = speaker[self.target] * speakers + speaker[self.source]
        return 2 * pair + (self.source < self.target).long()


class RelationalGraphLayer(nn.Module):
    """The first graph layer: one matrix per relation, and W_0 for the node itself."""

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
        """Apply the layer without ReLU, [N, D] to [N, H]; alpha and relation are [E]."""
        loop = edges.target == edges.source
        target, source, weight, kind = (x[~loop] for x in (edges.target, edges.source, alpha, relation))
        # Sorted by relation, so that each matrix is used in one product.
        pairs, pair, count = (kind * len(g) + target).unique(return_inverse=True, return_counts=True)  # [P], [E'], [P]
        sent = g.index_select(0, source) * (weight / count[pair])[:, None]  # [E', D]
        gathered = g.new_zeros(len(pairs), g.shape[1]).index_add(0, pair, sent.to(g.dtype))  # [P, D]
        present, sizes = (pairs // len(g)).unique_consecutive(return_counts=True)
        parts = zip(gathered.split(sizes.tolist()), self._relation_matrices(present), strict=True)
        transformed = [part @ matrix for part, matrix in parts]
        h: Tensor = self.own(g) * alpha[loop][:, None]  # [N, H]; one self-loop per node, in order
        return h.index_add(0, pairs % len(g), torch.cat(transformed).to(h.dtype)) if transformed else h

    def _relation_matrices(self, relations: Tensor) -> Tensor:
        """W_r of the given relations [r], [r, D, H]."""
        if self.mixture is None:
            return self.matrices.index_select(0, relations)
        return torch.einsum("rb,bdh->rdh", self.mixture.index_select(0, relations), self.matrices)


class GraphLayer(nn.Module):
    """The second graph layer: one matrix for all neighbours, and W_0' for the node itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.neighbours = nn.Linear(width, width, bias=False)
        self.own = nn.Linear(width, width, bias=False)

    def forward(self, h: Tensor, edges: Edges, alpha: Tensor) -> Tensor:
        """Apply the layer without ReLU, [N, H] to [N, H]."""
        loop = edges.target == edges.source
        sent = self.neighbours(h).index_select(0, edges.source[~loop])
        own: Tensor = self.own(h) * alpha[loop][:, None]
        return own.index_add(0, edges.target[~loop], sent.to(own.dtype))


class DialogueGCN(Model):
    """DialogueGCN; see the module docstring."""

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
        size = sum(config.modalities.values())
        self.context = bidirectional(nn.GRU, size, settings.width, settings.context_layers, settings.dropout)
        self.edge = nn.Linear(settings.width, settings.width, bias=False)
        self.first = RelationalGraphLayer(settings.width, settings.graph, 2 * self.speakers**2, settings.bases)
        self.second = GraphLayer(settings.graph)
        self.matching = BilinearAttention(settings.width + settings.graph)
        self.hidden = nn.Linear(settings.width + settings.graph, settings.graph)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(settings.graph, len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
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
