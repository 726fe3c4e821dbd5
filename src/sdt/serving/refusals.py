"""How the service says no: a status, and a JSON body that says what was wrong and, where a limit was met, which."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sdt.serving.settings import Settings

LIMIT_STATUS = {
    "body_bytes": 413,
    "json_bytes": 413,
    "transcript_bytes": 413,
    "held_bytes": 503,
    "utterances": 422,
    "request_utterances": 422,
    "conversations": 422,
    "characters": 422,
    "files": 422,
    "media_seconds": 413,
    "request_seconds": 503,
    "concurrent": 429,
    "decode_seconds": 503,
    "decode_bytes": 422,
    "stop_seconds": 503,
    "streams": 503,
    "stream_utterances": 422,
}
"""The limit to the status of a request that goes beyond it."""
RETRY = {429, 503}
"""Where the same request may succeed later."""


class Refusal(Exception):  # noqa: N818 - an answer, not an error of the program
    """A request that is answered with a status of 400 or more.

    Args:
        status: Of HTTP.
        code: A word that programs can tell it by.
        message: One line for people.
        limit: The name of the setting that was exceeded.
        value: Its value.
        details: Where in the request, for what is not valid.
        headers: To send with the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        limit: str | None = None,
        value: float | None = None,
        details: Sequence[Mapping[str, object]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.limit, self.value, self.details = limit, value, details
        self.headers = {**({"retry-after": "1"} if status in RETRY else {}), **(headers or {})}

    def body(self) -> bytes:
        """The JSON of the answer."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.limit is not None:
            error["limit"] = {"name": self.limit, "value": self.value}
        if self.details:
            error["details"] = list(self.details)
        # Escaped, since what is quoted of a request may hold what UTF-8 cannot.
        return json.dumps({"error": error}).encode("ascii")

    def messages(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The answer as ASGI's two messages."""
        body = self.body()
        headers = {**self.headers, "content-type": "application/json", "content-length": str(len(body))}
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        start = {"type": "http.response.start", "status": self.status, "headers": pairs}
        return start, {"type": "http.response.body", "body": body}


def beyond(settings: Settings, limit: str, message: str) -> Refusal:
    """What goes beyond a limit is refused like this."""
    value = getattr(settings, limit)
    return Refusal(
        LIMIT_STATUS[limit], f"limit_{limit}", f"{message} (limit {limit}: {value:,})", limit=limit, value=value
    )


def invalid(message: str, details: Sequence[Mapping[str, object]] = ()) -> Refusal:
    """What cannot be used for what it says."""
    return Refusal(422, "invalid", message, details=details)


def stopping() -> Refusal:
    """The service is about to end."""
    return Refusal(503, "stopping", "the service is stopping; ask another one, or later")
