"""The types in the signatures of the public functions."""

from __future__ import annotations

import http
import logging
import os
from typing import Any, NewType

__all__ = ["BytesLike", "Data", "DataLike", "ExtensionName", "ExtensionParameter", "LoggerLike", "Origin", "PathLike", "StatusLike", "Subprotocol"]

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

ExtensionName = NewType("ExtensionName", str)
"""An extension's name."""

ExtensionParameter = tuple[str, str | None]
"""A parameter of an extension: its name, and its value if it has one."""

Origin = NewType("Origin", str)
"""The value of an Origin header."""

Subprotocol = NewType("Subprotocol", str)
"""A subprotocol's name."""
