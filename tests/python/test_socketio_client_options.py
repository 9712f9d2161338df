"""What clients can that python-socketio's can't: events that wait for the next connection, that are sent again, that are dropped."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import Run
from io_peers import WAIT, echo_server, node_server, our_io, until
from test_socketio_client import connected, heard
from test_socketio_threads import node_serving
from test_socketio_threads import until as wait_until

from sockline import SocklineError, socketio
from sockline.socketio.exceptions import BadNamespaceError, ConnectionError, ConnectionLostError, TimeoutError

SOON: dict[str, Any] = {"reconnection_delay": 0.1, "randomization_factor": 0}


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
def test_events_wait_while_a_lost_connection_is_made_again(run: Run, transports: list[str]) -> None:
    async def main() -> None:
        async with node_server() as (url, _), connected(url, send_buffer=1000, transports=transports, **SOON) as client:
            await client.emit("drop me")
            await heard(client, "disconnect")
            assert not client.connected
            answers = [asyncio.create_task(client.call("echo", value, timeout=WAIT)) for value in (1, b"2")]
            await client.emit("echo", "never", volatile=True)
            with pytest.raises(BadNamespaceError):
                await client.emit("echo", namespace="/other")
            with pytest.raises(SocklineError, match="wait for a connection"):
                await client.emit("echo", "x" * 1000)
            assert await asyncio.gather(*answers) == [1, b"2"]
            assert client.connected and client._callbacks == {}

    run(main())


def test_threads_have_events_wait_too() -> None:
    with node_serving() as url:
        client = socketio.Client(send_buffer=1000, **SOON)
        lost: list[str] = []
        client.on("disconnect", lost.append)
        client.connect(url, wait_timeout=WAIT)
        client.emit("drop me")
        wait_until(lambda: lost)
        assert client.call("echo", "kept", timeout=WAIT) == "kept"
        client.disconnect()


def test_who_does_not_come_back_keeps_nothing(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, _), connected(url, send_buffer=1000, reconnection_delay=60) as client:
            await client.emit("drop me")
            await heard(client, "disconnect")
            answer = asyncio.create_task(client.call("echo", timeout=None))
            await asyncio.sleep(0)
            await client.shutdown()
            with pytest.raises(ConnectionLostError):
                await answer
            with pytest.raises(BadNamespaceError):
                await client.emit("echo")

    run(main())


def test_events_are_sent_again_until_they_are_acknowledged_in_order(run: Run) -> None:
    sio, seen, end = echo_server(), [], asyncio.Event()

    @sio.event
    async def flaky(sid: str) -> str:
        seen.append("flaky")
        if len(seen) < 3:
            await end.wait()
        return "at last"

    @sio.event
    async def second(sid: str) -> None:
        seen.append("second")

    async def main() -> None:
        async with our_io(sio) as url, connected(url, retries=50, ack_timeout=0.2) as client:
            first, then = asyncio.create_task(client.call("flaky", timeout=WAIT)), asyncio.create_task(client.call("second"))
            assert await first == "at last" and await then is None
            end.set()
            assert seen.index("second") >= 3 and seen.count("second") == len(seen) - seen.index("second")

    run(main())


@pytest.mark.parametrize("retries", [0, 1])
def test_answers_are_waited_for_no_longer_than_told(run: Run, retries: int) -> None:
    async def main() -> None:
        async with our_io(echo_server()) as url, connected(url, retries=retries, ack_timeout=0.05) as client:
            with pytest.raises(TimeoutError) as raised:
                await client.call("nobody answers", timeout=None)
            assert not isinstance(raised.value, ConnectionLostError)
            never: list[Any] = []
            await client.emit("nobody answers", callback=lambda *answer: never.append(answer))
            await until(lambda: client._callbacks == {})
            assert never == []

    run(main())


def test_transports_are_chosen_as_by_the_official_client(run: Run) -> None:
    async def main() -> None:
        async with our_io(echo_server()) as url:
            async with connected(url, upgrade=False) as client:
                assert await client.call("echo", 1) == 1
                assert client.transport() == "polling"
            async with connected(url) as client:
                await until(lambda: client.transport() == "websocket")
            async with connected(url, remember_upgrade=True) as client:
                assert client.transport() == "websocket"
        async with our_io(echo_server(transports=["websocket"])) as url:
            with pytest.raises(ConnectionError):
                await socketio.AsyncClient(reconnection=False).connect(url)
            async with connected(url, try_all_transports=True) as client:
                assert client.transport() == "websocket"

    run(main())


def test_a_client_knows_whether_it_was_recovered(run: Run) -> None:
    async def main() -> None:
        recovery = {"connectionStateRecovery": {}}
        async with node_server(**recovery) as (url, peer), connected(url, transports=["websocket"], **SOON) as client:
            assert not client.recovered()
            await peer.send("emit", "kept")
            await heard(client, "kept")
            await client.emit("drop me")
            await heard(client, "disconnect")
            await until(lambda: client.connected)
            assert client.recovered() and not client.recovered("/other")

    run(main())


@pytest.mark.parametrize("options", [{"retries": 1}, {"send_buffer": 0}, {"ack_timeout": -1}])
def test_options_that_make_no_sense_are_refused(run: Run, options: dict[str, Any]) -> None:
    async def main() -> None:
        with pytest.raises((ValueError, ConnectionError)):
            await socketio.AsyncClient(**options).connect("http://localhost:1")

    run(main())
