"""Scores with limited context: every utterance is predicted from the k utterances before it.

For each utterance, a separate conversation of the k previous utterances and itself is created, and the prediction for
its last utterance is scored. The model gets no future context, as in streaming, and positions and speaker numbers start
anew. For a model trained on whole conversations, the loss therefore has two causes: the missing context, and the
mismatch with the training data.

Shapes: N annotated utterances, R runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from sdt.conversation import Conversation
from sdt.corpus.selection import UtteranceKey
from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import run_model
from sdt.evaluation.system import System
from sdt.models.base import Model
from sdt.models.config import FUSED
from sdt.training.group import Group

Before = int | None
"""Number of previous utterances; None for all."""
_TOGETHER = 2048
"""Approximate number of utterances per batch."""


def limit_context(
    system: System,
    group: Group,
    corpus: Corpus,
    befores: Sequence[Before],
    *,
    device: torch.device | None = None,
    progress: Callable[[int], object] | None = None,
) -> list[System]:
    """Predict with limited context.

    Args:
        system: The system of the group, for the utterances and their annotation.
        group: The group of models.
        corpus: The corpus of the group.
        befores: The lengths of the context.
        device: Device.
        progress: Called with the number of finished utterances; each counts once for every run and length.

    Returns:
        A system of R runs for each length, on the same utterances as `system`.

    Raises:
        InputError: A model cannot be loaded, or is not compatible with the corpus.
    """
    predicted = np.empty((len(befores), group.size, len(system.utterance_keys)), dtype=np.int64)
    for row, run in enumerate(group.runs):
        model = Model.from_pretrained(run.path)
        for index, before in enumerate(befores):
            predicted[index, row] = _predict(model, system, corpus, before, device, progress)
    return [
        replace(system, name=f"{system.name}, {name(before)}", predicted=of)
        for before, of in zip(befores, predicted, strict=True)
    ]


def name(before: Before) -> str:
    """Display name of a context length."""
    return "all before" if before is None else f"{before} before"


def context_excerpts(
    corpus: Corpus, keys: Sequence[UtteranceKey], before: Before
) -> tuple[Corpus, dict[UtteranceKey, Conversation]]:
    """Create a conversation for each utterance that ends with it and has at most `before` previous utterances.

    Returns:
        The corpus of these conversations, and the conversations by their last utterance.
    """
    stretches, by_key = {}, {}
    for conversation, utterance in keys:
        ids = [u.id for u in corpus.conversations[conversation].utterances]
        last = ids.index(utterance)
        first = 0 if before is None else max(0, last - before)
        id = f"{last} of {conversation}"
        stretches[id] = (conversation, slice(first, last + 1))
        by_key[conversation, utterance] = id
    view = corpus.excerpts(stretches)
    return view, {key: view.conversations[id] for key, id in by_key.items()}


def _predict(
    model: Model,
    system: System,
    corpus: Corpus,
    before: Before,
    device: torch.device | None,
    progress: Callable[[int], object] | None,
) -> npt.NDArray[np.int64]:
    """The class numbers [N] that a model predicts with limited context."""
    view, by_key = context_excerpts(corpus, system.utterance_keys, before)
    conversations = [by_key[key] for key in system.utterance_keys]
    longest = max(map(len, conversations))
    batch = max(1, _TOGETHER // longest)
    outputs = run_model(model, view, conversations, batch_size=batch, device=device, progress=progress)
    last = np.cumsum([len(conversation) for conversation in conversations]) - 1  # [N]
    number = np.array([system.labels.index(label) for label in model.config.labels], dtype=np.int64)
    predicted: npt.NDArray[np.int64] = number[outputs.probabilities[FUSED][last].argmax(axis=1)]
    return predicted
