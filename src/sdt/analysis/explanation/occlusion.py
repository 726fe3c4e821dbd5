"""Occlusion: the change of predictions when a modality or an utterance is removed from the input.

The model runs again for each removal. A removed utterance has no modality: other utterances keep their positions and
speakers but cannot attend to it, and its own prediction depends on its context. Its position is kept, because otherwise
later utterances would also change their positions and two effects would mix.

Occlusion shows what the model relies on, not the cause of an emotion. Redundant inputs hide each other: removing either
of them has little effect because the other remains.

Shapes: T utterances of one conversation; M modalities; C labels; K removals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.models.base import Model
from sdt.models.config import FUSED

TOGETHER = 2048
"""Maximum number of utterances per forward pass, to limit memory, unless a single conversation is longer."""
NOTHING = -1
"""Value of `Effect.emotion` if there is nothing to remove."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Effect:
    """The effect of removals (columns) on the fused predictions of utterances (rows).

    Positive values mean that the removed input supports the predicted emotion. NaN: there is nothing to remove.
    """

    probability: Floats
    """Calibrated probability of the predicted emotion with the full input minus that after the removal, [T, K]."""
    log_odds: Floats
    """The same for the log-odds log p/(1-p), which also change if the probability is close to 1, [T, K]."""
    emotion: npt.NDArray[np.int64]
    """Class number predicted after the removal, [T, K]; `NOTHING` if there is nothing to remove."""


@dataclass(frozen=True, eq=False)
class Occlusion:
    """The effects of all removals in a conversation."""

    everywhere: Effect
    """Removal of a modality from all utterances of the conversation, [T, M]."""
    here: Effect
    """Removal of a modality from the predicted utterance only, [T, M]."""
    utterances: Effect
    """Removal of an utterance with all modalities, [T, T]; on the diagonal, of the predicted utterance itself."""


def occlude(model: Model, batch: Batch, logits: Tensor, progress: Callable[[int], object] | None = None) -> Occlusion:
    """Compute the effects of all removals, in packed batches.

    Args:
        model: A model in evaluation mode.
        batch: A batch of one conversation, on the model's device.
        logits: Logits of the fused classifier for the full input, [T, C].
        progress: Called with the number of finished forward passes; see `count_forward_passes`.
    """
    present = _present(batch)  # [T, M]
    T, M = present.shape
    removed = _removals(T, M).to(present.device)  # [K, T, M]
    emotion, temperature = logits.argmax(dim=1), model.config.temperature
    whole = _log_odds(logits, emotion, temperature)  # [T]
    odds = whole.new_full((len(removed), T), torch.nan)
    predicted = torch.full((len(removed), T), NOTHING, dtype=torch.int64, device=present.device)
    for chosen in _effective(present, removed).split(max(1, TOGETHER // T)):
        without = model(_copies(batch, present & ~removed[chosen])).logits[FUSED].unflatten(0, (len(chosen), T))
        odds[chosen] = _log_odds(without, emotion, temperature)
        predicted[chosen] = without.argmax(dim=-1)
        if progress:
            progress(len(chosen))
    effects = (
        (whole.sigmoid() - odds.sigmoid()).float().cpu().numpy().T,
        (whole - odds).float().cpu().numpy().T,
        predicted.cpu().numpy().T,
    )  # [T, K] each
    own = np.arange(T)
    return Occlusion(
        everywhere=Effect(*(of[:, :M] for of in effects)),
        here=Effect(*(of[:, M : M + T * M].reshape(T, T, M)[own, own] for of in effects)),
        utterances=Effect(*(of[:, M + T * M :] for of in effects)),
    )


def count_forward_passes(batch: Batch) -> int:
    """The number of times that `occlude` runs the model on the conversation."""
    present = _present(batch)  # [T, M]
    return int(present.any(dim=0).sum() + present.sum() + present.any(dim=1).sum())


def _present(batch: Batch) -> Tensor:
    return torch.stack(list(batch.present.values()), dim=1)


def _removals(T: int, M: int) -> Tensor:
    """The removals, [K, T, M] bool: each modality everywhere, each modality of each utterance, each utterance."""
    utterance, modality = torch.eye(T, dtype=torch.bool), torch.eye(M, dtype=torch.bool)
    everywhere = modality[:, None, :].expand(M, T, M)
    here = (utterance[:, None, :, None] & modality[None, :, None, :]).flatten(0, 1)  # [T * M, T, M]
    return torch.cat([everywhere, here, utterance[:, :, None].expand(T, T, M)])


def _effective(present: Tensor, removed: Tensor) -> Tensor:
    """The indices of the removals that change the input."""
    return (removed & present).flatten(1).any(dim=1).nonzero().flatten()


def _copies(batch: Batch, present: Tensor) -> Batch:
    """Pack K copies of a conversation that differ in the modalities `present` [K, T, M]."""
    K = len(present)
    return replace(
        batch,
        features={name: x.repeat(K, 1) for name, x in batch.features.items()},
        present={name: present[:, :, m].flatten() for m, name in enumerate(batch.present)},
        position=batch.position.repeat(K),
        speaker=batch.speaker.repeat(K),
        label=batch.label.repeat(K),
        lengths=batch.lengths.repeat(K),
        conversations=batch.conversations * K,
    )


def _log_odds(logits: Tensor, emotion: Tensor, temperature: float) -> Tensor:
    """Compute calibrated log-odds [..., T] of one emotion per utterance [T] from logits [..., T, C]."""
    z = logits.double() / temperature
    index = emotion.expand(z.shape[:-1])[..., None]
    others = z.scatter(-1, index, -torch.inf).logsumexp(dim=-1)
    return z.gather(-1, index).squeeze(-1) - others
