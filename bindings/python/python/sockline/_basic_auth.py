"""HTTP Basic authentication (RFC 7617) for handshakes."""

from __future__ import annotations

import base64
import binascii
import hmac
import http
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from ._answering import AcceptedConnection
from .http11 import Request, Response

__all__ = ["Credentials", "challenger", "checker", "given_pair"]

Credentials = tuple[str, str]
Refuse = Callable[[AcceptedConnection, str], Response]
Check = TypeVar("Check", bound=Callable[[str, str], Any])

_token68 = re.compile(r"basic ([A-Za-z0-9\-._~+/]+=*)", re.IGNORECASE).fullmatch


def challenger(realm: str) -> Refuse:
    """Makes the answer to who is not let in."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    challenge = f'Basic realm="{quoted}", charset="UTF-8"'

    def refuse(connection: AcceptedConnection, text: str) -> Response:
        response = connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
        response.headers["WWW-Authenticate"] = challenge
        return response

    return refuse


def checker(
    credentials: Credentials | Iterable[Credentials] | None, check_credentials: Check | None
) -> Check | Callable[[str, str], bool]:
    """Who knows whom to let in. Raises :exc:`TypeError` for what are no credentials, :exc:`ValueError` unless one of the two
    is given.
    """
    if (credentials is None) == (check_credentials is None):
        raise ValueError("provide either credentials or check_credentials")
    return check_credentials if check_credentials is not None else _knowing(credentials)


def given_pair(connection: AcceptedConnection, request: Request, refuse: Refuse) -> Credentials | Response:
    """User name and password, or the answer to who has not said them."""
    given = request.headers.get_all("Authorization")
    if not given:
        return refuse(connection, "Missing credentials\n")
    pair = _parse(given[0]) if len(given) == 1 else None
    return refuse(connection, "Unsupported credentials\n") if pair is None else pair


def _knowing(credentials: Any) -> Callable[[str, str], bool]:
    if _is_pair(credentials):
        pairs = [cast(Credentials, credentials)]
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


def _parse(authorization: str) -> Credentials | None:
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
