"""What the service allows and how it runs; every number is an option of `sdt serve`. Nothing heavy is imported here."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from sdt.errors import InputError

MIB = 2**20


def _option(default: Any, said: str) -> Any:
    return field(default=default, metadata={"help": said})


@dataclass(frozen=True)
class Settings:
    """The limits of the service. Messages and answers name them as they are called here."""

    body_bytes: int = _option(256 * MIB, "bytes of a request's body; counted while it arrives")
    json_bytes: int = _option(16 * MIB, "bytes of JSON, or of a transcript, in a body")
    held_bytes: int = _option(512 * MIB, "bytes of JSON bodies in memory, of all requests together")
    utterances: int = _option(1000, "utterances of a conversation")
    conversations: int = _option(100, "conversations of a batch request")
    characters: int = _option(5000, "characters of an utterance's text")
    files: int = _option(256, "recordings of a request")
    media_seconds: float = _option(1800.0, "seconds that a recording may last")
    request_seconds: float = _option(120.0, "seconds of a request, from its first byte to its answer")
    concurrent: int = _option(256, "requests at a time")
    decoders: int = _option(2, "processes that decode uploads")
    decode_seconds: float = _option(100.0, "seconds of decoding for a conversation")
    decode_bytes: int = _option(2048 * MIB, "bytes of memory that a decoding process may take for an upload")
    batch_wait_ms: float = _option(4.0, "milliseconds that a request waits for others to run with")
    batch_utterances: int = _option(512, "utterances that run together; 1 runs every conversation alone")
    stop_seconds: float = _option(30.0, "seconds that running requests have to finish when the service stops")

    def __post_init__(self) -> None:
        for option in dataclasses.fields(self):
            value = getattr(self, option.name)
            least = 0 if option.name in ("batch_wait_ms", "stop_seconds") else 1
            if not (math.isfinite(value) and value >= least):
                raise InputError(f"--{option.name.replace('_', '-')}: {value} is less than {least}, or no number")
