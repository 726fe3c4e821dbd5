"""JSON made into conversations: what is taken, what is refused, and how early."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from sdt.serving import validation
from sdt.serving.config import ServingConfig
from sdt.serving.errors import APIError
from sdt.serving.json_reader import JsonReader
from sdt.serving.limits import UTTERANCE_BYTES, MemoryBudget, RequestUsage
from sdt.serving.predict_request import PredictRequest, close_uploads
from tests.prediction.models import tiny_model

CONFIG = tiny_model().config
WIDTH = CONFIG.modalities["text"]
UTTERANCE = "id, speaker, text, start, end, label, review, words, clip, features"
SOUND = b"RIFF" + bytes(range(256))
IN_BASE64 = base64.b64encode(SOUND).decode()


def conversation(
    value: Any, use: Callable[[PredictRequest, MemoryBudget], None] | None = None, **limits: Any
) -> PredictRequest:
    """What is made of JSON; its uploads are closed after `use`."""
    return batch_or_one(value, use, batch=False, **limits)[0]


def batch_or_one(
    value: Any, use: Callable[[PredictRequest, MemoryBudget], None] | None = None, *, batch: bool, **limits: Any
) -> list[PredictRequest]:
    settings = ServingConfig(**limits)
    budget = MemoryBudget(settings)
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    read = JsonReader(CONFIG, settings)
    asked: list[PredictRequest] = []
    with RequestUsage(settings, budget) as usage:
        try:
            asked = read.batch(body, usage) if batch else [read.conversation(body, {}, usage)]
            if use:
                use(asked[0], budget)
        finally:
            close_uploads(asked)
    assert budget.bytes == 0
    return asked


def refused(value: Any, *, batch: bool = False, **limits: Any) -> APIError:
    with pytest.raises(APIError) as refusal:
        batch_or_one(value, batch=batch, **limits)
    return refusal.value


def one(**fields: Any) -> dict[str, Any]:
    return {"utterances": [fields]}


@pytest.mark.parametrize(
    ("value", "place", "fields"),
    [
        (one(txet="x"), "utterances.0.txet", f"unknown field; did you mean 'text'? allowed are: {UTTERANCE}"),
        (one(loudness="x"), "utterances.0.loudness", f"unknown field; allowed are: {UTTERANCE}"),
        ({"utterances": [{"text": "x"}], "name": "x"}, "name", "allowed are: id, utterances"),
        (one(clip={"bytes": "x"}), "utterances.0.clip.bytes", "allowed are: base64, part"),
    ],
)
def test_errors_name_the_fields_that_there_are(value: object, place: str, fields: str) -> None:
    details = {detail["place"]: str(detail["message"]) for detail in refused(value).details}
    assert details[place].endswith(fields)


def test_errors_of_batches_say_where() -> None:
    value = {"conversations": [one(text="x"), {"utterances": [{"text": "x"}, {"text": 5}]}]}
    assert [detail["place"] for detail in refused(value, batch=True).details] == ["conversations.1.utterances.1.text"]
    assert refused({"conversation": []}, batch=True).details[0]["message"] == "Field required"


def test_integers_are_ids_and_names() -> None:
    found = conversation({"id": 7, "utterances": [{"id": 0, "speaker": 1, "text": "x"}, {"id": -1, "text": "y"}]})
    assert found.conversation.id == "7"
    assert [(u.id, u.speaker) for u in found.conversation.utterances] == [("0", "1"), ("-1", "1")]
    assert "two utterances '1'" in refused({"utterances": [{"id": 1, "text": "x"}, {"id": "1", "text": "y"}]}).message
    for value in (True, 1.5, [1], 10**150):
        refused({"utterances": [{"id": value, "text": "x"}]})


@pytest.mark.parametrize(
    "written",
    [
        IN_BASE64,
        f"data:audio/wav;base64,{IN_BASE64}",
        f"data:;base64,{IN_BASE64}",
        f"DATA:audio/x;codecs=1;BASE64,{IN_BASE64}",
        "\r\n".join(IN_BASE64[k : k + 76] for k in range(0, len(IN_BASE64), 76)),
    ],
)
def test_clips_in_base64(written: str) -> None:
    def use(asked: PredictRequest, _: MemoryBudget) -> None:
        (upload,) = asked.uploads
        upload.file.seek(0)
        assert upload.file.read() == SOUND

    conversation(one(text="x", clip={"base64": written}), use)


LONG_SOUND = SOUND * 10_000
LONG_BASE64 = base64.b64encode(LONG_SOUND)


WRAPPED = b"\\r\\n".join(LONG_BASE64[k : k + 76] for k in range(0, len(LONG_BASE64), 76))
CLIPS = {
    "as it is": (b'"base64":"%s"' % LONG_BASE64, True),
    "escaped in a URL": (b'"base64" :\n"data:audio\\/wav;base64,%s"' % LONG_BASE64.replace(b"/", b"\\/"), True),
    "wrapped": (b'"base64":"%s"' % WRAPPED, True),
    "with another sign": (b'"base64":"%s!"' % LONG_BASE64, False),
    "two of them": (b'"base64":"%s%s"' % (b"TQ==" * 2**18, LONG_BASE64), False),
    "given twice": (b'"base64":"%s","base64":"eA=="' % LONG_BASE64, False),
    "with a part": (b'"base64":"%s","part":"x"' % LONG_BASE64, False),
    "a list": (b'"base64":["%s"]' % LONG_BASE64, False),
    "a long part": (b'"base64":"eA==","part":"%s"' % LONG_BASE64, False),
}


@pytest.mark.parametrize("kind", CLIPS)
def test_long_clips_are_not_parsed(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    clip, right = CLIPS[kind]
    parsed: list[int] = []

    def parse(model: type[Any], part: bytes, where: str = "") -> Any:
        parsed.append(len(part))
        return validation.validate(model, part, where)

    monkeypatch.setattr("sdt.serving.json_reader.validate", parse)

    def use(asked: PredictRequest, _: MemoryBudget) -> None:
        asked.uploads[0].file.seek(0)
        assert asked.uploads[0].file.read() == LONG_SOUND

    body = b'{"utterances":[{"text":"x","clip":{%s}}]}' % clip
    if right:
        conversation(body, use)
    else:
        assert refused(body).status == 422
    assert max(parsed) < 200


@pytest.mark.parametrize("written", ["data:audio/wav,abcd", "data:audio/wav;base64", "!", "abc", "data:;base64,data:,"])
def test_clips_that_are_none(written: str) -> None:
    assert refused(one(text="x", clip={"base64": written})).code == "invalid"


def test_reading_ends_at_the_first_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def parse(model: type[Any], part: bytes, where: str = "") -> Any:
        read.append(where)
        return validation.validate(model, part, where)

    monkeypatch.setattr("sdt.serving.json_reader.validate", parse)
    refusal = refused({"utterances": [{"text": 1, "start": "x"}] * 1000})
    assert len(refusal.details) == validation.MAX_DETAILS
    assert refusal.message == "utterances.0.text: Input should be a valid string (and 19 more)"
    assert len(read) == 1 + validation.MAX_DETAILS / 2


LONG = "\x1b[2J" + "x" * 150


@pytest.mark.parametrize(
    "value",
    [
        one(text="x" * 5001, id=LONG),
        one(text="x", features={LONG: [1]}),
        one(text="x", features={"text": [1], LONG: None}),
        one(text="x", clip={"part": LONG}),
        one(text="x", clip={"base64": "?"}, id=LONG),
        {"utterances": [{"id": LONG, "text": "x"}] * 2},
        one(**{LONG * 9: 1}),
        {"id": LONG, "utterances": [{"text": "x" * 5001}]},
    ],
)
def test_messages_quote_little_and_nothing_that_a_terminal_heeds(value: object) -> None:
    refusal = refused(value)
    for text in (refusal.message, *(str(text) for detail in refusal.details for text in detail.values())):
        assert "x" * 81 not in text
        assert text.isprintable()


def test_limits_count_the_whole_request() -> None:
    three = {"conversations": [one(text="x", clip={"base64": "eA=="})] * 3}
    assert len(batch_or_one(three, batch=True, files=3)) == 3
    assert refused(three, batch=True, files=2).limit == "files"
    assert refused(three, batch=True, request_utterances=2).limit == "request_utterances"
    assert refused(three, batch=True, conversations=2).limit == "conversations"
    assert refused({"conversations": [{"utterances": [{}] * 3}]}, batch=True, utterances=2).limit == "utterances"
    assert refused(one(text=" " * 6), characters=5).limit == "characters"
    assert refused(one(text="x", id="y" * 10**6)).limit == "characters"


def test_memory_is_counted_until_the_request_ends() -> None:
    rows = {"utterances": [{"features": {"text": None}}, {"features": {"text": [0.5] * WIDTH}}]}
    size = 2 * (UTTERANCE_BYTES + 4 * WIDTH)

    def use(asked: PredictRequest, budget: MemoryBudget) -> None:
        assert asked.features["text"].present.tolist() == [False, True]
        assert budget.bytes == size

    conversation(rows, use)
    assert refused(rows, held_bytes=size - 1).limit == "held_bytes"
