"""Options that have several values, and what connections tell of themselves."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from .datastructures import Headers
from .exceptions import SocklineError

__all__ = [
    "Attempt",
    "Compression",
    "ConnectionMetrics",
    "Reconnect",
    "Reconnecting",
    "ServerMetrics",
    "TcpOptions",
    "Timings",
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compression:
    """How to compress messages where the peer does too (permessage-deflate, RFC 7692).

    As it is, it suits a client: both ends keep their context between messages, which takes memory for each connection
    and makes similar messages short. :meth:`server` suits a server with many connections.
    """

    threshold: int = 1024
    """Messages of so many bytes and more are compressed; shorter ones would hardly get shorter."""
    level: int = 2
    """zlib's level: 0 stores, 1 is the fastest, 9 the smallest."""
    memory_level: int = 8
    """zlib's memory level, 1 to 9."""
    server_no_context_takeover: bool = False
    """The server keeps no context between messages."""
    client_no_context_takeover: bool = False
    """The client keeps no context between messages."""
    server_max_window_bits: int = 15
    """The base-2 logarithm of the server's window, 9 to 15."""
    client_max_window_bits: int = 15
    """The base-2 logarithm of the client's window, 9 to 15, if the client can limit it."""

    @classmethod
    def server(cls) -> Compression:
        """No context is kept by either end: an idle connection costs no more than without compression."""
        return cls(server_no_context_takeover=True, client_no_context_takeover=True)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Reconnect:
    """Connect again when the connection is lost, or can't be made. Times are in seconds.

    The wait before an attempt is a random time up to ``base_delay * factor ** n``, at most ``max_delay``; n counts the
    attempts since the connection was last open for ``stable_after``. A server that answers 429 or 503 with Retry-After is
    not asked before that. It is given up after ``max_attempts``, a close code of ``no_retry``, another status 4xx (but
    408 and 425) and a redirect that can't be followed.
    """

    base_delay: float = 1
    factor: float = 2
    max_delay: float = 30
    stable_after: float = 10
    max_attempts: int | None = None
    no_retry: Sequence[int] = (1000, 1002, 1003, 1005, 1007, 1008, 1009, 1010)
    outbox: int = 0
    """So many bytes of messages are kept while there is no connection, and sent first; 0: sending raises meanwhile."""


@dataclasses.dataclass(frozen=True)
class Reconnecting:
    """A connection is lost, or could not be made, and another attempt follows."""

    attempt: int
    """Which one: 1 for the first since the connection was last stable."""
    delay: float
    """Seconds until then."""
    error: SocklineError | None
    """What went wrong; ``None`` if the peer closed in good order."""
    code: int
    """The peer's close code, as for ``onclose``."""
    reason: str
    """The peer's reason."""


@dataclasses.dataclass
class Attempt:
    """What is about to be asked for again. Each one begins with what the WebSocket was made with."""

    url: str
    """Where to connect; may be changed."""
    headers: Headers
    """Further request headers; may be changed."""
    number: int
    """Which attempt it is, as in :attr:`Reconnecting.attempt`."""

    def __post_init__(self) -> None:
        self.headers = Headers(self.headers)

    def _changed(self) -> tuple[str, list[tuple[str, str]]]:
        return self.url, list(Headers(self.headers).raw_items())


@dataclasses.dataclass(frozen=True, kw_only=True)
class TcpOptions:
    """What the system does with a TCP socket; a Unix socket has none of it. Times are in seconds, sizes in bytes."""

    no_delay: bool = True
    """Small messages don't wait for the acknowledgement of the one before (``TCP_NODELAY``)."""
    keep_alive: float | None = None
    """The system probes the peer when nothing has come for so long, at least a second. Pings do more."""
    user_timeout: float | None = None
    """The connection fails when so long nothing was acknowledged of what was sent (``TCP_USER_TIMEOUT``)."""
    send_buffer: int = 0
    """The system's buffer for what is sent (``SO_SNDBUF``); 0 leaves it to the system."""
    receive_buffer: int = 0
    """The same for what is received (``SO_RCVBUF``)."""


@dataclasses.dataclass(frozen=True)
class Timings:
    """How long each step to the open connection took, in seconds; ``None`` for a step that was not needed."""

    dns: float | None
    """Looking up the host's name."""
    tcp: float | None
    """Connecting to the host, or to the proxy."""
    proxy: float | None
    """From there to the tunnel through the proxy."""
    tls: float | None
    """The TLS handshake."""
    upgrade: float | None
    """The opening handshake (RFC 6455 section 4)."""


@dataclasses.dataclass(frozen=True)
class ConnectionMetrics:
    """What was counted of a connection since it was made."""

    bytes_in: int
    """What has come: frames and the opening handshake. Of TLS, what was inside."""
    bytes_out: int
    """What the system has taken from us."""
    frames_in: int
    """Frames that came, control frames and fragments included."""
    frames_out: int
    """Frames that were made."""
    messages_in: int
    """Whole messages that came."""
    messages_out: int
    """Messages that have left or wait to leave, broadcasts included."""
    dropped: int
    """Messages that did not leave: a policy or a deadline dropped them, or a broadcast passed by."""
    buffered: int
    """Bytes that wait to be sent."""
    compressed_from: int
    """Bytes of payload that were compressed; what is compressed once for many counts at one of them."""
    compressed_to: int
    """What they became."""
    inflated_from: int
    """Bytes of payload that came compressed."""
    inflated_to: int
    """What they became."""
    latency: float | None
    """The round trip of the last answered ping in seconds."""


@dataclasses.dataclass(frozen=True)
class ServerMetrics:
    """What was counted of a server over all its threads; connections that have ended go on counting."""

    connections: int = 0
    """Connections that have not ended, those that are not upgraded included."""
    accepted: int = 0
    """Connections that were taken in."""
    refused: int = 0
    """Connections that there was no room for, by the server's limits."""
    failed_handshakes: int = 0
    """TLS handshakes that came to nothing."""
    batched_sends: int = 0
    """Sends that left together with others' by one system call, where the system has io_uring."""
    bytes_in: int = 0
    """This and the following as in :class:`ConnectionMetrics`."""
    bytes_out: int = 0
    frames_in: int = 0
    frames_out: int = 0
    messages_in: int = 0
    messages_out: int = 0
    dropped: int = 0
    buffered: int = 0
    compressed_from: int = 0
    compressed_to: int = 0
    inflated_from: int = 0
    inflated_to: int = 0


def server_metrics(counted: tuple[Sequence[int], Sequence[int]] | None) -> ServerMetrics:
    """The engine's numbers; all 0 for a server that is closed."""
    if counted is None:
        return ServerMetrics()
    own, totals = counted
    return ServerMetrics(*own, *totals)


def connection_metrics(counted: tuple[Sequence[int], float | None] | None) -> ConnectionMetrics | None:
    """The engine's numbers; ``None`` for a connection of which nothing is left."""
    if counted is None:
        return None
    counts, latency = counted
    return ConnectionMetrics(*(*counts, latency))  # type: ignore[arg-type]
