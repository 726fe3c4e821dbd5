"""The state of the service for operators and clients: Prometheus metrics, and the progress of running requests.

Neither contains conversation content.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120)
COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
METRICS_TYPE = CONTENT_TYPE_LATEST
PROGRESS_HEADER = "x-progress-id"
_ID = re.compile(r"[A-Za-z0-9_-]{16,64}")
"""Progress ids; long enough that clients cannot guess those of others."""


class Metrics:
    """The metrics that Prometheus reads at `/metrics`, in a registry of this service."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = self._counter("requests", "Requests by route and status.", "route", "status")
        self.seconds = self._histogram("request_seconds", "Seconds from first byte to response.", SECONDS, "route")
        self.running = self._gauge("requests_running", "Requests for predictions that are running.")
        self.utterances = self._counter("utterances", "Predicted utterances.")
        self.batch_conversations = self._histogram("batch_conversations", "Conversations of a batch.", COUNTS)
        self.batch_utterances = self._histogram("batch_utterances", "Utterances of a batch.", COUNTS)
        self.batch_wait = self._histogram("batch_wait_seconds", "Waiting time of a batch's first request.", SECONDS)
        self.batch_seconds = self._histogram("batch_seconds", "Computing time of a batch.", SECONDS)
        self.decodes = self._counter(
            "decodes", "Conversations with uploads: made, refused, or the decoder died or was slow.", "how"
        )
        self.transcriptions = self._counter(
            "transcriptions",
            "Transcribed recordings: made, refused, cancelled, or the process died or was slow.",
            "how",
        )
        self.streams = self._gauge("streams_open", "Connected streams.")
        self.stream_conversations = self._gauge("stream_conversations", "Stream sessions, connected or kept.")
        self.stream_utterances = self._counter("stream_utterances", "Predicted utterances of streams.")
        self.step_utterances = self._histogram("stream_step_utterances", "Utterances of a stream batch.", COUNTS)
        self.step_wait = self._histogram(
            "stream_step_wait_seconds", "Waiting time of a stream batch's first utterance.", SECONDS
        )
        self.step_seconds = self._histogram("stream_step_seconds", "Computing time of a stream batch.", SECONDS)

    def _counter(self, name: str, help: str, *labels: str) -> Counter:
        return Counter(f"sdt_{name}", help, labels, registry=self.registry)

    def _gauge(self, name: str, help: str) -> Gauge:
        return Gauge(f"sdt_{name}", help, registry=self.registry)

    def _histogram(self, name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"sdt_{name}", help, labels, buckets=buckets, registry=self.registry)

    def observe_batch(self, conversations: int, utterances: int, waited: float, seconds: float) -> None:
        """Count a batch of requests; see `OnBatch`."""
        self.batch_conversations.observe(conversations)
        self.batch_utterances.observe(utterances)
        self.batch_wait.observe(waited)
        self.batch_seconds.observe(seconds)
        self.utterances.inc(utterances)

    def observe_step(self, utterances: int, read: int, waited: float, seconds: float) -> None:  # noqa: ARG002
        """Count a batch of stream utterances; see `OnBatch`."""
        self.step_utterances.observe(utterances)
        self.step_wait.observe(waited)
        self.step_seconds.observe(seconds)
        self.stream_utterances.inc(utterances)
        self.utterances.inc(utterances)

    def count_decode(self, how: str) -> None:
        """Count a conversation whose uploads were decoded with this result."""
        self.decodes.labels(how).inc()

    def count_transcription(self, how: str) -> None:
        """Count a recording whose transcription had this result."""
        self.transcriptions.labels(how).inc()

    def render(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)


class Progress:
    """The progress of one request; updated from any thread."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._state: tuple[str, str | None, int, int] = ("receiving", None, 0, 0)

    def waiting(self) -> None:
        """Set the stage: the request waits for a process that decodes or transcribes recordings."""
        self._state = ("waiting", None, 0, 0)

    def decoding(self, modality: str, done: int, total: int) -> None:
        """Set the stage: a modality has been extracted from `done` of `total` utterances."""
        self._state = ("decoding", modality, done, total)

    def transcribing(self, stage: str, done: float, total: float) -> None:
        """This stage, `speakers` or `words`, has reached so many of all seconds of the recording."""
        self._state = (stage, None, round(done), round(total))

    def predicting(self) -> None:
        """Set the stage: the request is in the model's queue or being computed."""
        self._state = ("predicting", None, 0, 0)

    def to_dict(self) -> dict[str, object]:
        """The JSON of the response."""
        stage, modality, done, total = self._state
        seconds = round(time.monotonic() - self._started, 3)
        return {"stage": stage, "modality": modality, "done": done, "total": total, "seconds": seconds}


class ProgressRegistry:
    """The progress of the running requests by their ids.

    A client chooses an id, sends it as `X-Progress-Id` with its request, and polls `GET /v1/progress/ID` meanwhile.
    Finished requests are removed.
    """

    def __init__(self) -> None:
        self._running: dict[str, Progress] = {}

    @contextmanager
    def track(self, id: str | None) -> Iterator[Progress]:
        """Register the progress of a request until the end of the block.

        Args:
            id: The client's id; one that is not 16 to 64 letters, digits, - and _ is not registered.
        """
        progress = Progress()
        if id is None or not _ID.fullmatch(id):
            yield progress
            return
        self._running[id] = progress  # the later of two requests with the same id is found
        try:
            yield progress
        finally:
            if self._running.get(id) is progress:
                del self._running[id]

    def get(self, id: str) -> dict[str, object]:
        """The JSON of a request's progress; its stage is `unknown` if no request with this id runs."""
        progress = self._running.get(id)
        if progress is None:
            return {"stage": "unknown", "modality": None, "done": 0, "total": 0, "seconds": 0.0}
        return progress.to_dict()
