"""Threads for handlers that may wait as long as they like."""

from __future__ import annotations

import collections
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["run_in_a_thread", "start_thread"]

_Job = tuple[Callable[..., Any], tuple[Any, ...]]

_IDLE_SECONDS = 10.0


class _Pool:
    """Hands jobs to threads that are idle, and starts one where there is none: each job begins at once, as if it had a
    thread of its own. They begin in the order in which they came.
    """

    def __init__(self) -> None:
        self._jobs: collections.deque[_Job] = collections.deque()
        self._changed = threading.Condition(threading.Lock())
        self._idle = 0

    def run(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        with self._changed:
            self._jobs.append((call, arguments))
            if len(self._jobs) <= self._idle:
                self._changed.notify()
                return
        threading.Thread(target=self._work, name="sockline-handler", daemon=True).start()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job[0](*job[1])
            except BaseException:
                report(sys.exc_info())
            del job

    def _next(self) -> _Job | None:
        with self._changed:
            if not self._jobs:
                self._idle += 1
                self._changed.wait(_IDLE_SECONDS)
                self._idle -= 1
            return self._jobs.popleft() if self._jobs else None


_pool = _Pool()


def report(raised: Any) -> None:
    """As the end of a thread reports what was raised there."""
    threading.excepthook(threading.ExceptHookArgs((*raised, threading.current_thread())))


def run_in_a_thread(call: Callable[..., Any], *arguments: Any) -> None:
    """Calls it at once, elsewhere. Its exceptions go to :func:`threading.excepthook`."""
    _pool.run(call, arguments)


def start_thread(call: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
    """A thread that does not keep the interpreter from ending."""
    thread = threading.Thread(target=call, args=args, kwargs=kwargs, daemon=True)
    thread.start()
    return thread
