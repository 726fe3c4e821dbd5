"""Who may come in."""

from __future__ import annotations

import asyncio
import base64
import http.client
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from sdt.serving.access import AccessControl
from sdt.serving.errors import APIError
from tests.serving.inside import Inside, run

HOST = ("host", "127.0.0.1:8000")


def refused(
    *headers: tuple[str, str],
    token: str | None = None,
    hosts: Sequence[str] = (),
    origins: Sequence[str] = (),
    **scope: Any,
) -> str | None:
    """The code of the refusal."""
    sent = [(name.encode(), value.encode("latin-1")) for name, value in dict((HOST, *headers)).items()]
    try:
        AccessControl(token, hosts, origins).check(
            {"type": "http", "method": "POST", "path": "/v1/predict", "headers": sent, **scope}
        )
    except APIError as refusal:
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
    assert refused(token=TOKEN, **scope) == code
    assert refused(("authorization", f"Bearer {TOKEN}"), token=TOKEN, **scope) is None


def test_another_site_is_refused_before_its_token_is_looked_at() -> None:
    right = ("authorization", f"Bearer {TOKEN}")
    assert refused(right, ("origin", "https://example.org"), token=TOKEN) == "origin"
    assert refused(token=TOKEN, method="GET") == "token"


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("localhost", None),
        ("LOCALHOST:8000", None),
        ("localhost.:8000", None),
        ("sdt.localhost", None),
        ("127.0.0.1", None),
        ("192.168.1.20:8000", None),
        ("[::1]:8000", None),
        ("", None),
        ("sdt.example.org", None),
        ("SDT.example.org:80", None),
        ("attacker.example", "host"),
        ("attacker.example:8000", "host"),
        ("localhost.attacker.example", "host"),
        ("127.0.0.1.attacker.example", "host"),
        ("sdt.example.org.attacker.example", "host"),
        ("localhost@attacker.example", "host"),
        ("attacker.example\\@localhost:80#", "host"),
        ("[::1", "host"),
        ("\xff", "host"),
    ],
)
def test_names_that_may_lead_here_are_refused_without_a_token(host: str, code: str | None) -> None:
    """A page of a name that was made to lead here is of the same origin for its browser."""
    page = (("host", host), ("origin", f"http://{host}"), ("sec-fetch-site", "same-origin"))
    named = ["sdt.example.org"]
    for scope in (
        {},
        {"method": "GET", "path": "/v1/model"},
        {"method": "GET", "path": "/"},
        {"type": "websocket", "method": None, "path": "/v1/stream"},
    ):
        assert refused(*page, hosts=named, **scope) == code
    assert refused(*page, method="GET", path="/readyz") is None
    assert refused(*page, ("authorization", f"Bearer {TOKEN}"), token=TOKEN) is None


def test_origins_that_are_allowed() -> None:
    page = (("origin", "https://example.org"), ("sec-fetch-site", "cross-site"))
    assert refused(*page, origins=["https://example.org"]) is None
    assert refused(*page, origins=["https://Example.org"], type="websocket", method=None, path="/v1/stream") is None
    assert refused(*page, origins=["*"]) is None
    assert refused(*page, origins=["http://example.org", "https://example.org:444"]) == "origin"
    assert refused(*page, origins=["https://example.org"], token=TOKEN) == "token"


def test_browsers_are_told_of_origins_that_are_allowed() -> None:
    def ask(port: int, method: str, origin: str, **headers: str) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        connection.request(method, "/v1/predict", b"{}", {"origin": origin, **named})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.headers["access-control-allow-origin"]

    async def use(service: Inside) -> None:
        async def told(method: str, origin: str, **headers: str) -> tuple[int, str | None]:
            return await asyncio.to_thread(partial(ask, service.port, method, origin, **headers))

        wanted = {"access_control_request_method": "POST", "access_control_request_headers": "authorization"}
        assert await told("OPTIONS", "https://example.org", **wanted) == (200, "https://example.org")
        assert await told("POST", "https://example.org") == (401, "https://example.org")
        sent = {"authorization": f"Bearer {TOKEN}"}
        assert await told("POST", "https://example.org", **sent) == (415, "https://example.org")
        assert (await told("OPTIONS", "https://other.example", **wanted))[1] is None
        assert await told("POST", "https://other.example", **sent) == (403, None)

    run(use, token=TOKEN, origins=["https://example.org"])
