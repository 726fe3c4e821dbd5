"""The objective term `contrastive`: supervised contrastive learning with class prototypes, for small batches.

z_i is the normalised projection of the fused state of utterance i, P(i) the other utterances of the batch with the
label y_i and the prototype of y_i, A(i) all other labelled utterances of the batch and all prototypes:

    s_ip = exp(z_i . z_p / tau) / sum over a in A(i) of exp(z_i . z_a / tau)
    l_i = 1/|P(i)| sum over p in P(i) of -(1 - s_ip)^gamma log s_ip
    contrastive = sum over i of v_(y_i) l_i / sum over i of v_(y_i)

The prototype of a class is the normalised mean of a queue of the last projections of its utterances, without gradient.
Each batch enters the queues first, so every utterance has a positive, even alone in its class. With gamma = 0 and
v = 1 this is SPCL (Song et al. 2022, arXiv 2210.08713) with three differences: the queue is a fixed-length first-in,
first-out queue whose mean is the prototype, not a random sample of it; the similarity is the cosine, not (1 + cosine) /
2, so tau is twice SPCL's; and the mean over positives is outside of the logarithm (Khosla et al. 2020, arXiv
2004.11362). gamma > 0 weights hard positives and v_c = (n / n_c)^alpha rare classes, as MultiEMO (Shi and Huang, ACL
2023) does. The saved model contains neither projection nor queues.

The queue follows the order of whole batches, so training in several processes is refused.

Shapes: N utterances, C labels, Q length of a queue, P width of the projection.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.conversation import UNLABELLED
from sdt.models.config import FUSED
from sdt.models.loss_inputs import LossInputs, TermContext, focal_factor

PROJECTION = 128
"""Width P of the projection, as in Khosla et al. 2020."""


class PrototypicalContrast(nn.Module):
    """The projection, the queues and the loss.

    Args:
        context: Provides the settings, the width of the fused state and the labels of the training conversations.

    Raises:
        InputError: The model has no fused state.
    """

    queue: Tensor
    """[C, Q, P]; the last projections of each class, 0 where there are none yet."""
    seen: Tensor
    """[C] int64; the number of utterances that have entered each queue."""
    class_weights: Tensor
    """[C]; v."""

    def __init__(self, context: TermContext) -> None:
        super().__init__()
        settings, C = context.objective, len(context.labels)
        width = context.width("contrastive", FUSED)
        self.temperature, self.gamma = settings.contrastive_temperature, settings.contrastive_focal
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, PROJECTION))
        self.register_buffer("queue", torch.zeros(C, settings.contrastive_queue, PROJECTION))
        self.register_buffer("seen", torch.zeros(C, dtype=torch.int64))
        label = context.train.label
        counts = torch.bincount(label[label != UNLABELLED], minlength=C)
        weights = (counts.sum() / counts.clamp(min=1)) ** settings.contrastive_minorities
        self.register_buffer("class_weights", weights, persistent=False)

    def forward(self, x: LossInputs) -> Tensor:
        """Compute the loss and, in training mode, add the utterances to the queues; 0 if none is labelled."""
        z = F.normalize(self.projection(x.states[FUSED]), dim=1)  # [N, P]
        labelled, chosen = x.label != UNLABELLED, x.label.clamp(min=0)
        if self.training:
            self._push(z.detach(), labelled, chosen)
        others = torch.cat((z, F.normalize(self.queue.sum(dim=1), dim=1)))  # [N + C, P]
        other_label = torch.cat((x.label, torch.arange(len(self.seen), device=z.device)))
        usable = torch.cat((labelled, self.seen > 0)).repeat(len(z), 1)  # [N, N + C]
        usable.fill_diagonal_(False)
        positive = usable & (x.label[:, None] == other_label)
        scores = z @ others.T / self.temperature
        # Not -inf, whose gradient is NaN in a row without any usable column.
        log_s = scores.masked_fill(~usable, torch.finfo(scores.dtype).min).log_softmax(dim=1)
        losses = -log_s if self.gamma == 0 else -log_s * focal_factor(log_s, self.gamma)
        mean = losses.masked_fill(~positive, 0).sum(dim=1) / positive.sum(dim=1).clamp(min=1)  # [N]
        weight = self.class_weights[chosen] * labelled
        total = weight.sum()
        found: Tensor = (mean * weight).sum() / torch.where(total > 0, total, torch.ones_like(total))
        return found

    def _push(self, z: Tensor, labelled: Tensor, chosen: Tensor) -> None:
        """Add projections [N, P] to the queues of their classes, in order; the oldest ones leave."""
        C, Q, P = self.queue.shape
        member = labelled[:, None] & (chosen[:, None] == torch.arange(C, device=z.device))  # [N, C]
        rank = (member.cumsum(dim=0) * member).sum(dim=1) - 1  # [N]; among those of the class
        count = member.sum(dim=0)  # [C]
        kept = labelled & (rank >= count[chosen] - Q)
        # Others are written to an additional row, as zeros: selecting rows would synchronise the GPU with the host.
        row = torch.where(kept, chosen * Q + (self.seen[chosen] + rank) % Q, C * Q)
        rows = torch.cat((self.queue.view(C * Q, P), z.new_zeros(1, P)))
        self.queue = rows.index_copy(0, row, z * kept[:, None])[:-1].view(C, Q, P)
        self.seen = self.seen + count
