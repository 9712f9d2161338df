"""``http_session``: what a session of ``requests`` or of ``aiohttp`` was told, for a client of ours."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any, NamedTuple

from .._ssl import client_tls
from ..tls import ClientTLS

__all__ = ["Told", "told"]

_LEFT_OUT = frozenset({"user-agent", "accept", "accept-encoding", "connection"})
"""Headers that sessions of ``requests`` have of themselves."""


class Told(NamedTuple):
    tls: ClientTLS | None
    headers: dict[str, str]
    cookies: dict[str, str]


def told(session: Any) -> Told:
    """Of ``requests``: ``verify``, ``cert``, ``headers`` and ``cookies``; of ``aiohttp``: ``headers``, cookies, and the ``ssl`` of its connector.

    Raises ``NotImplementedError`` for other objects.
    """
    if hasattr(session, "verify") and hasattr(session, "cert"):
        headers = {name: str(value) for name, value in session.headers.items() if name.lower() not in _LEFT_OUT}
        return Told(_tls_of_requests(session), headers, dict(session.cookies))
    if hasattr(session, "connector") and hasattr(session, "cookie_jar"):
        cookies = {cookie.key: cookie.value for cookie in session.cookie_jar}
        given: Mapping[str, str] = getattr(session, "headers", None) or {}
        return Told(_tls_of_aiohttp(session), dict(given), cookies)
    raise NotImplementedError("http_session must be a requests.Session or an aiohttp.ClientSession; or use tls, cookies, proxy")


def _tls_of_requests(session: Any) -> ClientTLS | None:
    options: dict[str, Any] = {}
    if session.verify is False:
        options["insecure"] = True
    elif isinstance(session.verify, str):
        options |= {"ca": session.verify, "platform_roots": False}
    if session.cert is not None:
        certificate, key = (session.cert, session.cert) if isinstance(session.cert, str) else session.cert
        options |= {"certificate": certificate, "private_key": key}
    return ClientTLS(**options) if options else None


def _tls_of_aiohttp(session: Any) -> ClientTLS | None:
    wanted = getattr(session.connector, "_ssl", True)
    if wanted is False:
        return ClientTLS(insecure=True)
    return client_tls(wanted, None) if isinstance(wanted, ssl.SSLContext) else None
