"""Requests and responses of opening handshakes."""

from __future__ import annotations

import dataclasses

from ._version import USER_AGENT
from .datastructures import Headers

__all__ = ["SERVER", "USER_AGENT", "Request", "Response"]

SERVER = USER_AGENT
"""The default of the Server header."""


@dataclasses.dataclass
class Request:
    """A handshake's request; ``path`` has the query too, and is not percent-decoded."""

    path: str
    headers: Headers
    method: str = "GET"
    protocol: str = "HTTP/1.1"


@dataclasses.dataclass
class Response:
    """A handshake's response."""

    status_code: int
    reason_phrase: str
    headers: Headers
    body: bytes | bytearray = b""
