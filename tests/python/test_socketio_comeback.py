"""Coming back: what is lost at an awkward moment, given up at one, or connected by two."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

import pytest
from conftest import Run
from io_peers import WAIT, node_server, until
from test_socketio_threads import node_serving

from sockline import socketio
from sockline.socketio._comeback import AsyncComeback, Comeback
from sockline.socketio.exceptions import ConnectionError

AT_ONCE: dict[str, Any] = {"reconnection_delay": 0, "randomization_factor": 0}


class Hook(logging.Handler):
    """Does something when the client says that."""

    def __init__(self, message: str, call: Callable[[], Any]) -> None:
        super().__init__()
        self._message, self._call = message, call

    def createLock(self) -> None:
        self.lock = None  # others may have something to say meanwhile

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage().startswith(self._message):
            self._call()


def logger_with(message: str, call: Callable[[], Any]) -> logging.Logger:
    logger = logging.Logger("a client", logging.INFO)
    logger.addHandler(Hook(message, call))
    return logger


@pytest.fixture
def uncaught(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What threads have raised."""
    raised: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(told.exc_value))
    return raised


def test_a_client_is_stopped_as_its_thread_starts(monkeypatch: pytest.MonkeyPatch, uncaught: list[Any]) -> None:
    client = socketio.Client(reconnection_delay=1000)
    finals: queue.Queue[None] = queue.Queue()
    client.on("__disconnect_final", lambda: finals.put(None))
    start = threading.Thread.start

    @client.event
    def disconnect(reason: str) -> None:
        handlers_thread = threading.current_thread()

        def start_later(thread: threading.Thread) -> None:
            if threading.current_thread() is handlers_thread:
                monkeypatch.setattr(threading.Thread, "start", start)
                client.shutdown()
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_later)

    with node_serving() as url:
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        client.emit("drop me")
        finals.get(timeout=WAIT)
        client.wait()
    assert not client.connected and not uncaught


def test_a_connection_that_is_lost_as_it_has_come_back_comes_back_again(uncaught: list[Any]) -> None:
    goodbyes: queue.Queue[None] = queue.Queue()
    connects: queue.Queue[str | None] = queue.Queue()
    logger = logger_with("Reconnection successful", lambda: lose_once())
    client: Any = socketio.Client(**AT_ONCE, logger=logger)
    say_goodbye = client._say_goodbye
    client._say_goodbye = lambda *arguments: (say_goodbye(*arguments), goodbyes.put(None))
    client.on("connect", lambda: connects.put(client.get_sid()))
    to_lose = [1]

    def lose_once() -> None:
        """On the thread that has made the connection again, before it ends."""
        if to_lose:
            to_lose.pop()
            client.emit("drop me")
            goodbyes.get(timeout=WAIT)

    with node_serving() as url:
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        client.emit("drop me")
        goodbyes.get(timeout=WAIT)
        assert len({connects.get(timeout=WAIT) for _ in range(3)}) == 3
        assert client.call("echo", "again", timeout=WAIT) == "again"
        client.disconnect()
    client.wait()
    assert not uncaught


def test_a_coroutine_client_that_is_lost_as_it_has_come_back_comes_back_again(run: Run) -> None:
    async def main() -> None:
        sids: asyncio.Queue[str | None] = asyncio.Queue()
        to_lose = [1]
        lose: Callable[[], Any] = lambda: to_lose and (to_lose.pop(), client._emit("drop me", None, "/", None))
        async with node_server() as (url, _):
            client = socketio.AsyncClient(**AT_ONCE, logger=logger_with("Reconnection successful", lose))
            client.on("connect", lambda: sids.put_nowait(client.get_sid()))
            await client.connect(url, transports=["websocket"], wait_timeout=WAIT)
            await client.emit("drop me")
            assert len({await asyncio.wait_for(sids.get(), WAIT) for _ in range(3)}) == 3
            assert await client.call("echo", "again", timeout=WAIT) == "again"
            await client.disconnect()
            await asyncio.wait_for(client.wait(), WAIT)

    run(main())


def test_the_end_of_a_connections_handlers_is_not_taken_for_that_of_the_next_one() -> None:
    client = socketio.Client(reconnection=False)
    gates = [threading.Event(), threading.Event()]
    started: queue.Queue[int] = queue.Queue()
    ended: list[int] = []

    @client.event
    def disconnect(reason: str) -> None:
        number = len(gates) - len(waiting)
        waiting.pop()
        started.put(number)
        assert gates[number].wait(WAIT)
        ended.append(number)

    waiting = [1, 2]
    with node_serving() as url:
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        leaving = threading.Thread(target=client.disconnect)
        leaving.start()
        assert started.get(timeout=WAIT) == 0
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        gates[0].set()
        leaving.join(WAIT)
        threading.Thread(target=lambda: (started.get(timeout=WAIT), gates[1].set())).start()
        client.disconnect()
        assert ended == [0, 1]


def test_so_it_is_with_coroutines(run: Run) -> None:
    async def main() -> None:
        client = socketio.AsyncClient(reconnection=False)
        gate = asyncio.Event()
        started = asyncio.Event()
        ended: list[str] = []

        @client.event
        async def disconnect(reason: str) -> None:
            started.set()
            await gate.wait()
            for _ in range(3):
                await asyncio.sleep(0)
            ended.append(reason)

        async with node_server() as (url, _):
            await client.connect(url, transports=["websocket"], wait_timeout=WAIT)
            leaving = asyncio.create_task(client.disconnect())
            await asyncio.wait_for(started.wait(), WAIT)
            await client.connect(url, transports=["websocket"], wait_timeout=WAIT)
            gate.set()
            await leaving
            await client.disconnect()
            assert len(ended) == 2

    run(main())


