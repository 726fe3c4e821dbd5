"""Occlusion: how predictions change without a modality or without an utterance.

What is removed is removed from the input, and the model reads the conversation again. An utterance that is removed
lacks all modalities: it can still be seen that somebody spoke there (the others keep their positions and speakers), but
nobody can attend to it, and its own prediction comes from those around it. The conversation does not close up behind
it: else every later utterance would also get another position, and the change would be a mixture of two.

Occlusion says what a model leans on, not what caused the emotion; two things that say the same hide each other, since
without either of them the other is left.

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
"""Utterances that are read together, so that memory stays bounded; of a longer conversation, one copy at a time."""
NOTHING = -1
"""In `Effect.emotion`: there was nothing to remove."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Effect:
    """What removals (columns) change in the fused prediction of utterances (rows).

    Positive values: what was removed spoke for the emotion that is predicted with it. NaN: there was nothing to remove.
    """

    probability: Floats
    """[T, K]; the predicted emotion's calibrated probability with everything, minus that without."""
    log_odds: Floats
    """[T, K]; likewise its log-odds log p/(1-p), which move also where the probability is close to 1."""
    emotion: npt.NDArray[np.int64]
    """[T, K]; the number of the emotion that is predicted without; `NOTHING` where there was nothing to remove."""


@dataclass(frozen=True, eq=False)
class Occlusion:
    """All removals of a conversation."""

    everywhere: Effect
    """[T, M]; a modality, from all utterances of the conversation."""
    here: Effect
    """[T, M]; a modality, from the utterance itself alone."""
    utterances: Effect
    """[T, T]; an utterance with all its modalities. The diagonal is what an utterance's own content does for it."""


def occlude(model: Model, batch: Batch, logits: Tensor, progress: Callable[[int], object] | None = None) -> Occlusion:
    """Remove everything in turn, in packed batches.

    Args:
        model: In evaluation mode.
        batch: Of one conversation, where the model is.
        logits: What the model says of it fused, [T, C].
        progress: Called with the number of readings done; see `readings`.
    """
    present = _present(batch)  # [T, M]
    T, M = present.shape
    removed = _removals(T, M).to(present.device)  # [K, T, M]
    emotion, temperature = logits.argmax(dim=1), model.config.temperature
    whole = _log_odds(logits, emotion, temperature)  # [T]
    odds = whole.new_full((len(removed), T), torch.nan)
    said = torch.full((len(removed), T), NOTHING, dtype=torch.int64, device=present.device)
    for chosen in _worthwhile(present, removed).split(max(1, TOGETHER // T)):
        without = model(_copies(batch, present & ~removed[chosen])).logits[FUSED].unflatten(0, (len(chosen), T))
        odds[chosen] = _log_odds(without, emotion, temperature)
        said[chosen] = without.argmax(dim=-1)
        if progress:
            progress(len(chosen))
    effects = (
        (whole.sigmoid() - odds.sigmoid()).float().cpu().numpy().T,
        (whole - odds).float().cpu().numpy().T,
        said.cpu().numpy().T,
    )  # [T, K] each
    own = np.arange(T)
    return Occlusion(
        everywhere=Effect(*(of[:, :M] for of in effects)),
        here=Effect(*(of[:, M : M + T * M].reshape(T, T, M)[own, own] for of in effects)),
        utterances=Effect(*(of[:, M + T * M :] for of in effects)),
    )


def readings(batch: Batch) -> int:
    """How often `occlude` reads a conversation."""
    present = _present(batch)  # [T, M]
    return int(present.any(dim=0).sum() + present.sum() + present.any(dim=1).sum())


def _present(batch: Batch) -> Tensor:
    return torch.stack(list(batch.present.values()), dim=1)


def _removals(T: int, M: int) -> Tensor:
    """[K, T, M]; what is removed: each modality everywhere, each modality of each utterance, each utterance."""
    utterance, modality = torch.eye(T, dtype=torch.bool), torch.eye(M, dtype=torch.bool)
    everywhere = modality[:, None, :].expand(M, T, M)
    here = (utterance[:, None, :, None] & modality[None, :, None, :]).flatten(0, 1)  # [T * M, T, M]
    return torch.cat([everywhere, here, utterance[:, :, None].expand(T, T, M)])


def _worthwhile(present: Tensor, removed: Tensor) -> Tensor:
    """The indices of the removals that take something away."""
    return (removed & present).flatten(1).any(dim=1).nonzero().flatten()


def _copies(batch: Batch, present: Tensor) -> Batch:
    """Copies of a conversation, packed, that differ in what is `present` [K, T, M]."""
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
    """Calibrated log-odds [..., T] of an emotion for each utterance [T]; logits [..., T, C]."""
    z = logits.double() / temperature
    index = emotion.expand(z.shape[:-1])[..., None]
    others = z.scatter(-1, index, -torch.inf).logsumexp(dim=-1)
    return z.gather(-1, index).squeeze(-1) - others
