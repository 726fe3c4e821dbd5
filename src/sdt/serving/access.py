"""Access control: the token, the host names, and the origins of web pages.

Every web page open in a browser on this machine can send requests to a service on it. Browsers restrict which responses
a page may read, but let it send forms and open WebSockets; those are refused by their origin. A page whose host name
resolves to this machine (DNS rebinding) has the same origin as the service; without a token, unknown host names are
refused. Clients other than browsers send no origin.
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
from sdt.serving.errors import APIError

GUARDED = ("/v1/", "/metrics")
"""Path prefixes that require the token and refuse pages of other sites."""
HEALTH = ("/healthz", "/readyz")
"""Paths that accept any host name, because health checks often use other addresses."""
SUBPROTOCOL = "sdt.v1"
"""The WebSocket subprotocol of the service."""
BEARER = "bearer."
"""Prefix of the base64url token among the WebSocket subprotocols, where browsers cannot set a header."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
"""Methods that neither change nor compute anything."""
ANY_ORIGIN = "*"
_HOST = re.compile(r"([a-z0-9_.-]*|\[[0-9a-f:.]*\])(?::\d*)?")


class AccessControl:
    """Decides which requests are allowed.

    Args:
        token: The token that clients must send; None for no token.
        hosts: Host names of the service besides addresses and `localhost`; checked if there is no token.
        origins: Origins of the web pages that may use the service, such as `https://example.org`.
    """

    def __init__(self, token: str | None = None, hosts: Sequence[str] = (), origins: Sequence[str] = ()) -> None:
        self._token = None if token is None else token.encode()
        self._hosts = frozenset(host.lower() for host in hosts)
        self.origins = frozenset(origin.lower() for origin in origins)

    @property
    def requires_token(self) -> bool:
        """Whether clients must send a token."""
        return self._token is not None

    def check(self, scope: Mapping[str, Any]) -> None:
        """Refuse a request or WebSocket that is not allowed.

        Args:
            scope: The ASGI scope.

        Raises:
            APIError: The token is missing or wrong, a page of another site asks, or the host name is unknown.
        """
        headers = {bytes(name): bytes(value) for name, value in scope["headers"]}
        if self._token is None and scope["path"] not in HEALTH:
            self._check_host(headers.get(b"host", b"").decode("latin-1"))
        if not scope["path"].startswith(GUARDED):
            return
        if scope.get("method") not in SAFE_METHODS and self._is_foreign(headers):
            raise APIError(403, "origin", "pages of other sites may not use this service")
        token = self._token
        if token is not None and not any(hmac.compare_digest(sent, token) for sent in _tokens(scope, headers)):
            raise APIError(
                401,
                "token",
                "send the token of the service: Authorization: Bearer TOKEN",
                headers={"www-authenticate": 'Bearer realm="sdt"'},
            )

    def _check_host(self, host: str) -> None:
        """Refuse an unknown host name; IP addresses are safe, and HTTP/1.0 sends no name.

        Raises:
            APIError: The host name is unknown.
        """
        found = _HOST.fullmatch(host.lower())
        name = found[1].strip("[]").removesuffix(".") if found else host
        if name in ("", "localhost", *self._hosts) or name.endswith(".localhost") or _is_address(name):
            return
        raise APIError(
            403, "host", f"unknown host name {quoted(name)}; start the service with --allowed-hosts NAME or a token"
        )

    def _is_foreign(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether a browser states that the request comes from a page of another site."""
        origin = headers.get(b"origin")
        if self.origins & {ANY_ORIGIN, (origin or b"").decode("latin-1").lower()}:
            return False
        site = headers.get(b"sec-fetch-site")
        if site is not None:  # the browser's own verdict, which also holds behind proxies that change Host
            return site not in (b"same-origin", b"none")
        return origin is not None and _host_of(origin) != headers.get(b"host", b"").decode("latin-1").lower()


def _tokens(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> list[bytes]:
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


def _host_of(origin: bytes) -> str | None:
    """The host of an origin as browsers send it in `Host`; None for `null` or an invalid origin."""
    try:
        return urlsplit(origin.decode("latin-1")).netloc.lower() or None
    except ValueError:
        return None
