"""The service behind the routes: connects the request reader, the decoders, the batchers and the limits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sdt.errors import InputError
from sdt.media.recordings import is_video_file
from sdt.prediction.predictions import Predictions
from sdt.serving.access import AccessControl
from sdt.serving.batching import Batcher, StreamBatcher
from sdt.serving.config import ServingConfig
from sdt.serving.decoder_pool import DecoderPool
from sdt.serving.errors import invalid_request
from sdt.serving.limits import ConcurrencyLimiter, MemoryBudget
from sdt.serving.monitoring import Metrics, Progress, ProgressRegistry
from sdt.serving.predict_request import PredictRequest
from sdt.serving.predictor import Predictor, PreparedConversation
from sdt.serving.request_reader import RequestReader
from sdt.serving.sessions import SessionStore
from sdt.serving.transcriber_pool import TranscriberPool


class Service:
    """The components behind the routes.

    Args:
        predictor: The model.
        config: The limits.
        access: Decides which requests are allowed; by default all requests from this machine.
        log_words: Whether the log may contain conversations.
        transcriber: The recogniser of recordings without a transcript and of live speech; None to refuse them.
    """

    def __init__(
        self,
        predictor: Predictor,
        config: ServingConfig,
        *,
        access: AccessControl | None = None,
        log_words: bool = False,
        transcriber: str | None = None,
    ) -> None:
        self.predictor, self.config, self.log_words = predictor, config, log_words
        self.transcriber = transcriber
        self.access = access or AccessControl()
        self.metrics = Metrics()
        self.limiter = ConcurrencyLimiter(config)
        self.metrics.running.set_function(lambda: self.limiter.running)
        self.progress = ProgressRegistry()
        self.memory = MemoryBudget(config)
        self.reader = RequestReader(predictor.config, config, self.memory)
        self.executor = ThreadPoolExecutor(1, "model")
        """The thread in which the model computes requests and streams."""
        self.batcher = Batcher(
            predictor.predict,
            config.batch_wait_ms / 1000,
            config.batch_utterances,
            self.metrics.observe_batch,
            executor=self.executor,
        )
        self.stream_batcher = StreamBatcher(predictor, config, self.executor, self.metrics.observe_step)
        self.sessions = SessionStore(config, self.stream_batcher.forget)
        self.metrics.streams.set_function(lambda: self.sessions.connected)
        self.metrics.stream_conversations.set_function(lambda: len(self.sessions))
        self.decoders: DecoderPool | None = None
        """None if the model uses no recordings."""
        if predictor.recorded:
            self.decoders = DecoderPool(predictor.config, predictor.folder, config, self.metrics.count_decode)

        self.transcribers = TranscriberPool(transcriber, config, self.metrics.count_transcription)
        self.listeners = TranscriberPool(transcriber, config)
        """Another process for live speech, which does not wait for recordings; started by the first listener."""

    @property
    def ready(self) -> bool:
        """Whether the service can answer requests."""
        return self.batcher.alive and self.stream_batcher.alive and not self.limiter.stopping

    @property
    def running(self) -> int:
        """The number of open requests and streams."""
        return self.limiter.running + self.sessions.connected

    def warm_up(self) -> None:
        """Predict an utterance before `start`, since the first prediction loads libraries."""
        self.predictor.warm_up()
        self.stream_batcher.warm_up()

    async def start(self) -> None:
        """Start the batchers and the decoders."""
        self.batcher.start()
        self.stream_batcher.start()
        if self.decoders:
            self.decoders.start()
        self.transcribers.start()

    async def close(self) -> None:
        """Stop all components."""
        self.sessions.close()
        await self.stream_batcher.close()
        await self.batcher.close()
        self.executor.shutdown(wait=False, cancel_futures=True)
        if self.decoders:
            await asyncio.to_thread(self.decoders.close)
        for pool in (self.transcribers, self.listeners):
            await asyncio.to_thread(pool.close)

    async def predict(self, request: PredictRequest, progress: Progress | None = None) -> Predictions:
        """Predict one conversation.

        Args:
            request: The conversation.
            progress: Updated while the request runs.

        Raises:
            APIError: The conversation or its recordings cannot be used.
        """
        progress = progress or Progress()
        prepared = PreparedConversation(request.conversation, request.notes, bool(request.uploads), request.features)
        prepared.has_video = any(is_video_file(Path(upload.name)) for upload in request.uploads)
        if request.uploads and self.decoders:
            progress.waiting()
            report = await self.decoders.report()
            prepared.unavailable = {m: str(of["reason"]) for m, of in report.items() if "reason" in of}
            scale = max(1.0, request.seconds / self.config.media_seconds)
            request.extracted = prepared.extracted = await self.decoders.extract(
                request.conversation, request.uploads, progress.decoding, scale
            )
            prepared.encoder_notes = [f"{modality}: {of['note']}" for modality, of in report.items() if of.get("note")]
        progress.predicting()
        try:
            return await self.batcher.predict(prepared)
        except InputError as error:
            raise invalid_request(str(error)) from None

    async def predict_all(self, requests: Sequence[PredictRequest]) -> list[Predictions]:
        """Predict several conversations, approximately one batch at a time, so that other requests are not blocked.

        Raises:
            ExceptionGroup: At least one of them cannot be predicted; see `predict`.
        """
        found: list[Predictions] = []
        first = 0
        while first < len(requests):
            size, last = 0, first
            while last < len(requests) and (last == first or size < self.config.batch_utterances):
                size += len(requests[last].conversation)
                last += 1
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.predict(request)) for request in requests[first:last]]
            found += [task.result() for task in tasks]
            first = last
        return found
