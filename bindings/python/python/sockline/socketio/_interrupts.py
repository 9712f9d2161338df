"""Ctrl-C: clients leave before it goes on its way."""

from __future__ import annotations

import signal
import threading
import weakref
from typing import Any, Protocol

__all__ = ["unwatch", "watch"]


class Client(Protocol):
    def _leave_at_once(self) -> None:
        """Leaves without waiting: this interrupts whatever the main thread does."""


_clients: weakref.WeakSet[Any] = weakref.WeakSet()
_before: Any = None
_is_running = False


def watch(client: Client) -> None:
    """Has it leave at SIGINT. Whoever handled that before is called afterwards. Only the main thread can begin with it."""
    global _before
    _clients.add(client)
    if _is_main_thread() and signal.getsignal(signal.SIGINT) is not _interrupted:
        _before = signal.signal(signal.SIGINT, _interrupted)


def unwatch(client: Client) -> None:
    """Has it stay. With the last one SIGINT is given back."""
    _clients.discard(client)
    if not _clients and _is_main_thread() and signal.getsignal(signal.SIGINT) is _interrupted:
        signal.signal(signal.SIGINT, _before if _before is not None else signal.SIG_DFL)


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


def _interrupted(number: int, frame: Any) -> Any:
    global _is_running
    if _is_running:  # by one that came after, and calls who came before
        return signal.default_int_handler(number, frame)
    _is_running = True
    try:
        for client in list(_clients):
            client._leave_at_once()
        if callable(_before):
            return _before(number, frame)
        return signal.default_int_handler(number, frame)
    finally:
        _is_running = False
