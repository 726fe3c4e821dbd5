"""Emotions while a conversation goes on: `StreamingPredictor.add(utterance)`, for several conversations at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sdt.conversation import Prediction, Utterance
from sdt.device import DeviceName, choose_device
from sdt.errors import InputError
from sdt.language import foreign_language
from sdt.models.base import Model
from sdt.models.config import ModelConfig
from sdt.models.hub import find_model
from sdt.models.saved import load
from sdt.prediction.extraction import ModalityMaker
from sdt.prediction.readability import foreign_note, is_wordless
from sdt.prediction.stream_features import Given, StreamFeatures, StreamInput
from sdt.prediction.stream_readers import CachingReader, EncodedUtterance, Reader, RereadingReader
from sdt.speakers import FIRST_SPEAKER

WORDS = 500
"""Characters at the beginning of a conversation by which its language is told."""
HISTORY = 64
"""Utterances that a model is given which is not causal, the newest included."""


@dataclass
class ConversationState:
    """What is known of a running conversation."""

    ids: set[str] = field(default_factory=set)
    """Of its utterances."""
    speakers: dict[str, int] = field(default_factory=dict)
    """Who spoke, with their numbers."""
    last: str = FIRST_SPEAKER
    """Who spoke last."""
    words: str = ""
    """The first words, by which the language is told."""
    told: set[str] = field(default_factory=set)
    """What was said of the words already."""


class StreamingPredictor:
    """A model and its feature encoders, for running conversations.

    A prediction is final: what is said later does not change it. A causal SDT (`model.context` is `past` or
    `window(k)`) keeps keys and values of what was said, computes each utterance once, and says what it says of the
    whole conversation at once. Another model (SDT with the context `full`, or a baseline) reads the last `history`
    utterances again for every new one, as if they were a conversation.

    Args:
        model: Its configuration names the encoders.
        name: What to call it in messages.
        folder: Where it was loaded from: files that its encoders' names refer to are looked for there first.
        device: Where the model computes: `auto`, `cpu` or `cuda`.
        history: How many utterances a model that is not causal reads, the newest included.
        max_conversations: How many conversations are remembered; for a new one the one that has been silent longest is
            forgotten. None for no limit.
        makers: Modality to what makes its features, where they are there already; encoders take memory.

    Raises:
        InputError: `history` or `max_conversations` is less than 1.

    Example:
        >>> stream = StreamingPredictor.from_pretrained("meld-text-audio-small")  # doctest: +SKIP
        >>> stream.add(Utterance("", "Ann", "I got the job!")).emotion  # doctest: +SKIP
        'joy'
    """

    def __init__(
        self,
        model: Model,
        *,
        name: str = "the model",
        folder: Path | None = None,
        device: DeviceName = "auto",
        history: int = HISTORY,
        max_conversations: int | None = None,
        makers: Mapping[str, ModalityMaker] | None = None,
    ) -> None:
        for option, value in (("history", history), ("max_conversations", max_conversations)):
            if value is not None and value < 1:
                raise InputError(f"{option}: {value} is less than 1")
        self.model = model.to(choose_device(device)).eval()
        self._features = StreamFeatures(model.config, name, folder, makers)
        self._reader: Reader = CachingReader(model) if model.supports_streaming else RereadingReader(model, history)
        self._limit = max_conversations
        self._talks: dict[str, ConversationState] = {}
        """Conversation to what is known of it, the one that spoke last at the end."""
        self._memories: dict[str, Any] = {}
        """Conversation to what the reader remembers of it."""
        self.problems: list[str] = []
        """Why utterances of the last call lack modalities that they might have had, a line each; and, once in a
        conversation, what of its words the model cannot read."""

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        revision: str | None = None,
        device: DeviceName = "auto",
        *,
        history: int = HISTORY,
        max_conversations: int | None = None,
    ) -> StreamingPredictor:
        """Load a model.

        Args:
            name: A model folder, a run folder, the name of a bundled model, or a hub id `owner/name`.
            revision: Of a model on the hub: a branch, tag or commit.
            device: Where the model computes: `auto`, `cpu` or `cuda`.
            history: See the class.
            max_conversations: See the class.

        Raises:
            InputError: The model does not exist, or it is damaged.
        """
        folder = find_model(name, revision)
        return cls(
            load(folder),
            name=str(name),
            folder=folder,
            device=device,
            history=history,
            max_conversations=max_conversations,
        )

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.model.config

    @property
    def causal(self) -> bool:
        """Whether each utterance is computed once; otherwise the last ones are read again for every new one."""
        return self.model.supports_streaming

    @property
    def notes(self) -> list[str]:
        """What the user should know by now, one line each: what is left out, and why."""
        return list(self._features.notes)

    @property
    def conversations(self) -> tuple[str, ...]:
        """The conversations that are remembered; the one that spoke last is the last."""
        return tuple(self._talks)

    def add(
        self, utterance: Utterance, conversation: str = "", *, features: Given | None = None, clip: Path | None = None
    ) -> Prediction:
        """Predict the newest utterance of a conversation.

        Args:
            utterance: Where its speaker is empty, it is of who spoke before; where its id is empty, it gets its number
                in the conversation, from 0.
            conversation: The id of its conversation; one that is not known begins with it.
            features: Modality to features [D_m] that are there already, normalised as in training; None if the
                utterance lacks the modality. What is not named is made from the words and the clip.
            clip: A recording of this utterance alone.

        Raises:
            InputError: The conversation has an utterance of this id already, the features do not fit, nothing of the
                utterance can be read, or the model's output is not finite. The conversation stays as it was.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        (prediction,) = self.add_all([StreamInput(utterance, conversation, features, clip)])
        return prediction

    def add_all(self, items: Iterable[StreamInput]) -> list[Prediction]:
        """Predict new utterances of several conversations, computed together; those of one conversation in order.

        Args:
            items: What was said; see `add`.

        Returns:
            One prediction for each, in their order.

        Raises:
            InputError: See `add`. All conversations stay as they were.
            MissingDependencyError: An encoder needs a package that is not installed.
        """
        talks: dict[str, ConversationState] = {}
        spoken, places = [], []
        for item in items:
            one, position, speaker = self._enter(item, talks)
            spoken.append(one)
            places.append((position, speaker))
        if not spoken:
            return []
        features, problems = self._features.make(spoken)
        problems += [problem for one in spoken for problem in self._unread(one, talks[one.conversation])]
        turns = [
            EncodedUtterance(
                one.conversation,
                one.utterance.id,
                position,
                speaker,
                {name: x[row].clone() for name, (x, _) in features.items()},
                {name: present[row].clone() for name, (_, present) in features.items()},
            )
            for row, (one, (position, speaker)) in enumerate(zip(spoken, places, strict=True))
        ]
        found, memories = self._reader.read(self._memories, turns)
        self._memories.update(memories)
        self._remember(talks)
        self.problems = problems
        return [prediction.of(one.utterance) for prediction, one in zip(found, spoken, strict=True)]

    def filled_in(self, utterance: Utterance, conversation: str = "") -> Utterance:
        """What `add` takes an utterance to be: with the speaker and the id that were left out."""
        talk = self._talks.get(conversation, ConversationState())
        return replace(utterance, id=utterance.id or str(len(talk.ids)), speaker=utterance.speaker or talk.last)

    def forget(self, conversation: str) -> None:
        """Forget a conversation; one that is not known is none to forget."""
        self._talks.pop(conversation, None)
        self._memories.pop(conversation, None)

    def reset(self) -> None:
        """Forget all conversations."""
        self._talks.clear()
        self._memories.clear()

    def _enter(self, item: StreamInput, talks: dict[str, ConversationState]) -> tuple[StreamInput, int, int]:
        """An utterance filled in, its position and its speaker's number.

        Args:
            item: What was said.
            talks: What becomes of the conversations when all have been predicted: what this call adds to them.
        """
        known = self._talks.get(item.conversation, ConversationState())
        begun = ConversationState(set(), dict(known.speakers), known.last, known.words, set(known.told))
        new = talks.setdefault(item.conversation, begun)
        position = len(known.ids) + len(new.ids)
        id_, speaker = item.utterance.id or str(position), item.utterance.speaker or new.last
        if id_ in known.ids or id_ in new.ids:
            raise InputError(
                f"conversation {item.conversation!r} has an utterance {id_!r} already; give each its own id"
            )
        new.ids.add(id_)
        new.last = speaker
        number = self.config.speakers.number(speaker, new.speakers)
        return replace(item, utterance=replace(item.utterance, id=id_, speaker=speaker)), position, number

    def _unread(self, one: StreamInput, talk: ConversationState) -> Iterator[str]:
        """What of an utterance's words the model cannot read, unless it was told in its conversation before."""
        text, languages = one.utterance.text or "", self.config.languages
        if not self._features.reads(one):
            return
        if "wordless" not in talk.told and is_wordless(text):
            talk.told.add("wordless")
            yield f"{one.place}: no letter in it, and the model can read little of emoji and punctuation"
        if "foreign" not in talk.told and len(talk.words) < WORDS:
            talk.words = f"{talk.words} {text}"
            if code := foreign_language(talk.words, languages):
                talk.told.add("foreign")
                yield foreign_note(one.place, [code], languages)

    def _remember(self, talks: dict[str, ConversationState]) -> None:
        """Keep what a call has added, and forget who has been silent longest."""
        for conversation, new in talks.items():
            known = self._talks.pop(conversation, ConversationState())
            known.ids |= new.ids
            self._talks[conversation] = replace(new, ids=known.ids)
        while self._limit is not None and len(self._talks) > self._limit:
            self.forget(next(iter(self._talks)))
