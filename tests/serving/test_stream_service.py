"""Streams of a real service: clips, other sites, what is logged and described, and how it stops."""

from __future__ import annotations

import base64
import json
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from sdt.conversation import Utterance
from sdt.formats.records import utterance_record
from sdt.prediction import StreamingPredictor
from tests.encoders.clips import noise, write_clip
from tests.prediction.models import tiny_model
from tests.serving.running import TERMINATED, Running, running

pytestmark = pytest.mark.xdist_group("serving")
WORDS = "Rosebud"


def opened(service: Running, conversation: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{service.port}/v1/stream?conversation={conversation}", proxy=None)


def say(line: ClientConnection, **values: Any) -> Any:
    line.send(json.dumps({"type": "utterance", **values}))
    return json.loads(line.recv(60))


def test_a_service_with_streams(tmp_path: Path) -> None:
    """One service for all of it, since each takes seconds to start."""
    tiny_model({"text": "words:16", "audio": "prosody"}).save_pretrained(tmp_path / "model")
    with running(tmp_path / "model", tmp_path / "t", "--decoders", "1") as service:
        clips_are_looked_at(service, tmp_path)
        other_sites_are_refused(service)
        described(service)
        many_at_a_time(service)
        stops(service)
        assert WORDS not in service.log()
        assert "Ann" not in service.log()
        assert "kitchen" not in service.log()
        assert "Traceback" not in service.log()
        assert re.search(r"WS /v1/stream 101 \d+\.\d s, 4 utterances, 1 errors, closed 1000", service.log())
        assert service.left() == []


def clips_are_looked_at(service: Running, tmp_path: Path) -> None:
    """As the model's own encoders do in this process."""
    clip = write_clip(tmp_path / "a.wav", noise(1.0))
    stream = StreamingPredictor.from_pretrained(tmp_path / "model", device="cpu")
    with opened(service, "kitchen") as line:
        assert json.loads(line.recv(60))["notes"] == ["audio: missing for utterances without a recording"]
        for number, recorded in enumerate((True, False, True)):
            said = Utterance(str(number), "Ann", f"{WORDS} {number}")
            wanted = utterance_record(stream.add(said, "kitchen", clip=clip if recorded else None), said)
            sent = {"clip": {"base64": base64.b64encode(clip.read_bytes()).decode()}} if recorded else {}
            answer = say(line, speaker="Ann", text=said.text, **sent)
            assert answer["prediction"] == wanted
            assert (answer["prediction"]["weights"]["audio"] is not None) == recorded
        broken = say(line, speaker="Ann", text="Oh.", clip={"base64": "UklGRg=="})
        assert broken["prediction"]["weights"]["audio"] is None
        assert broken["problems"] == ["kitchen/3: corrupt, or not a media file (InvalidDataError)"]
        assert say(line, seq=99)["error"]["code"] == "order"


def other_sites_are_refused(service: Running) -> None:
    """Browsers send a form of another site's page without asking."""
    chat = {"utterances": [{"text": WORDS}]}
    for headers in ({"origin": "https://example.org"}, {"origin": "null"}, {"sec_fetch_site": "same-site"}):
        answer = service.post(chat, **headers)
        assert (answer.status, answer.json["error"]["code"]) == (403, "origin")
    parts = ("transcript", "t.txt", WORDS.encode())
    assert service.post_parts(parts, origin="https://example.org").status == 403
    assert service.post_parts(parts, origin=f"http://127.0.0.1:{service.port}").status == 200
    assert service.post(chat, sec_fetch_site="same-origin").status == 200


def described(service: Running) -> None:
    answer = service.ask("GET", "/v1/stream")
    assert (answer.status, answer.json["error"]["code"]) == (426, "websocket")
    assert answer.headers["upgrade"] == "websocket"
    whole = service.ask("GET", "/openapi.json").json
    operation = whole["paths"]["/v1/stream"]["get"]
    assert {"101", "401", "403", "422", "426", "503"} <= set(operation["responses"])
    names = ("StreamUtterance", "StreamForget", "StreamReady", "StreamPrediction", "StreamForgotten", "StreamError")
    page = service.ask("GET", "/docs").body.decode()
    for name in names:
        assert name in whole["components"]["schemas"]
        assert f'id="schema-{name}"' in page
        assert name.removeprefix("Stream").lower() in operation["description"].lower()


def many_at_a_time(service: Running) -> None:
    """Clients in threads, each with a conversation of its own to which it comes back."""
    found: dict[int, list[Any]] = {}

    def talk(number: int) -> None:
        answers = []
        for part in range(2):
            with opened(service, f"talk{number}") as line:
                assert json.loads(line.recv(60))["next"] == 3 * part
                answers += [say(line, speaker="Ann", text=f"{number} says {k}") for k in range(3)]
        found[number] = answers

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(10))
    for number, answers in found.items():
        assert [answer["seq"] for answer in answers] == list(range(6))
        assert {answer["prediction"]["conversation"] for answer in answers} == {f"talk{number}"}


def stops(service: Running) -> None:
    """Streams are closed at once, with a code that says that it is not their fault."""
    with opened(service, "last") as line:
        line.recv(60)
        say(line, text=WORDS)
        service.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionClosed) as closed:
            line.recv(60)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1012, "the service is stopping")
    assert service.process.wait(30) == TERMINATED
