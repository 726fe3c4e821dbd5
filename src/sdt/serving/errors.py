"""Error responses: a status, and a JSON body with a code, a message and, where one was exceeded, the limit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sdt.serving.config import LIMIT_STATUS, ServingConfig

RETRY = {429, 503}
"""Statuses after which the same request may succeed later."""


class APIError(Exception):
    """A request that is answered with a status of 400 or more.

    Args:
        status: The HTTP status.
        code: A machine-readable code.
        message: One line for people.
        limit: The name of the limit that was exceeded.
        value: The value of that limit.
        details: The invalid places of the request, with a message each.
        headers: Headers of the response.
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
        """The JSON of the response."""
        error: dict[str, object] = {"code": self.code, "message": self.message}
        if self.limit is not None:
            error["limit"] = {"name": self.limit, "value": self.value}
        if self.details:
            error["details"] = list(self.details)
        # ASCII: a message that quotes the request may hold characters that UTF-8 cannot encode.
        return json.dumps({"error": error}).encode("ascii")

    def messages(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The two ASGI messages of the response."""
        body = self.body()
        headers = {**self.headers, "content-type": "application/json", "content-length": str(len(body))}
        pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        start = {"type": "http.response.start", "status": self.status, "headers": pairs}
        return start, {"type": "http.response.body", "body": body}


def limit_exceeded(config: ServingConfig, limit: str, message: str) -> APIError:
    """The error of a request that exceeds the limit of this name."""
    value = getattr(config, limit)
    text = f"{message} (limit {limit}: {value:,})"
    return APIError(LIMIT_STATUS[limit], f"limit_{limit}", text, limit=limit, value=value)


def invalid_request(message: str, details: Sequence[Mapping[str, object]] = ()) -> APIError:
    """The error of a request whose content cannot be used."""
    return APIError(422, "invalid", message, details=details)


def service_stopping() -> APIError:
    """The error of a request that arrives while the service stops."""
    return APIError(503, "stopping", "the service is stopping; try again later or use another instance")
