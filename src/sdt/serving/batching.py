"""Batching: conversations of concurrent requests share a forward pass, and so do utterances of streams.

One thread computes. Requests queue up while it does; once it is free, the first of them waits a few milliseconds for
others. The size of a batch is limited by the cost of attention, which pads all conversations to the longest.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from sdt.conversation import Prediction, Utterance
from sdt.errors import InputError
from sdt.prediction.stream_features import StreamInput
from sdt.prediction.streaming import StreamingPredictor
from sdt.serving.config import ServingConfig
from sdt.serving.predictor import Predictor

Item = TypeVar("Item", bound=Sized)
Result = TypeVar("Result")
OnBatch = Callable[[int, int, float, float], None]
"""Called after each batch with its items, its utterances, the seconds its first item waited, and those of computing."""


@dataclass
class _Job(Generic[Item, Result]):
    item: Item
    result: asyncio.Future[Result | InputError]
    arrived: float = field(default_factory=time.monotonic)


class Batcher(Generic[Item, Result]):
    """Collects items into batches and computes one batch at a time in a thread.

    Args:
        compute: Computes a batch; returns a result, or the error, for each item.
        wait: Seconds that the first item of a batch waits for others.
        utterances: The maximum size of a batch in utterances, padding included; a longer item runs alone.
        on_batch: Called after each batch.
        executor: Where batches are computed; batchers that share it take turns.
    """

    def __init__(
        self,
        compute: Callable[[Sequence[Item]], list[Result | InputError]],
        wait: float,
        utterances: int,
        on_batch: OnBatch | None = None,
        *,
        executor: Executor,
    ) -> None:
        self._compute, self._wait, self._utterances, self._on_batch = compute, wait, utterances, on_batch
        self._jobs: deque[_Job[Item, Result]] = deque()
        self._arrived = asyncio.Event()
        self._executor = executor
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start computing; requires a running event loop."""
        self._task = asyncio.create_task(self._run())

    @property
    def alive(self) -> bool:
        """Whether it is running."""
        return self._task is not None and not self._task.done()

    async def close(self) -> None:
        """Stop; queued items are cancelled."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for job in self._jobs:
            job.result.cancel()

    async def predict(self, item: Item) -> Result:
        """Return the result of an item. If the call is cancelled before its batch starts, the item is not computed.

        Raises:
            InputError: The item cannot be predicted.
        """
        job: _Job[Item, Result] = _Job(item, asyncio.get_running_loop().create_future())
        self._jobs.append(job)
        self._arrived.set()
        result = await job.result
        if isinstance(result, InputError):
            raise result
        return result

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wait_for_batch()
            batch = self._next_batch()
            if not batch:
                continue
            started = time.monotonic()
            try:
                results = await loop.run_in_executor(self._executor, self._compute, [job.item for job in batch])
            except Exception as error:  # fails this batch only
                for job in batch:
                    if not job.result.done():
                        job.result.set_exception(error)
                continue
            if self._on_batch:
                size = sum(len(job.item) for job in batch)
                self._on_batch(len(batch), size, started - batch[0].arrived, time.monotonic() - started)
            for job, result in zip(batch, results, strict=True):
                if not job.result.done():  # the client may have disconnected
                    job.result.set_result(result)

    async def _wait_for_batch(self) -> None:
        """Wait for the first item, then for others until the batch is full or the time is over."""
        while not self._jobs:
            self._arrived.clear()
            await self._arrived.wait()
        while not self._full():
            left = self._jobs[0].arrived + self._wait - time.monotonic()
            if left <= 0:
                return
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                return

    def _full(self) -> bool:
        longest = max(len(job.item) for job in self._jobs)
        return (len(self._jobs) + 1) * longest > self._utterances

    def _next_batch(self) -> list[_Job[Item, Result]]:
        """The next batch, in order of arrival."""
        batch: list[_Job[Item, Result]] = []
        longest = 0
        while self._jobs:
            job = self._jobs[0]
            longest = max(longest, len(job.item))
            if batch and (len(batch) + 1) * longest > self._utterances:
                break
            self._jobs.popleft()
            if not job.result.done():
                batch.append(job)
        return batch


@dataclass
class StreamStep:
    """The next utterance of a stream, with its features."""

    spoken: StreamInput
    reads: int
    """Number of utterances that the model processes to predict it."""

    def __len__(self) -> int:
        return self.reads


@dataclass
class StepResult:
    """The prediction of a stream's utterance."""

    prediction: Prediction
    problems: list[str] = field(default_factory=list)
    """Why modalities are missing, one line each."""


class StreamBatcher:
    """Predicts the utterances of streams, with the model and encoders of the other requests.

    Args:
        predictor: Their predictor.
        config: The limits.
        executor: Where the model computes; one thread.
        on_batch: Called after each batch.
    """

    def __init__(self, predictor: Predictor, config: ServingConfig, executor: Executor, on_batch: OnBatch) -> None:
        self._stream = StreamingPredictor(
            predictor.engine,
            name=predictor.name,
            folder=predictor.folder,
            history=config.stream_history,
            makers=predictor.makers,
        )
        self._executor, self._history = executor, config.stream_history
        self._batcher = Batcher(
            self.compute, config.batch_wait_ms / 1000, config.batch_utterances, on_batch, executor=executor
        )
        self.recorded = [m for m in predictor.recorded if predictor.makers[m].step != "z:conversation"]
        """The modalities that can be extracted from the clip of a single utterance."""

    @property
    def alive(self) -> bool:
        """Whether it is running."""
        return self._batcher.alive

    @property
    def notes(self) -> list[str]:
        """Notes for clients on features that streams do not support."""
        return self._stream.notes

    def warm_up(self) -> None:
        """Predict an utterance, since the first prediction loads libraries."""
        with suppress(InputError):
            self._stream.add(Utterance("", "", "Hello, how are you?"))
        self._stream.reset()

    def start(self) -> None:
        """Start computing; requires a running event loop."""
        self._batcher.start()

    async def close(self) -> None:
        """Stop; queued utterances are cancelled."""
        await self._batcher.close()

    async def predict(self, spoken: StreamInput, number: int) -> StepResult:
        """Predict the next utterance of a conversation; `number` counts those before it.

        Raises:
            InputError: It cannot be predicted; the conversation is unchanged.
        """
        reads = 1 if self._stream.causal else min(number + 1, self._history)
        return await self._batcher.predict(StreamStep(spoken, reads))

    def forget(self, conversation: str) -> None:
        """Forget a conversation, after the current batch."""
        self._executor.submit(self._stream.forget, conversation)

    def compute(self, batch: Sequence[StreamStep]) -> list[StepResult | InputError]:
        """Predict utterances of several streams together; returns a result, or the error, for each."""
        try:
            predictions = self._stream.add_all([step.spoken for step in batch])
        except InputError as error:
            if len(batch) == 1:
                return [error]
            return [result for step in batch for result in self.compute([step])]
        problems = self._stream.problems
        return [
            StepResult(prediction, [line for line in problems if line.startswith(f"{step.spoken.location}: ")])
            for step, prediction in zip(batch, predictions, strict=True)
        ]
