"""How much the service holds of requests at a time."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.requests import Request

from sdt.conversation import Conversation
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError
from sdt.serving.exchange import Message
from sdt.serving.limits import UTTERANCE_BYTES, MemoryBudget
from sdt.serving.request_reader import RequestReader
from tests.prediction.models import tiny_model

BODY = json.dumps({"utterances": [{"text": "x" * 5000}]}).encode()


def test_what_all_requests_together_hold_is_bounded() -> None:
    settings = ServingConfig(held_bytes=len(BODY) + UTTERANCE_BYTES)
    held = MemoryBudget(settings)
    reader = RequestReader(tiny_model().config, settings, held)

    async def ask(go_on: asyncio.Event, came: asyncio.Event) -> Conversation:
        parts = [BODY[:5000], BODY[5000:]]

        async def receive() -> Message:
            if len(parts) == 1:
                came.set()
                await go_on.wait()
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json; charset=utf-8")]}
        async with reader.predict_request(Request(scope, receive)) as asked:
            assert held.bytes == UTTERANCE_BYTES  # the body is read by now
            return asked.conversation

    async def main() -> None:
        come, now = asyncio.Event(), asyncio.Event()
        slow = asyncio.create_task(ask(now, come))
        await come.wait()
        assert held.bytes == 5000
        with pytest.raises(APIError) as refused:  # together with what the first one has sent it is too much
            await ask(now, asyncio.Event())
        assert (refused.value.status, refused.value.limit) == (503, "held_bytes")
        now.set()
        assert (await slow).utterances[0].text == "x" * 5000
        assert (await ask(now, come)).id == "conversation"  # all is given back
        assert held.bytes == 0

    asyncio.run(main())
