"""The routes of file formats: `GET /v1/formats` and `POST /v1/convert`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from sdt.errors import InputError
from sdt.formats import Transcript
from sdt.formats.format import Format, Holds
from sdt.formats.losses import losses
from sdt.formats.overview import held_names
from sdt.formats.table import FORMATS, writer
from sdt.serving import schemas
from sdt.serving.errors import invalid_request
from sdt.serving.openapi import TRANSCRIPT_BODY, errors
from sdt.serving.responses import dump, json_response
from sdt.serving.service import Service

FILE_BYTES = 8192
"""Bytes of a file for each utterance, roughly; XML has the most."""


def add_conversion(app: FastAPI, service: Service, guard: Sequence[Any]) -> None:
    """Add both routes."""

    @app.get(
        "/v1/formats",
        operation_id="formats",
        response_model=schemas.FormatsResponse,
        responses=errors(401, 403),
        dependencies=guard,
    )
    async def formats() -> Response:
        """The formats of text files: which can be read, and which can be written by /v1/convert."""
        return json_response({"formats": [_fields(one) for one in _texts()]})

    @app.post(
        "/v1/convert",
        operation_id="convert",
        response_model=schemas.ConvertResponse,
        responses=errors(400, 401, 403, 413, 415, 422, 429, 500, 503),
        openapi_extra=TRANSCRIPT_BODY,
        dependencies=guard,
    )
    async def convert(request: Request, to: str) -> Response:
        """Convert a transcript, with its predictions if it has any, to another format.

        Send multipart with a part `transcript` in any format that can be read, and the name of the new one as `to`.
        The response has the file, and what it cannot hold.
        """
        async with service.reader.transcript(request) as read:
            size = FILE_BYTES * sum(map(len, read.conversations))
            content = await service.reader.run_in_thread(size, lambda: dump(_converted(read, to)))
        return Response(content, media_type="application/json")


def _texts() -> list[Format]:
    return [format for format in FORMATS.builtin.values() if format.content == "text"]


def _fields(format: Format) -> dict[str, object]:
    return {
        "name": format.name,
        "title": format.title,
        "suffixes": format.suffixes,
        "read": format.readable,
        "write": format.writable,
        "predictions": Holds.PREDICTIONS in format.holds,
        "several": Holds.SEVERAL in format.holds,
        "untimed": Holds.UNTIMED in format.holds,
        "holds": held_names(format),
    }


def _converted(read: Transcript, to: str) -> dict[str, object]:
    try:
        target = writer(to)
        path = Path(f"{read.conversations[0].id}{target.suffix}")
        if target.write is None:
            raise InputError(f"format {to!r} is not text; use sdt convert")
        content = "".join(target.write(Transcript(read.conversations, predictions=read.predictions), None))
    except InputError as error:
        raise invalid_request(str(error).removeprefix("-: ")) from None
    lost = [{"name": loss.name, "count": loss.count, "first": loss.first} for loss in losses(read, target, path)]
    return {
        "format": target.name,
        "suffix": target.suffix,
        "content": content,
        "losses": lost,
        "notes": read.notes,
    }
