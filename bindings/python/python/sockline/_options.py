"""Arguments on their way to the engine: checked, and in its terms."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias


from .datastructures import Headers, HeadersLike
from .options import Compression, Reconnect, TcpOptions
from .tls import ClientTLS, ServerTLS
from .typing import PathLike

if TYPE_CHECKING:
    from ._asking import Asking
    from ._native import IoServer
    from .socketio._redis_options import Cluster

    Adapter: TypeAlias = "IoServer | tuple[Cluster, object]"
    """The Socket.IO server that lends its connection to Redis, or what makes one, and its manager."""

Limit = int | tuple[int | None, int | None] | None


class Limits(NamedTuple):
    """What a connection may take and keep. Bytes or seconds, ``None`` for no limit."""

    max_size: int | None
    ping_interval: float | None
    ping_timeout: float | None
    close_timeout: float | None
    high_water_mark: int
    hard_limit: int | None
    slow_consumer: str = "error"
    tcp: TcpOptions | None = None
    compression: Compression | None = None
    message_parts: bool = False


class Opening(NamedTuple):
    """How a client connects."""

    subprotocols: list[str]
    headers: list[tuple[str, str]]
    open_timeout: float | None
    limits: Limits
    local_address: tuple[str, int] | None = None
    proxy: str | bool = True
    tls: ClientTLS | None = None
    cookies: list[tuple[str, str]] = []
    max_redirects: int = 0
    reconnect: Reconnect | None = None
    connect_to: tuple[str, int] | None = None
    socket: int | None = None
    """A descriptor, which the engine takes over."""
    proxy_tls: ClientTLS | None = None
    keep_request: bool = False
    asking: Asking | None = None
    """Whom the engine asks for connections or addresses; it does not keep that."""


class Listening(NamedTuple):
    """Where and how a server listens."""

    host: str
    port: int
    unix_path: PathLike | None
    path: str | None
    static_folder: PathLike | None
    open_timeout: float | None
    backlog: int
    limits: Limits
    tls: ServerTLS | None = None
    max_connections: int | None = None
    max_connections_per_address: int | None = None
    max_requests: int | None = None
    origins: list[str] = []
    threads: int = 0
    busy_poll: float | None = None
    metrics_path: str | None = None
    socketio: IoServer | None = None
    asks_requests: bool = False
    """Whether ``_request`` hears of requests that are no upgrades."""
    adapter: Adapter | None = None
    """What makes it one of a cluster."""
    sockets: list[int] = []
    """Descriptors to listen on, which the engine takes over."""
    reuse_port: bool = False


def check_views_from(length: int | None) -> int | None:
    """How long a message is at least that comes as a memoryview, as the engine takes it."""
    if length is None or length >= 0:
        return length if length is None else min(length, sys.maxsize)
    raise ValueError(f"views_from must be None or 0 or more bytes, not {length}")


def refuse_threads(threads: int, socketio: object, busy_poll: float | None) -> None:
    """Handlers of Socket.IO events are called by the engine, on the thread that turns a session's connection. And only the
    engine's threads can look for input again and again: asyncio waits by itself.
    """
    if busy_poll and not threads:
        raise NotImplementedError("busy_poll needs threads: asyncio's loop waits by itself. For programs without asyncio: set_busy_poll()")
    if busy_poll is not None and not 0 <= busy_poll <= 1:
        raise ValueError("busy_poll must be from 0 to 1 second")
    if threads and socketio is not None:
        raise NotImplementedError("threads can't be combined with socketio: its handlers are called on the thread of its own loop")


def marks(name: str, limit: Limit) -> tuple[int, int]:
    """The high and low marks that an int, a pair or ``None`` stands for, as ``websockets`` reads them."""
    high, low = limit if isinstance(limit, tuple) else (limit, None)
    if high is None:
        if low is None:
            return sys.maxsize, sys.maxsize
        high = low * 4
    low = high // 4 if low is None else low
    if not 0 <= low <= high:
        raise ValueError(f"{name}: the low-water mark ({low}) must be between 0 and the high-water mark ({high})")
    return high, low


def message_limit(max_size: int | None | tuple[int | None, int | None]) -> int | None:
    """The limit of a whole message. Fragments have none of their own: they are no longer than their message."""
    limit, fragment = max_size if isinstance(max_size, tuple) else (max_size, None)
    if fragment is not None and (limit is None or fragment < limit):
        raise NotImplementedError("a limit for single fragments is not supported; give max_size as one number")
    return limit


def deflate(
    compression: str | Compression | None, extensions: Sequence[Any] | None, default: Compression
) -> Compression | None:
    """What ``compression`` and websockets' ``extensions`` ask for together: the latter's parameters count."""
    for extension in extensions or ():
        if not callable(getattr(extension, "compression", None)):
            raise NotImplementedError(f"the extension {extension!r} is not supported; only permessage-deflate is")
        chosen = extension.compression()
        assert isinstance(chosen, Compression)
        return chosen
    if compression is None:
        return None
    if isinstance(compression, Compression):
        return compression
    if compression == "deflate":
        return default
    raise ValueError(f"unsupported compression: {compression}")


def header_list(headers: HeadersLike | None) -> list[tuple[str, str]]:
    """Names and values, several of them for one name where there are."""
    return [] if headers is None else list(Headers(headers).raw_items())


def check_subprotocols(subprotocols: Sequence[str] | None) -> list[str]:
    """A lone string is refused: its characters would be taken for subprotocols."""
    if subprotocols is None:
        return []
    if isinstance(subprotocols, str):
        raise TypeError("subprotocols must be a list, not a str")
    return list(subprotocols)


def check_origins(origins: Sequence[str]) -> list[str]:
    """A lone string is refused, too."""
    if isinstance(origins, str):
        raise TypeError("origins must be a list, not a str")
    return list(origins)


def refuse_unsupported(arguments: Mapping[str, Any], harmless: Mapping[str, Iterable[Any]]) -> None:
    """Refuses arguments that can't be honoured, unless their values ask for nothing."""
    for name, value in arguments.items():
        if name not in harmless:
            raise TypeError(f"unexpected keyword argument {name!r}")
        if not any(value is fine or (fine is not None and value == fine) for fine in harmless[name]):
            raise NotImplementedError(f"{name}={value!r} is not supported by this version of sockline")
