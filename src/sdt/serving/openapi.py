"""The OpenAPI document, and the page at `/docs` that renders it.

FastAPI generates the document from the routes, except for request bodies and stream messages: a route with a body
parameter would parse the whole body before its structure is checked (see `bounded_json`), and OpenAPI does not cover
WebSockets. Both are declared here, from the schemas that validate them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from sdt.formats.table import FORMATS
from sdt.serving import schemas, speech_schemas

REFERENCE = "#/components/schemas/{model}"
ERRORS = {
    400: "the body is not JSON, or not multipart",
    401: "the token is missing or wrong",
    403: "the request comes from a page of another site, or the host name is unknown",
    413: "the body or a recording exceeds a limit",
    415: "the media type is not supported, or the body is compressed",
    422: "the request cannot be used, or exceeds a limit",
    426: "the request does not open a WebSocket",
    429: "too many concurrent requests",
    500: "internal error",
    501: "a dependency that the recordings need is not installed",
    503: "the request took too long, or the service is stopping",
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route."""
    return {status: {"model": schemas.ErrorResponse, "description": ERRORS[status]} for status in statuses}


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": REFERENCE.format(model=model.__name__)}


def _body(**content: dict[str, Any]) -> dict[str, Any]:
    """The request body of a route, by media type: `json` or `form`."""
    types = {"json": "application/json", "form": "multipart/form-data"}
    return {"requestBody": {"required": True, "content": {types[name]: of for name, of in content.items()}}}


_FILE = {"type": "string", "format": "binary"}
_FORMAT = {
    "type": "string",
    "enum": sorted(name for name, one in FORMATS.builtin.items() if one.readable and one.content == "text"),
    "description": "the format of the transcript; default: detected by name or content",
}
_ENCODING = {
    "type": "string",
    "example": "gb18030",
    "description": "the encoding of the transcript; default: detected. If detection fails, the error has the code "
    "`encoding` and its details list likely encodings",
}
_SPEECH_OPTIONS = {
    "speakers": {"type": "string", "example": "2-4", "description": "how many speakers: a number, or MIN-MAX"},
    "language": {"type": "string", "example": "en", "description": "ISO 639-1; default: detected"},
    "channels": {
        "type": "string",
        "enum": ["mix", "speakers"],
        "description": "speakers: each channel of the recording is one speaker",
    },
}
_PREDICT_FORM = {
    "type": "object",
    "properties": {
        "transcript": {
            **_FILE,
            "description": "a transcript with one conversation, in a format of /v1/formats",
        },
        "media": {
            **_FILE,
            "description": "the recording; the times of the transcript split it into utterances. Without a transcript "
            "it is transcribed",
        },
        **_SPEECH_OPTIONS,
        "format": _FORMAT,
        "encoding": _ENCODING,
        "conversation": {**_reference(schemas.ConversationInput), "description": "instead of a transcript"},
    },
    "additionalProperties": {**_FILE, "description": "the clip of the utterance that refers to this part"},
}
_TRANSCRIPT_FORM = {
    "type": "object",
    "properties": {
        "transcript": {**_FILE, "description": "a transcript with one conversation or several"},
        "format": _FORMAT,
        "encoding": _ENCODING,
    },
    "required": ["transcript"],
}
PREDICT_BODY = _body(
    json={"schema": _reference(schemas.ConversationInput), "example": schemas.EXAMPLE}, form={"schema": _PREDICT_FORM}
)
BATCH_BODY = _body(json={"schema": _reference(schemas.BatchInput), "example": {"conversations": [schemas.EXAMPLE]}})
_TRANSCRIBE_FORM = {
    "type": "object",
    "properties": {"media": {**_FILE, "description": "the recording"}, **_SPEECH_OPTIONS},
    "required": ["media"],
}
TRANSCRIBE_BODY = _body(form={"schema": _TRANSCRIBE_FORM})
TRANSCRIPT_BODY = _body(form={"schema": _TRANSCRIPT_FORM})
UNREFERENCED = (
    schemas.ConversationInput,
    schemas.BatchInput,
    schemas.StreamUtterance,
    schemas.StreamForget,
    schemas.StreamReady,
    schemas.StreamPrediction,
    schemas.StreamForgotten,
    schemas.StreamError,
    speech_schemas.TranscribeLine,
    speech_schemas.ListenSpeech,
    speech_schemas.ListenSpeaker,
    speech_schemas.ListenEnd,
    speech_schemas.ListenEnded,
)
"""The schemas of request bodies and stream messages, which FastAPI does not see."""


