"""Inference on conversations that are distributed over the processes.

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


def distributed_outputs(
    processes: Processes, conversations: Sequence[Conversation], run: Callable[[Sequence[Conversation]], SplitOutputs]
) -> SplitOutputs:
    """Compute the outputs for all conversations, in order, in every process; collective.

    Args:
        processes: The processes that share the work.
        conversations: The conversations.
        run: Runs the model on some conversations; see `sdt.evaluation.outputs.run_model`.

    Raises:
        Exception: Any error of `run`; see `Processes.barrier`.
    """
    if processes.size == 1:
        return run(conversations)
    lengths = conversation_lengths(conversations).tolist()
    mine = partition(lengths, processes.size)[processes.rank]
    part = processes.barrier(lambda: run(select(conversations, mine)), long=False)
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    rows = np.concatenate([np.arange(0), *(np.arange(starts[i], starts[i + 1]) for i in mine)])  # of this process

    def gather(values: np.ndarray) -> np.ndarray:
        """Gather the rows of all processes: each process adds its rows to zeros."""
        gathered = np.zeros((int(starts[-1]), *values.shape[1:]), dtype=values.dtype)
        gathered[rows] = values
        return processes.sum(torch.from_numpy(gathered)).numpy()

    no_weights = np.zeros(part.present.shape, dtype=np.float32)
    weights = gather(no_weights if part.weights is None else part.weights)  # [N, M]
    return SplitOutputs(
        probabilities={name: gather(probabilities) for name, probabilities in part.probabilities.items()},
        label=gather(part.label),
        weights=weights if weights.any() else None,  # fusion weights of an utterance sum to 1, so are not all 0
        utterance_keys=utterance_keys(conversations),
        present=gather(part.present.astype(np.uint8)).astype(np.bool_),
    )
