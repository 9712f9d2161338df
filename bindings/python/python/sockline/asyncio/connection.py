"""What clients' and servers' connections have in common."""

from __future__ import annotations

import asyncio
import codecs
import logging
import random
import struct
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from .. import _native
from ..exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidState,
    PayloadTooBig,
    ProtocolError,
    SocklineError,
)
from ..frames import OK_CLOSE_CODES, Close, CloseCode
from ..http11 import Request, Response
from ..options import ConnectionMetrics, connection_metrics
from ..protocol import State
from ..tls import TLSInfo
from ..typing import Data, DataLike, LoggerLike, Subprotocol

__all__ = ["Connection", "broadcast"]

logger = logging.getLogger("sockline")

MESSAGE_PARTS = True
"""Messages are handed over as they come, for :meth:`Connection.recv_streaming`."""


class Connection(_native.Connection):
    """A WebSocket connection. :func:`~sockline.connect` and :func:`~sockline.serve` make them.

    ``async for message in connection`` iterates over the messages, and ends when the connection is closed normally.
    Methods are to be called in the thread of the connection's event loop, except :meth:`send`, which any thread may
    call.
    """

    def __init__(self, owner: _native.Driver | _native.Server, high: int, low: int) -> None:
        self.loop = asyncio.get_running_loop()
        """The event loop that runs this connection."""
        self.logger: LoggerLike = logger
        """Where this connection logs."""
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
        self._end: asyncio.Future[None] = self.loop.create_future()
        self._senders: list[asyncio.Future[None]] = []
        self._unfinished: asyncio.Future[None] | None = None
        self._pings: dict[bytes, tuple[asyncio.Future[float], float]] = {}
        self._measured: float = 0.0

    # Attributes

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
        if not self._end.done():
            return None
        return CloseCode.ABNORMAL_CLOSURE if self._received is None else self._received.code

    @property
    def close_reason(self) -> str | None:
        """The reason in the peer's close frame; ``None`` while the connection is not closed."""
        if not self._end.done():
            return None
        return "" if self._received is None else self._received.reason

    @property
    def latency(self) -> float:
        """The round trip of the last answered ping in seconds; 0 before there was one."""
        measured = self._latency()
        return self._measured if measured is None else measured / 1_000_000

    # Methods

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else CloseCode.INTERNAL_ERROR)

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]:
        """Receives the next message in parts, as they come: fragments, or pieces of them if they are long. Some can be
        empty. It has to be read to its end before anything else is received, or the connection is of no use; cancelling
        it before the first part is safe.
        """
        is_last = False
        decoder = codecs.getincrementaldecoder("utf-8")()
        while not is_last:
            part, is_last = await self._recv_part()
            if isinstance(part, str):
                yield part.encode() if decode is False else part
            elif not decode:
                yield part
            else:
                try:
                    yield decoder.decode(part, is_last)
                except UnicodeDecodeError as error:
                    raise await self._invalid_text(error) from error

    async def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Performs the closing handshake, and waits until the connection is closed. Doing it again is harmless."""
        if self.ready_state < State.CLOSING:
            self._begin_close(int(code), reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed."""
        await asyncio.shield(self._end)

    async def ping(self, data: DataLike | None = None) -> Awaitable[float]:
        """Sends a ping; returns a future that the pong completes with the round trip in seconds.

        Raises :exc:`ConcurrencyError` if a ping with the same payload is under way.
        """
        payload = self._ping_payload(data)
        if payload in self._pings:
            raise ConcurrencyError("already waiting for a pong with the same data")
        await self._control(self._ping, payload)
        pong: asyncio.Future[float] = self.loop.create_future()
        self._pings[payload] = (pong, self.loop.time())
        return pong

    async def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody has asked for. Pings are answered without it."""
        await self._control(self._pong, _control_data(data))

    def metrics(self) -> ConnectionMetrics | None:
        """What was counted of it; ``None`` once it is closed."""
        return connection_metrics(self._metrics())

    # Sending

    def _room(self) -> Awaitable[None]:
        """What ``send`` returns when more waits than the high-water mark. It is prepared before it is awaited: the
        event that it waits for could come in between.
        """
        waiter: asyncio.Future[None] = self.loop.create_future()
        self._senders.append(waiter)
        return self._wait_for_room(waiter)

    async def _wait_for_room(self, waiter: asyncio.Future[None]) -> None:
        await waiter
        if self._end.done():
            raise self._close_exc()

    async def _send_slowly(
        self, message: Any, text: bool | None, compress: bool | None, deadline: float | None
    ) -> None:
        """Sends what is no whole message yet, or says why a message can't be sent."""
        if isinstance(message, str):
            message.encode()  # a surrogate is not to be sent: let this say so
        elif isinstance(message, (bytes, bytearray, memoryview)):
            if text:
                bytes(message).decode()
        elif isinstance(message, Mapping):
            raise TypeError("data is a dict-like object")
        elif isinstance(message, (Iterable, AsyncIterable)):
            if compress is not None or deadline is not None:
                raise TypeError("compress and deadline are for messages that are whole")
            await self._send_in_parts(message, text)
            return
        else:
            raise TypeError("data must be str, bytes, iterable, or async iterable")
        if self._unfinished is None:
            await self._refuse_unless_open()
        else:
            await asyncio.shield(self._unfinished)
            await self.send(message, text, compress=compress, deadline=deadline)

    async def _send_in_parts(self, message: Iterable[Any] | AsyncIterable[Any], text: bool | None) -> None:
        parts = message if isinstance(message, AsyncIterable) else _one_by_one(message)
        iterator = aiter(parts)
        try:
            part = await anext(iterator)
        except StopAsyncIteration:
            return
        while self._unfinished is not None:
            await asyncio.shield(self._unfinished)
        kind = str if isinstance(part, str) else (bytes, bytearray, memoryview)
        self._unfinished = self.loop.create_future()
        begun = False
        try:
            while True:
                if not isinstance(part, kind):
                    raise TypeError("iterable must contain only str, or only bytes-like objects")
                await self._send_one_part(part, text)
                begun = True
                part = await anext(iterator)
        except StopAsyncIteration:
            await self._send_one_part("" if kind is str else b"", text, True)
        except BaseException:
            if begun and self.ready_state == State.OPEN:
                self._begin_close(CloseCode.INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            self._unfinished.set_result(None)
            self._unfinished = None

    async def _send_one_part(self, part: DataLike, text: bool | None, is_last: bool = False) -> None:
        try:
            has_room = self._send_part(part, text, is_last)
        except SocklineError:
            await self._refuse_unless_open()
            raise
        if not has_room:
            await self._room()

    async def _control(self, send: Any, payload: bytes) -> None:
        await self._refuse_unless_open()
        try:
            send(payload)
        except SocklineError as error:
            raise ProtocolError(str(error)) from None

    async def _refuse_unless_open(self) -> None:
        state = self.ready_state
        if state == State.CONNECTING:
            raise InvalidState("the connection is still connecting")
        if state != State.OPEN:
            await self.wait_closed()  # only then the close codes are known
            raise self._close_exc()

    def _ping_payload(self, data: DataLike | None) -> bytes:
        if data is not None:
            return _control_data(data)
        payload = b""
        while not payload or payload in self._pings:
            payload = struct.pack("!I", random.getrandbits(32))
        return payload

    # Receiving

    async def _recv_as(self, decode: bool) -> Data:
        message: Data = await self.recv()
        if not decode:
            return message.encode() if isinstance(message, str) else message
        if isinstance(message, str):
            return message
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise await self._invalid_text(error) from error

    async def _invalid_text(self, error: UnicodeDecodeError) -> ConnectionClosed:
        self._failure = error
        self._begin_close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        await self.wait_closed()
        return self._close_exc()

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

    def _end_of_iteration(self) -> BaseException:
        error = self._close_exc()
        return StopAsyncIteration() if isinstance(error, ConnectionClosedOK) else error

    # What the engine tells

    def _opened(self) -> None:
        protocol, self._extensions, self._local_address, self._remote_address = self._details()
        self._subprotocol = protocol or None
        agreed = self._tls()
        self._tls_info = None if agreed is None else TLSInfo(*agreed)

    def _drained(self) -> None:
        senders, self._senders = self._senders, []
        for waiter in senders:
            if not waiter.done():
                waiter.set_result(None)

    def _pong_came(self, payload: bytes) -> None:
        """A pong answers for all pings before it, too: the peer may have skipped some (RFC 6455 §5.5.3)."""
        if payload not in self._pings:
            return
        now = self.loop.time()
        for ping in list(self._pings):
            pong, sent_at = self._pings.pop(ping)
            self._measured = now - sent_at
            if not pong.done():
                pong.set_result(self._measured)
            if ping == payload:
                return

    def _failed(self, error: SocklineError, sent: int | None) -> None:
        self._failure = _cause(error, sent)
        if sent is not None and self._sent is None:
            self._sent = Close(sent, error.text)

    def _closed(self, code: int, reason: str, was_clean: bool) -> None:
        if code != CloseCode.ABNORMAL_CLOSURE:
            self._received = Close(code, reason)
            self._received_then_sent = self._sent is None
            if self._sent is None:
                self._sent = Close(code, "")  # the engine has answered with the same code
        if self._failure is not None and self._received is None:
            self._received_then_sent = None
        if not self._end.done():
            self._end.set_result(None)
        self._drained()
        for pong, _ in self._pings.values():
            if not pong.done():
                pong.set_exception(self._close_exc())
                pong.exception()  # whoever sent it need not wait for it
        self._pings.clear()


def broadcast(
    connections: Iterable[Connection],
    message: DataLike,
    *,
    text: bool | None = None,
    raise_exceptions: bool = False,
) -> None:
    """Sends a message to several connections, without waiting for any. Those that aren't open are skipped.

    Failures are logged, or raised together at the end if ``raise_exceptions`` says so.
    """
    failures = _native.broadcast(connections, message, text)
    if raise_exceptions and failures:
        raise ExceptionGroup("skipped broadcast", [failure for _, failure in failures])
    for connection, failure in failures:
        logger.warning("skipped broadcast to %r: %s", connection, failure)


def _control_data(data: DataLike) -> bytes:
    if isinstance(data, str):
        return data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise TypeError("data must be str or bytes-like")


async def _one_by_one(parts: Iterable[Any]) -> AsyncIterator[Any]:
    for part in parts:
        yield part


def _cause(error: SocklineError, sent: int | None) -> BaseException:
    """The exception that a failed connection is chained to; ``sent`` is the close code that told the peer."""
    match error.code:
        case "SOCKLINE_ERR_PROTOCOL":
            return PayloadTooBig(error.text) if sent == CloseCode.MESSAGE_TOO_BIG else ProtocolError(error.text)
        case "SOCKLINE_ERR_PEER_DEAD":
            return TimeoutError("keepalive ping timeout")
        case "SOCKLINE_ERR_CLOSE_TIMEOUT":
            return TimeoutError("timed out while closing connection")
        case "SOCKLINE_ERR_IO":
            return error.as_os_error()
        case _:
            return error
