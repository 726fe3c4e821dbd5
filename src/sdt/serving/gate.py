"""What every request passes before anything is done for it, and every answer on its way out.

Who may come in, whether the service is stopping, how many requests run at a time, how long one may take, how long its
body may be while it arrives; numbers and a line of log at the end. Whatever goes wrong inside becomes an answer here.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.websockets import WebSocketDisconnect

from sdt.errors import printable
from sdt.serving.admission import Admission
from sdt.serving.exchange import FAILED, OPEN, Answer, Body, Opened, Receive, Scope, Send, drained
from sdt.serving.memory import LARGE, give_back
from sdt.serving.metrics import Metrics
from sdt.serving.refusals import Refusal, beyond, stopping
from sdt.serving.settings import Settings

App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("sdt.serving")

HEAVY = ("/v1/predict", "/v1/predict/batch", "/v1/transcript")
"""Routes that compute or read: those that are counted and bounded."""
MANY = 100
"""Utterances of a request after which memory is given back to the system."""
GONE = 499
"""The status that is logged where the client did not wait for its answer."""


class Gate:
    """The outermost part of the application.

    Args:
        app: What is inside.
        settings: The limits.
        metrics: The numbers.
        admission: Who may come in.
        routes: The paths that are counted by name.
        log_words: Whether the log may quote what went wrong.
    """

    def __init__(
        self,
        app: App,
        *,
        settings: Settings,
        metrics: Metrics,
        doors: Doors,
        admission: Admission,
        routes: frozenset[str],
        log_words: bool,
    ) -> None:
        self._app, self._settings, self._metrics, self._doors = app, settings, metrics, doors
        self._admission = admission
        self._routes, self._log_words = routes, log_words

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        answer = Answer(send)
        body = Body(scope, receive, self._settings)
        said: dict[str, Any] = {}
        scope.setdefault("state", {})["said"] = said
        heavy = scope["path"] in HEAVY and scope["method"] == "POST"
        try:
            await self._inside(scope, body, answer, heavy=heavy)
        except Refusal as refusal:
            if not answer.status:
                await drained(body)
            await answer.refuse(refusal)
        except ClientDisconnect:
            answer.status = answer.status or GONE
        except Exception as error:
            await answer.refuse(self._failed(error))
        finally:
            if body.size > LARGE or said.get("utterances", 0) > MANY:
                give_back()
            seconds = time.perf_counter() - begun
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.requests.labels(route, str(answer.status or GONE)).inc()
            self._metrics.seconds.labels(route).observe(seconds)
            if heavy or answer.status >= 500:
                log.info(
                    "%s %s %d %.0f ms%s", scope["method"], route, answer.status or GONE, 1000 * seconds, _listed(said)
                )

    async def _inside(self, scope: Scope, body: Body, answer: Answer, *, heavy: bool) -> None:
        self._admission.check(scope)
        body.check()
        if not heavy:
            await self._app(scope, body.receive, answer.send)
            return
        with self._doors.open():
            try:
                async with asyncio.timeout(self._settings.request_seconds):
                    await self._app(scope, body.receive, answer.send)
            except TimeoutError:
                what = "the request took too long" if body.complete else "the request's body came too slowly"
                raise beyond(self._settings, "request_seconds", what) from None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.perf_counter()
        opened = Opened(send, scope)
        said: dict[str, Any] = {}
        scope.setdefault("state", {})["said"] = said
        try:
            self._admission.check(scope)
            if self._doors.stopping:
                raise stopping()
            await self._app(scope, receive, opened.send)
        except Refusal as refusal:
            await opened.refuse(refusal)
        except WebSocketDisconnect:
            pass
        except Exception as error:
            said["closed"] = FAILED
            await opened.refuse(self._failed(error))
        finally:
            route = scope["path"] if scope["path"] in self._routes else "other"
            self._metrics.requests.labels(route, str(opened.status or GONE)).inc()
            if opened.status == OPEN or opened.status >= 500:
                seconds = time.perf_counter() - begun
                closed = said.pop("closed", 0)
                log.info("WS %s %d %.1f s%s, closed %d", route, opened.status, seconds, _listed(said), closed)

    def _failed(self, error: Exception) -> Refusal:
        """Something went wrong inside: the log says what."""
        log.error("%s\n%s", self._described(error), "".join(traceback.format_tb(error.__traceback__)))
        return Refusal(500, "internal", "the service failed; its log says where")

    def _described(self, error: Exception) -> str:
        """An exception for the log: its message may quote the conversation."""
        return f"{type(error).__name__}: {printable(str(error))}" if self._log_words else type(error).__name__


class Doors:
    """How many requests are inside, and whether more may come in."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.running = 0
        self.stopping = False

    def open(self) -> Doors:
        """A place inside, given back at the end of the block.

        Raises:
            Refusal: There is none.
        """
        if self.stopping:
            raise stopping()
        if self.running >= self._settings.concurrent:
            raise beyond(self._settings, "concurrent", "too many requests at a time")
        return self

    def __enter__(self) -> None:
        self.running += 1

    def __exit__(self, *of_error: object) -> None:
        self.running -= 1


def _listed(said: MutableMapping[str, Any]) -> str:
    return "".join(f", {value} {name}" for name, value in said.items())
