"""The objective term `shift`: does the emotion change between two consecutive utterances of a speaker?

For every labelled utterance i whose speaker's previous utterance j in the conversation is labelled, a linear head on
the fused states [F_j; F_i] predicts s_i = [y_i != y_j]:

    shift = 1/P sum over the P pairs of w_s BCE(sigmoid(w [F_j; F_i] + b), s),    w_s = P_train / (2 P_train,s)

where P_train,s counts the pairs with and without a shift in the training split, so that both kinds have the same total
weight. After the sentiment-shift task of GraphSmile (Li et al., arXiv 2407.21536), which compares utterances within a
window whoever speaks; here the pairs are those of one speaker, whose emotional inertia the shift interrupts. Prediction
does not use the head, so the saved model does not contain it.

Shapes: N utterances, C labels, P pairs, d width of the fused state.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.conversation import UNLABELLED
from sdt.errors import InputError
from sdt.models.config import FUSED
from sdt.models.loss_inputs import LossInputs, TermContext


class ShiftHead(nn.Module):
    """The head and its loss.

    Args:
        context: Provides the width of the fused state and the training conversations.

    Raises:
        InputError: The model has no fused state, or no speaker has two consecutive labelled utterances in training.
    """

    weight: Tensor
    """[2]; weight of pairs without and with a shift."""

    def __init__(self, context: TermContext) -> None:
        super().__init__()
        self.classifier = nn.Linear(2 * context.width("shift", FUSED), 1)
        valid, shifted = emotion_shifts(context.train)
        counts = torch.bincount(shifted[valid].long(), minlength=2)
        if not counts.sum():
            raise InputError(
                "objective.shift: no speaker has two consecutive labelled utterances in the training split; remove the "
                "setting"
            )
        self.register_buffer("weight", counts.sum() / (2 * counts.clamp(min=1)), persistent=False)

    def forward(self, x: LossInputs) -> Tensor:
        """Compute the balanced binary cross-entropy; 0 without pairs."""
        assert x.batch is not None
        states, previous = x.states[FUSED], x.batch.previous_of_speaker()
        valid, shifted = emotion_shifts(x.batch)
        pairs = torch.cat((states[previous.clamp(min=0)], states), dim=1)  # [N, 2d]
        logit = self.classifier(pairs).squeeze(1)  # [N]
        losses = F.binary_cross_entropy_with_logits(logit, shifted.to(logit.dtype), reduction="none")
        count = (valid if x.whole is None else emotion_shifts(x.whole)[0]).sum().clamp(min=1)
        total: Tensor = (losses * self.weight.to(losses.dtype)[shifted.long()] * valid).sum() / count
        return total


def emotion_shifts(batch: Batch) -> tuple[Tensor, Tensor]:
    """Compare each utterance with the previous one of its speaker.

    Args:
        batch: N utterances; features are not used.

    Returns:
        [N] bool, whether both utterances are labelled; and [N] bool, whether their labels differ (False if not both are
        labelled).
    """
    previous = batch.previous_of_speaker()
    before = batch.label[previous.clamp(min=0)]  # [N]
    valid = (previous >= 0) & (batch.label != UNLABELLED) & (before != UNLABELLED)
    return valid, valid & (batch.label != before)
