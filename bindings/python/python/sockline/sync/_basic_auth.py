"""HTTP Basic authentication (RFC 7617) for handshakes."""

from __future__ import annotations

import base64
import binascii
import hmac
import http
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from ..http11 import Request, Response

if TYPE_CHECKING:
    from .server import ServerConnection

__all__ = ["basic_auth"]

_Credentials = tuple[str, str]

_token68 = re.compile(r"basic ([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE).fullmatch


def basic_auth(
    realm: str = "",
    credentials: _Credentials | Iterable[_Credentials] | None = None,
    check_credentials: Callable[[str, str], bool] | None = None,
) -> Callable[[ServerConnection, Request], Response | None]:
    """A ``process_request`` for :func:`~sockline.sync.server.serve` that lets in whom it knows, by a pair of user name and
    password, several, or a function that is asked. It sets the connection's ``username``; others are refused with 401.

    Raises :exc:`TypeError` for what are no credentials, :exc:`ValueError` unless one of the two is given.
    """
    if (credentials is None) == (check_credentials is None):
        raise ValueError("provide either credentials or check_credentials")
    check = check_credentials if check_credentials is not None else _checker(credentials)
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    challenge = f'Basic realm="{quoted}", charset="UTF-8"'

    def refuse(connection: ServerConnection, text: str) -> Response:
        response = connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
        response.headers["WWW-Authenticate"] = challenge
        return response

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        given = request.headers.get_all("Authorization")
        if not given:
            return refuse(connection, "Missing credentials\n")
        pair = _parse(given[0]) if len(given) == 1 else None
        if pair is None:
            return refuse(connection, "Unsupported credentials\n")
        if not check(*pair):
            return refuse(connection, "Invalid credentials\n")
        connection.username = pair[0]
        return None

    return process_request


def _checker(credentials: Any) -> Callable[[str, str], bool]:
    if _is_pair(credentials):
        pairs = [cast(_Credentials, credentials)]
    elif isinstance(credentials, Iterable) and all(map(_is_pair, pairs := list(credentials))):
        pass
    else:
        raise TypeError(f"invalid credentials argument: {credentials}")
    passwords = dict(pairs)

    def check(username: str, password: str) -> bool:
        expected = passwords.get(username)
        return expected is not None and hmac.compare_digest(_bytes(expected), _bytes(password))

    return check


def _is_pair(credentials: Any) -> bool:
    try:
        username, password = credentials
    except (TypeError, ValueError):
        return False
    return isinstance(username, str) and isinstance(password, str)


def _bytes(password: str) -> bytes:
    return password.encode(errors="surrogateescape")


def _parse(authorization: str) -> _Credentials | None:
    """User name and password; what is no UTF-8 in them becomes surrogates."""
    found = _token68(authorization)
    if found is None:
        return None
    try:
        decoded = base64.b64decode(found[1].encode()).decode(errors="surrogateescape")
    except binascii.Error:
        return None
    username, colon, password = decoded.partition(":")
    return (username, password) if colon else None