def install_openapi(app: FastAPI) -> None:
    """Add the schemas that the routes do not declare to the OpenAPI document of the application."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            components = document.setdefault("components", {}).setdefault("schemas", {})
            for model in UNREFERENCED:
                schema = model.model_json_schema(ref_template=REFERENCE)
                components.update(schema.pop("$defs", {}))
                components[model.__name__] = schema
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { border-top: 1px solid; padding-top: 1rem; margin-top: 2rem; }
code, pre { font: 0.875rem/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; border: 1px solid; border-radius: 0.3rem; padding: 0.6rem; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
"""


def docs_page(document: Mapping[str, Any]) -> str:
    """An OpenAPI document as one HTML page that loads nothing from other sites."""
    title = f"{document['info']['title']} {document['info']['version']}"
    return "".join(
        (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>',
            f"<h1>{escape(title)}</h1><p>{escape(document['info'].get('summary', ''))}. OpenAPI document: ",
            '<a href="openapi.json">openapi.json</a>.</p>',
            *_operations(document),
            "<h2>Schemas</h2>",
            *_schemas(document["components"]["schemas"]),
            "</main></body></html>",
        )
    )


def _operations(document: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f'<h2 id="{escape(operation["operationId"])}"><code>{method.upper()} {escape(path)}</code></h2>'
            yield "".join(f"<p>{escape(part)}</p>" for part in operation.get("description", "").split("\n\n"))
            yield from _request(path, operation.get("requestBody", {}).get("content", {}))
            yield "<table><tr><th>Status</th><th>Response</th><th>Schema</th></tr>"
            for status, response in operation["responses"].items():
                found = [kind.get("schema", {}) for kind in response.get("content", {}).values()]
                yield f"<tr><td>{status}</td><td>{escape(response.get('description', ''))}</td>"
                yield f"<td>{', '.join(filter(None, map(_link, found)))}</td></tr>"
            yield "</table>"


def _request(path: str, content: Mapping[str, Any]) -> Iterator[str]:
    for kind, of in content.items():
        yield f"<p>Body <code>{escape(kind)}</code> {_link(of['schema'])}</p>"
        if "example" in of:
            example = json.dumps(of["example"])
            command = f"curl http://127.0.0.1:8000{path} -H 'content-type: {kind}' \\\n  -d '{example}'"
            yield f"<pre>{escape(command)}</pre>"
        elif "properties" in of["schema"]:
            yield _table(of["schema"])


def _schemas(found: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in found.items():
        yield f'<h3 id="schema-{escape(name)}"><code>{escape(name)}</code></h3>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        yield _table(schema)


def _table(schema: Mapping[str, Any]) -> str:
    rows = []
    for name, of in schema.get("properties", {}).items():
        required = " (required)" if name in schema.get("required", ()) else ""
        text = escape(of.get("description", ""))
        rows.append(f"<tr><td><code>{escape(name)}</code>{required}</td><td>{_type(of)}</td><td>{text}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _type(of: Mapping[str, Any]) -> str:
    """A short description of the type of a schema."""
    if "$ref" in of:
        return _link(of)
    if "anyOf" in of:
        return " or ".join(map(_type, of["anyOf"]))
    if of.get("type") == "array":
        return f"list of {_type(of.get('items', {}))}"
    if isinstance(of.get("additionalProperties"), dict):
        return f"object of {_type(of['additionalProperties'])}"
    return escape(of.get("format") or of.get("type") or "any")


def _link(of: Mapping[str, Any]) -> str:
    name = of.get("$ref", "").rpartition("/")[2]
    return f'<a href="#schema-{escape(name)}">{escape(name)}</a>' if name else ""
