"""The types in the signatures of the public functions."""

from __future__ import annotations

import http
import ipaddress
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NewType

__all__ = [
    "BytesLike",
    "Data",
    "DataLike",
    "Dial",
    "ExtensionName",
    "ExtensionParameter",
    "LoggerLike",
    "Lookup",
    "Origin",
    "PathLike",
    "StatusLike",
    "Subprotocol",
]

Data = str | bytes
"""A received message: ``str`` for text, ``bytes`` for binary."""

BytesLike = bytes | bytearray | memoryview
"""A binary message to send."""

DataLike = str | bytes | bytearray | memoryview
"""A message to send."""

LoggerLike = logging.Logger | logging.LoggerAdapter[Any]
"""Where to log."""

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]
"""A path in the file system."""

StatusLike = http.HTTPStatus | int
"""An HTTP status."""

Dial = Callable[[str, int], socket.socket | Awaitable[socket.socket]]
"""Is given a host and a port, and returns a socket that is connected."""

_Addresses = Iterable[str | ipaddress.IPv4Address | ipaddress.IPv6Address]

Lookup = Callable[[str], _Addresses | Awaitable[_Addresses]]
"""Is given a host's name, and returns its IP addresses, the best one first."""

ExtensionName = NewType("ExtensionName", str)
"""An extension's name."""

ExtensionParameter = tuple[str, str | None]
"""A parameter of an extension: its name, and its value if it has one."""

Origin = NewType("Origin", str)
"""The value of an Origin header."""

Subprotocol = NewType("Subprotocol", str)
"""A subprotocol's name."""
