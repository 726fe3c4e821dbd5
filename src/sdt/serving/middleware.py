"""The outermost middleware: access, limits, timeouts, error responses, metrics and one log line per request."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from sdt.errors import printable
from sdt.serving.access import AccessControl
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError, limit_exceeded, service_stopping
from sdt.serving.exchange import (
    INTERNAL_ERROR,
    SWITCHING_PROTOCOLS,
    Receive,
    RequestBody,
    ResponseSender,
    Scope,
    Send,
    WebSocketSender,
)
from sdt.serving.limits import LARGE, ConcurrencyLimiter, trim_memory
from sdt.serving.monitoring import Metrics

App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("sdt.serving")

LIMITED = ("/v1/predict", "/v1/predict/batch", "/v1/transcript", "/v1/transcribe")
"""Routes that compute or parse: their requests are counted, logged and limited."""
MANY_UTTERANCES = 100
"""Minimum number of utterances of a request whose memory is returned to the system."""
CLIENT_CLOSED = 499
"""Logged status of a request whose client disconnected before the response."""


class ServiceMiddleware:
    """Checks every request before the application, and turns every exception into a response.

    Args:
        app: The application.
        config: The limits.
        metrics: Receives status and duration of every request.
        limiter: Limits the concurrent requests.
        access: Decides which requests are allowed.
        routes: Paths in metrics and logs; all others are reported as `other`.
        log_words: Whether the log may contain conversations.
    """

    def __init__(
        self,
        app: App,
        *,
        config: ServingConfig,
        metrics: Metrics,
        limiter: ConcurrencyLimiter,
        access: AccessControl,
        routes: frozenset[str],
        log_words: bool,
    ) -> None:
        self._app, self._config, self._metrics, self._limiter = app, config, metrics, limiter
        self._access = access
        self._routes, self._log_words = routes, log_words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        response = ResponseSender(send)
        body = RequestBody(scope, receive, self._config)
        fields = _log_fields(scope)
        limited = scope["path"] in LIMITED and scope["method"] == "POST"
        try:
            await self._run_limited(scope, body, response, limited=limited)
        except APIError as error:
            if not response.status:
                await body.drain()
            await response.refuse(error)
        except ClientDisconnect:
            response.status = response.status or CLIENT_CLOSED
        except Exception as error:
            await response.refuse(self._internal_error(error))
        finally:
            if body.size > LARGE or fields.get("utterances", 0) > MANY_UTTERANCES:
                trim_memory()
            seconds = time.perf_counter() - started
            status, route = response.status or CLIENT_CLOSED, self._route(scope)
            self._metrics.requests.labels(route, str(status)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            if limited or status >= 500:
                log.info("%s %s %d %.0f ms%s", scope["method"], route, status, 1000 * seconds, _listed(fields))

    async def _run_limited(self, scope: Scope, body: RequestBody, response: ResponseSender, *, limited: bool) -> None:
        """Run the application if the request is allowed and within the limits."""
        self._access.check(scope)
        body.check_length()
        if not limited:
            await self._app(scope, body.receive, response.send)
            return
        with self._limiter.acquire():
            try:
                async with asyncio.timeout(self._config.request_seconds) as deadline:
                    scope["state"]["deadline"] = deadline  # transcriptions have a limit of their own
                    await self._app(scope, body.receive, response.send)
            except TimeoutError:
                what = "the request took too long" if body.complete else "the body of the request came too slowly"
                raise limit_exceeded(self._config, "request_seconds", what) from None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        sender = WebSocketSender(send, scope)
        fields = _log_fields(scope)
        try:
            self._access.check(scope)
            if self._limiter.stopping:
                raise service_stopping()
            await self._app(scope, receive, sender.send)
        except APIError as error:
            await sender.refuse(error)
        except WebSocketDisconnect:
            pass
        except Exception as error:
            fields["closed"] = INTERNAL_ERROR
            await sender.refuse(self._internal_error(error))
        finally:
            route = self._route(scope)
            self._metrics.requests.labels(route, str(sender.status or CLIENT_CLOSED)).inc()
            if sender.status == SWITCHING_PROTOCOLS or sender.status >= 500:
                seconds = time.perf_counter() - started
                closed = fields.pop("closed", 0)
                log.info("WS %s %d %.1f s%s, closed %d", route, sender.status, seconds, _listed(fields), closed)

    def _route(self, scope: Scope) -> str:
        path: str = scope["path"]
        return path if path in self._routes else "other"

    def _internal_error(self, error: Exception) -> APIError:
        """Log an unexpected exception; its message may contain parts of the conversation."""
        name = type(error).__name__
        text = f"{name}: {printable(str(error))}" if self._log_words else name
        log.error("%s\n%s", text, "".join(traceback.format_tb(error.__traceback__)))
        return APIError(500, "internal", "internal error; see the log of the service")


def _log_fields(scope: Scope) -> dict[str, Any]:
    """Create the fields of the log line of this request, which the application sets in `request.state.log_fields`."""
    fields: dict[str, Any] = {}
    scope.setdefault("state", {})["log_fields"] = fields
    return fields


def _listed(fields: Mapping[str, Any]) -> str:
    return "".join(f", {value} {name}" for name, value in fields.items())
