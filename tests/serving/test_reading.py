"""How much JSON the service holds at a time."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.requests import Request

from sdt.serving.asked import Asked
from sdt.serving.exchange import Message
from sdt.serving.held import Held
from sdt.serving.reading import Reader
from sdt.serving.refusals import Refusal
from sdt.serving.settings import Settings
from tests.prediction.models import tiny_model

BODY = json.dumps({"utterances": [{"text": "x" * 100}]}).encode()


def test_json_of_all_requests_together_is_bounded() -> None:
    settings = Settings(held_bytes=len(BODY) + 10)
    held = Held(settings)
    reader = Reader(tiny_model().config, settings, held)

    def ask(go_on: asyncio.Event) -> asyncio.Task[Asked]:
        parts = [BODY[:60], BODY[60:]]

        async def receive() -> Message:
            if len(parts) == 1:
                await go_on.wait()
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"application/json; charset=utf-8")]}
        return asyncio.create_task(reader.one(Request(scope, receive)))

    async def main() -> None:
        first, second = asyncio.Event(), asyncio.Event()
        slow, other = ask(first), ask(second)
        while held.bytes < 2 * 60:
            await asyncio.sleep(0)
        second.set()  # together with the 60 bytes of the first it is too much
        with pytest.raises(Refusal) as refused:
            await other
        assert (refused.value.status, refused.value.limit) == (503, "held_bytes")
        first.set()
        assert (await slow).conversation.utterances[0].text == "x" * 100
        second.set()
        assert (await ask(second)).conversation.id == "conversation"  # all is given back

    asyncio.run(main())
