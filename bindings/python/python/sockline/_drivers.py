"""Which loop turns a connection: asyncio's where one is running, else a thread of our own."""

from __future__ import annotations

import asyncio
import atexit
import collections
import contextlib
import functools
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from ._logging import follow_level
from ._native import Driver

__all__ = [
    "DriverThread",
    "blocking_thread",
    "current_driver",
    "is_driver_thread",
    "post_to_thread",
    "running_driver",
    "set_busy_poll",
    "thread_driver",
]

_lock = threading.Lock()

# By the id of its asyncio loop. Nothing here keeps a driver alive: the loop does, by the reader that it was given, until
# it is closed.
_embedded: weakref.WeakValueDictionary[int, Driver] = weakref.WeakValueDictionary()


def running_driver() -> Driver:
    """The driver of the running asyncio loop. Raises ``RuntimeError`` where there is none."""
    follow_level()
    return _driver_of(asyncio.get_running_loop())


def current_driver() -> Driver:
    """That of the running asyncio loop, or else the one of our own thread."""
    follow_level()
    loop = asyncio._get_running_loop()
    return _driver_of(loop) if loop is not None else thread_driver()


def _driver_of(loop: asyncio.AbstractEventLoop) -> Driver:
    driver = _embedded.get(id(loop))
    if driver is None or driver.host() is not loop:
        _close_left_over()
        driver = Driver(embedded=True)
        driver.embed(loop)
        _hold_at_the_end()
        _embedded[id(loop)] = driver
    return driver


def _close_left_over() -> None:
    """Frees what reference cycles still hold of loops that are closed."""
    for driver in list(_embedded.values()):
        loop = driver.host()
        if loop is not None and loop.is_closed():
            driver.close()


@functools.cache
def _hold_at_the_end() -> None:
    atexit.register(_hold_loops, os.getpid())


def _hold_loops(pid: int) -> None:
    """At the interpreter's end: has the loops of daemon threads stand still. Python ends such a thread wherever it wants the
    interpreter's lock, by unwinding its stack, and that crashes if the engine is there, which has called a handler.
    """
    if pid != os.getpid():
        return  # the threads are our parent's
    held = []
    for driver in list(_embedded.values()):
        loop = driver.host()
        if loop is not None and loop.is_running() and loop is not asyncio._get_running_loop():
            stands = threading.Event()
            with contextlib.suppress(RuntimeError):  # it has been closed
                loop.call_soon_threadsafe(_stand, stands)
                held.append(stands)
    until = time.monotonic() + 1
    for stands in held:
        stands.wait(until - time.monotonic())


def _stand(stands: threading.Event) -> None:
    stands.set()
    _for_ever()


class DriverThread(threading.Thread):
    """Turns a driver. It holds the interpreter's lock except while it waits."""

    def __init__(self, name: str, last_turn: bool) -> None:
        super().__init__(name=name, daemon=True)
        self.driver = Driver(embedded=False, busy_poll=_busy_poll)
        self.last_turn = last_turn
        """What was sent last leaves at the interpreter's end: nothing of the application's can be called by that."""
        self.pid = os.getpid()
        self.ending = False
        self.posted: collections.deque[Callable[[], None]] = collections.deque()

    def run(self) -> None:
        while not self.ending:
            for _ in range(self.driver.turn_until_posted(self.posted)):
                self.posted.popleft()()
        if self.last_turn:
            self.driver.turn_once()

    def post(self, call: Callable[[], None]) -> None:
        """Has something called on this thread, after what was sent before."""
        self.posted.append(call)
        self.driver.wake()

    def call(self, call: Callable[[], None]) -> None:
        """The same, and waits for its end; raises what it raises."""
        self.refuse_if_gone()
        called: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def report() -> None:
            try:
                call()
            except BaseException as error:
                called.put(error)
            else:
                called.put(None)

        self.post(report)
        error = called.get()
        if error is not None:
            raise error

    def refuse_if_gone(self) -> None:
        """Nothing comes from this thread at the interpreter's end, or in a forked child, which has none. Daemon threads stop here
        at the end, as Python has them stop at its own functions soon: they would only tell of an error that is none.
        """
        if self.pid != os.getpid():
            raise RuntimeError("a connection can't be used in a forked process: connect there")
        if self.ending:
            if threading.current_thread().daemon:
                _for_ever()
            raise RuntimeError("the interpreter ends, and with it the connection")

    def end(self) -> None:
        """At the interpreter's end: without a word, and without waiting for a handler that does not return."""
        if self.pid != os.getpid():
            return  # the thread is our parent's
        self.ending = True
        self.post(lambda: None)
        self.join(timeout=1)
        if not self.is_alive():
            self.driver.close()


def _for_ever() -> None:
    lock = threading.Lock()
    while lock.acquire():
        pass


_thread: DriverThread | None = None
_blocking: DriverThread | None = None
_busy_poll: float | None = None


def set_busy_poll(seconds: float | None) -> None:
    """Has the threads of the library's own look for input again and again, for so long, before they sleep; ``None`` for not at
    all, as by default. 0.00005 to 0.0001 are usual. What comes in that time is answered without the system having to wake the
    thread, which is a good part of the round trip of a connection that has one message on its way; the price is up to a whole
    core. They look without the interpreter's lock, and only while there are connections.

    These threads turn the connections of :mod:`sockline.sync`, and those of :class:`WebSocket` where no asyncio loop runs. It
    is to be called before the first of them: raises :exc:`RuntimeError` if one of the threads runs already. asyncio waits by
    itself, and can't look; a server there has ``threads`` with ``busy_poll``. Any thread.
    """
    global _busy_poll
    if seconds is not None and not 0 <= seconds <= 1:
        raise ValueError("busy_poll must be from 0 to 1 second")
    with _lock:
        if _thread is not None or _blocking is not None:
            raise RuntimeError("set_busy_poll() comes too late: connections are there already")
        _busy_poll = seconds or None


def _started(name: str, last_turn: bool = False) -> DriverThread:
    thread = DriverThread(name, last_turn)
    thread.start()
    atexit.register(thread.end)
    return thread


def post_to_thread(call: Callable[[], None]) -> None:
    """Has something called on the thread of :func:`current_driver`, if there is one."""
    if _thread is not None:
        _thread.post(call)


def is_driver_thread() -> bool:
    """Whether this is the thread of :func:`thread_driver`, which must not wait."""
    return threading.current_thread() is _thread


def thread_driver() -> Driver:
    """The one of our own thread."""
    global _thread
    with _lock:
        if _thread is None:
            _thread = _started("sockline")
        return _thread.driver


def blocking_thread() -> DriverThread:
    """The thread that turns what other threads wait for. None of the application's code runs there."""
    global _blocking
    follow_level()
    with _lock:
        if _blocking is None:
            _blocking = _started("sockline-sync", last_turn=True)
        return _blocking
