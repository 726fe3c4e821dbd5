"""Helpers of the routes: JSON of responses, log fields, and work that is cancelled when the client disconnects."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from sdt.conversation import Conversation
from sdt.encoders.encoder import Encoded
from sdt.errors import printable
from sdt.formats import Transcript
from sdt.formats.parsing.words import word_records
from sdt.formats.records import utterance_record
from sdt.prediction.predictions import Predictions
from sdt.serving.errors import APIError
from sdt.serving.predict_request import PredictRequest

JSON_LINES = "application/x-ndjson"
"""The media type for which `/v1/predict` answers with the file of `sdt predict --output`."""
_FIELDS = ("id", "speaker", "text", "label", "start", "end", "review")
"""The fields of an utterance in a request, besides its words."""
T = TypeVar("T")
log = logging.getLogger("sdt.serving")


def log_request(request: Request, parsed: Sequence[PredictRequest], *, words: bool) -> None:
    """Add the size of a request to its log line, and log its conversations if `words`."""
    fields = request.state.log_fields
    fields["conversations"] = len(parsed)
    fields["utterances"] = sum(len(one.conversation) for one in parsed)
    fields["recordings"] = sum(len(one.uploads) for one in parsed)
    if words:
        for one in parsed:
            texts = [[utterance.speaker, utterance.text] for utterance in one.conversation.utterances]
            log.info("conversation %s", printable(json.dumps([one.conversation.id, texts], ensure_ascii=False)))


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Run work, and cancel it if the client disconnects.

    Raises:
        ClientDisconnect: The client has disconnected.
    """
    task = asyncio.create_task(work)
    disconnected = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({task, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        disconnected.cancel()
        await asyncio.gather(task, disconnected, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def first_error(group: ExceptionGroup[Exception]) -> Exception:
    """The first error response in a group, otherwise its first exception."""
    found = [error for error in group.exceptions if isinstance(error, APIError)]
    return found[0] if found else group.exceptions[0]


def json_lines(found: Predictions) -> bytes:
    """The file that `sdt predict --output` writes."""
    return b"".join(dump(one) + b"\n" for one in _records(found))


def prediction_json(found: Predictions, features: Mapping[str, Encoded] | None = None) -> bytes:
    """The response of `/v1/predict`.

    Args:
        found: The predictions.
        features: Modality to the features that each prediction is to contain.
    """
    missing = {modality: list(problems) for modality, problems in found.missing.items() if problems}
    records = _records(found)
    if features is not None:
        for row, record in enumerate(records):
            record["features"] = {
                modality: [float(f"{value:.8g}") for value in encoded.features[row]] if encoded.present[row] else None
                for modality, encoded in features.items()
            }
    return dump({"predictions": records, "notes": found.notes, "missing": missing})


def _records(found: Predictions) -> list[dict[str, object]]:
    utterances = [utterance for conversation in found.conversations for utterance in conversation.utterances]
    return [utterance_record(prediction, utterance) for prediction, utterance in zip(found, utterances, strict=True)]


def transcript_json(transcript: Transcript) -> bytes:
    """The response of `/v1/transcript`."""
    return dump(
        {"conversations": [conversation_fields(one) for one in transcript.conversations], "notes": transcript.notes}
    )


def conversation_fields(conversation: Conversation) -> dict[str, object]:
    """A conversation in the format of requests, without the fields that it lacks."""
    utterances = [
        {name: getattr(utterance, name) for name in _FIELDS} | {"words": word_records(utterance.words)}
        for utterance in conversation.utterances
    ]
    given = [{name: value for name, value in one.items() if value not in (None, [])} for one in utterances]
    return {"id": conversation.id, "utterances": given}


def dump(value: object) -> bytes:
    """A value as JSON."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def json_response(value: object) -> Response:
    """A response with this value as JSON."""
    return Response(dump(value), media_type="application/json")


async def http_error(_: Request, error: Exception) -> Response:
    """Convert an error of the framework to the format of all error responses."""
    assert isinstance(error, HTTPException)
    codes = {404: "not_found", 405: "method"}
    response = APIError(error.status_code, codes.get(error.status_code, "malformed"), str(error.detail))
    headers = {**response.headers, **(error.headers or {})}
    return JSONResponse(json.loads(response.body()), status_code=error.status_code, headers=headers)
