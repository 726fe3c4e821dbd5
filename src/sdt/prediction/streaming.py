"""Streaming: predicts each utterance of running conversations as it arrives; `StreamingPredictor.add(utterance)`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdt.conversation import FIRST_SPEAKER, Prediction, Utterance
from sdt.device import DeviceName
from sdt.errors import InputError
from sdt.language import foreign_language
from sdt.models.config import ModelConfig
from sdt.models.hub import DEFAULT, find_model
from sdt.prediction.engine import Engine, EngineName, engine_of, load_engine
from sdt.prediction.extraction import ModalityExtractor
from sdt.prediction.readability import UNRELIABLE, doubt, foreign_note, has_no_letters
from sdt.prediction.stream_features import GivenFeatures, StreamFeatures, StreamInput
from sdt.prediction.stream_readers import EncodedUtterance, Reader

if TYPE_CHECKING:
    from sdt.models.base import Model

LANGUAGE_CHARACTERS = 500
"""Number of characters at the beginning of a conversation that are used to detect its language."""
HISTORY = 64
"""Default number of utterances, including the newest, that a model without streaming support is run on."""


@dataclass
class ConversationState:
    """The state of a running conversation."""

    ids: set[str] = field(default_factory=set)
    """Ids of its utterances."""
    speakers: dict[str, int] = field(default_factory=dict)
    """Speaker to number."""
    last: str = FIRST_SPEAKER
    """The last speaker."""
    text: str = ""
    """The first text, used to detect the language."""
    foreign: bool = False
    """Whether this text is in another language than those of the model."""
    warned: set[str] = field(default_factory=set)
    """Warnings about its text that were already reported."""
    recent: tuple[Utterance, ...] = ()
    """The last utterances, as many as the encoders read with the next one."""


class StreamingPredictor:
    """A model and its feature encoders, for running conversations.

    A prediction is final; later utterances do not change it. A causal model (SDT with the context `past` or
    `window(k)`) predicts the same as for the whole conversation: on PyTorch each utterance is computed once, with
    cached keys and values; on onnxruntime the utterances that it depends on are computed again. Any other model (SDT
    with the context `full`, or a baseline) is run on the last `history` utterances for every new one.

    Args:
        model: A model or an engine that runs one. Its configuration names the encoders.
        name: Its name in messages.
        folder: The folder of the model; files of its encoders are looked up there first.
        device: Device of a model: `auto`, `cpu` or `cuda`.
        history: Number of utterances, including the newest, for a model that is not causal.
        max_conversations: Number of conversations that are kept; a new one replaces the least recently used. None for
            no limit.
        makers: Modality to its extractor, to share encoders that are already loaded.

    Raises:
        InputError: `history` or `max_conversations` is less than 1.

    Example:
        >>> stream = StreamingPredictor.from_pretrained("english-text-audio-small")  # doctest: +SKIP
        >>> stream.add(Utterance(speaker="Ann", text="I got the job!")).emotion  # doctest: +SKIP
        'joy'
    """

    def __init__(
        self,
        model: Model | Engine,
        *,
        name: str = "the model",
        folder: Path | None = None,
        device: DeviceName = "auto",
        history: int = HISTORY,
        max_conversations: int | None = None,
        makers: Mapping[str, ModalityExtractor] | None = None,
    ) -> None:
        for option, value in (("history", history), ("max_conversations", max_conversations)):
            if value is not None and value < 1:
                raise InputError(f"{option}: {value} is less than 1")
        self.engine = engine_of(model, device)
        """Runs the model."""
        self._features = StreamFeatures(self.config, name, folder, makers, self.engine.graphs)
        self._reader: Reader = self.engine.reader(history)
        self._limit = max_conversations
        self._states: dict[str, ConversationState] = {}
        """Conversation to its state, least recently used first."""
        self._memories: dict[str, Any] = {}
        """Conversation to the memory of the reader."""
        self.problems: list[str] = []
        """The reasons why utterances of the last call lack modalities, one line each; and, once per conversation,
        warnings about text that the model cannot read."""

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path = DEFAULT,
        revision: str | None = None,
        device: DeviceName = "auto",
        *,
        engine: EngineName = "auto",
        history: int = HISTORY,
        max_conversations: int | None = None,
    ) -> StreamingPredictor:
        """Load a model.

        Args:
            name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
            revision: A branch, tag or commit of a model on the hub.
            device: Device of the model: `auto`, `cpu` or `cuda`.
            engine: See `Pipeline.from_pretrained`.
            history: See the class.
            max_conversations: See the class.

        Raises:
            InputError: The model does not exist, or it is damaged.
        """
        folder = find_model(name, revision)
        return cls(
            load_engine(folder, engine, device),
            name=str(name),
            folder=folder,
            history=history,
            max_conversations=max_conversations,
        )

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.engine.config

    @property
    def causal(self) -> bool:
        """Whether predictions are the same as for the whole conversation, because they use previous utterances only."""
        return self.engine.context.causal

    @property
    def notes(self) -> list[str]:
        """Notes for the user, one line each: modalities that are not used, with the reason."""
        return list(self._features.notes)

    @property
    def conversations(self) -> tuple[str, ...]:
        """Ids of the conversations that are kept, least recently used first."""
        return tuple(self._states)

    def add(
        self,
        utterance: Utterance,
        conversation: str = "",
        *,
        features: GivenFeatures | None = None,
        clip: Path | None = None,
    ) -> Prediction:
        """Predict the newest utterance of a conversation.

        Args:
            utterance: An empty speaker stands for the last speaker; an empty id for the number of the utterance in the
                conversation, from 0.
            conversation: The id of its conversation; an unknown id starts a conversation.
            features: Modality to given features [D_m], normalised as in training; None if the utterance lacks the
                modality. Other modalities are computed from the text and the clip.
            clip: A recording of this utterance alone.

        Raises:
            InputError: The conversation already has an utterance with this id, the features do not fit, the model has
                no modality of the utterance, or its output is not finite. The conversation does not change.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        (prediction,) = self.add_all([StreamInput(utterance, conversation, features, clip)])
        return prediction

    def add_all(self, items: Iterable[StreamInput]) -> list[Prediction]:
        """Predict new utterances of several conversations in one forward pass; those of one conversation in order.

        Args:
            items: The utterances; see `add`.

        Returns:
            One prediction for each, in their order.

        Raises:
            InputError: See `add`. No conversation changes.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        states: dict[str, ConversationState] = {}
        inputs, numbers = [], []
        for item in items:
            one, position, speaker = self._enter(item, states)
            inputs.append(one)
            participant = list(states[one.conversation].speakers).index(one.utterance.speaker)
            numbers.append((position, speaker, participant))
        if not inputs:
            return []
        features, problems = self._features.extract(inputs)
        problems += [problem for one in inputs for problem in self._text_warnings(one, states[one.conversation])]
        turns = [
            EncodedUtterance(
                one.conversation,
                one.utterance.id,
                *place,
                {name: x[row].copy() for name, (x, _) in features.items()},
                {name: present[row] for name, (_, present) in features.items()},
            )
            for row, (one, place) in enumerate(zip(inputs, numbers, strict=True))
        ]
        found, memories = self._reader.read(self._memories, turns)
        self._memories.update(memories)
        self._remember(states)
        self.problems = problems
        foreign = [states[one.conversation].foreign for one in inputs]
        return [
            (doubt(prediction) if unread else prediction).with_utterance(one.utterance)
            for prediction, one, unread in zip(found, inputs, foreign, strict=True)
        ]

    def with_defaults(self, utterance: Utterance, conversation: str = "") -> Utterance:
        """A copy of an utterance with the speaker and id that `add` would give it."""
        state = self._states.get(conversation, ConversationState())
        return replace(utterance, id=utterance.id or str(len(state.ids)), speaker=utterance.speaker or state.last)

    def forget(self, conversation: str) -> None:
        """Forget a conversation; unknown ids are ignored."""
        self._states.pop(conversation, None)
        self._memories.pop(conversation, None)

    def reset(self) -> None:
        """Forget all conversations."""
        self._states.clear()
        self._memories.clear()

    def _enter(self, item: StreamInput, states: dict[str, ConversationState]) -> tuple[StreamInput, int, int]:
        """Fill in the speaker and id of an utterance; also return its position and the number of its speaker.

        Args:
            item: The utterance.
            states: The new states of the conversations, which replace the current ones after all predictions; their ids
                are those of this call only.
        """
        known = self._states.get(item.conversation, ConversationState())
        copy = replace(known, ids=set(), speakers=dict(known.speakers), warned=set(known.warned))
        new = states.setdefault(item.conversation, copy)
        position = len(known.ids) + len(new.ids)
        id_, speaker = item.utterance.id or str(position), item.utterance.speaker or new.last
        if id_ in known.ids or id_ in new.ids:
            raise InputError(f"conversation {item.conversation!r} already has an utterance {id_!r}; ids must be unique")
        new.ids.add(id_)
        new.last = speaker
        number = self.config.speakers.number(speaker, new.speakers)
        utterance, before = replace(item.utterance, id=id_, speaker=speaker), new.recent
        new.recent = (*before, utterance)[max(0, len(before) + 1 - self._features.history) :]
        return replace(item, utterance=utterance, before=before), position, number

    def _text_warnings(self, one: StreamInput, state: ConversationState) -> Iterator[str]:
        """Warnings about text that the model cannot read, unless the conversation already had the same warning."""
        text, languages = one.utterance.text or "", self.config.languages
        if not self._features.reads_text(one):
            return
        if "letters" not in state.warned and has_no_letters(text):
            state.warned.add("letters")
            yield f"{one.location}: the text has no letters; {UNRELIABLE}"
        if len(state.text) < LANGUAGE_CHARACTERS:
            state.text = f"{state.text} {text}"
            code = foreign_language(state.text, languages)
            state.foreign = code is not None
            if code and "foreign" not in state.warned:
                state.warned.add("foreign")
                yield foreign_note(one.location, [code], languages)

    def _remember(self, states: dict[str, ConversationState]) -> None:
        """Store the new states of a call, and forget the least recently used conversations beyond the limit."""
        for conversation, new in states.items():
            known = self._states.pop(conversation, ConversationState())
            known.ids |= new.ids
            self._states[conversation] = replace(new, ids=known.ids)
        while self._limit is not None and len(self._states) > self._limit:
            self.forget(next(iter(self._states)))
