"""The gate by itself, around applications that fail in ways that the service should not."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from sdt.serving.access import AccessControl
from sdt.serving.config import LIMIT_STATUS, ServingConfig
from sdt.serving.exchange import Message
from sdt.serving.limits import ConcurrencyLimiter
from sdt.serving.middleware import App, ServiceMiddleware
from sdt.serving.monitoring import Metrics
from tests.shared import ROOT

WORDS = "Rosebud"


class Passed:
    """A request through a gate."""

    def __init__(
        self, app: App, *, chunks: tuple[bytes, ...] = (b"",), log_words: bool = False, **changes: Any
    ) -> None:
        self.sent: list[Message] = []
        self.metrics = Metrics()
        settings = ServingConfig(**{k: v for k, v in changes.items() if k != "headers"})
        self.limiter = ConcurrencyLimiter(settings)
        gate = ServiceMiddleware(
            app,
            config=settings,
            metrics=self.metrics,
            limiter=self.limiter,
            access=AccessControl(),
            routes=frozenset(("/v1/predict",)),
            log_words=log_words,
        )
        scope = {"type": "http", "method": "POST", "path": "/v1/predict", "headers": changes.get("headers", [])}
        messages = self._messages(chunks)

        async def receive() -> Message:
            return next(messages)

        async def send(message: Message) -> None:
            self.sent.append(message)

        asyncio.run(gate(scope, receive, send))

    @staticmethod
    def _messages(chunks: tuple[bytes, ...]) -> Iterator[Message]:
        for place, chunk in enumerate(chunks):
            yield {"type": "http.request", "body": chunk, "more_body": place + 1 < len(chunks)}
        while True:
            yield {"type": "http.disconnect"}

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def error(self) -> Any:
        return json.loads(self.sent[1]["body"])["error"]


async def reads(_: object, receive: Any, send: Any) -> None:
    """Reads all and answers."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("log_words", [False, True])
def test_a_failure_is_answered_and_logged_without_words(caplog: pytest.LogCaptureFixture, log_words: bool) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError(WORDS)

    with caplog.at_level(logging.INFO, "sdt.serving"):
        logging.getLogger("sdt.serving").propagate = True
        passed = Passed(fails, log_words=log_words)
    assert (passed.status, passed.error["code"]) == (500, "internal")
    assert "RuntimeError" in caplog.text
    assert "in fails" in caplog.text
    assert (WORDS in caplog.text) == log_words
    assert WORDS not in passed.error["message"]
    assert passed.limiter.running == 0


def test_a_failure_after_the_answer_has_begun(caplog: pytest.LogCaptureFixture) -> None:
    async def fails(scope: object, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    assert [message["type"] for message in Passed(fails).sent] == ["http.response.start"]


def test_the_body_is_counted_while_it_arrives() -> None:
    assert Passed(reads, chunks=(b"x" * 50, b"x" * 50), body_bytes=100).status == 200
    passed = Passed(reads, chunks=(b"x" * 50, b"x" * 51, b"x"), body_bytes=100)
    assert (passed.status, passed.error["limit"]) == (413, {"name": "body_bytes", "value": 100})


def test_time_is_up() -> None:
    async def sleeps(_: object, receive: Any, send: Any) -> None:
        await receive()
        await asyncio.sleep(30)

    passed = Passed(sleeps, request_seconds=1)
    assert (passed.status, passed.error["limit"]) == (503, {"name": "request_seconds", "value": 1})
    assert passed.error["message"].startswith("the request took too long")
    assert dict(passed.sent[0]["headers"])[b"retry-after"] == b"1"
    text = passed.metrics.render().decode()
    assert 'sdt_requests_total{route="/v1/predict",status="503"} 1.0' in text


def test_websockets_want_the_token_too() -> None:
    sent: list[Message] = []

    async def app(*_: object) -> None:
        sent.append({"type": "inside"})

    async def ask(headers: list[tuple[bytes, bytes]]) -> None:
        settings = ServingConfig()
        more: dict[str, Any] = {"metrics": Metrics(), "limiter": ConcurrencyLimiter(settings), "routes": frozenset()}
        gate = ServiceMiddleware(app, config=settings, access=AccessControl("secret"), log_words=False, **more)

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            sent.append(message)

        await gate({"type": "websocket", "path": "/v1/stream", "headers": headers}, receive, send)

    asyncio.run(ask([]))
    asyncio.run(ask([(b"authorization", b"Bearer secret")]))
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": "token"}, {"type": "inside"}]


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("extension", [False, True])
def test_failures_of_websockets(accepted: bool, extension: bool, caplog: pytest.LogCaptureFixture) -> None:
    """Refused with a status while that is possible, closed with a code later; a full disk is no client that left."""
    sent: list[Message] = []

    async def app(scope: object, receive: object, send: Any) -> None:
        if accepted:
            await send({"type": "websocket.accept"})
        raise OSError(28, WORDS)

    async def send(message: Message) -> None:
        sent.append(message)

    async def main() -> None:
        settings = ServingConfig()
        more: dict[str, Any] = {
            "metrics": metrics,
            "limiter": ConcurrencyLimiter(settings),
            "routes": frozenset(("/v1/stream",)),
        }
        gate = ServiceMiddleware(app, config=settings, access=AccessControl(), log_words=False, **more)
        scope: dict[str, Any] = {"type": "websocket", "path": "/v1/stream", "headers": []}
        if extension:
            scope["extensions"] = {"websocket.http.response": {}}
        await gate(scope, receive, send)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    metrics = Metrics()
    logging.getLogger("sdt.serving").propagate = True
    with caplog.at_level(logging.INFO, "sdt.serving"):
        asyncio.run(main())
    if accepted:
        assert sent[1:] == [{"type": "websocket.close", "code": 1011, "reason": "internal"}]
    elif extension:
        assert (sent[0]["type"], sent[0]["status"]) == ("websocket.http.response.start", 500)
        assert json.loads(sent[1]["body"])["error"]["code"] == "internal"
    else:
        assert sent == [{"type": "websocket.close", "code": 1008, "reason": "internal"}]
    assert "OSError" in caplog.text
    assert WORDS not in caplog.text
    status = 101 if accepted else 500
    assert f'sdt_requests_total{{route="/v1/stream",status="{status}"}} 1.0' in metrics.render().decode()


def test_the_documentation_lists_every_limit_with_its_default() -> None:
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `--([a-z-]+)` \| (\S+) \| [^|]+ \| (\d*) ?\|$", text, re.MULTILINE)
    listed = {name.replace("-", "_"): (float(default), status) for name, default, status in rows}
    assert listed.keys() == {option.name for option in dataclasses.fields(ServingConfig)}
    for option in dataclasses.fields(ServingConfig):
        default, status = listed[option.name]
        assert default == option.default
        if status:
            assert LIMIT_STATUS[option.name] == int(status)
