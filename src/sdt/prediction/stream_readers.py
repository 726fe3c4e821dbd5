"""Readers, which predict the newest utterances of running conversations with a model.

| reader            | models                                    | computation for each new utterance            |
|-------------------|-------------------------------------------|-----------------------------------------------|
| `CachingReader`   | those with `supports_streaming`           | only this utterance, with cached keys, values |
| `RereadingReader` | all others (full context, most baselines) | the last `history` utterances again           |

In a causal context, later utterances do not change the keys and values of an utterance, so that `CachingReader` returns
the same predictions as for the whole conversation. Other models also attend to later utterances, which do not exist yet
for the newest one. `RereadingReader` runs them on the last utterances as a separate conversation, from position 0.

Shapes: N utterances of a batch; D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from sdt.batch import Batch
from sdt.conversation import UNLABELLED, Prediction
from sdt.models.base import Model, Output
from sdt.models.inference import BatchPrediction, present_modalities, to_predictions
from sdt.models.sdt.kv_cache import CachedLayout, ConversationCache

UTTERANCES = 512
"""Approximate number of utterances per forward pass."""


@dataclass(frozen=True)
class EncodedUtterance:
    """A new utterance with its features."""

    conversation: str
    """The conversation's id."""
    utterance: str
    """The utterance's id."""
    position: int
    """Its position in the conversation, from 0."""
    speaker: int
    """The number of its speaker."""
    participant: int
    """The number of its speaker by order of appearance in the conversation."""
    features: dict[str, Tensor]
    """Modality to [D_m] float32."""
    present: dict[str, Tensor]
    """Modality to a bool."""


class Reader(Protocol):
    """Predicts new utterances of running conversations."""

    def read(
        self, memories: Mapping[str, Any], utterances: Sequence[EncodedUtterance]
    ) -> tuple[list[Prediction], dict[str, Any]]:
        """Predict new utterances.

        Args:
            memories: Conversation to the memory that the last call returned for it; not modified. Other conversations
                are new.
            utterances: The new utterances, in order within each conversation.

        Returns:
            One prediction per utterance, and the new memory of each of their conversations.

        Raises:
            InputError: The output has an unexpected shape or is not finite.
        """


class CachingReader:
    """Computes new utterances alone and caches their keys and values.

    Args:
        model: A model in evaluation mode that supports streaming.
    """

    def __init__(self, model: Model) -> None:
        self._model = model

    def read(
        self, memories: Mapping[str, ConversationCache], utterances: Sequence[EncodedUtterance]
    ) -> tuple[list[Prediction], dict[str, ConversationCache]]:
        """See `Reader.read`; memories are caches of keys and values."""
        caches: dict[str, ConversationCache] = {}
        found: list[Prediction] = []
        for first in range(0, len(utterances), UTTERANCES):
            found += self._forward(memories, utterances[first : first + UTTERANCES], caches)
        return found, caches

    def _forward(
        self,
        memories: Mapping[str, ConversationCache],
        utterances: Sequence[EncodedUtterance],
        caches: dict[str, ConversationCache],
    ) -> list[Prediction]:
        """Predict utterances in one forward pass, and put the new caches of their conversations into `caches`."""
        by_conversation: dict[str, list[int]] = {}
        for index, utterance in enumerate(utterances):
            by_conversation.setdefault(utterance.conversation, []).append(index)
        order = [index for indices in by_conversation.values() for index in indices]
        batch = _pack([[utterances[index] for index in indices] for indices in by_conversation.values()])
        batch = replace(batch, position=torch.tensor([utterances[index].position for index in order]))
        model, device = self._model, next(self._model.parameters()).device
        with torch.inference_mode():
            on_device = batch.to(device)
            layout = CachedLayout(
                [len(indices) for indices in by_conversation.values()],
                [caches.get(conversation, memories.get(conversation)) for conversation in by_conversation],
                model.attention_context,
                len(model.config.modalities),
                on_device.position,
                on_device.participants,
            )
            output = model.forward_with_layout(on_device, layout)
            predictions = _predictions(model, batch, output, [utterances[index] for index in order])
            caches.update(zip(by_conversation, layout.caches(), strict=True))
        in_order = dict(zip(order, predictions, strict=True))
        return [in_order[index] for index in range(len(utterances))]


