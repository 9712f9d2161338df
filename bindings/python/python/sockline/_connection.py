"""What connections have in common, whoever waits for them: coroutines or threads."""

from __future__ import annotations

import logging
import random
import struct
import uuid
from collections.abc import Container

from . import _native
from ._facades import ProtocolView
from .exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    PayloadTooBig,
    ProtocolError,
    SocklineError,
)
from .frames import OK_CLOSE_CODES, Close, CloseCode
from .http11 import Request, Response
from .options import ConnectionMetrics, connection_metrics
from .protocol import State
from .tls import TLSInfo
from .typing import DataLike, LoggerLike, Subprotocol

__all__ = ["MESSAGE_PARTS", "BaseConnection", "control_data", "ping_payload"]

MESSAGE_PARTS = True
"""Messages are handed over as they come, for ``recv_streaming``."""


class BaseConnection(_native.Connection):
    """Attributes, and what the engine tells."""

    _own_logger: LoggerLike | None = None

    def __init__(self, owner: _native.Driver | _native.Server, high: int, low: int) -> None:
        self._logs_to: LoggerLike = logging.getLogger("sockline")
        self.request: Request | None = None
        """The opening handshake's request."""
        self.response: Response | None = None
        """The opening handshake's response."""
        self._id: uuid.UUID | None = None
        self._subprotocol: str | None = None
        self._extensions = ""
        self._tls_info: TLSInfo | None = None
        self._local_address: tuple[str, int] | None = None
        self._remote_address: tuple[str, int] | None = None
        self._received: Close | None = None
        self._sent: Close | None = None
        self._received_then_sent: bool | None = None
        self._failure: BaseException | None = None
        self._has_ended = False
        self._measured: float = 0.0
        self._max_size: int | None = None

    # Attributes

    @property
    def logger(self) -> LoggerLike:
        """Where this connection logs. Its records have the connection as their ``websocket``, for formatters and filters."""
        return self._own_logger or logging.LoggerAdapter(self._logs_to, {"websocket": self})

    @logger.setter
    def logger(self, logger: LoggerLike) -> None:
        self._own_logger = logger

    @property
    def id(self) -> uuid.UUID:
        """A unique identifier, for logs."""
        if self._id is None:
            self._id = uuid.uuid4()
        return self._id

    @property
    def local_address(self) -> tuple[str, int] | None:
        """Host and port of this side; ``None`` for a Unix socket."""
        return self._local_address

    @property
    def remote_address(self) -> tuple[str, int] | None:
        """Host and port of the peer; ``None`` for a Unix socket."""
        return self._remote_address

    @property
    def state(self) -> State:
        """The state of the connection. Rather than ask for it, handle :exc:`ConnectionClosed`."""
        return State(self.ready_state)

    @property
    def protocol(self) -> ProtocolView:
        """State, subprotocol and close code once more, where ``websockets`` has its protocol."""
        return ProtocolView(self)

    @property
    def subprotocol(self) -> Subprotocol | None:
        """The subprotocol that was agreed on, if any."""
        return None if self._subprotocol is None else Subprotocol(self._subprotocol)

    @property
    def extensions(self) -> str:
        """The extensions in use, as in the response's header; empty if there are none."""
        return self._extensions

    @property
    def tls_info(self) -> TLSInfo | None:
        """What was agreed on in the TLS handshake; ``None`` for a connection without TLS."""
        return self._tls_info

    @property
    def close_code(self) -> int | None:
        """The code of the peer's close frame, 1006 if it sent none; ``None`` while the connection is not closed."""
        if not self._has_ended:
            return None
        return CloseCode.ABNORMAL_CLOSURE if self._received is None else self._received.code

    @property
    def close_reason(self) -> str | None:
        """The reason in the peer's close frame; ``None`` while the connection is not closed."""
        if not self._has_ended:
            return None
        return "" if self._received is None else self._received.reason

    @property
    def latency(self) -> float:
        """The round trip of the last answered ping in seconds; 0 before there was one."""
        measured = self._latency()
        return self._measured if measured is None else measured / 1_000_000

    def metrics(self) -> ConnectionMetrics | None:
        """What was counted of it; ``None`` once it is closed."""
        return connection_metrics(self._metrics())

    # Closing

    def _begin_close(self, code: int, reason: str) -> None:
        try:
            self._close(code, reason)
        except SocklineError as error:
            if error.code in ("SOCKLINE_ERR_INVALID_CLOSE_CODE", "SOCKLINE_ERR_CONTROL_TOO_LONG"):
                raise ProtocolError(error.text) from None
            return  # it has ended meanwhile, which was the aim
        self._sent = Close(code, reason)

    def _close_exc(self) -> ConnectionClosed:
        """What to raise now that the connection is closed."""
        received, sent = self._received, self._sent
        fine = received is not None and sent is not None and {received.code, sent.code} <= OK_CLOSE_CODES
        closed = ConnectionClosedOK if fine else ConnectionClosedError
        error = closed(received, sent, self._received_then_sent)
        error.__cause__ = self._failure
        return error

    # What the engine tells

    def _opened(self) -> None:
        protocol, self._extensions, self._local_address, self._remote_address = self._details()
        self._subprotocol = protocol or None
        agreed = self._tls()
        self._tls_info = None if agreed is None else TLSInfo(*agreed)

    def _failed(self, error: SocklineError, sent: int | None) -> None:
        self._failure = _cause(error, sent, self._max_size)
        if sent is not None and self._sent is None:
            self._sent = Close(sent, error.text)

    def _closed(self, code: int, reason: str, was_clean: bool) -> None:
        if code != CloseCode.ABNORMAL_CLOSURE:
            self._received = Close(code, reason)
            self._received_then_sent = self._sent is None
            if self._sent is None:
                self._sent = Close(code, reason)  # the engine has answered with the same
        if self._failure is not None and self._received is None:
            self._received_then_sent = None
        self._has_ended = True


def control_data(data: DataLike) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError("data must be str or bytes-like")


def ping_payload(data: DataLike | None, taken: Container[bytes]) -> bytes:
    """Four random bytes where nothing is asked for."""
    if data is not None:
        return control_data(data)
    payload = b""
    while not payload or payload in taken:
        payload = struct.pack("!I", random.getrandbits(32))
    return payload


def _cause(error: SocklineError, sent: int | None, limit: int | None) -> BaseException:
    """The exception that a failed connection is chained to; ``sent`` is the close code that told the peer, ``limit``
    that of messages.
    """
    match error.code:
        case "SOCKLINE_ERR_PROTOCOL":
            return PayloadTooBig(None, limit) if sent == CloseCode.MESSAGE_TOO_BIG else ProtocolError(error.text)
        case "SOCKLINE_ERR_PEER_DEAD":
            return TimeoutError("keepalive ping timeout")
        case "SOCKLINE_ERR_CLOSE_TIMEOUT":
            return TimeoutError("timed out while closing connection")
        case "SOCKLINE_ERR_IO":
            return error.as_os_error()
        case _:
            return error
