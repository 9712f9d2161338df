"""The native module: private, so that it can change with every version."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable
from types import TracebackType
from typing import Any, Self, final

from typing_extensions import disjoint_base

from ._options import Listening, Opening
from .typing import Data, DataLike

__all__ = [
    "ClientTls",
    "Connection",
    "Done",
    "Driver",
    "Handle",
    "Receive",
    "Server",
    "ServerTls",
    "Socket",
    "Waiter",
    "broadcast",
    "memory_in_use",
    "set_log_level",
    "set_memory_budget",
    "take_log_lines_to",
]

_HostAndPort = tuple[str, int]

@disjoint_base
class Handle:
    @property
    def ready_state(self) -> int:
        """0 connecting, 1 open, 2 closing, 3 closed."""
    @property
    def buffered_amount(self) -> int:
        """Bytes that were accepted for sending and not yet taken by the system, framing included."""
    def _details(self) -> tuple[str, str, _HostAndPort | None, _HostAndPort | None]: ...
    def _response_headers(self) -> list[tuple[str, str]]: ...
    def _tls(self) -> tuple[str, str, str | None, str | None, bytes | None, bool] | None: ...
    def _metrics(self) -> tuple[list[int], float | None] | None: ...
    def _timings(self) -> list[float | None]: ...
    def _latency(self) -> int | None: ...
    def _close(self, code: int | None, reason: str) -> None: ...
    def _ping(self, data: DataLike) -> None: ...
    def _pong(self, data: DataLike) -> None: ...
    def subscribe(self, topic: str) -> None:
        """On a server: has what is published under this topic sent here, until :meth:`unsubscribe` or the end.

        Topics have levels with ``/`` between them; here ``+`` stands for any one level, and ``#`` at the end for all that
        follow (MQTT 3.1.1 section 4.7). Twice is the same as once. Raises :exc:`SocklineError` for what is no topic.
        """
    def unsubscribe(self, topic: str) -> None:
        """Takes one :meth:`subscribe` back, with the same text; without effect if there was none."""
    def publish(
        self, topic: str, message: DataLike, text: bool | None = None, *, include_self: bool = False
    ) -> None:
        """On a server: sends a message to all of its connections that have subscribed to the topic, encoded once.

        To this one only if ``include_self`` says so.
        """
    def _terminate(self) -> None: ...

@disjoint_base
class Connection(Handle):
    def __new__(cls, owner: Driver | Server, high: int, low: int) -> Self: ...
    def _pause(self) -> None:
        """Nothing is handed over until :meth:`_resume`, also of what has come already."""
    def _resume(self) -> None: ...
    def recv(self, decode: bool | None = None) -> Coroutine[Any, Any, Any]:
        """The next message: text as ``str``, binary as ``bytes``; ``decode`` asks for ``str`` or ``bytes`` in any case.

        Raises :exc:`ConnectionClosed` when the connection is closed and all messages were received,
        :exc:`ConcurrencyError` while another ``recv`` waits. Cancelling it loses no message.
        """
    def send(
        self,
        message: Any,
        text: bool | None = None,
        *,
        compress: bool | None = None,
        deadline: float | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Sends a message at once. Awaiting it waits until there is room for more.

        An iterable, or asynchronous iterable, of strings or of bytes-like objects is sent as one message, each of them
        as a fragment as soon as it is there; other messages wait until it is done. ``text`` overrides which type it is
        sent as. Awaiting it raises :exc:`ConnectionClosed` if the connection isn't open.

        ``compress`` overrides whether a whole message is compressed where that was agreed on. It is dropped if it has not
        begun to leave after ``deadline`` seconds, which :meth:`metrics` counts.
        """
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Receive: ...
    def _recv_part(self) -> Coroutine[Any, Any, tuple[Data, bool]]: ...
    def _send_part(self, part: DataLike, text: bool | None, is_last: bool) -> bool: ...

@disjoint_base
class Socket(Handle):
    def __new__(cls, owner: Driver | Server) -> Self: ...
    def send(
        self,
        message: DataLike,
        text: bool | None = None,
        *,
        compress: bool | None = None,
        deadline: float | None = None,
        onsent: Callable[[Any, str], object] | None = None,
    ) -> bool | None:
        """Sends a message; says whether there is room for more, ``None`` if ``slow_consumer`` says to drop it.

        ``text`` overrides which type it is sent as, ``compress`` whether it is compressed where that was agreed on. It is
        dropped if it has not begun to leave after ``deadline`` seconds. ``onsent(ws, outcome)`` is called once it is
        ``"taken"`` by the system, ``"dropped"``, ``"expired"`` or, with the connection, ``"failed"``; in any case, and
        before ``onclose``.
        """
    def send_part(self, part: DataLike, text: bool | None = None, *, is_last: bool = False) -> bool:
        """Sends a part of a message, which the peer can read when it comes; says whether there is room for more.

        The first part begins the message and says what it is, the one with ``is_last`` ends it and may be empty. Until
        then :meth:`send` raises.
        """
    def _callback(self, place: int) -> Callable[..., object] | None: ...
    def _set_callback(self, place: int, callback: Callable[..., object] | None) -> None: ...
    def _holds(self) -> bool: ...
    def _release(self) -> None: ...

