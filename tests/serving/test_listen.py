"""Live speech: how sound is cut, and what `/v1/listen` answers, with a recogniser that answers at once."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from websockets.asyncio.client import ClientConnection

from sdt.conversation import Word
from sdt.serving.errors import APIError
from sdt.serving.listen import MOST_BYTES
from sdt.serving.speech_cutter import FRAME, LONGEST, PAUSE, SpeechCutter, Stretch
from sdt.serving.transcriber_pool import LiveSpeech
from sdt.speech.transcriber import RATE
from tests.encoders.clips import noise, tone
from tests.serving.inside import Inside, closed, heard, run

Samples = npt.NDArray[np.float32]


def hum(seconds: float, level: float = 0.002) -> Samples:
    """The sound of a room."""
    sound: Samples = level * np.random.default_rng(1).standard_normal(round(seconds * RATE)).astype(np.float32)
    return sound


def said(seconds: float) -> Samples:
    sound: Samples = noise(seconds)[0]
    return sound


def cut(*parts: Samples, size: int = 1600) -> list[Stretch]:
    cutter, sound = SpeechCutter(), np.concatenate(parts)
    found = [one for begin in range(0, len(sound), size) for one in cutter.push(sound[begin : begin + size])]
    return found + cutter.end()


@pytest.mark.parametrize("size", [160, 1600, 5000, 10**6])
def test_sound_is_cut_at_pauses(size: int) -> None:
    found = cut(hum(1), said(2), hum(1), said(0.8), hum(0.3), said(0.7), hum(2), size=size)
    ended = [one for one in found if one.samples is not None]
    assert len(found) == 2 * len(ended)
    assert [one.end is None for one in found] == [True, False] * len(ended)
    first, second = ended
    assert first.start == pytest.approx(0.7, abs=0.1)
    assert first.end == pytest.approx(3 + PAUSE / 2, abs=0.1)
    assert second.start == pytest.approx(3.7, abs=0.1)
    assert second.end == pytest.approx(5.8 + PAUSE / 2, abs=0.1)  # a short pause does not cut
    for one in ended:
        assert one.samples is not None
        assert one.end is not None
        assert len(one.samples) == pytest.approx((one.end - one.start) * RATE, abs=1)
    sound = np.concatenate([hum(1), said(2), hum(1)])
    assert first.samples is not None
    assert np.array_equal(first.samples, sound[round(first.start * RATE) :][: len(first.samples)])


def test_neither_silence_nor_hum_nor_a_click_is_speech() -> None:
    click = np.zeros(RATE // 50, dtype=np.float32)
    click[:20] = 0.9
    assert cut(np.zeros(3 * RATE, np.float32), hum(3), click, hum(2), np.zeros(RATE, np.float32)) == []


def test_noise_that_begins_and_stays_is_taken_for_a_room_after_a_while() -> None:
    found = cut(hum(1), hum(40, 0.05), said(1), hum(1, 0.05))
    assert found[0].start < 2
    ended = [one for one in found if one.samples is not None]
    assert max(len(one.samples) for one in ended if one.samples is not None) <= LONGEST * RATE + FRAME
    assert any(one.start > 40 for one in ended)


def test_a_long_speech_is_cut_where_it_is_quiet() -> None:
    quiet = 0.05 * said(0.4)
    found = [one for one in cut(hum(1), said(7.5), quiet, said(7), hum(1)) if one.samples is not None]
    assert found[0].end == pytest.approx(8.7, abs=0.25)
    assert found[1].start == found[0].end


def test_a_talk_without_pauses_is_cut_at_short_ones() -> None:
    found = [one for one in cut(hum(1), *[said(1.2), hum(0.35)] * 12, hum(1)) if one.samples is not None]
    assert len(found) >= 3
    assert all(one.end is not None and one.end - one.start < 8 for one in found)
    for one, other in itertools.pairwise(found):
        assert one.end is not None
        assert one.end <= other.start < one.end + 0.5  # nothing is heard twice, and nothing is lost


async def nothing(line: ClientConnection) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await line.recv()


def pcm(samples: Samples) -> bytes:
    return (samples * 32767).astype("<i2").tobytes()


def recognise(service: Inside, words: list[Word] | APIError, calls: list[Any] | None = None) -> None:
    """Have these words recognised in every stretch."""

    async def report() -> dict[str, Any]:
        return {}

    async def recognised(samples: Samples, language: str | None) -> LiveSpeech:
        if calls is not None:
            calls.append((len(samples) / RATE, language))
        if isinstance(words, APIError):
            raise words
        return LiveSpeech(words)

    service.service.listeners.__dict__.update(report=report, words=recognised)


async def until(line: ClientConnection, kind: str) -> Any:
    while (message := await heard(line))["type"] != kind:
        assert message["type"] in ("speech", "ready", "prediction")
    return message


def test_each_utterance_is_answered() -> None:
    async def use(service: Inside) -> None:
        calls: list[Any] = []
        words = [Word("Hello", 0.3, 0.6, 0.9), Word("there.", 0.6, 1.0, 0.2), Word("Well?", 1.5, 1.9, 0.8)]
        recognise(service, words, calls)
        async with service.connect("talk", "listen") as line:
            assert (await heard(line))["type"] == "ready"
            await line.send(json.dumps({"type": "speaker", "name": "Ann"}))
            for part in (hum(1), said(2), hum(1)):
                await line.send(pcm(part))
            first = await heard(line)
            assert first == {"type": "speech", "start": pytest.approx(0.7, abs=0.1), "end": None}
            assert (await heard(line))["end"] == pytest.approx(3.3, abs=0.1)
            answers = [await heard(line), await heard(line)]
            assert [one["seq"] for one in answers] == [0, 1]
            one, other = (answer["prediction"] for answer in answers)
            assert (one["speaker"], one["text"], other["text"]) == ("Ann", "Hello there.", "Well?")
            assert one["emotion"]
            assert one["words"][1] == {
                "text": "there.",
                "start": pytest.approx(first["start"] + 0.6, abs=0.001),
                "end": pytest.approx(first["start"] + 1.0, abs=0.001),
                "probability": 0.2,
            }
            assert one["start"] == one["words"][0]["start"]
            await line.send(pcm(said(1)))  # goes on at the end
            await line.send(json.dumps({"type": "end"}))
            await until(line, "ended")
            assert len(calls) == 2
            await line.send(json.dumps({"type": "forget"}))
            await until(line, "forgotten")
        async with service.connect("talk", "listen") as line:
            assert (await heard(line))["next"] == 0

    run(use)


def test_a_finished_sentence_does_not_wait_for_a_pause() -> None:
    """The recogniser hears a word each half second; every fourth ends a sentence."""

    async def recognised(samples: Samples, language: str | None) -> LiveSpeech:
        count = len(samples) // 8000
        return LiveSpeech([Word(f"w{k}{'.' if k % 4 == 3 else ''}", 0.5 * k, 0.5 * k + 0.4) for k in range(count)])

    async def use(service: Inside) -> None:
        recognise(service, [])
        service.service.listeners.__dict__["words"] = recognised
        async with service.connect(None, "listen") as line:
            await line.send(pcm(np.concatenate([hum(1), said(4)])))
            first = await until(line, "prediction")
            assert first["prediction"]["text"] == "w0 w1 w2 w3."
            await line.send(pcm(hum(1)))
            second = await until(line, "prediction")  # of what is left
            assert second["seq"] == 1
            assert second["prediction"]["text"].startswith("w0 w1")
            assert second["prediction"]["start"] >= first["prediction"]["end"]
            assert second["prediction"]["start"] == pytest.approx(first["prediction"]["end"], abs=0.2)

    run(use)


def test_a_voice_that_follows_another_begins_an_utterance() -> None:
    """The recogniser hears a word each half second, and another voice from the fourth on."""

    async def recognised(samples: Samples, language: str | None) -> LiveSpeech:
        count = len(samples) // 8000
        return LiveSpeech([Word(f"w{k}", 0.5 * k, 0.5 * k + 0.4) for k in range(count)], 1.45 if count > 4 else None)

    async def use(service: Inside) -> None:
        recognise(service, [])
        service.service.listeners.__dict__["words"] = recognised
        async with service.connect(None, "listen") as line:
            await line.send(pcm(np.concatenate([hum(1), said(4)])))
            first = await until(line, "prediction")
            assert first["prediction"]["text"] == "w0 w1 w2"
            await line.send(json.dumps({"type": "end"}))
            await until(line, "ended")

    run(use)


def test_words_before_a_pause_are_known_when_it_ends_the_stretch() -> None:
    async def use(service: Inside) -> None:
        calls: list[Any] = []
        recognise(service, [Word("Hello", 0.3, 0.6), Word("there.", 0.6, 1.0)], calls)
        async with service.connect(None, "listen") as line:
            await line.send(pcm(np.concatenate([hum(1), said(1), hum(0.2)])))  # too short to end it
            while not calls:
                await asyncio.sleep(0.01)
            await line.send(pcm(hum(1)))
            prediction = (await until(line, "prediction"))["prediction"]
            assert prediction["text"] == "Hello there."
            assert prediction["start"] == pytest.approx(1.0, abs=0.1)
            assert len(calls) == 1
            await line.send(pcm(np.concatenate([said(1), hum(0.2)])))
            while len(calls) < 2:
                await asyncio.sleep(0.01)
            await line.send(pcm(np.concatenate([said(1), hum(1)])))  # the pause was none
            await until(line, "prediction")
            assert len(calls) == 3
            assert calls[2][0] == pytest.approx(calls[1][0] + 1.2, abs=0.3)

    run(use)


def test_a_failure_of_the_recogniser_ends_the_connection() -> None:
    async def failed(samples: Samples, language: str | None) -> LiveSpeech:
        raise RuntimeError("it has failed")

    async def use(service: Inside) -> None:
        recognise(service, [])
        service.service.listeners.__dict__["words"] = failed
        async with service.connect(None, "listen") as line:
            await line.send(pcm(np.concatenate([hum(1), said(1), hum(1)])))
            await line.send(json.dumps({"type": "end"}))
            assert (await closed(line))[0] == 1011

    run(use)


def test_another_speaker_begins_an_utterance() -> None:
    async def use(service: Inside) -> None:
        recognise(service, [Word("Yes.", 0.3, 0.6, 0.9)])
        async with service.connect(None, "listen") as line:
            await line.send(pcm(np.concatenate([hum(1), said(1)])))
            await line.send(json.dumps({"type": "speaker", "name": "Bob"}))
            await line.send(pcm(said(1)))
            await line.send(json.dumps({"type": "end"}))
            assert (await until(line, "prediction"))["prediction"]["speaker"] == "Speaker 1"
            assert (await until(line, "prediction"))["prediction"]["speaker"] == "Bob"
            await until(line, "ended")

    run(use)


def test_what_cannot_be_used_is_an_error_and_the_line_stays() -> None:
    async def use(service: Inside) -> None:
        recognise(service, APIError(503, "transcriber", "it has ended"))
        async with service.connect(None, "listen") as line:
            assert (await heard(line))["type"] == "ready"
            for wrong in (b"x", bytes(MOST_BYTES + 2), "{", '{"type": "shout"}', '{"type": "speaker"}'):
                await line.send(wrong)
                answer = await heard(line)
                assert (answer["type"], answer["seq"]) == ("error", None)
            await line.send(pcm(np.concatenate([hum(1), said(1), hum(1)])))
            assert [(await heard(line))["type"] for _ in range(3)] == ["speech", "speech", "error"]
            recognise(service, [])  # nothing is said
            await line.send(pcm(np.concatenate([tone(300, 1)[0], hum(1)])))
            assert [(await heard(line))["type"] for _ in range(2)] == ["speech", "speech"]
            await nothing(line)

    run(use)


def test_without_a_recogniser() -> None:
    async def use(service: Inside) -> None:
        async with service.connect(None, "listen") as line:
            assert (await heard(line))["error"]["code"] == "not_installed"
            assert (await closed(line))[0] == 4003

    run(use)


def test_the_utterance_has_the_features_of_its_sound(home: Path) -> None:
    """Where the model needs nothing but the clip; the tiny one compares a conversation, so words alone count."""

    async def use(service: Inside) -> None:
        recognise(service, [Word("Yes.", 0.3, 0.6, 0.9)])
        async with service.connect(None, "listen") as line:
            await line.send(pcm(np.concatenate([hum(1), said(1), hum(1)])))
            prediction = (await until(line, "prediction"))["prediction"]
            assert prediction["weights"]["text"] == 1
            assert prediction["weights"]["audio"] is None

    run(use, model=home / "model", decoders=1)
