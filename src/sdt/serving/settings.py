"""What the service allows and how it runs; every number is an option of `sdt serve`. Nothing heavy is imported here."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from sdt.errors import InputError

MIB = 2**20
NONE_IS_FINE = ("batch_wait_ms", "stop_seconds", "stream_keep_seconds")
"""The settings that may be 0."""


def _help(said: str) -> dict[str, str]:
    return {"help": said}


@dataclass(frozen=True)
class Settings:
    """The limits of the service. Messages and answers name them as they are called here."""

    body_bytes: int = field(default=256 * MIB, metadata=_help("bytes of a request's body; counted while it arrives"))
    json_bytes: int = field(default=16 * MIB, metadata=_help("bytes of JSON in a body, or of a stream's message"))
    transcript_bytes: int = field(default=MIB, metadata=_help("bytes of a transcript"))
    held_bytes: int = field(
        default=64 * MIB, metadata=_help("bytes of memory for what requests say, of all requests together")
    )
    utterances: int = field(default=1000, metadata=_help("utterances of a conversation"))
    request_utterances: int = field(default=10_000, metadata=_help("utterances of a batch request"))
    conversations: int = field(default=100, metadata=_help("conversations of a batch request"))
    characters: int = field(default=5000, metadata=_help("characters of an utterance's text"))
    files: int = field(default=256, metadata=_help("recordings of a request"))
    media_seconds: float = field(default=1800.0, metadata=_help("seconds that a recording may last"))
    request_seconds: float = field(
        default=120.0, metadata=_help("seconds of a request, from its first byte to its answer")
    )
    concurrent: int = field(default=256, metadata=_help("requests at a time"))
    decoders: int = field(default=2, metadata=_help("processes that decode uploads"))
    decode_seconds: float = field(default=100.0, metadata=_help("seconds of decoding for a conversation"))
    decode_bytes: int = field(
        default=2048 * MIB, metadata=_help("bytes of memory that a decoding process may take for an upload")
    )
    batch_wait_ms: float = field(
        default=4.0, metadata=_help("milliseconds that a request waits for others to run with")
    )
    batch_utterances: int = field(
        default=512, metadata=_help("utterances that run together; 1 runs every conversation alone")
    )
    stop_seconds: float = field(
        default=30.0, metadata=_help("seconds that running requests have to finish when the service stops")
    )
    streams: int = field(default=256, metadata=_help("conversations of streams, connected or kept for who comes back"))
    stream_utterances: int = field(default=10_000, metadata=_help("utterances of a stream's conversation"))
    stream_history: int = field(
        default=64, metadata=_help("utterances that are read again for each new one, where the model is not causal")
    )
    stream_idle_seconds: float = field(
        default=600.0, metadata=_help("seconds after which a stream that says nothing is closed")
    )
    stream_keep_seconds: float = field(
        default=600.0, metadata=_help("seconds for which a conversation is kept when its stream has ended")
    )

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            least = 0 if option.name in NONE_IS_FINE else 1
            if not (math.isfinite(value) and value >= least):
                raise InputError(f"--{option.name.replace('_', '-')}: {value} is less than {least}, or no number")
