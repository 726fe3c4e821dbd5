"""Utterances of conversations that go on, computed as they come: those of several streams together."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field

from sdt.conversation import Prediction, Utterance
from sdt.errors import InputError
from sdt.prediction.stream_features import StreamInput
from sdt.prediction.streaming import StreamingPredictor
from sdt.serving.batcher import Batcher, Told
from sdt.serving.predictor import Predictor
from sdt.serving.settings import Settings


@dataclass
class Step:
    """An utterance that is ready for the model."""

    spoken: StreamInput
    reads: int
    """How many utterances the model reads for it."""

    def __len__(self) -> int:
        return self.reads


@dataclass
class Found:
    """What is said of an utterance."""

    prediction: Prediction
    problems: list[str] = field(default_factory=list)
    """Why it lacks modalities that it might have had, a line each."""


class Steps:
    """Predicts utterances of streams, with the model and the encoders of the other requests.

    Args:
        predictor: Theirs.
        settings: The limits.
        thread: Where the model computes; nothing else may use it at the same time.
        told: See `Batcher`.
    """

    def __init__(self, predictor: Predictor, settings: Settings, thread: Executor, told: Told) -> None:
        self._stream = StreamingPredictor(
            predictor.model,
            name=predictor.name,
            folder=predictor.folder,
            history=settings.stream_history,
            makers=predictor.makers,
        )
        self._thread, self._history = thread, settings.stream_history
        self._batcher = Batcher(
            self.compute, settings.batch_wait_ms / 1000, settings.batch_utterances, told, thread=thread
        )
        self.recorded = [m for m in predictor.recorded if predictor.makers[m].step != "z:conversation"]
        """The modalities that can be made of an utterance's clip alone."""

    @property
    def alive(self) -> bool:
        """Whether it computes what comes."""
        return self._batcher.alive

    @property
    def notes(self) -> list[str]:
        """What clients should know: what a stream cannot know, or is left out."""
        return self._stream.notes

    def warm_up(self) -> None:
        """Predict something, since whatever runs first loads what it needs; says what is left out."""
        with suppress(InputError):
            self._stream.add(Utterance("", "", "Hello."))
        self._stream.reset()

    def start(self) -> None:
        """Begin; from within the event loop."""
        self._batcher.start()

    async def close(self) -> None:
        """End; what has not begun is given up."""
        await self._batcher.close()

    async def predict(self, spoken: StreamInput, number: int) -> Found:
        """What is said of the next utterance of a conversation; `number` of them came before.

        Raises:
            InputError: It cannot be predicted; the conversation stays as it was.
        """
        reads = 1 if self._stream.causal else min(number + 1, self._history)
        return await self._batcher.predict(Step(spoken, reads))

    def forget(self, conversation: str) -> None:
        """Forget a conversation, after what is being computed."""
        self._thread.submit(self._stream.forget, conversation)

    def compute(self, group: Sequence[Step]) -> list[Found | InputError]:
        """Predict utterances together; of each what was found, or why there is nothing."""
        try:
            predictions = self._stream.add_all([step.spoken for step in group])
        except InputError as error:
            if len(group) == 1:
                return [error]
            return [answer for step in group for answer in self.compute([step])]
        problems = self._stream.problems
        return [
            Found(prediction, [line for line in problems if line.startswith(f"{step.spoken.place}: ")])
            for step, prediction in zip(group, predictions, strict=True)
        ]
