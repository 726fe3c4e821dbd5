"""What goes over a stream's connection: frames that are none, floods, clients that do not read or do not answer."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.frames import Frame, Opcode

from sdt.serving import websocket
from tests.serving.inside import Inside, closed, heard, run, say

pytestmark = pytest.mark.xdist_group("serving")
HELLO = json.dumps({"type": "utterance", "text": "Hello."}).encode()


class Raw:
    """A connection on which anything can be sent."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def send(self, *frames: Frame | bytes) -> None:
        for frame in frames:
            self.writer.write(frame if isinstance(frame, bytes) else frame.serialize(mask=True))
        await self.writer.drain()

    async def ended(self, seconds: float = 20) -> tuple[int, str] | None:
        """The close frame that ends it; None where the connection is cut without one."""
        found = None
        async with asyncio.timeout(seconds):
            try:
                while True:
                    opcode, length = await self.reader.readexactly(2)
                    if length >= 126:
                        length = int.from_bytes(await self.reader.readexactly(2 if length == 126 else 8))
                    content = await self.reader.readexactly(length)
                    if opcode & 15 == Opcode.CLOSE:
                        found = int.from_bytes(content[:2]), content[2:].decode()
                        with suppress(RuntimeError):  # it may have said that it sends no more
                            await self.send(Frame(Opcode.CLOSE, content[:2]))
            except (asyncio.IncompleteReadError, ConnectionError):
                return found


@asynccontextmanager
async def connected(service: Inside, buffer: int | None = None) -> AsyncIterator[Raw]:
    """A plain connection; `buffer` is what the system keeps of what it does not read."""
    line = socket.socket()
    if buffer is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    line.setblocking(False)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", service.port))
    reader, writer = await asyncio.open_connection(sock=line)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def opened(service: Inside, path: str = "/v1/stream", *, buffer: int | None = None) -> AsyncIterator[Raw]:
    """A WebSocket."""
    async with connected(service, buffer) as raw:
        key = base64.b64encode(os.urandom(16)).decode()
        raw.writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{service.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert (await raw.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        yield raw


def text(content: bytes, *, opcode: Opcode = Opcode.TEXT, fin: bool = True) -> Frame:
    return Frame(opcode, content, fin)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([text(HELLO, opcode=Opcode.BINARY)], 1003),
        ([text(b"\xff")], 1007),
        ([text(HELLO[:-1] + b"\xc3", fin=False), text(b"\x28", opcode=Opcode.CONT)], 1007),
        ([text(b"x" * 3001)], 1009),
        ([text(b"x" * 2000, fin=False), text(b"x" * 1001, opcode=Opcode.CONT, fin=False)], 1009),
        ([text(b"", fin=False), *[text(b"", opcode=Opcode.CONT, fin=False)] * (websocket.FRAGMENTS + 9)], 1008),
        ([text(HELLO, opcode=Opcode.CONT)], 1002),
        ([text(HELLO, fin=False), text(HELLO)], 1002),
        ([b"\x09\x80\0\0\0\0"], 1002),  # a ping that is a fragment
        ([b"\xc1\x80\0\0\0\0"], 1002),  # compressed
        ([Frame(Opcode.CLOSE, b"\x03\xe8bye")], 1000),
    ],
)
def test_frames_that_are_not_taken(frames: list[Frame | bytes], code: int, caplog: pytest.LogCaptureFixture) -> None:
    async def use(service: Inside) -> None:
        async with opened(service) as raw:
            await raw.send(text(HELLO))
            await raw.send(*frames)
            ended = await raw.ended()
        assert ended is not None
        assert ended[0] == code
        async with service.connect() as line:
            await heard(line)
            assert (await say(line, "Hello."))["seq"] == 0

    with caplog.at_level("ERROR"):
        run(use, json_bytes=3000)
    assert caplog.text == ""


def test_a_message_in_many_fragments_is_one() -> None:
    async def use(service: Inside) -> None:
        content = json.dumps({"type": "utterance", "text": "ä" * 200}, ensure_ascii=False).encode()
        rest = [text(content[k : k + 1], opcode=Opcode.CONT, fin=False) for k in range(1, len(content))]
        async with opened(service) as raw, asyncio.timeout(10):
            await raw.send(text(content[:1], fin=False), *rest, text(b"", opcode=Opcode.CONT))
            await raw.reader.readuntil(b'"prediction"')
            await raw.reader.readuntil("ä".encode() * 200)

    run(use)


