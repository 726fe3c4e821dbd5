"""What cannot be answered: a status below 500 or 503, a JSON body that says why, and the service goes on."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import random
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from tests.encoders.clips import noise, write_clip
from tests.serving.conftest import SRT
from tests.serving.running import Answer, Running, multipart

pytestmark = pytest.mark.xdist_group("serving")
MULTIPART_X = "multipart/form-data; boundary=x"
HELLO = {"utterances": [{"speaker": "Ann", "text": "Hello."}]}


def refused(answer: Answer, status: int, code: str) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json["error"]
    assert (answer.status, error["code"]) == (status, code), answer.body
    assert error["message"]
    return error


def works(service: Running) -> None:
    assert service.post(HELLO).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"utterances": [{"text": "x"}',
        b"\xff\xfe\x00",
        b"[" * 50_000,
        b'{"utterances": [{"text": "\\ud800"}]}',
        b"\x1f\x8b\x08",
    ],
)
def test_malformed_json(service: Running, body: bytes) -> None:
    refused(service.post(body), 400, "malformed")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([], "body"),
        (None, "body"),
        ({}, "utterances"),
        ({"utterances": []}, "utterances"),
        ({"utterances": "Hello"}, "utterances"),
        ({"utterances": [{"txet": "Hello"}]}, "utterances.0.txet"),
        ({"utterances": [{"text": 5}]}, "utterances.0.text"),
        ({"utterances": [{"text": float("nan")}]}, "utterances.0.text"),
        ({"utterances": [{"text": "x", "end": float("inf")}]}, "utterances.0.end"),
        ({"utterances": [{"text": "x", "start": -1}]}, "utterances.0.start"),
        ({"utterances": [{"text": "x", "start": "1"}]}, "utterances.0.start"),
        ({"utterances": [{"text": "x", "clip": {}}]}, "utterances.0.clip"),
        ({"utterances": [{"text": "x", "features": {"text": ["a"]}}]}, "utterances.0.features.text.0"),
        ({"id": "", "utterances": [{"text": "x"}]}, "id"),
    ],
)
def test_json_of_another_shape(service: Running, value: object, place: str) -> None:
    error = refused(service.post(value), 422, "invalid")
    assert error["message"].startswith(place)


@pytest.mark.parametrize(
    ("utterances", "message"),
    [
        ([{"text": "a", "id": "1"}, {"text": "b", "id": "1"}], "two utterances '1'"),
        ([{"text": "a", "start": 2, "end": 1}], "end 1.0 is before start 2.0"),
        ([{"text": "  "}], "no utterance has a modality of the model"),
        ([{"text": "a", "features": {"smell": [1]}}], "unknown modality"),
        ([{"text": "a", "features": {"text": [1]}}], "expects 16"),
        ([{"text": "a", "features": {"text": [1e39] * 16}}], "too large"),
        ([{"text": "a", "features": {"text": [1e38] * 16}}], "not finite"),
        ([{"text": "a", "clip": {"base64": "!"}}], "not base64"),
        ([{"text": "a", "clip": {"part": "x"}}], "no file 'x'"),
    ],
)
def test_what_makes_no_sense(service: Running, utterances: list[Any], message: str) -> None:
    assert message in refused(service.post({"utterances": utterances}), 422, "invalid")["message"]


def test_words_of_every_kind(service: Running) -> None:
    """Odd text is text."""
    for text in ("\u0000\u0001", "\U0001f600" * 50, "\u202e\u200b", "a\u0300" * 100, "{{}}</script>", "\ufffe"):
        answer = service.post({"utterances": [{"text": text + "!"}]})
        assert answer.status == 200, answer.body


@pytest.mark.parametrize(
    ("limit", "value", "status"),
    [("utterances", 50, 422), ("characters", 300, 422), ("conversations", 5, 422), ("json_bytes", 200_000, 413)],
)
def test_limits_of_json(service: Running, limit: str, value: int, status: int) -> None:
    said: list[dict[str, str]] = [{"text": "x"}]
    path = "/v1/predict"
    if limit == "utterances":
        said = said * (value + 1)
    elif limit == "characters" or limit == "json_bytes":
        said = [{"text": "x" * (value + 1)}]
    asked: object = {"utterances": said}
    if limit == "conversations":
        path, asked = "/v1/predict/batch", {"conversations": [HELLO] * (value + 1)}
    error = refused(service.post(asked, path), status, f"limit_{limit}")
    assert error["limit"] == {"name": limit, "value": value}


def test_limits_are_met_exactly(service: Running) -> None:
    assert service.post({"utterances": [{"text": "x" * 300}] * 50}).status == 200
    assert service.post({"conversations": [HELLO] * 5}, "/v1/predict/batch").status == 200
    lines = "Ann: x\n" * 51
    refused(service.post_parts(("transcript", "a.txt", lines.encode())), 422, "limit_utterances")
    refused(service.post_parts(("transcript", "a.txt", b"Ann: " + b"x" * 301)), 422, "limit_characters")


def test_a_body_that_says_it_is_too_long(service: Running) -> None:
    connection = service.connect()
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("content-length", str(10**15))
    connection.putheader("content-type", "application/json")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["limit"] == {"name": "body_bytes", "value": 3_000_000}
    connection.close()


def test_a_body_that_does_not_say_it_is_too_long(service: Running) -> None:
    """In chunks, to a file: it is refused while it arrives."""
    head, kind = multipart([("media", "x.wav", b"")])
    start = head[: head.index(b"\r\n\r\n") + 4]
    connection = service.connect()
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("transfer-encoding", "chunked")
    connection.putheader("content-type", kind)
    connection.endheaders()
    chunk = b"x" * 65536
    connection.send(b"%x\r\n%s\r\n" % (len(start), start))
    for _ in range(60):
        connection.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    connection.send(b"0\r\n\r\n")
    answer = connection.getresponse()
    assert answer.status == 413
    assert json.loads(answer.read())["error"]["limit"]["name"] == "body_bytes"
    connection.close()
    assert service.left() == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data"),
        (b"", "multipart/form-data; boundary="),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; name="transcript"; filename="a"\r\n\r\nAnn: Hi', MULTIPART_X),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (b"\x00" * 1000, "multipart/form-data; boundary=x; charset=\xff"),
        (b"--x\r\n" + b"A: b\r\n" * 5000, "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x; charset=punycode"),
    ],
)
def test_malformed_multipart(service: Running, body: bytes, kind: str) -> None:
    connection = service.connect()
    connection.putrequest("POST", "/v1/predict")
    connection.putheader("content-length", str(len(body)))
    connection.putheader("content-type", kind.encode("latin-1"))
    connection.endheaders(body)
    answer = connection.getresponse()
    assert answer.status in (400, 415, 422)
    assert json.loads(answer.read())["error"]["code"] in ("malformed", "media_type", "invalid")
    connection.close()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([("transcrpt", "a.txt", b"Ann: Hi")], "did you mean 'transcript'"),
        ([("transcript", "a.txt", b"Ann: Hi"), ("transcript", "b.txt", b"Ann: Hi")], "two parts 'transcript'"),
        ([("transcript", "a.txt", b"")], "a.txt: the file is empty"),
        ([("transcript", "a.txt", b"\x89PNG\r\n")], "this is a PNG picture"),
        ([("transcript", "a.csv", b"speaker\nAnn\n")], "column 'text' is missing"),
        ([("transcript", "a.csv", b"conversation,text\na,Hi\nb,Ho\n")], "has 2 conversations"),
        ([("transcript", "a.txt", b"Ann: Hi"), ("format", None, b"doc")], "format 'doc' is unknown"),
        ([("media", None, b"x")], "send it with a file name"),
        ([("conversation", None, json.dumps(HELLO).encode()), ("x", "x.wav", b"1")], "no utterance refers to it"),
        ([("transcript", "a.txt", b"Ann: Hi\nBob: Ho"), ("media", "a.wav", b"RIFF")], "cannot be cut into the 2"),
    ],
)
def test_parts_that_make_no_sense(service: Running, parts: list[tuple[str, str | None, bytes]], message: str) -> None:
    error = refused(service.post_parts(*parts), 422, "invalid")
    assert message in error["message"]
    assert str(service.temporary) not in error["message"]
    assert service.left() == []


def test_too_many_recordings(service: Running) -> None:
    clip = {"base64": base64.b64encode(b"x").decode()}
    error = refused(service.post({"utterances": [{"text": "x", "clip": clip}] * 5}), 422, "limit_files")
    assert error["limit"]["value"] == 4
    parts = [(f"p{k}", "x.wav", b"x") for k in range(6)]
    refused(service.post_parts(*parts), 422, "limit_files")


def test_truncated_and_renamed_media(service: Running, home: Path, tmp_path: Path) -> None:
    """The words are still there; what the recording cannot give is missing, with its reason."""
    film = write_clip(tmp_path / "x.mp4", noise(2.5)).read_bytes()
    sound = (home / "talk.wav").read_bytes()
    generator = random.Random(0)
    broken = {
        "half.mp4": film[: len(film) // 2],
        "header.wav": sound[:44],
        "empty.wav": b"",
        "noise.mp4": generator.randbytes(20_000),
        "picture.wav": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "concat.wav": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
        "text.wav": SRT.encode(),
        "no-suffix": b"\x00" * 5000,
    }
    for name, content in broken.items():
        answer = service.post_parts(("transcript", "t.srt", SRT.encode()), ("media", name, content))
        assert answer.status == 200, (name, answer.body)
        assert len(answer.json["missing"]["audio"]) == 3, (name, answer.json["missing"])
        alone = service.post_parts(("conversation", None, b'{"utterances": [{}]}'), ("media", name, content))
        refused(alone, 422, "invalid")
        assert "no utterance has a modality" in alone.json["error"]["message"]
    # What was renamed is told by its content.
    answer = service.post_parts(("transcript", "t.srt", SRT.encode()), ("media", "talk.mp4", sound))
    assert answer.json["missing"] == {}
    for start in range(0, len(film), len(film) // 6):
        mangled = film[:start] + generator.randbytes(200) + film[start + 200 :]
        assert service.post_parts(("transcript", "t.srt", SRT.encode()), ("media", "x.mp4", mangled)).status == 200
    assert service.left() == []
    works(service)


def test_a_recording_that_is_too_long(service: Running, tmp_path: Path) -> None:
    media = write_clip(tmp_path / "long.wav", noise(21, rate=8000), rate=8000).read_bytes()
    error = refused(
        service.post_parts(("transcript", "t.srt", SRT.encode()), ("media", "long.wav", media)),
        413,
        "limit_media_seconds",
    )
    assert error["limit"]["value"] == 20
    assert "long.wav lasts 21 seconds" in error["message"]


def test_compressed_bodies_and_other_hosts(service: Running) -> None:
    body = json.dumps(HELLO).encode()
    kind = {"content-type": "application/json"}
    sent = gzip.compress(body)
    refused(service.ask("POST", "/v1/predict", sent, {**kind, "content-encoding": "gzip"}), 415, "content_encoding")
    assert service.ask("POST", "/v1/predict", body, {**kind, "content-encoding": "identity"}).status == 200
    refused(service.ask("POST", "/v1/predict", body, {**kind, "host": "attacker.example"}), 403, "host")
    refused(service.ask("GET", "/", None, {"host": "attacker.example"}), 403, "host")
    assert service.ask("GET", "/healthz", None, {"host": "attacker.example"}).status == 200


def test_routes_and_media_types(service: Running) -> None:
    refused(service.ask("GET", "/nothing"), 404, "not_found")
    refused(service.ask("GET", "/v1/predict"), 405, "method")
    refused(service.ask("POST", "/v1/predict", b"x", {"content-type": "text/plain"}), 415, "media_type")
    refused(service.ask("POST", "/v1/predict", b"{}"), 415, "media_type")
    body, kind = multipart([("transcript", "a.txt", b"Ann: Hi")])
    refused(service.ask("POST", "/v1/predict/batch", body, {"content-type": kind}), 415, "media_type")


@pytest.mark.parametrize(
    "sent", [b"", b"POST /v1/pre", b"POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 900\r\n"]
)
def test_clients_that_leave(service: Running, sent: bytes) -> None:
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", service.port)) as line:
            line.sendall(sent)
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        body = json.dumps(HELLO).encode()
        head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        head += f"content-length: {len(body)}"
        line.sendall(head.encode() + b"\r\n\r\n" + body)  # and does not wait for the answer
    with socket.create_connection(("127.0.0.1", service.port)) as line:
        line.sendall(head.encode() + b"\r\n\r\n" + body[:-5])
    works(service)


def test_nonsense_instead_of_http(service: Running) -> None:
    for sent in (b"\x16\x03\x01\x02\x00", b"GET /nowhere HTTP/9.9\r\n\r\n", b"\r\n" * 10_000, b"A" * 100_000):
        with socket.create_connection(("127.0.0.1", service.port), timeout=10) as line:
            try:
                line.sendall(sent)
                line.shutdown(socket.SHUT_WR)
                said = line.recv(100)
            except ConnectionError:
                continue
            assert said == b"" or said.startswith(b"HTTP/1.1 4")
    works(service)


def test_random_requests_are_never_a_500(service: Running) -> None:
    """Valid requests with a few bytes changed."""
    generator = random.Random(1)
    clip = base64.b64encode(b"RIFF\x00\x00").decode()
    chat = {"id": "c", "utterances": [{"speaker": "A", "text": "Hi", "start": 0.5, "clip": {"base64": clip}}] * 2}
    form, kind = multipart([("transcript", "a.srt", SRT.encode()), ("media", "a.wav", b"RIFF1234WAVEfmt " + bytes(60))])
    seen = set()
    for turn in range(150):
        body, type_ = (form, kind) if turn % 2 else (json.dumps(chat).encode(), "application/json")
        changed = bytearray(body)
        for _ in range(generator.randrange(1, 4)):
            place = generator.randrange(len(changed))
            changed[place : place + generator.randrange(3)] = generator.randbytes(generator.randrange(3))
        answer = service.ask("POST", "/v1/predict", bytes(changed), {"content-type": type_})
        seen.add(answer.status)
        assert answer.status in (200, 400, 422), (answer.status, answer.body, bytes(changed))
    assert seen == {200, 400, 422}
    assert service.left() == []


def test_a_slow_sender_and_too_many_at_a_time(home: Path, tmp_path: Path) -> None:
    from tests.serving.running import running

    with running(home / "model", tmp_path, "--request-seconds", "5", "--concurrent", "2", "--decoders", "1") as service:
        lines = []
        for _ in range(2):
            connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
            connection.putrequest("POST", "/v1/predict")
            connection.putheader("content-length", "100")
            connection.putheader("content-type", "application/json")
            connection.endheaders(b'{"utter')
            lines.append(connection)
        service.until_running(2)
        begun = time.monotonic()
        error = refused(service.post(HELLO), 429, "limit_concurrent")
        assert error["limit"] == {"name": "concurrent", "value": 2}
        assert service.ask("GET", "/healthz").status == 200
        for connection in lines:
            answer = connection.getresponse()
            said = json.loads(answer.read())["error"]
            assert (answer.status, said["limit"]) == (503, {"name": "request_seconds", "value": 5})
            assert "too slowly" in said["message"]
            connection.close()
        assert time.monotonic() - begun < 25
        works(service)
