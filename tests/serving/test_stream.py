"""Conversations over a WebSocket: order, coming back, taking over, limits."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from sdt.conversation import Conversation, Utterance
from sdt.formats.records import utterance_record
from sdt.models.config import Architecture
from sdt.prediction import Pipeline, StreamingPredictor
from sdt.serving.predict_request import PredictRequest
from sdt.serving.stream import log
from tests.prediction.models import LABELS, chat, tiny_model
from tests.serving.inside import Inside, closed, heard, inside, predictor, run, say

pytestmark = pytest.mark.xdist_group("serving")
SECRET = "Rosebud"
WORDS = [f"{name} said {number} times." for number, name in enumerate(("Ann", "Bob", "Cem", "Dee") * 5)]


def expected(conversation: str, words: list[str]) -> list[dict[str, Any]]:
    """What the model says of a conversation of two, utterance by utterance."""
    alone = StreamingPredictor(predictor().engine, folder=predictor().folder)
    found = []
    for number, text in enumerate(words):
        said = Utterance(str(number), ("Ann", "Bob")[number % 2], text)
        found.append(utterance_record(alone.add(said, conversation), said))
    return found


def same(found: Any, wanted: Any) -> None:
    """Together, sums are added up in another order."""
    assert found.keys() == wanted.keys()
    for name in ("conversation", "utterance", "speaker", "text", "start", "end"):
        assert found[name] == wanted[name]
    assert found["probabilities"] == pytest.approx(wanted["probabilities"], abs=2e-6)


def test_utterances_in_and_predictions_out() -> None:
    async def use(service: Inside) -> None:
        async with service.connect("kitchen") as line:
            ready = await heard(line)
            assert ready.pop("notes") == []
            assert ready == {
                "type": "ready",
                "conversation": "kitchen",
                "next": 0,
                "labels": list(LABELS),
                "modalities": ["text"],
            }
            for number, wanted in enumerate(expected("kitchen", WORDS)):
                answer = await say(line, WORDS[number], speaker=("Ann", "Bob")[number % 2])
                assert (answer["type"], answer["seq"], answer["problems"]) == ("prediction", number, [])
                assert answer["prediction"] == wanted

    run(use)


def test_what_is_left_out_is_filled_in() -> None:
    async def use(service: Inside) -> None:
        async with service.connect() as line:
            assert len((await heard(line))["conversation"]) == 22
            first = await say(line, " Well,\n well. ")
            assert first["prediction"]["speaker"] == "Speaker 1"
            assert first["prediction"]["text"] == "Well, well."
            for speaker, wanted in (("Ann", "Ann"), (None, "Ann"), (" ", "Ann"), ("Bob", "Bob"), (None, "Bob")):
                answer = await say(line, "Oh.", speaker=speaker, label="joy", start=1.25, end=2)
                assert answer["prediction"]["speaker"] == wanted
                assert answer["prediction"]["label"] == "joy"
                assert (answer["prediction"]["start"], answer["prediction"]["end"]) == (1.25, 2)
            assert (await say(line, "Oh.", id="x"))["prediction"]["utterance"] == "x"
            again = await say(line, "Oh.", id="x")
            assert (again["type"], again["seq"], again["error"]["code"]) == ("error", 7, "invalid")
            assert "already has an utterance 'x'" in again["error"]["message"]
            assert (await say(line, "Oh."))["seq"] == 7

    run(use)


def test_utterances_without_words_and_features_that_are_given() -> None:
    async def use(service: Inside) -> None:
        async with service.connect("a") as line:
            await heard(line)
            nothing = await say(line)
            assert nothing["type"] == "prediction"
            assert nothing["problems"] == ["a/0: no text"]
            vector = [0.25] * 16
            answer = await say(line, "Oh.", features={"text": vector})
            alone = StreamingPredictor(predictor().engine, folder=predictor().folder)
            alone.add(Utterance("0", "Speaker 1"))
            wanted = alone.add(Utterance("1", "Speaker 1", "Oh."), features={"text": vector})
            assert answer["prediction"]["probabilities"] == pytest.approx(wanted.probabilities, abs=2e-6)
            for features in ({"text": [0.5]}, {"smell": vector}, {"text": [1e39] * 16}):
                assert (await say(line, "Oh.", features=features))["error"]["code"] == "invalid"
            assert (await say(line, "Oh."))["seq"] == 2

    run(use)


@pytest.mark.parametrize(
    ("message", "seq", "code", "said"),
    [
        ("", None, "malformed", "not JSON"),
        ("{", None, "malformed", "not JSON"),
        ("[" * 50_000, None, "malformed", "nested"),
        ('{"type": "utterance", "text": "\\ud800"}', None, "malformed", "not JSON"),
        ("null", None, "invalid", "object"),
        ("{}", None, "invalid", "type"),
        ('{"type": "hello"}', None, "invalid", "'utterance', 'forget'"),
        ('{"type": ["utterance"]}', None, "invalid", "type"),
        ('{"type": "forget", "seq": 0}', None, "invalid", "forget.seq"),
        ('{"type": "utterance", "text": 5}', 1, "invalid", "utterance.text"),
        ('{"type": "utterance", "words": "Oh."}', 1, "invalid", "utterance.words"),
        ('{"type": "utterance", "seq": -1}', -1, "invalid", "utterance.seq"),
        ('{"type": "utterance", "seq": "0"}', None, "invalid", "utterance.seq"),
        ('{"type": "utterance", "seq": 1.5}', None, "invalid", "utterance.seq"),
        ('{"type": "utterance", "seq": true}', None, "invalid", "utterance.seq"),
        ('{"type": "utterance", "seq": 99999999999999999999}', 99999999999999999999, "order", "next one is 1"),
        ('{"type": "utterance", "seq": 2}', 2, "order", "the next one is 1"),
        ('{"type": "utterance", "start": 2, "end": 1}', 1, "invalid", "utterance in place 2: end 1"),
        ('{"type": "utterance", "clip": {"part": "a"}}', 1, "invalid", "base64"),
        ('{"type": "utterance", "clip": {"base64": "?"}}', 1, "invalid", "not base64"),
        ('{"type": "utterance", "features": {"text": [NaN]}}', 1, "invalid", "finite"),
        (json.dumps({"type": "utterance", "text": "x" * 301}), 1, "limit_characters", "301 characters"),
    ],
)
def test_what_cannot_be_used_is_answered_and_the_stream_goes_on(
    message: str, seq: int | None, code: str, said: str
) -> None:
    async def use(service: Inside) -> None:
        async with service.connect() as line:
            await heard(line)
            await say(line, "Hello.")
            await line.send(message)
            answer = await heard(line)
            assert (answer["type"], answer["seq"], answer["error"]["code"]) == ("error", seq, code)
            assert said in answer["error"]["message"]
            assert ("limit" in answer["error"]) == code.startswith("limit")
            assert (await say(line, "Well?"))["seq"] == 1

    run(use, characters=300)


def test_who_comes_back_goes_on() -> None:
    """Dropped in the midst, with an answer that never arrived."""

    async def use(service: Inside) -> None:
        wanted = expected("kitchen", WORDS)
        line = await service.connect("kitchen")
        await heard(line)
        for number in range(5):
            await say(line, WORDS[number], seq=number, speaker=("Ann", "Bob")[number % 2])
        await line.send(json.dumps({"type": "utterance", "seq": 5, "speaker": "Bob", "text": WORDS[5]}))
        line.transport.abort()
        async with service.connect("kitchen") as line:
            ready = await heard(line)
            assert 5 <= ready["next"] <= 6
            for number in range(3, len(WORDS)):
                speaker = ("Ann", "Bob")[number % 2]
                answer = await say(line, WORDS[number], seq=number, speaker=speaker)
                assert answer["seq"] == number
                assert answer["prediction"] == wanted[number]

    run(use)


def test_forget() -> None:
    async def use(service: Inside) -> None:
        async with service.connect("a") as line:
            await heard(line)
            first = await say(line, "Hello.", speaker="Ann")
            await say(line, "Goodbye.", speaker="Bob")
            await line.send('{"type": "forget"}')
            assert await heard(line) == {"type": "forgotten"}
            assert await say(line, "Hello.", speaker="Ann") == first
            await line.send('{"type": "forget"}')
            await heard(line)
        async with service.connect("a") as line:
            assert (await heard(line))["next"] == 0

    run(use)


def test_the_newer_connection_takes_over() -> None:
    """An utterance that is being computed for the older one is counted, one that waits behind it is not."""

    async def use(service: Inside) -> None:
        older = await service.connect("a")
        await heard(older)
        slow = service.hold()
        for number in range(3):
            await older.send(json.dumps({"type": "utterance", "seq": number, "text": WORDS[number]}))
        await slow.begun.wait()
        async with service.connect("a") as newer:
            waiting = asyncio.create_task(heard(newer))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            slow.set()
            assert (await waiting)["next"] == 1
            assert (await heard(older))["seq"] == 0
            assert await closed(older) == (4001, "a newer connection has this conversation")
            with pytest.raises(ConnectionClosed):
                await older.recv()
            assert (await say(newer, WORDS[1], seq=1))["prediction"]["text"] == WORDS[1]

    run(use)


def test_many_take_over_from_each_other() -> None:
    async def use(service: Inside) -> None:
        lines = [await service.connect("a") for _ in range(20)]
        for line in lines[:-1]:
            assert (await closed(line))[0] == 4001
        await heard(lines[-1])
        assert (await say(lines[-1], "Hello."))["seq"] == 0
        assert service.service.sessions.connected == 1
        await lines[-1].close()

    run(use)


def test_a_client_that_sends_faster_is_held_back() -> None:
    """It is not read further, and all is answered in order."""

    async def use(service: Inside) -> None:
        async with service.connect() as line:
            await heard(line)
            text = "x" * 4000
            for number in range(300):
                await line.send(json.dumps({"type": "utterance", "seq": number, "text": text}))
                assert service.service.memory.bytes < 600_000
            assert [(await heard(line))["seq"] for _ in range(300)] == list(range(300))

    run(use)


def test_a_hundred_streams_at_once() -> None:
    """Every prediction is what it would be alone, though they run together."""
    streams, length = 100, 20
    computed: list[int] = []

    async def use(service: Inside) -> None:
        told = service.service.metrics.observe_step

        def counted(utterances: int, *others: Any) -> None:
            computed.append(utterances)
            told(utterances, *others)

        service.service.stream_batcher._batcher._on_batch = counted

        async def one(name: str) -> list[Any]:
            async with service.connect(name) as line:
                await heard(line)
                words = [f"{name}: {text}" for text in WORDS[:length]]
                answers = [await say(line, text, speaker=("Ann", "Bob")[n % 2]) for n, text in enumerate(words)]
                assert [answer["seq"] for answer in answers] == list(range(length))
                return [answer["prediction"] for answer in answers]

        found = await asyncio.gather(*(one(f"talk-{number}") for number in range(streams)))
        for number in range(0, streams, 7):
            name = f"talk-{number}"
            wanted = expected(name, [f"{name}: {text}" for text in WORDS[:length]])
            for prediction, other in zip(found[number], wanted, strict=True):
                same(prediction, other)
        numbers = service.service.metrics.render().decode()
        assert f"sdt_stream_utterances_total {streams * length}.0" in numbers
        assert f'sdt_requests_total{{route="/v1/stream",status="101"}} {streams}.0' in numbers

    run(use)
    assert sum(computed) == streams * length
    assert len(computed) < streams * length / 3


def test_a_causal_model_says_what_it_says_of_the_whole_conversation(tmp_path: Path) -> None:
    """Several conversations, one of them forgotten in the midst, one left and gone on with."""
    architecture = Architecture(width=16, heads=2, context="window(4)")
    tiny_model(architecture=architecture).save_pretrained(tmp_path)
    pipeline = Pipeline.from_pretrained(tmp_path, device="cpu")

    async def use(service: Inside) -> None:
        assert service.service.stream_batcher._stream.causal

        async def one(name: str) -> None:
            said = chat(name, 12)
            wanted = pipeline(said)
            answers = []
            for part in range(2):
                async with service.connect(name) as line:
                    assert (await heard(line))["next"] == 6 * part
                    if name == "b" and not part:
                        await say(line, "Of no account.")
                        await line.send('{"type": "forget"}')
                        await heard(line)
                    for utterance in said.utterances[6 * part : 6 * part + 6]:
                        answers.append(await say(line, utterance.text, speaker=utterance.speaker))
            for answer, other, utterance in zip(answers, wanted, said.utterances, strict=True):
                same(answer["prediction"], utterance_record(other, utterance))

        await asyncio.gather(*map(one, "abc"))

    run(use, model=tmp_path)


def test_streams_and_requests_share_the_model() -> None:
    """Both kinds at once, each as it would be alone."""

    async def use(service: Inside) -> None:
        said = Conversation("c", tuple(Utterance(str(n), "Ann", text) for n, text in enumerate(WORDS)))
        alone = await service.service.predict(PredictRequest(said))
        async with service.connect("kitchen") as line:
            await heard(line)
            requests = [asyncio.create_task(service.service.predict(PredictRequest(said))) for _ in range(20)]
            for number, wanted in enumerate(expected("kitchen", WORDS)):
                same((await say(line, WORDS[number], speaker=("Ann", "Bob")[number % 2]))["prediction"], wanted)
            others = await asyncio.gather(*requests)
        for other in others:
            for one, two in zip(other, alone, strict=True):
                assert one.probabilities == pytest.approx(two.probabilities, abs=2e-6)

    run(use)


async def refused(service: Inside, conversation: str | None = None, **options: Any) -> tuple[int, Any]:
    """The status and the error of a handshake that does not succeed."""
    with pytest.raises(InvalidStatus) as error:
        await service.connect(conversation, **options)
    response = error.value.response
    assert response.headers["content-type"] == "application/json"
    return response.status_code, json.loads(response.body or b"")["error"]


def test_limits() -> None:
    async def use(service: Inside) -> None:
        async with service.connect("a") as line:
            await heard(line)
            for number in range(3):
                assert (await say(line, "Oh."))["seq"] == number
            answer = await say(line, "Oh.")
            assert (answer["type"], answer["seq"]) == ("error", 3)
            assert answer["error"]["limit"] == {"name": "stream_utterances", "value": 3}
            assert (await say(line, "Oh.", seq=2))["type"] == "prediction"
            async with service.connect("b") as other:
                await heard(other)
                status, error = await refused(service)
                assert (status, error["limit"]) == (503, {"name": "streams", "value": 2})
                await say(other, "Oh.")
            async with service.connect("c") as other:  # b made way
                await heard(other)
                assert (await say(line, "Oh.", seq=1))["type"] == "prediction"
        async with service.connect("a") as line:
            assert (await heard(line))["next"] == 3
        status, error = await refused(service, "a%20b")
        assert (status, error["code"]) == (422, "conversation")

    run(use, streams=2, stream_utterances=3)


def test_idle_connections_are_closed_and_their_conversations_kept_for_a_while() -> None:
    async def use(service: Inside) -> None:
        line = await service.connect("a")
        await heard(line)
        await say(line, "Hello.")
        assert await closed(line) == (4002, "no message for too long")
        async with service.connect("a") as line:
            assert (await heard(line))["next"] == 1
        await asyncio.sleep(2.7)
        async with service.connect("a") as line:
            assert (await heard(line))["next"] == 0
        assert service.service.stream_batcher._stream.conversations == ()

    run(use, stream_idle_seconds=1.0, stream_keep_seconds=2.5)


def test_the_token() -> None:
    async def use(service: Inside) -> None:
        assert (await refused(service))[0] == 401
        assert (await refused(service, "a", subprotocols=["sdt.v1", "bearer.eHh4"]))[0] == 401
        header = {"authorization": "Bearer secret"}
        async with service.connect("a", additional_headers=header) as line:
            assert line.subprotocol is None
            await heard(line)
            await say(line, "Hello.")
            assert (await refused(service, "a"))[0] == 401
            assert (await say(line, "Hello."))["seq"] == 1  # it was not taken over
        async with service.connect("a", subprotocols=["sdt.v1", "bearer.c2VjcmV0"]) as line:
            assert line.subprotocol == "sdt.v1"
            assert (await heard(line))["next"] == 2

    run(use, token="secret")


def test_pages_of_other_sites_are_refused() -> None:
    async def use(service: Inside) -> None:
        status, error = await refused(service, origin="https://example.org")
        assert (status, error["code"]) == (403, "origin")
        async with service.connect(origin=f"http://127.0.0.1:{service.port}") as line:
            assert (await heard(line))["type"] == "ready"

    run(use)


def test_when_it_stops(caplog: pytest.LogCaptureFixture) -> None:
    """The utterance that is being computed is answered, those behind it are not."""

    async def use(service: Inside) -> None:
        async with service.connect("a") as idle, service.connect("b") as busy:
            await heard(idle)
            await heard(busy)
            slow = service.hold()
            for _ in range(2):
                await busy.send('{"type": "utterance", "text": "Hello."}')
            await slow.begun.wait()
            service.service.limiter.stopping = True
            service.service.sessions.close_connections()
            assert await closed(idle) == (1012, "the service is stopping")
            status, error = await refused(service)
            assert (status, error["code"]) == (503, "stopping")
            slow.set()
            assert (await heard(busy))["seq"] == 0
            assert await closed(busy) == (1012, "the service is stopping")

    run(use)


def test_a_failure_inside_closes_the_stream_and_is_logged_without_words(caplog: pytest.LogCaptureFixture) -> None:
    async def use(service: Inside) -> None:
        async def fails(*_: Any) -> Any:
            raise RuntimeError(SECRET)

        async with service.connect() as line:
            await heard(line)
            service.predict_steps_with(fails)
            await line.send(json.dumps({"type": "utterance", "text": SECRET}))
            assert await closed(line) == (1011, "internal")

    log.propagate = True
    with caplog.at_level("INFO", "sdt.serving"):
        run(use)
    assert "RuntimeError" in caplog.text
    assert "in fails" in caplog.text
    assert SECRET not in caplog.text


def test_nobody_waits_for_who_has_gone() -> None:
    """Connections that are dropped at any moment leave nothing behind; see also `inside`."""

    async def use(service: Inside) -> None:
        for number in range(30):
            line = await service.connect(f"a{number}")
            if number % 3:
                await heard(line)
            for _ in range(number % 4):
                await line.send('{"type": "utterance", "text": "Hello."}')
            line.transport.abort()
        async with asyncio.timeout(20):
            while service.service.sessions.connected:
                await asyncio.sleep(0.02)

    run(use)


def test_the_service_can_be_used_again_and_again() -> None:
    async def main() -> None:
        for _ in range(2):
            async with asyncio.timeout(30), inside() as service, service.connect() as line:
                await heard(line)
                assert (await say(line, "Hello."))["seq"] == 0

    asyncio.run(main())
