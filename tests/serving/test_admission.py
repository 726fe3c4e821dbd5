"""Who may come in."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sdt.serving.admission import check
from sdt.serving.refusals import Refusal

HOST = ("host", "127.0.0.1:8000")


def refused(*headers: tuple[str, str], token: bytes | None = None, **scope: Any) -> str | None:
    """The code of the refusal."""
    sent = [(name.encode(), value.encode("latin-1")) for name, value in (HOST, *headers)]
    try:
        check({"type": "http", "method": "POST", "path": "/v1/predict", "headers": sent, **scope}, token)
    except Refusal as refusal:
        return refusal.code
    return None


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ((), None),
        ((("origin", "http://127.0.0.1:8000"),), None),
        ((("origin", "HTTP://127.0.0.1:8000"),), None),
        ((("origin", "http://127.0.0.1:8001"),), "origin"),
        ((("origin", "http://127.0.0.1"),), "origin"),
        ((("origin", "http://localhost:8000"),), "origin"),
        ((("origin", "https://example.org"),), "origin"),
        ((("origin", "http://127.0.0.1:8000.example.org"),), "origin"),
        ((("origin", "null"),), "origin"),
        ((("origin", "http://[::1"),), "origin"),
        ((("origin", ""),), "origin"),
        ((("sec-fetch-site", "same-origin"), ("origin", "https://example.org")), None),
        ((("sec-fetch-site", "none"),), None),
        ((("sec-fetch-site", "same-site"),), "origin"),
        ((("sec-fetch-site", "cross-site"),), "origin"),
        ((("sec-fetch-site", "?"),), "origin"),
    ],
)
def test_pages_of_other_sites(headers: tuple[tuple[str, str], ...], code: str | None) -> None:
    assert refused(*headers) == code
    assert refused(*headers, type="websocket", method=None, path="/v1/stream") == code
    # What they may read is the browser's affair; what is not guarded is open to all.
    assert refused(*headers, method="GET") is None
    assert refused(*headers, path="/healthz") is None


def encoded(token: str) -> str:
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


TOKEN = "a~?>b/+c"


@pytest.mark.parametrize(
    ("offered", "code"),
    [
        (("sdt.v1", f"bearer.{encoded(TOKEN)}"), None),
        ((f"bearer.{encoded('x')}", f"bearer.{encoded(TOKEN)}"), None),
        ((f"bearer.{encoded(TOKEN)}=",), None),
        ((), "token"),
        (("sdt.v1",), "token"),
        ((f"bearer.{TOKEN}",), "token"),
        (("bearer.",), "token"),
        (("bearer.é",), "token"),
        ((f"bearer.{encoded(TOKEN + 'x')}",), "token"),
        ((encoded(TOKEN),), "token"),
    ],
)
def test_the_token_among_subprotocols(offered: tuple[str, ...], code: str | None) -> None:
    """The token's base64 has both of the letters that base64url writes differently."""
    assert {"-", "_"} & set(encoded(TOKEN))
    scope = {"type": "websocket", "path": "/v1/stream", "subprotocols": list(offered)}
    assert refused(token=TOKEN.encode(), **scope) == code
    assert refused(("authorization", f"Bearer {TOKEN}"), token=TOKEN.encode(), **scope) is None


def test_another_site_is_refused_before_its_token_is_looked_at() -> None:
    right = ("authorization", f"Bearer {TOKEN}")
    assert refused(right, ("origin", "https://example.org"), token=TOKEN.encode()) == "origin"
    assert refused(token=TOKEN.encode(), method="GET") == "token"
