"""Options that have several values, and what connections tell of themselves."""

from __future__ import annotations

import dataclasses

__all__ = ["TcpOptions", "Timings"]


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
