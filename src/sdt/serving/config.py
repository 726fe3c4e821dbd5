"""The limits of the service; every field is an option of `sdt serve`. `--help` imports this module."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from sdt.errors import InputError

MIB = 2**20
MAY_BE_ZERO = ("batch_wait_ms", "stop_seconds", "stream_keep_seconds")
"""The fields that accept 0."""


def _limit(default: float, help: str, status: int | None = None) -> Any:  # noqa: ANN401 - as dataclasses.field
    """A field with its help, and the HTTP status of requests that exceed it."""
    return field(default=default, metadata={"help": help, "status": status})


@dataclass(frozen=True)
class ServingConfig:
    """The limits of the service. Error responses name them as these fields."""

    body_bytes: int = _limit(256 * MIB, "bytes of a request body, counted as it arrives", 413)
    json_bytes: int = _limit(16 * MIB, "bytes of JSON in a request body, or of a stream message", 413)
    transcript_bytes: int = _limit(MIB, "bytes of a transcript", 413)
    held_bytes: int = _limit(64 * MIB, "bytes of memory for the content of all current requests", 503)
    utterances: int = _limit(1000, "utterances of a conversation", 422)
    request_utterances: int = _limit(10_000, "utterances of a batch request", 422)
    conversations: int = _limit(100, "conversations of a batch request", 422)
    characters: int = _limit(5000, "characters of an utterance's text", 422)
    files: int = _limit(256, "recordings of a request", 422)
    media_seconds: float = _limit(1800.0, "duration of a recording, in seconds", 413)
    request_seconds: float = _limit(120.0, "seconds from the first byte of a request to its response", 503)
    concurrent: int = _limit(256, "concurrent requests", 429)
    decoders: int = _limit(2, "processes that decode recordings")
    decode_seconds: float = _limit(100.0, "seconds of decoding for a conversation", 503)
    decode_bytes: int = _limit(2048 * MIB, "bytes of memory that decoding an upload may take", 422)
    recording_seconds: float = _limit(7200.0, "duration of a recording that is transcribed, in seconds", 413)
    transcribe_seconds: float = _limit(7200.0, "seconds of transcribing a recording", 503)
    transcribe_bytes: int = _limit(3072 * MIB, "bytes of memory that transcribing a recording may take", 422)
    batch_wait_ms: float = _limit(4.0, "milliseconds that a request waits for others to share its batch")
    batch_utterances: int = _limit(512, "utterances of a batch; 1 disables batching")
    stop_seconds: float = _limit(30.0, "seconds that running requests have to finish when the service stops", 503)
    streams: int = _limit(256, "stream sessions, connected or kept for a reconnect", 503)
    stream_utterances: int = _limit(10_000, "utterances of a stream session", 422)
    stream_history: int = _limit(64, "utterances that a model that is not causal reads again for each new utterance")
    stream_idle_seconds: float = _limit(600.0, "seconds without a message after which a stream is closed")
    stream_keep_seconds: float = _limit(600.0, "seconds for which a session is kept after its stream has closed")

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            least = 0 if option.name in MAY_BE_ZERO else 1
            if not (math.isfinite(value) and value >= least):
                raise InputError(f"--{option.name.replace('_', '-')}: {value} is not a number of {least} or more")


LIMIT_STATUS: dict[str, int] = {
    option.name: option.metadata["status"]
    for option in dataclasses.fields(ServingConfig)
    if option.metadata["status"] is not None
}
"""Limit to the HTTP status of requests that exceed it."""
