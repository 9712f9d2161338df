"""Options that have several values, and what connections tell of themselves."""

from __future__ import annotations

import dataclasses

__all__ = ["Compression", "TcpOptions", "Timings"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compression:
    """How to compress messages where the peer does too (permessage-deflate, RFC 7692).

    As it is, it suits a client: both ends keep their context between messages, which takes memory for each connection
    and makes similar messages short. :meth:`server` suits a server with many connections.
    """

    threshold: int = 1024
    """Messages of so many bytes and more are compressed; shorter ones would hardly get shorter."""
    level: int = 6
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
