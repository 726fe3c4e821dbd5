"""The documentation at `/docs`: the OpenAPI description as one plain page, with nothing from anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { border-top: 1px solid; padding-top: 1rem; margin-top: 2rem; }
code, pre { font: 0.875rem/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; border: 1px solid; border-radius: 0.3rem; padding: 0.6rem; }
table { border-collapse: collapse; } th, td { text-align: left; vertical-align: top; padding: 0.2rem 1rem 0.2rem 0; }
"""


def docs_page(openapi: Mapping[str, Any]) -> str:
    """The page as HTML."""
    title = f"{openapi['info']['title']} {openapi['info']['version']}"
    return "".join(
        (
            f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body><main>',
            f"<h1>{escape(title)}</h1><p>{escape(openapi['info'].get('summary', ''))}. The description for programs: ",
            '<a href="openapi.json">openapi.json</a>.</p>',
            *_operations(openapi),
            "<h2>Schemas</h2>",
            *_schemas(openapi["components"]["schemas"]),
            "</main></body></html>",
        )
    )


def _operations(openapi: Mapping[str, Any]) -> Iterator[str]:
    for path, operations in openapi["paths"].items():
        for method, operation in operations.items():
            yield f'<h2 id="{escape(operation["operationId"])}"><code>{method.upper()} {escape(path)}</code></h2>'
            yield "".join(f"<p>{escape(part)}</p>" for part in operation.get("description", "").split("\n\n"))
            yield from _request(path, operation.get("requestBody", {}).get("content", {}))
            yield "<table><tr><th>Status</th><th>Answer</th><th>Schema</th></tr>"
            for status, answer in operation["responses"].items():
                schemas = [kind.get("schema", {}) for kind in answer.get("content", {}).values()]
                yield f"<tr><td>{status}</td><td>{escape(answer.get('description', ''))}</td>"
                yield f"<td>{', '.join(filter(None, map(_link, schemas)))}</td></tr>"
            yield "</table>"


def _request(path: str, content: Mapping[str, Any]) -> Iterator[str]:
    for kind, of in content.items():
        yield f"<p>Body <code>{escape(kind)}</code> {_link(of['schema'])}</p>"
        if "example" in of:
            example = json.dumps(of["example"])
            yield (
                "<pre>"
                + escape(f"curl http://127.0.0.1:8000{path} -H 'content-type: {kind}' \\\n  -d '{example}'")
                + "</pre>"
            )
        elif "properties" in of["schema"]:
            yield _table(of["schema"])


def _schemas(schemas: Mapping[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        yield f'<h3 id="schema-{escape(name)}"><code>{escape(name)}</code></h3>'
        yield f"<p>{escape(schema.get('description', ''))}</p>"
        yield _table(schema)


def _table(schema: Mapping[str, Any]) -> str:
    rows = []
    for name, of in schema.get("properties", {}).items():
        needed = " (required)" if name in schema.get("required", ()) else ""
        said = escape(of.get("description", ""))
        rows.append(f"<tr><td><code>{escape(name)}</code>{needed}</td><td>{_type(of)}</td><td>{said}</td></tr>")
    return f"<table>{''.join(rows)}</table>"


def _type(of: Mapping[str, Any]) -> str:
    """A schema in a few words."""
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
