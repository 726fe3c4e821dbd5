"""Who may come in: clients that know the token, and no page of another site.

A service on this machine can be reached by every page that is open in a browser on it. What such a page may read,
browsers decide; but they let it send forms and open WebSockets, so those are refused by what browsers say of their
origin. Programs that are no browsers say nothing of it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sdt.serving.refusals import Refusal

GUARDED = ("/v1/", "/metrics")
"""Paths that want the token; health checks and documentation say nothing that is worth one."""
SUBPROTOCOL = "sdt.v1"
"""What a WebSocket speaks."""
BEARER = "bearer."
"""Before the token, in base64url, in a WebSocket's subprotocols: browsers cannot send a header there."""
HARMLESS = ("GET", "HEAD", "OPTIONS")
"""Methods that change and compute nothing."""


def check(scope: Mapping[str, Any], token: bytes | None) -> None:
    """Refuse a request or a WebSocket that may not come in.

    Args:
        scope: See ASGI.
        token: What clients must send; None for nothing.

    Raises:
        Refusal: It has not the token, or comes from a page of another site.
    """
    if not scope["path"].startswith(GUARDED):
        return
    headers = {bytes(name): bytes(value) for name, value in scope["headers"]}
    if scope.get("method") not in HARMLESS and _is_foreign(headers):
        raise Refusal(403, "origin", "a page of another site may not use this service")
    if token is not None and not any(hmac.compare_digest(sent, token) for sent in _sent(scope, headers)):
        raise Refusal(
            401,
            "token",
            "send the service's token: Authorization: Bearer TOKEN",
            headers={"www-authenticate": 'Bearer realm="sdt"'},
        )


def _sent(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> list[bytes]:
    """The tokens that a client sends."""
    found = []
    kind, _, sent = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() == b"bearer":
        found.append(sent.strip())
    for offered in scope.get("subprotocols", ()):
        if offered.startswith(BEARER):
            encoded = offered.removeprefix(BEARER)
            try:
                found.append(base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_", validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def _is_foreign(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser says that this comes from a page of elsewhere."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:  # the browser's own verdict, which holds behind proxies that change Host, too
        return site not in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is not None and _host(origin) != headers.get(b"host", b"").decode("latin-1").lower()


def _host(origin: bytes) -> str | None:
    """The host of an origin as browsers send it in `Host`; None for `null` and what is none."""
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower() or None
    except ValueError:
        return None
