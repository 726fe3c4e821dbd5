"""What each of several processes computes of a batch: some of its conversations.

Shapes: N utterances of the whole batch, n of the share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.conversation import UNLABELLED


@dataclass(frozen=True)
class Share:
    """What one process computes of a batch."""

    batch: Batch
    """Its conversations."""
    whole: Batch
    """The batch, on the CPU."""
    rows: Tensor
    """[n] int64, on the CPU; where the share's utterances lie in the whole batch. Those of a process that computes a
    conversation of another one's lie nowhere."""


def divided(lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Divide conversations into parts of about as many utterances.

    Args:
        lengths: The utterances of each conversation.
        parts: How many parts.

    Returns:
        For each part the indices of its conversations, in order; none where there are fewer conversations than parts.
        The longest goes first, always to the part that has fewest utterances.
    """
    found: list[list[int]] = [[] for _ in range(parts)]
    utterances = [0] * parts
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        part = utterances.index(min(utterances))
        found[part].append(index)
        utterances[part] += lengths[index]
    return [sorted(part) for part in found]


def share_of(batch: Batch, part: int, parts: int) -> Share:
    """The share of one of several processes.

    Where a process has no share, since there are fewer conversations than processes, it computes the shortest
    conversation without its labels: it takes part in the step and adds nothing to it.

    Args:
        batch: On the CPU.
        part: The number of the process.
        parts: How many there are.
    """
    if parts == 1:
        return Share(batch, batch, torch.arange(len(batch)))
    lengths = batch.lengths.tolist()
    if chosen := divided(lengths, parts)[part]:
        return _only(batch, chosen)
    idle = _only(batch, [lengths.index(min(lengths))])
    label = torch.full_like(idle.batch.label, UNLABELLED)
    return Share(replace(idle.batch, label=label), batch, torch.empty(0, dtype=torch.int64))


def _only(batch: Batch, chosen: list[int]) -> Share:
    """The share that has some conversations of a batch."""
    ends = batch.lengths.cumsum(0).tolist()
    starts = [0, *ends]
    rows = torch.cat([torch.arange(starts[index], ends[index]) for index in chosen])  # [n]
    lengths = batch.lengths[chosen]
    part = replace(
        batch,
        features={m: x[rows] for m, x in batch.features.items()},
        present={m: x[rows] for m, x in batch.present.items()},
        position=batch.position[rows],
        speaker=batch.speaker[rows],
        label=batch.label[rows],
        lengths=lengths,
        longest=int(lengths.max()),
        conversations=tuple(batch.conversations[index] for index in chosen),
    )
    return Share(part, batch, rows)
