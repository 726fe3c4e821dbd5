"""DialogueRNN: a global state, a state of each party, and an emotion state, each a GRU.

Majumder, Poria, Hazarika, Mihalcea, Gelbukh, Cambria: "DialogueRNN: An Attentive RNN for Emotion Detection in
Conversations", AAAI 2019, arXiv 1811.00405.

With u_t the concatenated features of utterance t, s its speaker, [;] concatenation, all states 0 at the beginning:

    global    g_t = GRU_G(g_(t-1), [u_t; q_(s,t-1)])
    context   alpha = softmax over j < t of u_t^T W_alpha g_j,   c_t = sum over j < t of alpha_j g_j   (c_1 = 0)
    speaker   q_(s,t) = GRU_P(q_(s,t-1), [u_t; c_t])
    listeners q_(i,t) = q_(i,t-1)                                            (`listener: false`, the paper's choice)
              q_(i,t) = GRU_L(q_(i,t-1), [u_t; q_(s,t)])                     (`listener: true`)
    emotion   e_t = GRU_E(e_(t-1), q_(s,t))

and the same backwards in time with parameters of its own (BiDialogueRNN); e_t is then both, concatenated. Then

    attention beta_t = softmax over all j of e_t^T W_beta e_j,   e~_t = sum over j of beta_(t,j) e_j   (`attention`)
    logits_t = W_s ReLU(W_l e~_t + b_l) + b_s

with attention it is the paper's BiDialogueRNN+Att.

What differs from the released program: that one does not reverse the speakers where it reverses the utterances, so that
its backward network takes the speakers of the forward one; here both are reversed. The dropout of states is on g and q
as they are handed on, as there, but on e only as it is read, since that recurrence is computed at once. In the paper a
listener's update reads the listener's own picture, which no corpus of utterances has; the form here, with the speaker's
new state instead, is the released program's. The default sizes are small; the paper gives none.

Missing modalities are zeros in u_t. Speakers without a number are one party.

Shapes: N utterances of the batch; n conversations that take part in a step; K parties at most; G, P, E widths.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sdt.batch import Batch
from sdt.models.base import Model, Output
from sdt.models.baselines.attention import Matching
from sdt.models.baselines.inputs import check_settings, concatenated, parties
from sdt.models.baselines.steps import Steps, recurrent
from sdt.models.config import FUSED, ModelConfig
from sdt.models.dropout import Dropout


@dataclass(frozen=True)
class DialogueRNNConfig:
    """The settings of DialogueRNN."""

    global_state: int = 150
    """Width of the global state g."""
    party_state: int = 150
    """Width of the parties' states q."""
    emotion_state: int = 100
    """Width of the emotion state e, in each direction."""
    hidden: int = 100
    """Width of the layer before the classifier."""
    listener: bool = False
    """Whether the states of those who listen change, too."""
    attention: bool = True
    """Whether the emotion states of the whole conversation are attended to before the classifier."""
    state_dropout: float = 0.1
    """Dropout of the states."""
    dropout: float = 0.5
    """Dropout of the layer before the classifier."""

    def __post_init__(self) -> None:
        widths = ("global_state", "party_state", "emotion_state", "hidden")
        check_settings("dialogue_rnn", self, at_least_one=widths, shares=("state_dropout", "dropout"))


class Cell(nn.GRUCell):
    """A GRU's step whose input [a; b] has a part a that is known of all steps before the first.

    What a contributes is computed at once for all steps, a few large products instead of many small ones.
    """

    def known(self, a: Tensor) -> Tensor:
        """What a [N, A] contributes to the gates, [N, 3 H]."""
        return F.linear(a, self.weight_ih[:, : a.shape[1]], self.bias_ih)

    def rest(self, size: int) -> Tensor:
        """The weights [3 H, B] of b, the last `size` inputs; to be taken once, not in every step."""
        return self.weight_ih[:, -size:]

    def step(self, known: Tensor, rest: Tensor, b: Tensor, h: Tensor) -> Tensor:
        """The next state [n, H], from known [n, 3 H], b [n, B] and the state [n, H]."""
        reset, update, new = (known + F.linear(b, rest)).chunk(3, dim=1)
        old_reset, old_update, old_new = F.linear(h, self.weight_hh, self.bias_hh).chunk(3, dim=1)
        candidate = torch.tanh(new + torch.sigmoid(reset + old_reset) * old_new)
        # States stay in the precision in which they began, also where products are in a lower one.
        return candidate + torch.sigmoid(update + old_update) * (h - candidate)


