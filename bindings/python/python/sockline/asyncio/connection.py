"""What clients' and servers' connections have in common."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, overload

from .. import _native
from .._connection import BaseConnection, control_data, ping_payload
from .._facades import TransportView
from ..exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedOK, InvalidState, ProtocolError, SocklineError
from ..frames import CloseCode
from ..protocol import State
from ..typing import Data, DataLike

__all__ = ["Connection", "broadcast"]


class Connection(BaseConnection):
    """A WebSocket connection. :func:`~sockline.connect` and :func:`~sockline.serve` make them.

    ``async for message in connection`` iterates over the messages, and ends when the connection is closed normally.
    Methods are to be called in the thread of the connection's event loop, except :meth:`send`, which any thread may
    call.
    """

    def __init__(self, owner: _native.Driver | _native.Server, high: int, low: int) -> None:
        super().__init__(owner, high, low)
        self.loop = asyncio.get_running_loop()
        """The event loop that runs this connection."""
        self._end: asyncio.Future[None] = self.loop.create_future()
        self._senders: list[asyncio.Future[None]] = []
        self._unfinished: asyncio.Future[None] | None = None
        self._streaming = False
        """A message is read in parts, and not at its end."""
        self._pings: dict[bytes, tuple[asyncio.Future[float], float]] = {}

    @property
    def transport(self) -> asyncio.Transport:
        """Tells addresses, the cipher and what waits to be sent, and can be aborted; nothing can be written to it."""
        return TransportView(self)

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

    @overload
    def recv_streaming(self, decode: Literal[True]) -> AsyncIterator[str]: ...
    @overload
    def recv_streaming(self, decode: Literal[False]) -> AsyncIterator[bytes]: ...
    @overload
    def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]: ...

    async def recv_streaming(self, decode: bool | None = None) -> AsyncIterator[Data]:
        """Receives the next message in parts, as they come: fragments, or pieces of them if they are long. Some can be
        empty. It has to be read to its end before anything else is received, or the connection is of no use; cancelling
        it before the first part is safe.
        """
        if self._streaming:
            raise _receiving_already()
        is_last = False
        decoder = codecs.getincrementaldecoder("utf-8")()
        while not is_last:
            try:
                part, is_last = await self._recv_part()
            except ConcurrencyError:
                raise _receiving_already() from None
            except ConnectionClosed:
                self._streaming = False
                raise
            self._streaming = not is_last
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
            if self._unfinished is not None:
                code, reason = CloseCode.INTERNAL_ERROR, "close during fragmented message"
            self._begin_close(int(code), reason)
        await self.wait_closed()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed."""
        await asyncio.shield(self._end)

    async def ping(self, data: DataLike | None = None) -> Awaitable[float]:
        """Sends a ping; returns a future that the pong completes with the round trip in seconds.

        Raises :exc:`ConcurrencyError` if a ping with the same payload is under way.
        """
        payload = ping_payload(data, self._pings)
        if payload in self._pings:
            raise ConcurrencyError("already waiting for a pong with the same data")
        await self._control(self._ping, payload)
        pong: asyncio.Future[float] = self.loop.create_future()
        self._pings[payload] = (pong, self.loop.time())
        return pong

    async def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody has asked for. Pings are answered without it."""
        await self._control(self._pong, control_data(data))

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

    def _end_of_iteration(self) -> BaseException:
        error = self._close_exc()
        return StopAsyncIteration() if isinstance(error, ConnectionClosedOK) else error

    # What the engine tells

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

    def _closed(self, code: int, reason: str, was_clean: bool) -> None:
        super()._closed(code, reason, was_clean)
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
    failures: list[tuple[Any, Exception]] = [
        (one, _not_sent(why)) for one, why in _native.broadcast(connections, message, text)
    ]
    if raise_exceptions and failures:
        raise ExceptionGroup("skipped broadcast", [failure for _, failure in failures])
    for connection, failure in failures:
        connection.logger.warning("skipped broadcast: %s", failure)


def _not_sent(why: Exception) -> Exception:
    if isinstance(why, SocklineError) and why.code == "SOCKLINE_ERR_MESSAGE_UNFINISHED":
        return ConcurrencyError("sending a fragmented message")
    failure = RuntimeError(f"failed to write message: {why}")
    failure.__cause__ = why
    return failure


def _receiving_already() -> ConcurrencyError:
    what = "cannot call recv_streaming while another coroutine is already running recv or recv_streaming"
    return ConcurrencyError(what)


async def _one_by_one(parts: Iterable[Any]) -> AsyncIterator[Any]:
    for part in parts:
        yield part
