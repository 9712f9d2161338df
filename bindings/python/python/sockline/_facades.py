"""What ``websockets`` has below a connection, as far as programs ask it: the engine has neither a transport nor a protocol."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from .protocol import State
from .typing import LoggerLike, Subprotocol

if TYPE_CHECKING:
    from ._connection import BaseConnection

__all__ = ["ProtocolView", "TransportView"]


class TransportView(asyncio.Transport):
    """Tells what a transport would tell of the connection, and cuts it; what goes over it is the engine's affair."""

    def __init__(self, connection: BaseConnection) -> None:
        super().__init__()
        self._connection = connection

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """``peername``, ``sockname``, and over TLS ``cipher`` and ``compression``; others are not known."""
        connection, tls = self._connection, self._connection.tls_info
        known = {"peername": connection.remote_address, "sockname": connection.local_address}
        if tls is not None:
            known["cipher"] = (tls.cipher_suite, tls.version, None)  # type: ignore[assignment]
        found = known.get(name)
        return default if found is None else found

    def is_closing(self) -> bool:
        return self._connection.ready_state >= State.CLOSING

    def get_write_buffer_size(self) -> int:
        return self._connection.buffered_amount

    def abort(self) -> None:
        """Cuts the connection, without a closing handshake."""
        self._connection._terminate()

    close = abort

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Raises :exc:`NotImplementedError`."""
        raise NotImplementedError("the engine writes frames by itself: send messages by the connection")

    writelines = write_eof = pause_reading = resume_reading = write  # type: ignore[assignment]


class ProtocolView:
    """What the connection knows itself, at the place where ``websockets`` has it, too."""

    def __init__(self, connection: BaseConnection) -> None:
        self._connection = connection

    @property
    def id(self) -> uuid.UUID:
        return self._connection.id

    @property
    def logger(self) -> LoggerLike:
        return self._connection.logger

    @property
    def state(self) -> State:
        return self._connection.state

    @property
    def subprotocol(self) -> Subprotocol | None:
        return self._connection.subprotocol

    @property
    def close_code(self) -> int | None:
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        return self._connection.close_reason