class RereadingReader:
    """Runs the model on the last `history` utterances again for every new one.

    Args:
        model: A model in evaluation mode.
        history: Number of utterances, including the new one.
    """

    def __init__(self, model: Model, history: int) -> None:
        self._model, self._history = model, history

    def read(
        self, memories: Mapping[str, tuple[EncodedUtterance, ...]], utterances: Sequence[EncodedUtterance]
    ) -> tuple[list[Prediction], dict[str, tuple[EncodedUtterance, ...]]]:
        """See `Reader.read`; memories are the last utterances."""
        kept: dict[str, tuple[EncodedUtterance, ...]] = {}
        excerpts = []
        for utterance in utterances:
            before = kept.get(utterance.conversation, memories.get(utterance.conversation, ()))
            kept[utterance.conversation] = (*before, utterance)[-self._history :]
            excerpts.append(kept[utterance.conversation])
        found: list[Prediction] = []
        for group in _groups(excerpts):
            found += self._predict_last(group)
        return found, kept

    def _predict_last(self, excerpts: Sequence[Sequence[EncodedUtterance]]) -> list[Prediction]:
        """Predict the last utterance of each excerpt."""
        batch = _pack(excerpts)
        last = (batch.lengths.cumsum(0) - 1).tolist()
        with torch.inference_mode():
            output = self._model(batch.to(next(self._model.parameters()).device))
            return _predictions(self._model, batch, output, [excerpt[-1] for excerpt in excerpts], last)


def _predictions(
    model: Model,
    batch: Batch,
    output: Output,
    utterances: Sequence[EncodedUtterance],
    rows: Sequence[int] | None = None,
) -> list[Prediction]:
    """The predictions of utterances from the output for a batch; `rows` are their rows, None stands for all rows."""
    prediction = BatchPrediction.from_output(model, output, present_modalities(batch, model.config))
    prediction = prediction if rows is None else prediction.rows(rows)
    utterance_keys = [(utterance.conversation, utterance.utterance) for utterance in utterances]
    prediction.check_finite(utterance_keys)
    return list(to_predictions(prediction, model.config, utterance_keys))


def _pack(excerpts: Sequence[Sequence[EncodedUtterance]]) -> Batch:
    """Pack excerpts of conversations into a batch, as separate conversations."""
    utterances = [utterance for excerpt in excerpts for utterance in excerpt]
    lengths = [len(excerpt) for excerpt in excerpts]
    names = utterances[0].features
    return Batch(
        features={name: torch.stack([utterance.features[name] for utterance in utterances]) for name in names},
        present={name: torch.stack([utterance.present[name] for utterance in utterances]) for name in names},
        position=torch.tensor([position for length in lengths for position in range(length)]),
        speaker=torch.tensor([utterance.speaker for utterance in utterances]),
        label=torch.full((len(utterances),), UNLABELLED),
        lengths=torch.tensor(lengths),
        longest=max(lengths),
        conversations=tuple(excerpt[0].conversation for excerpt in excerpts),
        participant=torch.tensor([utterance.participant for utterance in utterances]),
    )


def _groups(excerpts: Sequence[Sequence[EncodedUtterance]]) -> Iterator[list[Sequence[EncodedUtterance]]]:
    """Group excerpts into batches of limited size, because attention pads all excerpts of a batch to the longest."""
    group: list[Sequence[EncodedUtterance]] = []
    for excerpt in excerpts:
        if group and (len(group) + 1) * max(len(of) for of in [*group, excerpt]) > UTTERANCES:
            yield group
            group = []
        group.append(excerpt)
    if group:
        yield group