@disjoint_base
class Server:
    def __new__(cls, driver: Driver) -> Self: ...
    def broadcast(self, message: DataLike, text: bool | None = None) -> None:
        """Sends a message to every open connection; it is encoded once."""
    def publish(self, topic: str, message: DataLike, text: bool | None = None) -> None:
        """Sends a message to all connections that have subscribed to the topic, encoded once."""
    def metrics_text(self) -> str:
        """What ``metrics`` counts, in Prometheus's text format 0.0.4."""
    def _metrics(self) -> tuple[list[int], list[int]] | None: ...
    def _drain(self, deadline: float) -> None: ...
    def _listen(self, driver: Driver, listening: Listening) -> None: ...
    def _address(self) -> _HostAndPort | None: ...
    def _accept(
        self,
        request: int,
        face: Connection | Socket,
        subprotocol: str | None,
        headers: list[tuple[str, str]],
    ) -> None: ...
    def _refuse(self, request: int, status: int, headers: list[tuple[str, str]], body: bytes) -> None: ...
    def _close(self, code: int | None, reason: str) -> None: ...

@disjoint_base
class ClientTls:
    def __new__(
        cls,
        platform_roots: bool,
        ca: list[bytes],
        identity: tuple[bytes, bytes] | None,
        server_name: str | None,
        alpn: list[str],
        pins: list[bytes],
        is_13: bool,
        insecure: bool,
    ) -> Self: ...

@disjoint_base
class ServerTls:
    def __new__(
        cls,
        identities: list[tuple[bytes, bytes]],
        client_ca: list[bytes],
        require_client_certificate: bool,
        alpn: list[str],
        is_13: bool,
    ) -> Self: ...
    def _reload(self, identities: list[tuple[bytes, bytes]]) -> None: ...

@final
class Driver:
    def __new__(cls, embedded: bool) -> Self: ...
    def embed(self, asyncio: asyncio.AbstractEventLoop) -> None: ...
    def host(self) -> asyncio.AbstractEventLoop | None: ...
    def fileno(self) -> int: ...
    def poll(self) -> None: ...
    def turn_once(self) -> int | None: ...
    def flush(self) -> None: ...
    def _timer_due(self) -> None: ...
    def wake(self) -> None: ...
    def close(self) -> None: ...
    def connect(self, face: Connection | Socket, url: str, opening: Opening) -> None: ...

@final
class Receive:
    def __await__(self) -> Generator[Any, Any, Data]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, _value: object) -> Any: ...
    def throw(self, typ: Any, val: object = None, tb: TracebackType | None = None) -> None: ...
    def close(self) -> None: ...

@final
class Done:
    def __await__(self) -> Generator[Any, Any, None]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, _value: object) -> None: ...
    def throw(self, typ: Any, val: object = None, tb: TracebackType | None = None) -> None: ...
    def close(self) -> None: ...

@final
class Waiter:
    _asyncio_future_blocking: bool
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def add_done_callback(self, callback: Callable[..., object], *, context: Any = None) -> None: ...
    def remove_done_callback(self, callback: Callable[..., object]) -> int: ...
    def cancel(self, msg: Any = None) -> bool: ...
    def cancelled(self) -> bool: ...
    def done(self) -> bool: ...
    def result(self) -> None: ...

def set_memory_budget(budget: int | None) -> None:
    """Limits what the process keeps of messages, over all its connections, in bytes; ``None`` sets no limit. Sending
    raises ``SOCKLINE_ERR_MEMORY_BUDGET`` beyond it, or does what ``slow_consumer`` says. Any thread.
    """

def memory_in_use() -> int:
    """What the budget limits, in bytes, as it is now. Any thread."""

def set_log_level(level: int) -> None: ...
def take_log_lines_to(taker: Callable[[int, str], object]) -> None: ...
def broadcast(
    connections: Iterable[Handle], message: DataLike, text: bool | None
) -> list[tuple[Handle, Exception]]: ...
