"""Connections that the application makes for a client of Socket.IO, and names that it looks up."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest
import socketio as foreign
from conftest import Run
from io_peers import TRANSPORTS, WAIT, Recorder, foreign_io, node_server, until
from test_asking import NAME, Dialer, Unable, of_kind, port_of, unable, unable_later, unknown
from test_socketio_threads import node_serving
from test_socketio_threads import until as wait_until

from sockline import socketio
from sockline.socketio.exceptions import ConnectionError


def foreign_server() -> foreign.AsyncServer:
    """Answers `echo`."""
    sio = foreign.AsyncServer(async_mode="aiohttp")

    @sio.event
    async def echo(sid: str, *values: Any) -> Any:
        return values

    return sio


@pytest.mark.parametrize("kind", ["function", "coroutine function"])
@TRANSPORTS
def test_a_client_speaks_over_what_was_connected(run: Run, transports: list[str] | None, kind: str) -> None:
    async def main() -> None:
        dialer = Dialer()
        async with foreign_io(foreign_server()) as url:
            client = socketio.AsyncClient(dial=of_kind(dialer, kind), reconnection=False)
            await client.connect(f"http://{NAME}:{port_of(url)}", transports=transports, wait_timeout=WAIT)
            await until(lambda: client.transport() == (transports or ["websocket"])[0])
            assert await client.call("echo", "hello", timeout=WAIT) == "hello"
            await client.disconnect()
        assert set(dialer.asked) == {(NAME, port_of(url))}
        assert all(sock.fileno() == -1 for sock in dialer.sockets)
        assert (dialer.threads[0] is threading.main_thread()) == (kind != "function")

    run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
def test_a_client_comes_back_over_what_is_connected_again(run: Run, transports: list[str]) -> None:
    async def main() -> None:
        dialer, heard = Dialer(), Recorder()
        async with node_server() as (url, _):
            client = socketio.AsyncClient(dial=dialer.later, reconnection_delay=0.01, randomization_factor=0)
            client.on("connect", lambda: heard.note("connect"))
            await client.connect(f"http://{NAME}:{port_of(url)}", transports=transports, wait_timeout=WAIT)
            await heard.next()
            before = len(dialer.asked)
            await client.emit("drop me")
            await heard.next()
            assert len(dialer.asked) > before and set(dialer.asked) == {(NAME, port_of(url))}
            await client.disconnect()

    run(main())


@pytest.mark.parametrize("dial", [unable, unable_later])
def test_what_was_raised_is_the_cause(run: Run, dial: Any) -> None:
    async def main() -> None:
        heard = Recorder()
        for transports in (["polling"], ["websocket"]):
            client = socketio.AsyncClient(dial=dial, reconnection=False)
            client.on("connect_error", lambda why: heard.note(why))
            with pytest.raises(ConnectionError) as raised:
                await client.connect("http://h", transports=transports)
            assert type(raised.value.__cause__) is Unable
            assert (await heard.next()) == (str(raised.value),)
            assert f"could not connect to h: {str(raised.value.__cause__) or 'Unable'}" in str(raised.value)

    run(main())


def test_names_are_looked_up(run: Run) -> None:
    asked: list[str] = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async def main() -> None:
        async with foreign_io(foreign_server()) as url:
            client = socketio.AsyncClient(lookup=lookup, proxy=None)
            await client.connect(f"http://{NAME}:{port_of(url)}", wait_timeout=WAIT)
            assert await client.call("echo", 1, timeout=WAIT) == 1
            await client.disconnect()
        assert set(asked) == {NAME}
        with pytest.raises(ConnectionError, match="nobody knows") as raised:
            await socketio.AsyncClient(lookup=unknown, proxy=None).connect(f"http://{NAME}")
        assert type(raised.value.__cause__) is Unable

    run(main())


def test_threads_connect_by_themselves_and_come_back() -> None:
    dialer = Dialer()
    with node_serving() as url:
        connected: list[Any] = []
        client = socketio.Client(dial=dialer, reconnection_delay=0.01, randomization_factor=0)
        client.on("connect", lambda: connected.append(client.sid))
        client.connect(f"http://{NAME}:{port_of(url)}", transports=["websocket"], wait_timeout=WAIT)
        before = len(dialer.asked)
        client.emit("drop me")
        wait_until(lambda: len(connected) == 2)
        assert len(dialer.asked) > before and set(dialer.asked) == {(NAME, port_of(url))}
        client.disconnect()
    with pytest.raises(ConnectionError) as raised:
        socketio.Client(dial=unable, reconnection=False).connect("http://h")
    assert type(raised.value.__cause__) is Unable
    with pytest.raises(ConnectionError, match="no asyncio loop") as raised:
        socketio.Client(dial=unable_later, reconnection=False).connect("http://h")
    assert type(raised.value.__cause__) is TypeError


def test_a_client_that_gives_up_cancels_who_connects(run: Run) -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def never(host: str, port: int) -> socket.socket:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.set()
            raise AssertionError

        client = socketio.AsyncClient(dial=never, request_timeout=0.05)
        with pytest.raises(ConnectionError):
            await client.connect("http://h")
        await asyncio.wait_for(ended.wait(), WAIT)

    run(main())


def test_what_else_says_where_to_connect_is_refused() -> None:
    for make in (socketio.Client, socketio.AsyncClient):
        with pytest.raises(ValueError, match="proxy and dial can not be"):
            make(dial=unable, proxy="http://h")
        with pytest.raises(ValueError, match="lookup and dial can not be"):
            make(dial=unable, lookup=unknown)
        with pytest.raises(TypeError, match="dial must be callable"):
            make(dial=1)
