"""What this package raises; names and hierarchy are those of ``socketio.exceptions``."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BadNamespaceError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionLostError",
    "DisconnectedError",
    "SocketIOError",
    "TimeoutError",
]


class SocketIOError(Exception):
    """Base of the others."""


class ConnectionError(SocketIOError):
    """There is no connection."""


class ConnectionRefusedError(ConnectionError):
    """Raised by a handler of ``connect``, it refuses the client, which is told the first argument as the message and the
    others as data.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.error_args: dict[str, Any] = {"message": str(args[0]) if args else "Connection rejected by server"}
        if len(args) == 2:
            self.error_args["data"] = args[1]
        elif len(args) > 2:
            self.error_args["data"] = args[1:]


class TimeoutError(SocketIOError):
    """No answer came in time."""


class BadNamespaceError(SocketIOError):
    """The client is not connected to this namespace."""


class DisconnectedError(SocketIOError):
    """The connection was lost for good."""


class ConnectionLostError(TimeoutError, DisconnectedError):
    """The connection over which an answer would have come was lost, so it is not waited for any longer."""