def test_whoever_connects_while_it_comes_back_does_not_disturb() -> None:
    connecting: list[threading.Thread] = []
    refused: list[str] = []

    def connect() -> None:
        try:
            client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        except ConnectionError as error:
            refused.append(str(error))

    def connect_too() -> None:
        connecting.append(threading.Thread(target=connect))
        connecting[0].start()

    sids: queue.Queue[str | None] = queue.Queue()
    client = socketio.Client(**AT_ONCE, logger=logger_with("Connection failed", connect_too))
    client.on("connect", lambda: sids.put(client.get_sid()))
    with node_serving() as url:
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        client.emit("drop me")
        assert sids.get(timeout=WAIT) != sids.get(timeout=WAIT)
        connecting[0].join(WAIT)
        client._comeback.wait()
        assert client.connected and client.call("echo", 1, timeout=WAIT) == 1
        assert sids.empty() and refused in ([], ["Already connected"])
        client.disconnect()


def test_whoever_connects_coroutines_while_they_come_back_does_not_disturb(run: Run) -> None:
    async def main() -> None:
        connecting: list[asyncio.Task[None]] = []
        sids: list[str | None] = []
        async with node_server() as (url, _):
            options: Any = {"transports": ["websocket"], "wait_timeout": WAIT}

            def connect_too() -> None:
                connecting.append(asyncio.ensure_future(client.connect(url, **options)))

            client = socketio.AsyncClient(**AT_ONCE, logger=logger_with("Connection failed", connect_too))
            client.on("connect", lambda: sids.append(client.get_sid()))
            await client.connect(url, **options)
            await client.emit("drop me")
            await until(lambda: connecting)
            result = (await asyncio.gather(*connecting, return_exceptions=True))[0]
            await client._comeback.wait()
            assert result is None or str(result) == "Already connected"
            assert client.connected and await client.call("echo", 1, timeout=WAIT) == 1
            assert len(sids) == 2
            await client.disconnect()

    run(main())


def test_a_client_may_connect_again_as_the_server_puts_it_out() -> None:
    client = socketio.Client()
    back: queue.Queue[Any] = queue.Queue()

    @client.event
    def disconnect(reason: str) -> None:
        if reason == client.reason.SERVER_DISCONNECT:
            client.connect(url, transports=["websocket"], wait_timeout=WAIT)
            back.put(client.call("echo", "back", timeout=WAIT))

    with node_serving() as url:
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        client.emit("kick me")
        assert back.get(timeout=WAIT) == "back"
        client.disconnect()


def test_so_may_coroutines(run: Run) -> None:
    async def main() -> None:
        client = socketio.AsyncClient()
        back: asyncio.Queue[Any] = asyncio.Queue()
        async with node_server() as (url, _):

            @client.event
            async def disconnect(reason: str) -> None:
                if reason == client.reason.SERVER_DISCONNECT:
                    await client.connect(url, transports=["websocket"], wait_timeout=WAIT)
                    await back.put(await client.call("echo", "back", timeout=WAIT))

            await client.connect(url, transports=["websocket"], wait_timeout=WAIT)
            await client.emit("kick me")
            assert await asyncio.wait_for(back.get(), WAIT) == "back"
            await client.disconnect()

    run(main())


def test_whoever_retries_may_be_interrupted(run: Run, unused_port: int) -> None:
    async def main() -> None:
        client = socketio.AsyncClient(reconnection_delay=1000)
        failed = asyncio.Event()
        client.on("connect_error", lambda error: failed.set())
        connecting = asyncio.create_task(client.connect(f"http://127.0.0.1:{unused_port}", retry=True))
        await asyncio.wait_for(failed.wait(), WAIT)
        await until(lambda: client._comeback.is_running)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await asyncio.wait_for(client.wait(), WAIT)

    run(main())


def test_who_asks_while_it_runs_has_it_run_again() -> None:
    runs: queue.Queue[threading.Thread] = queue.Queue()
    gate = threading.Semaphore(0)

    def reconnect(is_aborted: threading.Event) -> None:
        runs.put(threading.current_thread())
        assert gate.acquire(timeout=WAIT)
        raise RuntimeError("reported")

    comeback = Comeback(reconnect)
    comeback.abort()
    comeback.wait()
    reported: list[Any] = []
    hook, threading.excepthook = threading.excepthook, lambda told: reported.append(told.exc_value)
    try:
        comeback.ask()
        first = runs.get(timeout=WAIT)
        comeback.ask()
        gate.release(2)
        assert runs.get(timeout=WAIT) is first
        comeback.wait()
        comeback.ask()
        assert runs.get(timeout=WAIT) is not first
        comeback.ask()
        comeback.abort()
        gate.release(2)
        comeback.wait()
    finally:
        threading.excepthook = hook
    assert not comeback.is_running and len(reported) == 4


def test_who_asks_while_the_task_runs_has_it_run_again(run: Run) -> None:
    async def main() -> None:
        runs = 0

        async def reconnect(is_aborted: asyncio.Event) -> None:
            nonlocal runs
            runs += 1
            if runs == 1:
                comeback.ask()
            if runs == 3:
                comeback.abort()
            assert is_aborted.is_set() == (runs == 3)
            await comeback.wait()  # its own task does not wait

        comeback = AsyncComeback(reconnect)
        for expected in (2, 3):
            comeback.ask()
            await comeback.wait()
            assert runs == expected and not comeback.is_running

    run(main())
