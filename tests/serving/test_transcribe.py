"""Recordings without a transcript, with a recogniser that is fast and always says the same."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError
from sdt.serving.predict_request import TranscribeOptions, Upload
from sdt.serving.transcriber_pool import TranscriberPool
from tests.encoders.clips import noise, numbered, write_clip
from tests.serving.fake_speech import DIES, WAITS, install
from tests.serving.running import Answer, Running, multipart, running

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("transcribe")]
ID = "0123456789abcdef-_XY"
WORDS = ["well", "I", "never", "did."]


@pytest.fixture(scope="module")
def speech(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests here."""
    path = install(tmp_path_factory.mktemp("site"))
    options = ("--decoders", "1", "--recording-seconds", "20", "--media-seconds", "4")
    temporary = tmp_path_factory.mktemp("speech")
    with running(home / "model", temporary, *options, transcriber="fake:normal", PYTHONPATH=path) as started:
        yield started
        assert started.process.poll() is None, started.log()
        assert "Traceback" not in started.log()
        assert started.left() == []


def sound(folder: Path, seconds: float, name: str = "call.wav", channels: int = 1) -> bytes:
    return write_clip(folder / name, noise(seconds, channels=channels)).read_bytes()


def transcribe(service: Running, media: bytes, name: str = "call.wav", **parts: str) -> Answer:
    more = [(key, None, value.encode()) for key, value in parts.items()]
    return service.post_parts(("media", name, media), *more, path="/v1/transcribe")


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.body.splitlines()]


def test_progress_then_the_conversation(speech: Running, tmp_path: Path) -> None:
    answer = transcribe(speech, sound(tmp_path, 6.5))
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    *progress, last = lines(answer)
    stages = [line["stage"] for line in progress]
    assert set(stages) <= {"waiting", "speakers", "words"}
    assert stages == sorted(stages, key=["waiting", "speakers", "words"].index)
    assert progress[-1]["done"] == pytest.approx(progress[-1]["seconds"], abs=0.1)
    conversation = last["conversation"]
    assert conversation["id"] == "call"
    first, second = conversation["utterances"][:2]
    assert (first["speaker"], first["text"], first["start"], first["end"]) == (
        "SPEAKER_00",
        "well I never did.",
        0.0,
        1.5,
    )
    assert second["speaker"] == "SPEAKER_01"
    assert [word["text"] for word in first["words"]] == WORDS
    assert [word["probability"] for word in first["words"]] == [0.9, 0.9, 0.2, 0.9]
    assert "fake normal" in last["notes"][0]


def test_a_recording_alone_is_predicted(speech: Running, tmp_path: Path) -> None:
    media = sound(tmp_path, 6.5)  # longer than --media-seconds, which is for recordings with a transcript
    heard: list[str] = []
    done = threading.Event()

    def listen() -> None:
        while not done.is_set():
            heard.append(speech.ask("GET", f"/v1/progress/{ID}").json["stage"])
            time.sleep(0.01)

    listener = threading.Thread(target=listen)
    listener.start()
    answer = speech.post_parts(("media", "call.wav", media), path="/v1/predict?features=true", **{"x-progress-id": ID})
    done.set()
    listener.join()
    assert answer.status == 200, answer.body
    predictions = answer.json["predictions"]
    assert [one["speaker"] for one in predictions] == ["SPEAKER_00", "SPEAKER_01"] * 2
    assert all(one["emotion"] and [word["text"] for word in one["words"]] == WORDS for one in predictions)
    assert any("fake normal" in note for note in answer.json["notes"])
    assert {"speakers", "words"} & set(heard)
    # The transcript of /v1/transcribe, with the features of this answer, gives the same emotions.
    conversation = lines(transcribe(speech, media))[-1]["conversation"]
    for utterance, one in zip(conversation["utterances"], predictions, strict=True):
        utterance["features"] = one["features"]
        assert len(one["features"]["audio"]) > 1
    again = speech.post(conversation)
    assert again.status == 200, again.body
    for one, other in zip(predictions, again.json["predictions"], strict=True):
        assert other["words"] == one["words"]
        assert other["probabilities"] == pytest.approx(one["probabilities"], abs=1e-5)
    assert "features" not in again.json["predictions"][0]


def test_each_channel_is_a_speaker(speech: Running, tmp_path: Path) -> None:
    media = sound(tmp_path, 2, channels=2)
    conversation = lines(transcribe(speech, media, channels="speakers", language="de"))[-1]["conversation"]
    assert {one["speaker"] for one in conversation["utterances"]} == {"SPEAKER_00", "SPEAKER_01"}


@pytest.mark.parametrize(
    ("parts", "part"),
    [
        ({"speakers": "0"}, "speakers"),
        ({"speakers": "5-2"}, "speakers"),
        ({"speakers": "many"}, "speakers"),
        ({"speakers": "9" * 30}, "speakers"),
        ({"speakers": "9" * 300}, "speakers"),
        ({"channels": "left"}, "channels"),
        ({"channels": "speakers"}, "channels"),
        ({"language": "xx"}, "language"),
        ({"langauge": "en"}, "langauge"),
    ],
)
def test_options_that_make_no_sense(speech: Running, tmp_path: Path, parts: dict[str, str], part: str) -> None:
    answer = transcribe(speech, sound(tmp_path, 1), **parts)
    error = answer.json["error"] if answer.status == 422 else lines(answer)[-1]["error"]
    assert error["code"] == "invalid"
    assert part in error["message"]


