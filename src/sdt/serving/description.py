"""The OpenAPI description: what the routes take and answer, from the schemas that check it, and how they refuse."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from sdt.serving import schemas

REFERENCE = "#/components/schemas/{model}"
REFUSALS = {
    400: "not JSON, or not a multipart body",
    401: "the token is missing or wrong",
    403: "a page of another site asks, or the host is not this service",
    413: "the body or a recording is beyond a limit",
    415: "neither JSON nor multipart, or compressed",
    422: "the request cannot be used, or is beyond a limit",
    426: "this is no WebSocket",
    429: "too many requests at a time",
    500: "the service failed",
    501: "what the recordings need is not installed",
    503: "it took too long, or the service is stopping",
}


def _refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": schemas.Error, "description": REFUSALS[status]} for status in statuses}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


_PART = {"type": "string", "format": "binary"}
_FORMAT = {
    "type": "string",
    "enum": ["txt", "csv", "jsonl", "json", "srt", "vtt"],
    "description": "of the transcript; default: by its name, or its content",
}
_MULTIPART = {
    "type": "object",
    "properties": {
        "transcript": {
            **_PART,
            "description": "plain text, CSV, TSV, JSON Lines, a JSON array, SRT or WebVTT; one conversation",
        },
        "media": {**_PART, "description": "the recording, cut by the transcript's times"},
        "format": _FORMAT,
        "conversation": {**_reference(schemas.ConversationGiven), "description": "instead of a transcript"},
    },
    "additionalProperties": {**_PART, "description": "the clip of the utterance that names this part"},
}

PREDICT: dict[str, Any] = {
    "operation_id": "predict",
    "response_model": schemas.Answer,
    "responses": {
        200: {"content": {"application/x-ndjson": {"schema": {"type": "string"}}}},
        **_refusals(400, 401, 403, 413, 415, 422, 429, 500, 501, 503),
    },
    "openapi_extra": {
        "parameters": [
            {
                "name": "X-Progress-Id",
                "in": "header",
                "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{16,64}$"},
                "description": "chosen by the client, to ask /v1/progress/ID meanwhile",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _reference(schemas.ConversationGiven), "example": schemas.EXAMPLE},
                "multipart/form-data": {"schema": _MULTIPART},
            },
        },
    },
}
TRANSCRIPT: dict[str, Any] = {
    "operation_id": "read_transcript",
    "response_model": schemas.TranscriptAnswer,
    "responses": _refusals(400, 401, 403, 413, 415, 422, 429, 500, 503),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            "transcript": {**_PART, "description": "of one conversation or several"},
                            "format": _FORMAT,
                        },
                        "required": ["transcript"],
                    }
                }
            },
        }
    },
}
BATCH: dict[str, Any] = {
    "operation_id": "predict_batch",
    "response_model": schemas.BatchAnswer,
    "responses": _refusals(400, 401, 403, 413, 415, 422, 429, 500, 501, 503),
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": _reference(schemas.BatchGiven),
                    "example": {"conversations": [schemas.EXAMPLE]},
                }
            },
        }
    },
}
PROGRESS: dict[str, Any] = {
    "operation_id": "progress",
    "response_model": schemas.Progress,
    "responses": _refusals(401),
}
STREAM: dict[str, Any] = {
    "operation_id": "stream",
    "responses": {
        101: {"description": "a WebSocket; what is sent and answered there is described above"},
        **_refusals(401, 403, 422, 426, 503),
    },
}
STREAMED = (
    schemas.StreamUtterance,
    schemas.StreamForget,
    schemas.StreamReady,
    schemas.StreamPrediction,
    schemas.StreamForgotten,
    schemas.StreamError,
)
"""The messages of a stream."""
MODEL: dict[str, Any] = {
    "operation_id": "model",
    "response_model": schemas.ModelAnswer,
    "responses": _refusals(401),
}
HEALTH: dict[str, Any] = {"operation_id": "healthz", "response_model": schemas.Status}
READY: dict[str, Any] = {"operation_id": "readyz", "response_model": schemas.Status, "responses": _refusals(503)}
METRICS: dict[str, Any] = {
    "operation_id": "metrics",
    "responses": {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **_refusals(401)},
}


def complete(app: FastAPI, *, guarded: bool) -> None:
    """Have the application describe what its routes read by themselves, and the token."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            whole = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            parts = whole.setdefault("components", {}).setdefault("schemas", {})
            for model in (schemas.ConversationGiven, schemas.BatchGiven, *STREAMED):
                schema = model.model_json_schema(ref_template=REFERENCE)
                parts.update(schema.pop("$defs", {}))
                parts[model.__name__] = schema
            if guarded:
                whole["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                for path, operations in whole["paths"].items():
                    for operation in operations.values():
                        operation["security"] = [{"token": []}] if path.startswith(("/v1/", "/metrics")) else []
            app.openapi_schema = whole
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
