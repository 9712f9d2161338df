"""``http_session``: what a session of ``requests`` or of ``aiohttp`` was told, for a client of ours."""

from __future__ import annotations

import base64
import ssl
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
    proxy: str | bool
    """``True`` is what the environment says."""


def told(session: Any) -> Told:
    """Of ``requests``: ``verify``, ``cert``, ``headers``, ``cookies``, ``auth`` (a name and a password), ``proxies`` (one for
    all) and ``trust_env``; of ``aiohttp``: headers, cookies, ``auth``, ``proxy``, ``trust_env``, and the ``ssl`` of its connector.

    Raises ``NotImplementedError`` for other objects, and for what else they were told.
    """
    if hasattr(session, "verify") and hasattr(session, "cert"):
        return _told_requests(session)
    if hasattr(session, "connector") and hasattr(session, "cookie_jar"):
        return _told_aiohttp(session)
    raise NotImplementedError("http_session must be a requests.Session or an aiohttp.ClientSession; or use tls, cookies, proxy")


def _told_requests(session: Any) -> Told:
    headers = {name: str(value) for name, value in session.headers.items() if name.lower() not in _LEFT_OUT}
    if session.params:
        raise NotImplementedError("the params of http_session are not supported: put them into the URL")
    if isinstance(session.auth, tuple):
        headers["Authorization"] = _basic(*session.auth)
    elif session.auth is not None:
        raise NotImplementedError("the auth of http_session can be a name and a password only")
    proxies = set(session.proxies.values())
    if len(proxies) > 1:
        raise NotImplementedError("the proxies of http_session must be the same for all schemes: use proxy")
    proxy = proxies.pop() if proxies else session.trust_env
    return Told(_tls_of_requests(session), headers, dict(session.cookies), proxy)


def _told_aiohttp(session: Any) -> Told:
    if getattr(session.connector, "path", None) is not None:
        raise NotImplementedError("http_session must not have a connector to a socket of the system's or a pipe")
    if getattr(session.connector, "_local_addr_infos", None) or getattr(session.connector, "_local_addr", None):
        raise NotImplementedError("the local_addr of http_session's connector is not supported")
    cookies = {cookie.key: cookie.value for cookie in session.cookie_jar}
    headers: dict[str, str] = dict(session.headers or {})
    if session.auth is not None:
        headers["Authorization"] = _basic(session.auth.login, session.auth.password)
    proxy = getattr(session, "_default_proxy", None)
    return Told(_tls_of_aiohttp(session), headers, cookies, session.trust_env if proxy is None else str(proxy))


def _basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


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
    if isinstance(wanted, ssl.SSLContext):
        return client_tls(wanted, None)
    if wanted is not True and wanted is not None:
        raise NotImplementedError(
            f"the ssl of http_session's connector can be an SSLContext or a bool, not {type(wanted).__name__}: for a fingerprint "
            "use tls=ClientTLS(pins=…), with that of the public key"
        )
    return None
