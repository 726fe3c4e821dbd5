"""The web page at `/`, from files of this package; it loads nothing from other sites."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.resources import files

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
"""Media types by suffix; browsers run modules only with the right type, which the system's table may lack."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "media-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # text is never parsed as HTML
        "trusted-types default",  # but for the scaffold of the waveform: see waveform.js
    )
)
HEADERS = {
    "cache-control": "no-cache",  # cached, but revalidated each time
    "content-security-policy": POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


@dataclass(frozen=True)
class PageFile:
    """A file of the page."""

    content: bytes
    type: str

    @property
    def tag(self) -> str:
        """Its ETag."""
        return f'"{hashlib.sha256(self.content).hexdigest()[:32]}"'


def page_files() -> dict[str, PageFile]:
    """The files of the page by path."""
    page = files("sdt.serving") / "page"
    own = {"/" if file.name == "index.html" else f"/page/{file.name}": file for file in page.iterdir()}
    vendored = {f"/page/vendor/{file.name}": file for file in (page / "vendor").iterdir()}
    return {
        path: PageFile(file.read_bytes(), TYPES[suffix])
        for path, file in (own | vendored).items()
        if (suffix := file.name.rpartition(".")[2]) in TYPES
    }


def add_page(app: FastAPI) -> None:
    """Add the routes of the page; they require no token, since the page asks for it."""
    for path, file in page_files().items():
        app.add_route(path, _sender(file), methods=["GET", "HEAD"], include_in_schema=False)


def _sender(file: PageFile) -> Callable[[Request], Awaitable[Response]]:
    """A route that sends a file, or 304 if the client has it."""
    headers = {**HEADERS, "etag": file.tag}

    async def send(request: Request) -> Response:
        known = request.headers.get("if-none-match", "")
        if file.tag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(file.content, headers=headers, media_type=file.type)

    return send
