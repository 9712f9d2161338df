"""Waiting for what the engine's thread brings."""

from __future__ import annotations

import threading
import time
from typing import Any

from .._drivers import DriverThread

__all__ = ["Deadline", "wait_for"]


class Deadline:
    """A time that several steps have together; ``None`` for no limit."""

    def __init__(self, timeout: float | None) -> None:
        self._at = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float:
        """As locks take it: -1 for no limit."""
        return -1 if self._at is None else max(0.0, self._at - time.monotonic())


def wait_for(thread: DriverThread, receive: Any, timeout: float | None = None) -> Any:
    """What a coroutine of the engine's returns or raises. Raises :exc:`TimeoutError` if that takes too long: then it is
    as if nobody had waited.
    """
    deadline = Deadline(timeout)
    try:
        while True:
            try:
                waiter = receive.send(None)
            except StopIteration as returned:
                return returned.value
            thread.refuse_if_gone()
            woken = threading.Lock()
            woken.acquire()
            waiter.add_done_callback(lambda _: woken.release())
            # Woken before it could be told whom to call, it calls nobody.
            if not waiter.done() and not woken.acquire(timeout=deadline.left()):
                raise TimeoutError(f"timed out in {timeout:.1f}s")
    finally:
        receive.close()
