"""Readers, which predict the newest utterances of running conversations with a model.

| reader                       | models                              | computation for each new utterance            |
|------------------------------|-------------------------------------|-----------------------------------------------|
| `stream_cache.CachingReader` | causal ones on PyTorch              | only this utterance, with cached keys, values |
| `RecomputingReader`          | causal ones on onnxruntime          | the utterances that it depends on, again      |
| `RereadingReader`            | all others (full context, most      | the last `history` utterances again           |
|                              | baselines)                          |                                               |

In a causal context, later utterances do not change the output of an utterance, so that the first two return the same
predictions as for the whole conversation. Other models also attend to later utterances, which do not exist yet for the
newest one. `RereadingReader` runs them on the last utterances as a separate conversation, from position 0.

Shapes: N utterances of a batch; D_m features of modality m.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from sdt.conversation import Prediction
from sdt.feature_batch import FeatureBatch
from sdt.models.batch_prediction import BatchPrediction, to_predictions
from sdt.models.config import ModelConfig

if TYPE_CHECKING:
    from sdt.prediction.engine import Engine

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
    features: dict[str, npt.NDArray[np.float32]]
    """Modality to [D_m]."""
    present: dict[str, np.bool_]
    """Modality to whether the utterance has it."""


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


class RereadingReader:
    """Runs the model on the last `history` utterances again for every new one.

    Args:
        engine: Runs the model.
        history: Number of utterances, including the new one; None for all.
    """

    keep_positions = False

    def __init__(self, engine: Engine, history: int | None) -> None:
        self._engine, self._history = engine, history

    def read(
        self, memories: Mapping[str, tuple[EncodedUtterance, ...]], utterances: Sequence[EncodedUtterance]
    ) -> tuple[list[Prediction], dict[str, tuple[EncodedUtterance, ...]]]:
        """See `Reader.read`; memories are the last utterances."""
        kept: dict[str, tuple[EncodedUtterance, ...]] = {}
        excerpts = []
        for utterance in utterances:
            before = kept.get(utterance.conversation, memories.get(utterance.conversation, ()))
            whole = (*before, utterance)
            kept[utterance.conversation] = whole if self._history is None else whole[-self._history :]
            excerpts.append(kept[utterance.conversation])
        found: list[Prediction] = []
        for group in _groups(excerpts):
            batch = pack_excerpts(group, keep_positions=self.keep_positions)
            last = (np.cumsum(batch.lengths) - 1).tolist()
            prediction = self._engine.predict(batch).rows(last)
            found += name_predictions(prediction, self._engine.config, [excerpt[-1] for excerpt in group])
        return found, kept


class RecomputingReader(RereadingReader):
    """Runs a causal model on the utterances that a new one depends on, at their positions in the conversation.

    Args:
        engine: Runs the model.
        history: Number of utterances that an utterance depends on, including itself; None for the whole conversation.
    """

    keep_positions = True


def name_predictions(
    prediction: BatchPrediction, config: ModelConfig, utterances: Sequence[EncodedUtterance]
) -> list[Prediction]:
    """The predictions of utterances from their probabilities.

    Raises:
        InputError: A probability is not finite.
    """
    utterance_keys = [(utterance.conversation, utterance.utterance) for utterance in utterances]
    prediction.check_finite(utterance_keys)
    return list(to_predictions(prediction, config, utterance_keys))


def pack_excerpts(excerpts: Sequence[Sequence[EncodedUtterance]], *, keep_positions: bool) -> FeatureBatch:
    """Pack excerpts of conversations into a batch, as separate conversations.

    Args:
        excerpts: The excerpts.
        keep_positions: Whether utterances have their positions in the conversation, instead of in the excerpt.
    """
    utterances = [utterance for excerpt in excerpts for utterance in excerpt]
    names = utterances[0].features
    return FeatureBatch(
        features={name: np.stack([utterance.features[name] for utterance in utterances]) for name in names},
        present={name: np.stack([utterance.present[name] for utterance in utterances]) for name in names},
        position=np.array(
            [of.position for of in utterances]
            if keep_positions
            else [position for excerpt in excerpts for position in range(len(excerpt))],
            dtype=np.int64,
        ),
        speaker=np.array([utterance.speaker for utterance in utterances], dtype=np.int64),
        participant=np.array([utterance.participant for utterance in utterances], dtype=np.int64),
        lengths=tuple(map(len, excerpts)),
        conversations=tuple(excerpt[0].conversation for excerpt in excerpts),
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