class Direction(nn.Module):
    """The recurrences of one direction."""

    def __init__(self, size: int, settings: DialogueRNNConfig) -> None:
        super().__init__()
        g, p = settings.global_state, settings.party_state
        self.globally = Cell(size + p, g)
        self.context = nn.Linear(size, g, bias=False)
        self.party = Cell(size + g, p)
        self.listener = Cell(size + p, p) if settings.listener else None
        self.emotion = nn.GRU(p, settings.emotion_state)
        self.dropout = Dropout(settings.state_dropout)

    def forward(self, u: Tensor, steps: Steps, party: Tensor, count: int) -> Tensor:
        """The emotion states.

        Args:
            u: [N, D].
            steps: Of the conversations, forwards or backwards.
            party: [N] and
            count: K, as `parties` gives them.

        Returns:
            e, [N, E].
        """
        spoken = steps.joined(self._speak(u, steps, party, count))  # q_(s,t), [N, P]
        e: Tensor = self.dropout(recurrent(self.emotion, spoken, steps))
        return e

    def _speak(self, u: Tensor, steps: Steps, party: Tensor, count: int) -> list[Tensor]:
        """The state of the speaker after each utterance: by step, [n, P]."""
        size_g, size_p = self.globally.hidden_size, self.party.hidden_size
        q = u.new_zeros(steps.sizes[0], count, size_p)  # [n, K, P]
        g = u.new_zeros(steps.sizes[0], size_g)  # [n, G]
        history: list[Tensor] = []
        spoken: list[Tensor] = []
        of_party, of_context = self.globally.rest(size_p), self.party.rest(size_g)
        of_speaker = None if self.listener is None else self.listener.rest(size_p)
        # What u_t contributes in every step; asked is W_alpha^T u_t.
        asked = steps.split(self.context(u))
        to_global, to_party = steps.split(self.globally.known(u)), steps.split(self.party.known(u))
        to_listener = to_party if self.listener is None else steps.split(self.listener.known(u))
        given = zip(asked, to_global, to_party, to_listener, steps.split(party), strict=True)
        for asked_t, global_t, party_t, listener_t, who in given:
            n = len(who)
            q = q[:n]
            speaks = F.one_hot(who, count).bool()[:, :, None]  # [n, K, 1]
            own = q.gather(1, who[:, None, None].expand(n, 1, q.shape[2])).squeeze(1)  # q_(s,t-1), [n, P]
            c = _attend(asked_t, history)
            g = self.dropout(self.globally.step(global_t, of_party, own, g[:n]))
            history.append(g)
            new = self.dropout(self.party.step(party_t, of_context, c, own))  # q_(s,t), [n, P]
            q = torch.where(speaks, new[:, None], self._listen(q, listener_t, of_speaker, new))
            spoken.append(new)
        return spoken

    def _listen(self, q: Tensor, known: Tensor, rest: Tensor | None, new: Tensor) -> Tensor:
        """The states of all parties [n, K, P] as if all listened."""
        if self.listener is None or rest is None:
            return q
        parties_ = q.shape[1]
        known, new = known.repeat_interleave(parties_, dim=0), new.repeat_interleave(parties_, dim=0)
        listened: Tensor = self.dropout(self.listener.step(known, rest, new, q.flatten(0, 1)))
        return listened.view_as(q)


def _attend(asked: Tensor, history: list[Tensor]) -> Tensor:
    """c_t [n, G] from W_alpha^T u_t [n, G] and the global states so far, each of n or more conversations."""
    if not history:
        return torch.zeros_like(asked)
    past = torch.stack([g[: len(asked)] for g in history], dim=1)  # [n, t - 1, G]
    alpha = (past @ asked[:, :, None]).softmax(dim=1)  # [n, t - 1, 1]
    return (alpha.mT @ past).squeeze(1)


class DialogueRNN(Model):
    """See the head of this file."""

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
        self.forwards = Direction(size, settings)
        self.backwards = Direction(size, settings)
        self.matching = Matching(width) if settings.attention else None
        self.hidden = nn.Linear(width, settings.hidden)
        self.dropout = Dropout(settings.dropout)
        self.classifier = nn.Linear(settings.hidden, len(config.labels))

    def forward(self, batch: Batch) -> Output:
        """Read a batch."""
        u = concatenated(batch, self.config.modalities)  # [N, D]
        party, count = parties(batch)
        ahead, back = Steps.of_conversations(batch), Steps.of_conversations(batch, backwards=True)
        e = torch.cat((self.forwards(u, ahead, party, count), self.backwards(u, back, party, count)), dim=1)  # [N, 2 E]
        attended = e if self.matching is None else self.matching(e, batch)
        hidden = self.dropout(self.hidden(attended).relu())
        return Output({FUSED: self.classifier(hidden)}, states={FUSED: attended})
