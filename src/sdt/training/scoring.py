"""Runs a model on conversations that are divided among the processes.

Shapes: N utterances, M modalities, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from sdt.conversation import Conversation
from sdt.corpus.batches import partition
from sdt.corpus.selection import conversation_lengths, select, utterance_keys
from sdt.evaluation.outputs import SplitOutputs
from sdt.training.processes import Processes


def divided_outputs(
    processes: Processes, conversations: Sequence[Conversation], run: Callable[[Sequence[Conversation]], SplitOutputs]
) -> SplitOutputs:
    """The outputs for all conversations, in their order, in every process; together.

    Args:
        processes: Those that share the work.
        conversations: What to run the model on.
        run: Runs it over some conversations; see `sdt.evaluation.outputs.run_model`.

    Raises:
        InputError: And whatever else `run` raises; see `Processes.barrier`.
    """
    if processes.size == 1:
        return run(conversations)
    lengths = conversation_lengths(conversations).tolist()
    mine = partition(lengths, processes.size)[processes.rank]
    part = processes.barrier(lambda: run(select(conversations, mine)), patiently=False)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.concatenate([np.arange(0), *(np.arange(starts[i], starts[i + 1]) for i in mine)])  # of this process

    def whole(values: np.ndarray) -> np.ndarray:
        """The rows of all processes: each adds its own to zeros."""
        found = np.zeros((int(starts[-1]), *values.shape[1:]), dtype=values.dtype)
        found[rows] = values
        return processes.sum(torch.from_numpy(found)).numpy()

    no_weights = np.zeros(part.present.shape, dtype=np.float32)
    weights = whole(no_weights if part.weights is None else part.weights)  # [N, M]
    return SplitOutputs(
        probabilities={head: whole(of_head) for head, of_head in part.probabilities.items()},
        label=whole(part.label),
        weights=weights if weights.any() else None,  # those of an utterance sum to 1
        utterance_keys=utterance_keys(conversations),
        present=whole(part.present.astype(np.uint8)).astype(np.bool_),
    )
