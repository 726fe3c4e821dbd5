"""What Prometheus reads at `/metrics`; nothing in it says what was said."""

from __future__ import annotations

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
TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """The service's numbers, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        r = self.registry
        self.requests = Counter("sdt_requests", "Requests by route and status.", ("route", "status"), registry=r)
        self.seconds = Histogram(
            "sdt_request_seconds", "From first byte to answer.", ("route",), buckets=SECONDS, registry=r
        )
        self.running = Gauge("sdt_requests_running", "Requests for predictions that are running.", registry=r)
        self.utterances = Counter("sdt_utterances", "Utterances that were predicted.", registry=r)
        self.batch_conversations = Histogram(
            "sdt_batch_conversations", "Conversations that ran together.", buckets=COUNTS, registry=r
        )
        self.batch_utterances = Histogram(
            "sdt_batch_utterances", "Utterances that ran together.", buckets=COUNTS, registry=r
        )
        self.batch_wait = Histogram(
            "sdt_batch_wait_seconds", "How long the first of a batch waited.", buckets=SECONDS, registry=r
        )
        self.batch_seconds = Histogram("sdt_batch_seconds", "Computing of a batch.", buckets=SECONDS, registry=r)
        self.decodes = Counter(
            "sdt_decodes",
            "Conversations with uploads: made, refused, or the decoder died or was slow.",
            ("how",),
            registry=r,
        )

        self.streams = Gauge("sdt_streams_open", "Streams that are connected.", registry=r)
        self.stream_conversations = Gauge(
            "sdt_stream_conversations", "Conversations of streams, connected or kept.", registry=r
        )
        self.stream_utterances = Counter(
            "sdt_stream_utterances", "Utterances of streams that were predicted.", registry=r
        )
        self.step_utterances = Histogram(
            "sdt_stream_step_utterances", "Utterances of streams that ran together.", buckets=COUNTS, registry=r
        )
        self.step_wait = Histogram(
            "sdt_stream_step_wait_seconds", "How long the first of a step waited.", buckets=SECONDS, registry=r
        )
        self.step_seconds = Histogram("sdt_stream_step_seconds", "Computing of a step.", buckets=SECONDS, registry=r)

    def batch(self, conversations: int, utterances: int, waited: float, seconds: float) -> None:
        """A batch was computed."""
        self.batch_conversations.observe(conversations)
        self.batch_utterances.observe(utterances)
        self.batch_wait.observe(waited)
        self.batch_seconds.observe(seconds)
        self.utterances.inc(utterances)

    def step(self, utterances: int, read: int, waited: float, seconds: float) -> None:  # noqa: ARG002 - see `Told`
        """Utterances of streams were computed together."""
        self.step_utterances.observe(utterances)
        self.step_wait.observe(waited)
        self.step_seconds.observe(seconds)
        self.stream_utterances.inc(utterances)
        self.utterances.inc(utterances)

    def decoded(self, how: str) -> None:
        """A conversation's uploads went this way."""
        self.decodes.labels(how).inc()

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)
