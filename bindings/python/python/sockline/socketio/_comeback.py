"""Who makes a lost connection again: one thread, or one task, however often it is lost meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from .._workers import report, start_thread
from ._running import report as report_to_loop

__all__ = ["AsyncComeback", "Comeback"]


class Comeback:
    """Calls ``reconnect`` in a thread of its own when it is asked to: each loss asks once. Any thread may use it.

    ``reconnect`` gets an event that is set when it is to give up, which may be so before it begins.
    """

    def __init__(self, reconnect: Callable[[threading.Event], None]) -> None:
        self._reconnect = reconnect
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._is_asked = False

    @property
    def is_running(self) -> bool:
        """Whether there is such a thread."""
        return self._run is not None

    def ask(self) -> None:
        """Has it start, or go on when it has done what it is doing."""
        with self._lock:
            self._is_asked = True
            if self._run is None:
                run = _Run()
                start_thread(self._work, run)
                self._run = run

    def abort(self) -> None:
        """Has it give up, if it runs. Takes no lock, for it is called where a signal has interrupted the main thread."""
        run = self._run
        if run is not None:
            run.is_aborted.set()

    def wait(self) -> None:
        """Waits until it has ended; its own thread does not."""
        run = self._run
        if run is not None and run.thread is not threading.current_thread():
            run.is_over.wait()

    def _work(self, run: _Run) -> None:
        run.thread = threading.current_thread()
        while self._goes_on(run):
            try:
                self._reconnect(run.is_aborted)
            except Exception:
                report(sys.exc_info())

    def _goes_on(self, run: _Run) -> bool:
        """Whether it was asked since. If not it has ended, and the next one who asks starts another."""
        with self._lock:
            asked, self._is_asked = self._is_asked, False
            if not asked:
                self._run = None
                run.is_over.set()
            return asked


class _Run:
    """A thread of a :class:`Comeback`'s."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self.is_aborted = threading.Event()
        self.is_over = threading.Event()


class AsyncComeback:
    """The same with a task, for one event loop's thread."""

    def __init__(self, reconnect: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
        self._reconnect = reconnect
        self._task: asyncio.Task[None] | None = None
        self._is_aborted = asyncio.Event()
        self._is_asked = False

    @property
    def is_running(self) -> bool:
        """Whether there is such a task."""
        return self._task is not None

    def ask(self) -> None:
        """Has it start, or go on when it has done what it is doing."""
        self._is_asked = True
        loop = asyncio.get_running_loop()
        if self._task is None or self._task.get_loop() is not loop:
            self._is_aborted = asyncio.Event()
            self._task = loop.create_task(self._work())
            self._task.add_done_callback(self._ended)

    def abort(self) -> None:
        """Has it give up, if it runs."""
        self._is_aborted.set()

    async def wait(self) -> None:
        """Waits until it has ended; its own task does not."""
        task = self._task
        if task is not None and task is not asyncio.current_task():
            await asyncio.wait([task])

    async def _work(self) -> None:
        while self._is_asked:
            self._is_asked = False
            try:
                await self._reconnect(self._is_aborted)
            except Exception as error:
                report_to_loop(error, self._task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._task is not task:
            return
        self._task = None
        if self._is_asked and not task.cancelled():
            self.ask()  # after its last look
