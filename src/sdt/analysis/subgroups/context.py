"""Scores with limited context: every utterance predicted from the k utterances before it.

For each utterance a conversation of its own is made, of the k utterances before it and itself; the model reads it like
any other, and only what it says of the last utterance counts. So the model sees no future, as in a conversation that is
still going on, and positions and speakers are counted anew. A model that was trained on whole conversations, past and
future, is not used to that: what a missing context costs is part of the difference, what the model was never trained
for is another.

Shapes: N annotated utterances, R runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from sdt.conversation import Conversation
from sdt.corpus.store import Corpus
from sdt.evaluation.outputs import run_model
from sdt.evaluation.predicted import Place
from sdt.evaluation.system import System
from sdt.models.base import Model
from sdt.models.config import FUSED
from sdt.training.group import Group

Before = int | None
"""How many utterances before; None for all of them."""
_TOGETHER = 2048
"""Utterances that are computed together, about."""


def limited(
    system: System,
    group: Group,
    corpus: Corpus,
    befores: Sequence[Before],
    *,
    device: torch.device | None = None,
    progress: Callable[[int], object] | None = None,
) -> list[System]:
    """What a group's models say with limited context.

    Args:
        system: The group's system, for the utterances and their annotation.
        group: Whose models are run.
        corpus: Their corpus.
        befores: The lengths of context.
        device: Where to compute.
        progress: Called with the number of utterances done, each once for every run and length.

    Returns:
        For each length a system of R runs, on the same utterances as `system`.

    Raises:
        InputError: A model cannot be loaded, or does not fit the corpus.
    """
    predicted = np.empty((len(befores), group.size, len(system.utterance_keys)), dtype=np.int64)
    for row, run in enumerate(group.runs):
        model = Model.from_pretrained(run.path)
        for index, before in enumerate(befores):
            predicted[index, row] = _say(model, system, corpus, before, device, progress)
    return [
        replace(system, name=f"{system.name}, {name(before)}", predicted=of)
        for before, of in zip(befores, predicted, strict=True)
    ]


def name(before: Before) -> str:
    """A length of context in words."""
    return "all before" if before is None else f"{before} before"


def windows(corpus: Corpus, places: Sequence[Place], before: Before) -> tuple[Corpus, dict[Place, Conversation]]:
    """A conversation for each utterance, which ends with it and begins at most so many utterances before it.

    Returns:
        The corpus that they are in, and the conversations by the place of their last utterance.
    """
    stretches, of_place = {}, {}
    for conversation, utterance in places:
        ids = [u.id for u in corpus.conversations[conversation].utterances]
        last = ids.index(utterance)
        first = 0 if before is None else max(0, last - before)
        id = f"{last} of {conversation}"
        stretches[id] = (conversation, slice(first, last + 1))
        of_place[conversation, utterance] = id
    view = corpus.excerpts(stretches)
    return view, {place: view.conversations[id] for place, id in of_place.items()}


def _say(
    model: Model,
    system: System,
    corpus: Corpus,
    before: Before,
    device: torch.device | None,
    progress: Callable[[int], object] | None,
) -> npt.NDArray[np.int64]:
    """The class numbers [N] that a model says with limited context."""
    view, of_place = windows(corpus, system.utterance_keys, before)
    conversations = [of_place[place] for place in system.utterance_keys]
    longest = max(map(len, conversations))
    batch = max(1, _TOGETHER // longest)
    outputs = run_model(model, view, conversations, batch_size=batch, device=device, progress=progress)
    last = np.cumsum([len(conversation) for conversation in conversations]) - 1  # [N]
    number = np.array([system.labels.index(label) for label in model.config.labels], dtype=np.int64)
    said: npt.NDArray[np.int64] = number[outputs.probabilities[FUSED][last].argmax(axis=1)]
    return said