def test_options_are_for_recordings_without_a_transcript(speech: Running, tmp_path: Path) -> None:
    parts = ("transcript", "a.txt", b"Ann: Hi"), ("media", "a.wav", sound(tmp_path, 1)), ("speakers", None, b"2")
    answer = speech.post_parts(*parts)
    assert (answer.status, answer.json["error"]["code"]) == (422, "invalid")
    conversation = ("conversation", None, b'{"utterances": [{"text": "Hi", "clip": {"part": "speakers"}}]}')
    clip = ("speakers", "a.wav", sound(tmp_path, 1))  # a clip may have any name
    assert speech.post_parts(conversation, clip).status == 200
    assert speech.post_parts(conversation, ("speakers", None, b"2")).status == 422
    assert speech.post_parts(("speakers", None, b"2"), path="/v1/transcribe").status == 422


def test_recordings_in_which_nothing_can_be_recognised(speech: Running, tmp_path: Path) -> None:
    silence = write_clip(tmp_path / "silence.wav", np.zeros((1, 16000), np.float32)).read_bytes()
    picture = write_clip(tmp_path / "mute.mp4", None, pictures=numbered(5)).read_bytes()
    whole = sound(tmp_path, 1.0, "a.flac")
    cases = {
        "silence.wav": silence,
        "mute.mp4": picture,
        "text.wav": b"Ann: Hello\n",
        "empty.wav": b"",
        "header.wav": sound(tmp_path, 1.0)[:44],
        "list.mp4": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        "cut.flac": whole[:200],
    }
    for name, content in cases.items():
        answer = transcribe(speech, content, name)
        error = lines(answer)[-1]["error"]
        assert answer.status in (200, 422), name
        assert error["code"] == "invalid", name
        assert error["message"].startswith(f"{name}: "), error
        refused = speech.post_parts(("media", name, content))
        assert (refused.status, refused.json["error"]["code"]) == (422, "invalid"), name
    assert transcribe(speech, whole, "a.flac").status == 200


def test_a_recording_that_is_too_long(speech: Running, tmp_path: Path) -> None:
    media = sound(tmp_path, 21, "long.flac")
    for path in ("/v1/transcribe", "/v1/predict"):
        answer = speech.post_parts(("media", "long.flac", media), path=path)
        assert answer.status == 413
        assert answer.json["error"]["limit"] == {"name": "recording_seconds", "value": 20}


def test_a_recording_that_ends_the_process(speech: Running, tmp_path: Path) -> None:
    answer = transcribe(speech, sound(tmp_path, DIES))
    assert lines(answer)[-1]["error"]["limit"]["name"] == "transcribe_bytes"
    assert "conversation" in lines(transcribe(speech, sound(tmp_path, 1)))[-1]
    assert 'sdt_transcriptions_total{how="died"} 1.0' in speech.ask("GET", "/metrics").body.decode()


def test_a_client_that_goes_away_ends_the_recognition(speech: Running, tmp_path: Path) -> None:
    for path in ("/v1/transcribe", "/v1/predict"):
        body, kind = multipart([("media", "slow.wav", sound(tmp_path, WAITS))])
        connection = speech.connect()
        connection.request("POST", path, body, {"content-type": kind})
        speech.until_running(1)
        time.sleep(0.5)
        connection.close()
        connection.sock = None
        speech.until_running(0)
        begun = time.monotonic()
        assert "conversation" in lines(transcribe(speech, sound(tmp_path, 1)))[-1]
        assert time.monotonic() - begun < 50  # the other one would take a minute
    metrics = speech.ask("GET", "/metrics").body.decode()
    assert 'sdt_transcriptions_total{how="cancelled"} 2.0' in metrics
    assert "sdt_requests_running 0.0" in metrics


def pooled(name: str | None, use: Callable[[TranscriberPool], Awaitable[None]], **limits: float) -> list[str]:
    """Use a pool of its own; returns the outcomes that it has counted."""
    outcomes: list[str] = []

    async def main() -> None:
        pool = TranscriberPool(name, ServingConfig(**limits), outcomes.append)  # type: ignore[arg-type]
        try:
            await use(pool)
        finally:
            pool.close()

    asyncio.run(main())
    return outcomes


def test_the_time_limit_and_a_killed_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(tmp_path / "site")
    uploads = [Upload.from_bytes(sound(tmp_path, seconds), "a.wav") for seconds in (1, WAITS)]

    async def use(pool: TranscriberPool) -> None:
        with pytest.raises(APIError) as error:
            await pool.transcribe(uploads[1], TranscribeOptions())
        assert (error.value.status, error.value.limit) == (503, "transcribe_seconds")
        await pool.report()
        assert pool._process is not None
        pool._process.process.kill()  # from outside, while nobody uses it
        pool._process.process.join()
        found = await pool.transcribe(uploads[0], TranscribeOptions(speakers=(2, 2)))
        assert len(found.conversation) == 1

    assert pooled("fake:normal", use, transcribe_seconds=1) == ["slow", "made"]
    for upload in uploads:
        upload.close()


@pytest.mark.parametrize(("name", "said"), [(None, "does not transcribe"), ("medium", "not on this machine")])
def test_without_a_recogniser(tmp_path: Path, name: str | None, said: str) -> None:
    upload = Upload.from_bytes(sound(tmp_path, 1), "a.wav")

    async def use(pool: TranscriberPool) -> None:
        for _ in range(2):  # the second time nothing is loaded again
            with pytest.raises(APIError, match="a transcript can be sent") as error:
                await pool.transcribe(upload, TranscribeOptions())
            assert (error.value.status, error.value.code) == (501, "not_installed")
            assert said in error.value.message

    assert set(pooled(name, use)) <= {"refused"}
    upload.close()


def test_the_document_describes_the_routes(speech: Running) -> None:
    document = speech.ask("GET", "/openapi.json").json
    form = document["paths"]["/v1/transcribe"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"media", "speakers", "language", "channels"}
    assert {"TranscribeLine", "ListenSpeech", "ListenEnd", "WordInput"} <= document["components"]["schemas"].keys()
