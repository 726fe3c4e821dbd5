"""The reader of running conversations that caches keys and values, on PyTorch; see `stream_readers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from sdt.batch import Batch
from sdt.conversation import Prediction
from sdt.models.base import Model
from sdt.models.inference import calibrated
from sdt.models.sdt.kv_cache import CachedLayout, ConversationCache
from sdt.prediction.stream_readers import UTTERANCES, EncodedUtterance, name_predictions, pack_excerpts


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
        packed = pack_excerpts(
            [[utterances[index] for index in indices] for indices in by_conversation.values()], keep_positions=True
        )
        model, device = self._model, next(self._model.parameters()).device
        with torch.inference_mode():
            on_device = Batch.from_features(packed).to(device)
            layout = CachedLayout(
                [len(indices) for indices in by_conversation.values()],
                [caches.get(conversation, memories.get(conversation)) for conversation in by_conversation],
                model.attention_context,
                len(model.config.modalities),
                on_device.position,
                on_device.participants,
            )
            output = model.forward_with_layout(on_device, layout)
            found = calibrated(model, output, packed.present_modalities)
            predictions = name_predictions(found, model.config, [utterances[index] for index in order])
            caches.update(zip(by_conversation, layout.caches(), strict=True))
        in_order = dict(zip(order, predictions, strict=True))
        return [in_order[index] for index in range(len(utterances))]