def test_rubbish_never_fails_inside(caplog: pytest.LogCaptureFixture) -> None:
    """Random bytes after the handshake: closed with a code, and nothing is logged."""
    import random

    generator = random.Random(0)

    async def use(service: Inside) -> None:
        for _ in range(60):
            async with opened(service) as raw:
                raw.writer.write(generator.randbytes(generator.randrange(1, 300)))
                if generator.random() < 0.5:
                    raw.writer.write_eof()
                else:
                    raw.writer.write(generator.randbytes(70_000))
                await raw.ended()
        async with asyncio.timeout(10):
            while service.service.sessions.connected:
                await asyncio.sleep(0.01)

    with caplog.at_level("ERROR"):
        run(use, json_bytes=50_000, stream_idle_seconds=2.0)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"POST /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /v1/stream?conversation=%ff HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"GET /v1/nowhere HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 8\r\n\r\n",
        b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX: \xff\r\n"
        b"Sec-WebSocket-Protocol: \xe4\r\n\r\n",
    ],
)
def test_handshakes_that_are_none(request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def use(service: Inside) -> None:
        async with connected(service) as raw, asyncio.timeout(10):
            raw.writer.write(request_)
            said = await raw.reader.readuntil(b"\r\n")
            assert 400 <= int(said.split()[1]) < 500, said

    with caplog.at_level("ERROR"):
        run(use)
    assert caplog.text == ""


def test_who_does_not_read_is_cut_off_and_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "UNREAD_SECONDS", 1.5)
    words = json.dumps({"type": "utterance", "text": "\N{HERB}" * 4900}, ensure_ascii=False).encode()

    async def use(service: Inside) -> None:
        async with opened(service, "/v1/stream?conversation=slow", buffer=4096) as raw:
            flood = asyncio.create_task(raw.send(*[text(words)] * 5000))
            async with service.connect() as line:
                await heard(line)
                answered = 0
                while service.service.sessions.connected == 2:
                    assert (await say(line, "Hello."))["type"] == "prediction"
                    answered += 1
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)
        assert answered > 5
        async with service.connect("slow") as line:  # what was computed for it is kept
            assert 1 < (await heard(line))["next"] < 5000

    run(use)


def test_pings_are_not_answered_for_ever_where_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "UNREAD_BYTES", 200_000)
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 100

    async def flood(raw: Raw) -> None:
        while True:
            raw.writer.write(pings)
            await raw.writer.drain()

    async def use(service: Inside) -> None:
        async with opened(service, buffer=4096) as raw, asyncio.timeout(30):
            with pytest.raises(ConnectionError):
                await flood(raw)

    run(use)


def test_who_does_not_answer_is_cut_off_and_who_is_held_back_is_not() -> None:
    """The second one's answers to pings wait behind its messages, which wait for the first of them."""

    async def use(service: Inside) -> None:
        async with service.connect() as line, opened(service) as dead:
            await heard(line)
            slow = service.hold()
            for _ in range(3):
                await line.send(json.dumps({"type": "utterance", "text": "x" * 4000}))
            assert await dead.ended(15) is None
            await asyncio.sleep(3.0)
            slow.set()
            assert [(await heard(line))["seq"] for _ in range(3)] == [0, 1, 2]
            await asyncio.sleep(2.3)
            assert (await say(line, "Hello."))["seq"] == 3

    run(use, pings=1.0)


def test_what_all_connections_hold_is_bounded() -> None:
    begun = Frame(Opcode.TEXT, b"x" * 500_000).serialize(mask=True)[: 90_000 + 14]  # behind the frame's head

    async def hold(service: Inside, size: int) -> None:
        while service.service.memory.bytes != size:
            await asyncio.sleep(0.01)

    async def use(service: Inside) -> None:
        held = service.service.memory
        async with service.connect() as line, opened(service) as first, opened(service) as second:
            await heard(line)
            for raw in (first, second):
                raw.writer.write(begun)
            await hold(service, 180_000)
            async with opened(service) as third:
                third.writer.write(begun)
                assert await third.ended() == (1013, "limit held_bytes")
            await hold(service, 180_000)
            held.bytes += 100_000  # requests hold the rest
            assert (await say(line, "Hello."))["seq"] == 0  # what is small is taken all the same
            held.bytes -= 100_000
        await hold(service, 0)

    run(use, held_bytes=250_000, json_bytes=1_000_000)


def test_messages_are_not_compressed() -> None:
    """A small message could become a large one."""

    async def use(service: Inside) -> None:
        async with service.connect(compression="deflate") as line:
            assert "Sec-WebSocket-Extensions" not in line.response.headers
            await heard(line)
            await line.send("x" * 60_000)
            assert (await closed(line))[0] == 1009

    run(use, json_bytes=50_000)
