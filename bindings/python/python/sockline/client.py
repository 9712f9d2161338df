"""When ``async for connection in connect(…)`` connects again: what is tried once more, and after how long."""

from __future__ import annotations

import random
from collections.abc import Generator

from .exceptions import InvalidMessage, InvalidStatus

__all__ = ["backoff", "process_exception"]

_TRANSIENT_STATUSES = {500, 502, 503, 504}


def process_exception(exc: Exception) -> Exception | None:
    """Says whether an attempt that failed is made again: ``None`` for yes, an exception to raise for no.

    Again it is for :exc:`OSError`, :exc:`TimeoutError`, a server that closes the connection instead of answering, and
    the statuses 500, 502, 503 and 504. The argument ``process_exception`` of :class:`~sockline.connect` puts another
    function in its place.
    """
    if isinstance(exc, (OSError, TimeoutError)):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(exc.__cause__, EOFError):
        return None
    if isinstance(exc, InvalidStatus) and exc.response.status_code in _TRANSIENT_STATUSES:
        return None
    return exc


def backoff(
    initial_delay: float = 5, min_delay: float = 3.1, max_delay: float = 90, factor: float = 1.618
) -> Generator[float]:
    """The seconds to wait before each attempt: at first a random part of ``initial_delay`` (RFC 6455 section 7.2.3),
    then from ``min_delay`` on ``factor`` times as long each time, at most ``max_delay``.
    """
    yield random.random() * initial_delay
    delay = min_delay
    while delay < max_delay:
        yield delay
        delay *= factor
    while True:
        yield max_delay
