"""Who may come in: clients that know the token, and no page of another site.

A service on this machine can be reached by every page that is open in a browser on it. What such a page may read,
browsers decide; but they let it send forms and open WebSockets, so those are refused by what browsers say of their
origin. A page whose site's name is made to lead to this machine (DNS rebinding) is of the same origin as the service
for its browser: without a token, names that are not the service's own are refused. Programs that are no browsers say
nothing of an origin.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from sdt.errors import quoted
from sdt.serving.refusals import Refusal

GUARDED = ("/v1/", "/metrics")
"""Paths that want the token, and no page of another site."""
HEALTH = ("/healthz", "/readyz")
"""Paths that are answered under any name: what asks them often knows an address of its own making."""
SUBPROTOCOL = "sdt.v1"
"""What a WebSocket speaks."""
BEARER = "bearer."
"""Before the token, in base64url, in a WebSocket's subprotocols: browsers cannot send a header there."""
HARMLESS = ("GET", "HEAD", "OPTIONS")
"""Methods that change and compute nothing."""
_HOST = re.compile(r"([a-z0-9_.-]*|\[[0-9a-f:.]*\])(?::\d*)?")
EVERY = "*"
"""Instead of an origin: all of them."""


class Admission:
    """Decides who may come in.

    Args:
        token: What clients must send; None for nothing.
        hosts: The names under which the service answers where there is no token, beside addresses and `localhost`.
        origins: The sites whose pages may use it, `https://example.org`.
    """

    def __init__(self, token: str | None = None, hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> None:
        self._token = None if token is None else token.encode()
        self._hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origin.lower() for origin in origins)

    @property
    def guarded(self) -> bool:
        """Whether there is a token."""
        return self._token is not None

    def check(self, scope: Mapping[str, Any]) -> None:
        """Refuse a request or a WebSocket that may not come in.

        Args:
            scope: See ASGI.

        Raises:
            Refusal: It has not the token, comes from a page of another site, or names a host that is not this one.
        """
        headers = {bytes(name): bytes(value) for name, value in scope["headers"]}
        if self._token is None and scope["path"] not in HEALTH:
            self._check_host(headers.get(b"host", b"").decode("latin-1"))
        if not scope["path"].startswith(GUARDED):
            return
        if scope.get("method") not in HARMLESS and self._is_foreign(headers):
            raise Refusal(403, "origin", "a page of another site may not use this service")
        token = self._token
        if token is not None and not any(hmac.compare_digest(sent, token) for sent in _sent(scope, headers)):
            raise Refusal(
                401,
                "token",
                "send the service's token: Authorization: Bearer TOKEN",
                headers={"www-authenticate": 'Bearer realm="sdt"'},
            )

    def _check_host(self, said: str) -> None:
        """Refuse a name that may belong to anyone; an address leads nowhere else, and HTTP/1.0 names none.

        Raises:
            Refusal: It is such a name.
        """
        found = _HOST.fullmatch(said.lower())
        name = found[1].strip("[]").removesuffix(".") if found else said
        if name in ("", "localhost", *self._hosts) or name.endswith(".localhost") or _is_address(name):
            return
        raise Refusal(
            403, "host", f"this service is not {quoted(name)}; start it with --allowed-hosts NAME, or with a token"
        )

    def _is_foreign(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a browser says that this comes from a page of elsewhere."""
        origin = headers.get(b"origin")
        if self.origins & {EVERY, (origin or b"").decode("latin-1").lower()}:
            return False
        site = headers.get(b"sec-fetch-site")
        if site is not None:  # the browser's own verdict, which holds behind proxies that change Host, too
            return site not in (b"same-origin", b"none")
        return origin is not None and _host(origin) != headers.get(b"host", b"").decode("latin-1").lower()


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


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _host(origin: bytes) -> str | None:
    """The host of an origin as browsers send it in `Host`; None for `null` and what is none."""
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower() or None
    except ValueError:
        return None
