"""Validation of JSON against its schema; errors name their location and the allowed fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sdt.errors import near_miss, printable
from sdt.serving import schemas
from sdt.serving.errors import APIError, invalid_request
from sdt.serving.speech_schemas import ListenEnd, ListenMessage, ListenSpeaker

Input = TypeVar("Input", bound=BaseModel)
Detail = Mapping[str, object]
MAX_DETAILS = 20
"""Maximum number of errors in a response."""
_LONGEST = 80
"""Maximum characters of each part of a location."""


def validate(schema: type[Input], body: bytes, where: str = "") -> Input:
    """Parse JSON into an object of the schema.

    Args:
        schema: The schema.
        body: JSON with few values, since each invalid one causes an error.
        where: Prefix of the locations of errors.

    Raises:
        APIError: It is not JSON, or does not match the schema.
    """
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise APIError(400, "malformed", f"{where and f'{where[:-1]}: '}not JSON: {found[0]['msg']}") from None
        raise validation_error([_detail(schema, one, where) for one in found[:MAX_DETAILS]], len(found)) from None


def validation_error(details: Sequence[Detail], count: int | None = None) -> APIError:
    """The error of a request that does not match its schema.

    Args:
        details: Place and message of each error; at least one.
        count: The number of errors; None for that of `details`.
    """
    first, others = details[0], (count or len(details)) - 1
    more = f" (and {others} more)" if others else ""
    return invalid_request(f"{first['place']}: {first['message']}{more}", details[:MAX_DETAILS])


def _detail(schema: type[BaseModel], error: Any, where: str) -> Detail:  # noqa: ANN401 - pydantic's dictionary
    place = where + ".".join(_shortened(str(part)) for part in error["loc"])
    message = error["msg"]
    if error["type"] == "union_tag_invalid":  # pydantic's message quotes the tag, whatever its length
        message = f"unknown type; allowed are: {error['ctx']['expected_tags']}"
    if error["type"] == "extra_forbidden":
        fields = list(_schema_at(schema, error["loc"]).model_fields)
        meant = near_miss(str(error["loc"][-1])[:_LONGEST], fields)
        meant = meant if "did you mean" in meant else ";"
        message = f"unknown field{meant} allowed are: {', '.join(fields)}"
    return {"place": place.rstrip(".") or "body", "message": message}


def _schema_at(schema: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """The schema of the object that has a field at this place."""
    if len(place) > 1 and place[-2] == "clip":
        return schemas.ClipInput
    if schema is schemas.StreamMessage:
        return schemas.StreamUtterance if place[0] == "utterance" else schemas.StreamForget
    if len(place) > 2 and place[-3] == "words":
        return schemas.WordInput
    if schema is ListenMessage:
        listen: dict[object, type[BaseModel]] = {"speaker": ListenSpeaker, "end": ListenEnd}
        return listen.get(place[0], schemas.StreamForget)
    return schema


def _shortened(text: str) -> str:
    text = printable(text[: 2 * _LONGEST])
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
