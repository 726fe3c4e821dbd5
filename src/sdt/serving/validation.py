"""Checking JSON against its schema: what is not valid, where, and which fields there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from sdt.errors import near_miss, printable
from sdt.serving import schemas
from sdt.serving.refusals import Refusal, invalid

Given = TypeVar("Given", bound=BaseModel)
Detail = Mapping[str, object]
DETAILS = 20
"""What is not valid is listed up to so many times."""
_WORDS = 80
"""Characters of a part of a place."""


def parsed(model: type[Given], body: bytes, where: str = "") -> Given:
    """JSON as an object of the schema.

    Args:
        model: The schema.
        body: JSON with few values: there is an error for each that is not valid.
        where: What stands before the places of errors.

    Raises:
        Refusal: It is no JSON, or not of the schema.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Refusal(400, "malformed", f"{where and f'{where[:-1]}: '}not JSON: {found[0]['msg']}") from None
        raise not_valid([_detail(model, one, where) for one in found[:DETAILS]], len(found)) from None


def not_valid(details: Sequence[Detail], count: int | None = None) -> Refusal:
    """What is refused since it is not of the schema.

    Args:
        details: Where, and why; at least one.
        count: How many there are; None for those.
    """
    first, others = details[0], (count or len(details)) - 1
    more = f" (and {others} more)" if others else ""
    return invalid(f"{first['place']}: {first['message']}{more}", details[:DETAILS])


def _detail(model: type[BaseModel], error: Any, where: str) -> Detail:  # noqa: ANN401 - pydantic's dictionary
    place = where + ".".join(_cut(str(part)) for part in error["loc"])
    message = error["msg"]
    if error["type"] == "union_tag_invalid":  # pydantic's message quotes the tag, however long it is
        message = f"unknown type; allowed are: {error['ctx']['expected_tags']}"
    if error["type"] == "extra_forbidden":
        fields = list(_model_at(model, error["loc"]).model_fields)
        meant = near_miss(str(error["loc"][-1])[:_WORDS], fields)
        meant = meant if "did you mean" in meant else ";"
        message = f"unknown field{meant} allowed are: {', '.join(fields)}"
    return {"place": place.rstrip(".") or "body", "message": message}


def _model_at(model: type[BaseModel], place: Sequence[int | str]) -> type[BaseModel]:
    """The schema of the object that has a field at this place."""
    if len(place) > 1 and place[-2] == "clip":
        return schemas.ClipGiven
    if model is schemas.StreamSent:
        return schemas.StreamUtterance if place[0] == "utterance" else schemas.StreamForget
    return model


def _cut(text: str) -> str:
    text = printable(text[: 2 * _WORDS])
    return text if len(text) <= _WORDS else f"{text[: _WORDS - 3]}..."
