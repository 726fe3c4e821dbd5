"""Hostile requests of many kinds, generated from a seed, up to the size limits of the service."""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MIB = 2**20
JSON = "application/json"
BOUNDARY = "aSdF" * 8
Draw = random.Random
UTTERANCE = b'{"type":"utterance",'
HELLO = b'{"speaker": "Ann", "text": "Hello."}'


@dataclass(frozen=True)
class HostileRequest:
    """A hostile HTTP request or stream message."""

    body: bytes
    """The HTTP body, or the message of a stream."""
    type: str = JSON
    """The media type."""
    path: str = "/v1/predict"
    headers: tuple[str, ...] = ()
    """Additional header lines."""
    length: int | None = None
    """The declared length; None for the true one."""
    fragments: int = 1
    """Number of WebSocket frames of a message."""

    @property
    def is_message(self) -> bool:
        """Whether this is a message of a stream."""
        return self.path == "/v1/stream"


def repeated(item: bytes, size: int) -> bytes:
    """Repeat an item up to a size, separated by commas."""
    return b",".join([item] * max(1, size // (len(item) + 1)))


def utterances(*items: bytes) -> bytes:
    """A conversation with these utterances."""
    return b'{"utterances":[' + b",".join(items) + b"]}"


def with_fields(fields: bytes) -> bytes:
    """A conversation of one utterance with these fields."""
    return utterances(b"{" + fields + b"}")


def numbers(draw: Draw, count: int) -> bytes:
    """Random numbers, separated by commas."""
    some = b",".join(b"%.6f" % draw.uniform(-3, 3) for _ in range(100))
    return b",".join([some] * max(1, count // 100))


def conversations(draw: Draw, size: int) -> dict[str, Callable[[], bytes]]:
    """Bodies that are conversations, or invalid JSON."""
    return {
        "items that are numbers": lambda: utterances(repeated(b"0", size)),
        "items that are empty": lambda: utterances(repeated(b"{}", size)),
        "items with unknown fields": lambda: utterances(repeated(b'{"txet":"x"}', size)),
        "valid items, too many": lambda: utterances(repeated(HELLO, size)),
        "1,000 items of the wrong type": lambda: utterances(
            *[b'{"text":[' + repeated(b"1", size // 1000) + b"]}"] * 1000
        ),
        "items that are lists": lambda: utterances(repeated(b"[[[[]]]]", size)),
        "many keys": lambda: (
            b"{" + b",".join(b'"k%x":0' % draw.getrandbits(32) for _ in range(max(1, size // 14))) + b"}"
        ),
        "many keys of an utterance": lambda: with_fields(
            b",".join(b'"k%x":0' % draw.getrandbits(32) for _ in range(max(1, size // 14)))
        ),
        "the same key": lambda: with_fields(repeated(b'"text":"a"', size)),
        "the same list": lambda: b"{" + repeated(b'"utterances":[{"text":"a"}]', size) + b"}",
        "deep lists": lambda: b"[" * size,
        "deep lists that end": lambda: utterances(b"[" * (size // 2) + b"]" * (size // 2)),
        "deep objects": lambda: b'{"a":' * (size // 5),
        "a long integer": lambda: with_fields(b'"start":' + b"7" * size),
        "a long fraction": lambda: with_fields(b'"start":0.' + b"7" * size),
        "long integers as features": lambda: with_fields(b'"features":{"text":[' + repeated(b"7" * 4000, size) + b"]}"),
        "integers of 60 digits": lambda: with_fields(b'"features":{"text":[' + repeated(b"7" * 60, size) + b"]}"),
        "a long list of features": lambda: with_fields(b'"features":{"text":[' + numbers(draw, size // 9) + b"]}"),
        "features of 1,000 utterances": lambda: utterances(
            *[b'{"features":{"text":[' + numbers(draw, min(1300, size // 9000)) + b"]}}"] * 1000
        ),
        "many modalities": lambda: with_fields(
            b'"features":{' + b",".join(b'"m%d":null' % n for n in range(max(1, size // 12))) + b"}"
        ),
        "a long text": lambda: with_fields(b'"text":"' + b"a" * size + b'"'),
        "a long text of escapes": lambda: with_fields(b'"text":"' + b"\\u00e9" * (size // 6) + b'"'),
        "a long text of blanks": lambda: with_fields(b'"text":"' + "\u2003".encode() * (size // 3) + b'"'),
        "a long id": lambda: with_fields(b'"id":"' + b"\\u001b[2J" * (size // 9) + b'","text":"x"'),
        "a long key": lambda: b'{"' + b"k" * size + b'":[{"text":"x"}]}',
        "a long clip": lambda: with_fields(
            b'"text":"x","clip":{"base64":"' + base64.b64encode(draw.randbytes(size * 3 // 4)) + b'"}'
        ),
        "a clip that is not base64": lambda: with_fields(b'"clip":{"base64":"' + b"=" * size + b'"}'),
        "many clips": lambda: utterances(
            *[b'{"clip":{"base64":"' + base64.b64encode(draw.randbytes(size // 1400)) + b'"}}'] * 1000
        ),
        "not UTF-8": lambda: with_fields(b'"text":"' + b"\xff\xfe" * (size // 2) + b'"'),
        "half a surrogate": lambda: with_fields(b'"text":"' + b"\\ud800" * (size // 6) + b'"'),
        "cut off": lambda: utterances(repeated(HELLO, min(size, 30_000)))[: -draw.randrange(1, 50)],
        "blanks": lambda: b" \n\t\r" * (size // 4) + utterances(HELLO),
        "a list instead of an object": lambda: b"[" + repeated(HELLO, size) + b"]",
        "random bytes": lambda: draw.randbytes(size),
        "commas": lambda: b"," * size,
        "quotes": lambda: utterances(b'"' * size),
        "backslashes": lambda: with_fields(b'"text":"' + b"\\" * size + b'"'),
        "brackets in a text": lambda: with_fields(b'"text":"' + b'{[,:\\"' * (size // 6) + b'"'),
    }


def batches(size: int) -> dict[str, Callable[[], bytes]]:
    """Conversation lists of batch requests."""
    return {
        "empty conversations": lambda: repeated(b"{}", size),
        "too many conversations": lambda: repeated(utterances(HELLO), size),
        "conversations of 1,000 empty utterances": lambda: repeated(utterances(repeated(b"{}", 3000)), 300_000),
        "conversations with one row of features": lambda: repeated(
            utterances(b'{"features":{"text":null}}', repeated(b"{}", 2990)), 300_000
        ),
        "conversations of invalid items": lambda: repeated(utterances(repeated(b"0", size // 90)), size),
        "deep conversations": lambda: repeated(b"[" * 50 + b"]" * 50, size),
    }


def transcripts(size: int) -> dict[str, tuple[str, Callable[[], bytes]]]:
    """Transcript files with their names."""
    return {
        "lines": ("a.txt", lambda: b"a\n" * (size // 2)),
        "lines with names": ("a.txt", lambda: b"".join(b"N%d: a\n" % n for n in range(size // 10))),
        "a line": ("a.txt", lambda: b"Ann: " + b"a " * (size // 2)),
        "lines of 90,000 characters": (
            "a.txt",
            lambda: (b"[00:01 " + b"- " * 45_000 + b"\n") * (size // 90_000),
        ),
        "columns": ("a.csv", lambda: b"text" + b"," * min(size, 90_000) + b"\n"),
        "rows": ("a.csv", lambda: b"text,speaker\n" + b"a,b\n" * (size // 4)),
        "an open quote": ("a.csv", lambda: b'text,speaker\n"' + b"a,b\n" * min(size // 4, 49_000)),
        "an array": ("a.json", lambda: b"[" + repeated(b'{"text":"a"}', size) + b"]"),
        "an array of arrays": ("a.json", lambda: b"[" + repeated(b"[]", size) + b"]"),
        "objects": ("a.jsonl", lambda: b'{"text":"a"}\n' * (size // 13)),
        "deep objects": ("a.jsonl", lambda: (b'{"text":' + b"[" * 5000 + b"\n") * (size // 5010)),
        "cues": ("a.srt", lambda: b"1\n00:00:00,000 --> 00:00:01,000\na\n\n" * (size // 36)),
        "arrows": (
            "a.srt",
            lambda: b"1\n00:00:00,000 --> 00:00:01,000\n" + b"0:0 --> " * min(size // 8, 11_000),
        ),
        "tags": ("a.vtt", lambda: b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + b"<v a" * min(size // 4, 22_000)),
        "entities": (
            "a.vtt",
            lambda: b"WEBVTT\n\n00:00.000 --> 00:01.000\n" + (b"&#9;" * 2000 + b"\n") * (size // 8000),
        ),
        "Latin-1": (
            "a.txt",
            lambda: ("Ann: caf\xe9 \x92 na\xefve\n".encode("latin-1")) * min(size // 18, 49_000),
        ),
        "zeros": ("a.txt", lambda: bytes(size)),
        "UTF-16": ("a.txt", lambda: ("Ann: \u4f60\n" * min(size // 14, 49_000)).encode("utf-16")),
    }


def messages(draw: Draw, size: int) -> dict[str, Callable[[], bytes]]:
    """Fields of stream messages."""
    return {
        "a long text": lambda: b'"text":"' + b"a" * size + b'"',
        "many keys": lambda: b",".join(b'"k%x":0' % draw.getrandbits(32) for _ in range(max(1, size // 14))),
        "a long list of features": lambda: b'"features":{"text":[' + numbers(draw, size // 9) + b"]}",
        "a deep value": lambda: b'"text":' + b"[" * size,
        "a long clip": lambda: b'"clip":{"base64":"' + base64.b64encode(draw.randbytes(size * 3 // 4)) + b'"}',
        "a long number": lambda: b'"seq":' + b"7" * size,
        "a long type": lambda: b'"type":"' + b"x" * size + b'"',
    }


def part(name: str, content: bytes, file: str | None = None, head: bytes = b"") -> bytes:
    """A part of a multipart body."""
    named = f'; filename="{file}"' if file else ""
    disposition = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n'
    return disposition.encode() + head + b"\r\n" + content + b"\r\n"


def form(*parts: bytes, charset: str = "", cut: int = 0, path: str = "/v1/predict") -> HostileRequest:
    """A multipart body; the last `cut` bytes are missing."""
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    return HostileRequest(body[: len(body) - cut], f"multipart/form-data; boundary={BOUNDARY}{charset}", path)


def forms(draw: Draw, size: int) -> dict[str, Callable[[], HostileRequest]]:
    """Multipart bodies."""
    hello = part("conversation", utterances(HELLO))
    found: dict[str, Callable[[], HostileRequest]] = {
        "thousands of files": lambda: form(*[part(f"p{n}", b"x", "x.wav") for n in range(5000)]),
        "thousands of fields": lambda: form(*[part(f"p{n}", b"x") for n in range(5000)]),
        "256 empty files": lambda: form(hello, *[part(f"p{n}", b"", "x.wav") for n in range(256)]),
        "256 files": lambda: form(*[part(f"p{n}", b"x" * (size // 256), "x.wav") for n in range(256)]),
        "files of one name": lambda: form(*[part("media", b"x", "x.wav")] * 200),
        "a long head": lambda: form(part("transcript", b"Ann: Hi", "a.txt", b"X: " + b"x" * size + b"\r\n")),
        "many heads": lambda: form(part("transcript", b"Ann: Hi", "a.txt", b"X: x\r\n" * (size // 6))),
        "a long name": lambda: form(part("n" * min(size, 4000), b"x", "x" * 3000)),
        "a path as a name": lambda: form(part("transcript", b"Ann: Hi", "../../../etc/passwd")),
        "escapes in a name": lambda: form(part("\x1b[2J", b"x", "\x1b[2J.txt")),
        "almost boundaries": lambda: form(part("media", f"\r\n--{BOUNDARY[:-1]}x".encode() * (size // 36), "x.wav")),
        "line ends": lambda: form(part("media", b"\r\n" * (size // 2), "x.wav")),
        "a long field": lambda: form(part("transcript", b"a" * size)),
        "long fields": lambda: form(
            *[part(name, b"a" * (size // 4)) for name in ("transcript", "format", "media", "x")]
        ),
        "a charset": lambda: form(part("transcript", b"a-" * (size // 2)), charset="; charset=punycode"),
        "invalid items": lambda: form(part("conversation", utterances(repeated(b"0", size)))),
        "invalid items in a file": lambda: form(part("conversation", utterances(repeated(b"{}", size)), "x.json")),
        "noise": lambda: form(part("media", draw.randbytes(size), "x.mp4")),
        "cut off": lambda: form(part("media", draw.randbytes(size), "x.wav"), cut=draw.randrange(1, 60)),
        "no boundary": lambda: HostileRequest(b"x" * size, f"multipart/form-data; boundary={BOUNDARY}"),
    }
    for kind, (name, make) in transcripts(min(size, 4 * MIB - 200)).items():
        found[f"transcript of {kind}"] = lambda name=name, make=make: form(part("transcript", make(), name))  # type: ignore[misc]
        found[f"reading {kind}"] = lambda name=name, make=make: form(  # type: ignore[misc]
            part("transcript", make(), name), path="/v1/transcript"
        )
    return found


def heads(size: int) -> dict[str, Callable[[], HostileRequest]]:
    """Requests with hostile headers."""
    hello = utterances(HELLO)
    return {
        "gzip": lambda: HostileRequest(
            gzip.compress(utterances(repeated(b"0", size)), mtime=0), headers=("content-encoding: gzip",)
        ),
        "many headers": lambda: HostileRequest(hello, headers=tuple(f"x-{n}: y" for n in range(4000))),
        "a long header": lambda: HostileRequest(hello, headers=("x: " + "y" * 200_000,)),
        "a long media type": lambda: HostileRequest(hello, "\x7e" * 20_000),
        "a length that is too small": lambda: HostileRequest(hello, length=5),
        "two lengths": lambda: HostileRequest(hello, headers=("content-length: 3",)),
        "a length and chunks": lambda: HostileRequest(hello, headers=("transfer-encoding: chunked",)),
        "a long length": lambda: HostileRequest(hello, length=10**18),
        "a path": lambda: HostileRequest(b"", path="/page/..%2f..%2f..%2fetc/passwd"),
        "a long path": lambda: HostileRequest(b"", path="/" + "%2e%2e/" * 2000),
        "a body for another route": lambda: HostileRequest(b"x" * size, path="/v1/model"),
        "another host": lambda: HostileRequest(hello, headers=("host: attacker.example",)),
        "a long progress id": lambda: HostileRequest(hello, headers=("x-progress-id: " + "y" * 30_000,)),
    }


def request_kinds(draw: Draw, size: int) -> dict[str, Callable[[], HostileRequest]]:
    """All kinds of requests.

    Args:
        draw: Random generator.
        size: Approximate size of a body in bytes; some are shorter.
    """
    found: dict[str, Callable[[], HostileRequest]] = {}

    def add(group: str, of: dict[str, Callable[[], bytes]], make: Callable[[bytes], HostileRequest]) -> None:
        for kind, body in of.items():
            found[f"{group}: {kind}"] = lambda body=body: make(body())  # type: ignore[misc]

    add("JSON", conversations(draw, size), HostileRequest)
    add(
        "batch",
        batches(size),
        lambda body: HostileRequest(b'{"conversations":[' + body + b"]}", path="/v1/predict/batch"),
    )
    add("stream", messages(draw, size), lambda body: HostileRequest(UTTERANCE + body + b"}", path="/v1/stream"))
    found["stream: fragments"] = lambda: HostileRequest(
        UTTERANCE + b'"text":"' + b"x" * 4000 + b'"}', path="/v1/stream", fragments=4000
    )
    found |= {f"multipart: {kind}": make for kind, make in forms(draw, size).items()}
    found |= {f"head: {kind}": make for kind, make in heads(size).items()}
    return found


def draw_requests(count: int, max_bytes: int, seed: int) -> Iterator[tuple[str, HostileRequest]]:
    """Draw requests of all kinds, with random sizes.

    Args:
        count: Number of requests.
        max_bytes: Size of the largest bodies; sizes are log-uniform between 1,000 and this value.
        seed: Random seed.
    """
    draw = random.Random(seed)
    names = list(request_kinds(draw, 1000))
    for number in range(count):
        if number % len(names) == 0:
            draw.shuffle(names)
        kind = names[number % len(names)]
        yield kind, request_kinds(draw, int(1000 * (max_bytes / 1000) ** draw.random()))[kind]()


def head(request: HostileRequest, port: int) -> bytes:
    """The head of an HTTP request."""
    length = len(request.body) if request.length is None else request.length
    lines = [
        f"POST {request.path} HTTP/1.1",
        *(() if any(line.startswith("host:") for line in request.headers) else (f"host: 127.0.0.1:{port}",)),
        f"content-type: {request.type}",
        f"content-length: {length}",
        *request.headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def error_code(answer: bytes) -> str:
    """The error code of a response; `-` if it has none."""
    try:
        return str(json.loads(answer)["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "-"
