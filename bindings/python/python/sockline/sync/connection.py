"""What clients' and servers' connections have in common."""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Literal, Never, Self, overload

from .. import _native
from .._connection import BaseConnection, control_data, ping_payload
from .._drivers import blocking_thread
from .._options import refuse_unsupported
from ..exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedOK,
    InvalidState,
    ProtocolError,
    SocklineError,
)
from ..frames import CloseCode
from ..protocol import State
from ..typing import Data, DataLike
from ._waiting import wait_for

__all__ = ["WRITE_LIMIT", "Connection", "broadcast"]

WRITE_LIMIT = 2**15
"""Sending waits when so many bytes wait to be sent."""

# Arguments of ThreadPoolExecutor, which websockets broadcasts with, and the values that ask for nothing here.
_POOL: dict[str, tuple[Any, ...]] = {"initializer": (None,), "initargs": ((),)}
_POOL_SIZES = {"max_workers", "thread_name_prefix"}


class Connection(BaseConnection):
    """A WebSocket connection. :func:`~sockline.sync.client.connect` and :func:`~sockline.sync.server.serve` make them.

    ``for message in connection`` iterates over the messages, and ends when the connection is closed normally. Any thread
    may call the methods.
    """

    def __init__(self, owner: _native.Driver | _native.Server, high: int, low: int) -> None:
        super().__init__(owner, high, low)
        self._thread = blocking_thread()
        self._mutex = threading.RLock()
        """For what several threads of the application's can ask for at once."""
        self._receiving = False
        self._sending_parts = False
        self._pings: dict[bytes, tuple[threading.Event, float, bool]] = {}
        self._drain = threading.Condition()
        self._high_water_mark = 0
        self._settled = threading.Event()
        """It is open, or won't be."""
        self._has_opened = False
        self._end = threading.Event()

    @property
    def socket(self) -> Never:
        """``websockets`` has the connection's socket here. There is none: the engine keeps it."""
        raise AttributeError("the engine keeps the socket: see local_address, remote_address, tls_info, and the option tcp")

    # Methods

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close(CloseCode.NORMAL_CLOSURE if exc_type is None else CloseCode.INTERNAL_ERROR)

    def __iter__(self) -> Iterator[Data]:
        """The messages, until the connection is closed. Raises :exc:`ConnectionClosedError` if that was not normal."""
        try:
            while True:
                yield self.recv()
        except ConnectionClosedOK:
            return

    __aiter__ = None  # type: ignore[assignment]
    __anext__ = None  # type: ignore[assignment]

    @overload  # type: ignore[override]
    def recv(self, timeout: float | None, decode: Literal[True]) -> str: ...
    @overload
    def recv(self, timeout: float | None, decode: Literal[False]) -> bytes: ...
    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[True]) -> str: ...
    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[False]) -> bytes: ...
    @overload
    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data: ...

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Data:
        """Waits for the next message: ``str`` for text, ``bytes`` for binary, unless ``decode`` says which.

        Raises :exc:`TimeoutError` after ``timeout`` seconds, at once for 0 if none is there; no message is lost by that.
        Raises :exc:`ConnectionClosed` when the connection is closed and all messages were received, and
        :exc:`ConcurrencyError` while another thread receives.
        """
        self._warn_of_legacy()
        self._begin_to_receive("recv")
        try:
            message: Data = wait_for(self._thread, super().recv(), timeout)
        finally:
            self._receiving = False
        if decode is None:
            return message
        if not decode:
            return message.encode() if isinstance(message, str) else message
        if isinstance(message, str):
            return message
        try:
            return message.decode()
        except UnicodeDecodeError as error:
            raise self._invalid_text(error) from error

    @overload
    def recv_streaming(self, decode: Literal[True]) -> Iterator[str]: ...
    @overload
    def recv_streaming(self, decode: Literal[False]) -> Iterator[bytes]: ...
    @overload
    def recv_streaming(self, decode: bool | None = None) -> Iterator[Data]: ...

    def recv_streaming(self, decode: bool | None = None) -> Iterator[Data]:
        """Receives the next message in parts, as they come: fragments, or pieces of them if they are long. Some can be
        empty. It has to be read to its end: receiving raises :exc:`ConcurrencyError` until then. Raises as :meth:`recv`
        does.
        """
        self._warn_of_legacy()
        self._begin_to_receive("recv_streaming")
        decoder = codecs.getincrementaldecoder("utf-8")()
        has_begun = is_last = False
        while not is_last:
            try:
                part, is_last = wait_for(self._thread, self._recv_part())
            except BaseException as error:
                self._receiving = has_begun and not isinstance(error, ConnectionClosed)
                raise
            has_begun = True
            self._receiving = not is_last
            if isinstance(part, str):
                yield part.encode() if decode is False else part
            elif not decode:
                yield part
            else:
                try:
                    yield decoder.decode(part, is_last)
                except UnicodeDecodeError as error:
                    raise self._invalid_text(error) from error

    def send(  # type: ignore[override]
        self, message: DataLike | Iterable[DataLike], *, text: bool | None = None
    ) -> None:
        """Sends a message, and waits until there is room for more.

        An iterable of strings or of bytes-like objects is sent as one message, each of them as a fragment as soon as it is
        there; until it is done, sending anything else raises :exc:`ConcurrencyError`. ``text`` overrides which type it is
        sent as. Raises :exc:`ConnectionClosed` if the connection isn't open, :exc:`TypeError` for what is no message.
        """
        self._warn_of_legacy()
        with self._mutex:
            if self._sending_parts:
                raise _sending_already()
            outcome: Any = super().send(message, text)
        if not isinstance(outcome, _native.Done):
            outcome()

    def close(self, code: CloseCode | int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Performs the closing handshake, and waits until the connection is closed. Doing it again is harmless."""
        self._warn_of_legacy()
        if self.ready_state < State.CLOSING:
            if self._sending_parts:
                code, reason = CloseCode.INTERNAL_ERROR, "close during fragmented message"
            self._ask_to_close(int(code), reason)
        self.wait_closed()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Waits until the connection is closed, at most so many seconds; says whether it is."""
        if not self._end.is_set():
            self._thread.refuse_if_gone()
        return self._end.wait(timeout)

    def ping(self, data: DataLike | None = None, *, ack_on_close: bool = False) -> threading.Event:
        """Sends a ping; returns an event that the pong sets, and with ``ack_on_close`` the end of the connection, too.

        Raises :exc:`ConcurrencyError` if a ping with the same payload is under way.
        """
        self._warn_of_legacy()
        self._refuse_unless_open()
        pong = threading.Event()
        with self._mutex:
            payload = ping_payload(data, self._pings)
            if payload in self._pings:
                raise ConcurrencyError("already waiting for a pong with the same data")
            self._pings[payload] = (pong, time.monotonic(), ack_on_close)
        try:
            self._control(self._ping, payload)
        except BaseException:
            self._pings.pop(payload, None)
            raise
        if self._has_ended:
            self._forget_pings()
        return pong

    def pong(self, data: DataLike = b"") -> None:
        """Sends a pong that nobody has asked for. Pings are answered without it."""
        self._warn_of_legacy()
        payload = control_data(data)
        self._refuse_unless_open()
        self._control(self._pong, payload)

    # Sending

    def _room(self) -> Callable[[], None]:
        """What the engine's ``send`` returns when more waits than the high-water mark."""
        return self._wait_for_room

    def _wait_for_room(self) -> None:
        with self._drain:
            self._drain.wait_for(lambda: self._has_ended or self.buffered_amount <= self._high_water_mark)
        if self._has_ended:
            raise self._close_exc()

    def _send_slowly(
        self, message: Any, text: bool | None, compress: bool | None, deadline: float | None
    ) -> Callable[[], None]:
        """What the engine's ``send`` returns for what is no whole message, or can't be sent."""
        return lambda: self._send_other(message, text)

    def _send_other(self, message: Any, text: bool | None) -> None:
        if isinstance(message, str):
            message.encode()  # a surrogate is not to be sent: let this say so
        elif isinstance(message, (bytes, bytearray, memoryview)):
            if text:
                bytes(message).decode()
        elif isinstance(message, Mapping):
            raise TypeError("data is a dict-like object")
        elif isinstance(message, Iterable):
            return self._send_in_parts(iter(message), text)
        else:
            raise TypeError("data must be str, bytes, or iterable")
        self._refuse_unless_open()

    def _send_in_parts(self, parts: Iterator[Any], text: bool | None) -> None:
        try:
            part = next(parts)
        except StopIteration:
            return
        kind = str if isinstance(part, str) else (bytes, bytearray, memoryview)
        with self._mutex:
            if self._sending_parts:
                raise _sending_already()
            self._sending_parts = True
        has_begun = False
        try:
            while True:
                if not isinstance(part, kind):
                    raise TypeError("iterable must contain only str, or only bytes-like objects")
                self._send_one_part(part, text)
                has_begun = True
                part = next(parts)
        except StopIteration:
            self._send_one_part("" if kind is str else b"", text, True)
        except BaseException:
            if has_begun and self.ready_state == State.OPEN:
                # The message can't be finished, and nothing can be sent in the midst of it.
                self._ask_to_close(CloseCode.INTERNAL_ERROR, "error in fragmented message")
            raise
        finally:
            self._sending_parts = False

    def _send_one_part(self, part: DataLike, text: bool | None, is_last: bool = False) -> None:
        try:
            has_room = self._send_part(part, text, is_last)
        except SocklineError:
            self._refuse_unless_open()
            raise
        if not has_room:
            self._wait_for_room()

    def _control(self, send: Callable[[bytes], None], payload: bytes) -> None:
        try:
            send(payload)
        except SocklineError as error:
            self._refuse_unless_open()
            raise ProtocolError(str(error)) from None

    def _refuse_unless_open(self) -> None:
        state = self.ready_state
        if state == State.CONNECTING:
            raise InvalidState("the connection is still connecting")
        if state != State.OPEN:
            self.wait_closed()  # only then the close codes are known
            raise self._close_exc()

    # Receiving

    def _begin_to_receive(self, what: str) -> None:
        with self._mutex:
            if self._receiving:
                raise ConcurrencyError(
                    f"cannot call {what} while another thread is already running recv or recv_streaming"
                )
            self._receiving = True

    def _invalid_text(self, error: UnicodeDecodeError) -> ConnectionClosed:
        self._failure = error
        self._ask_to_close(CloseCode.INVALID_DATA, f"{error.reason} at position {error.start}")
        self.wait_closed()
        self._receiving = False
        return self._close_exc()

    # Closing

    def _ask_to_close(self, code: int, reason: str) -> None:
        """Begins the closing handshake where the engine can't bring the peer's close frame meanwhile, so that it is known
        who was first.
        """
        self._thread.call(lambda: self._begin_close(code, reason))

    def _begin_close(self, code: int, reason: str) -> None:
        if self.ready_state < State.CLOSING:
            super()._begin_close(code, reason)

    def _warn_of_legacy(self) -> None:
        """For a client that is used in a way that ``websockets`` gives up."""

    # What the engine tells

    def _opened(self) -> None:
        super()._opened()
        self._has_opened = True
        self._settled.set()

    def _drained(self) -> None:
        with self._drain:
            self._drain.notify_all()

    def _pong_came(self, payload: bytes) -> None:
        """A pong answers for all pings before it, too: the peer may have skipped some (RFC 6455 §5.5.3)."""
        now = time.monotonic()
        with self._mutex:
            if payload not in self._pings:
                return
            for ping in list(self._pings):
                pong, sent_at, _ = self._pings.pop(ping)
                self._measured = now - sent_at
                pong.set()
                if ping == payload:
                    return

    def _closed(self, code: int, reason: str, was_clean: bool) -> None:
        super()._closed(code, reason, was_clean)
        self._settled.set()
        self._end.set()
        self._drained()
        self._forget_pings()

    def _forget_pings(self) -> None:
        with self._mutex:
            for pong, _, ack_on_close in self._pings.values():
                if ack_on_close:
                    pong.set()
            self._pings.clear()


def broadcast(
    connections: Iterable[Connection],
    message: DataLike,
    *,
    raise_exceptions: bool = False,
    text: bool | None = None,
    **kwargs: Any,
) -> None:
    """Sends a message to several connections, without waiting for any, and so without threads: arguments for a pool of them
    have nothing to ask for. Connections that aren't open are skipped.

    Failures are logged, or raised together at the end if ``raise_exceptions`` says so.
    """
    refuse_unsupported({name: value for name, value in kwargs.items() if name not in _POOL_SIZES}, _POOL)
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError("data must be str or bytes")
    free: list[Connection] = []
    failures: list[tuple[Any, Exception]] = []
    for connection in connections:
        if connection._sending_parts:
            failures.append((connection, ConcurrencyError("sending a fragmented message")))
        else:
            free.append(connection)
    failures += _native.broadcast(free, message, text)
    if raise_exceptions and failures:
        raise ExceptionGroup("skipped broadcast", [failure for _, failure in failures])
    for connection, failure in failures:
        connection.logger.warning("skipped broadcast: %s", failure)


def _sending_already() -> ConcurrencyError:
    return ConcurrencyError("cannot call send while another thread is already running send")
