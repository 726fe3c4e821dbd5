"""DialogueRNN: GRUs for a global state, a state per party and an emotion state.

Majumder, Poria, Hazarika, Mihalcea, Gelbukh, Cambria: "DialogueRNN: An Attentive RNN for Emotion Detection in
Conversations", AAAI 2019, arXiv 1811.00405.

u_t are the concatenated features of utterance t, s its speaker, [;] is concatenation, and all initial states are 0:

    global    g_t = GRU_G(g_(t-1), [u_t; q_(s,t-1)])
    context   alpha = softmax over j < t of u_t^T W_alpha g_j,   c_t = sum over j < t of alpha_j g_j   (c_1 = 0)
    speaker   q_(s,t) = GRU_P(q_(s,t-1), [u_t; c_t])
    listeners q_(i,t) = q_(i,t-1)                                            (`listener: false`, the paper's choice)
              q_(i,t) = GRU_L(q_(i,t-1), [u_t; q_(s,t)])                     (`listener: true`)
    emotion   e_t = GRU_E(e_(t-1), q_(s,t))

The same network with separate parameters runs backwards in time (BiDialogueRNN); e_t is the concatenation of both. Then

    attention beta_t = softmax over all j of e_t^T W_beta e_j,   e~_t = sum over j of beta_(t,j) e_j   (`attention`)
    logits_t = W_s ReLU(W_l e~_t + b_l) + b_s

With attention, this is the paper's BiDialogueRNN+Att.

As published: the equations above, except that the paper updates a listener from the listener's visual features, which
corpora of utterances do not provide; the update from the speaker's new state is that of the released program.

Differences from the released program: it reverses the utterances for the backward network but not the speakers; here
both are reversed. Dropout is applied to g and q at each step, as in the released program, but to e only after the
recurrence, which is computed in one call. The paper does not state the sizes; the defaults are small.

Missing features are zero. All speakers without a number count as one party.

Shapes: N utterances of the batch; n conversations active in a step; K maximum number of parties; G, P, E widths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.base import Model, Output
from sdt.models.baselines.attention import BilinearAttention
from sdt.models.baselines.inputs import check_settings, concatenated, number_parties
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class DialogueRNNConfig:
    """Settings of DialogueRNN."""

    global_state: int = 150
    """Width of the global state g."""
    party_state: int = 150
    """Width of the party states q."""
    emotion_state: int = 100
    """Width of the emotion state e in each direction."""
    hidden: int = 100
    """Width of the hidden layer before the classifier."""
    listener: bool = False
    """Whether the states of listeners are updated."""
    attention: bool = True
    """Whether each utterance attends to the emotion states of its conversation before the classifier."""
    state_dropout: float = 0.1
    """Dropout of the states."""
    dropout: float = 0.5
    """Dropout of the hidden layer before the classifier."""

    def __post_init__(self) -> None:
        widths = ("global_state", "party_state", "emotion_state", "hidden")
        check_settings("dialogue_rnn", self, at_least_one=widths, shares=("state_dropout", "dropout"))


class PrecomputedGRUCell(nn.GRUCell):
    """A GRU cell with input [a; b], where a does not depend on the recurrence.

    The contribution of a to the gates is computed for all steps in one large product instead of many small ones.
    """

    def precompute(self, a: Tensor) -> Tensor:
        """The contribution of a [N, A] to the gates, [N, 3 H]."""
        return F.linear(a, self.weight_ih[:, : a.shape[1]], self.bias_ih)

    def recurrent_weight(self, size: int) -> Tensor:
        """The weights [3 H, B] of b, the last `size` inputs; call it once and not in every step."""
        return self.weight_ih[:, -size:]

    def step(self, precomputed: Tensor, weight: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """The next state [n, H], from the precomputed part [n, 3 H], b [n, B] with its weight, and the state [n, H]."""
        reset, update, new = (precomputed + F.linear(b, weight)).chunk(3, dim=1)
        old_reset, old_update, old_new = F.linear(h, self.weight_hh, self.bias_hh).chunk(3, dim=1)
        candidate = torch.tanh(new + torch.sigmoid(reset + old_reset) * old_new)
        # This form keeps the dtype of h even if autocast computes the products in lower precision.
        return candidate + torch.sigmoid(update + old_update) * (h - candidate)


class DirectionalRNN(nn.Module):
    """The recurrences of one direction in time."""

    def __init__(self, size: int, settings: DialogueRNNConfig) -> None:
        super().__init__()
        g, p = settings.global_state, settings.party_state
        self.globally = PrecomputedGRUCell(size + p, g)
        self.context = nn.Linear(size, g, bias=False)
        self.party = PrecomputedGRUCell(size + g, p)
        self.listener = PrecomputedGRUCell(size + p, p) if settings.listener else None
        self.emotion = nn.GRU(p, settings.emotion_state)
        self.dropout = Dropout(settings.state_dropout)

    def forward(self, u: Tensor, steps: Steps, party: Tensor, count: int) -> Tensor:
        """Compute the emotion states.

        Args:
            u: Features [N, D].
            steps: Steps of the conversations, forwards or backwards.
            party: [N]; see `number_parties`.
            count: K; see `number_parties`.

        Returns:
            e, [N, E].
        """
        speaker_states = steps.join(self._speaker_states(u, steps, party, count))  # q_(s,t), [N, P]
        e: Tensor = self.dropout(recurrent(self.emotion, speaker_states, steps))
        return e

    def _speaker_states(self, u: Tensor, steps: Steps, party: Tensor, count: int) -> list[Tensor]:
        """The state of the speaker after each utterance, q_(s,t): one tensor [n, P] per step."""
        size_g, size_p = self.globally.hidden_size, self.party.hidden_size
        q = u.new_zeros(steps.sizes[0], count, size_p)  # [n, K, P]
        g = u.new_zeros(steps.sizes[0], size_g)  # [n, G]
        history: list[Tensor] = []
        states: list[Tensor] = []
        party_weight, context_weight = self.globally.recurrent_weight(size_p), self.party.recurrent_weight(size_g)
        speaker_weight = None if self.listener is None else self.listener.recurrent_weight(size_p)
        # The contributions of u_t, for all steps at once; query is W_alpha^T u_t.
        query = steps.split(self.context(u))
        to_global, to_party = steps.split(self.globally.precompute(u)), steps.split(self.party.precompute(u))
        to_listener = to_party if self.listener is None else steps.split(self.listener.precompute(u))
        inputs = zip(query, to_global, to_party, to_listener, steps.split(party), strict=True)
        for query_t, global_t, party_t, listener_t, speaker in inputs:
            n = len(speaker)
            q = q[:n]
            speaks = F.one_hot(speaker, count).bool()[:, :, None]  # [n, K, 1]
            own = q.gather(1, speaker[:, None, None].expand(n, 1, q.shape[2])).squeeze(1)  # q_(s,t-1), [n, P]
            c = _attend(query_t, history)
            g = self.dropout(self.globally.step(global_t, party_weight, own, g[:n]))
            history.append(g)
            new = self.dropout(self.party.step(party_t, context_weight, c, own))  # q_(s,t), [n, P]
            q = torch.where(speaks, new[:, None], self._update_listeners(q, listener_t, speaker_weight, new))
            states.append(new)
        return states

    def _update_listeners(self, q: Tensor, precomputed: Tensor, weight: Tensor | None, new: Tensor) -> Tensor:
        """The states [n, K, P] of all parties, each updated as a listener."""
        if self.listener is None or weight is None:
            return q
        count = q.shape[1]
        precomputed, new = precomputed.repeat_interleave(count, dim=0), new.repeat_interleave(count, dim=0)
        updated: Tensor = self.dropout(self.listener.step(precomputed, weight, new, q.flatten(0, 1)))
        return updated.view_as(q)


def _attend(query: Tensor, history: list[Tensor]) -> Tensor:
    """Compute c_t [n, G] from W_alpha^T u_t [n, G] and the previous global states of n or more conversations."""
    if not history:
        return torch.zeros_like(query)
    past = torch.stack([g[: len(query)] for g in history], dim=1)  # [n, t - 1, G]
    alpha = (past @ query[:, :, None]).softmax(dim=1)  # [n, t - 1, 1]
    return (alpha.mT @ past).squeeze(1)


class DialogueRNN(Model):
    """DialogueRNN; see the module docstring."""

    settings = DialogueRNNConfig
    title = "DialogueRNN"
    source = (
        'Majumder et al., "DialogueRNN: An Attentive RNN for Emotion Detection in Conversations", AAAI 2019, arXiv '
        "1811.00405"
    )

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        settings: DialogueRNNConfig = config.architecture
        size, width = sum(config.modalities.values()), 2 * settings.emotion_state
        self.forwards = DirectionalRNN(size, settings)
        self.backwards = DirectionalRNN(size, settings)
        self.matching = BilinearAttention(width) if settings.attention else None
        self.hidden = nn.Linear(width, settings.hidden)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(settings.hidden, len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Compute the output for a batch."""
        u = concatenated(batch, self.config.modalities)  # [N, D]
        party, count = number_parties(batch)
        ahead, back = Steps.of_conversations(batch), Steps.of_conversations(batch, backwards=True)
        e = torch.cat((self.forwards(u, ahead, party, count), self.backwards(u, back, party, count)), dim=1)  # [N, 2 E]
        attended = e if self.matching is None else self.matching(e, batch)
        hidden = self.dropout(self.hidden(attended).relu())
        return Output({FUSED: self.classifier(hidden)}, states={FUSED: attended})
