"""Servers with threads of the engine's: everything else is as without."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from conftest import Run, open_descriptors, our_server

import sockline

WAIT = 20


def native_threads() -> int:
    """This process's threads that turn loops of the engine's."""
    names = [task.read_text() for task in Path("/proc/self/task").glob("*/comm")]
    return names.count("sockline\n")


def test_handlers_stay_on_the_hosts_thread(run: Run) -> None:
    seen: set[str] = set()

    async def handler(connection: Any) -> None:
        async for message in connection:
            seen.add(threading.current_thread().name)
            await connection.send(message)

    async def main() -> None:
        before = native_threads()
        async with our_server(handler, threads=3, max_size=None) as url:
            while native_threads() != before + 3:  # they name themselves
                await asyncio.sleep(0)
            clients = [await websockets.connect(url, max_size=None) for _ in range(20)]

            async def exchange(client: Any) -> None:
                for number in range(50):
                    await client.send(f"{number}")
                for number in range(50):
                    assert await client.recv() == f"{number}"
                await client.send(b"x" * 1_000_000)
                assert await client.recv() == b"x" * 1_000_000

            await asyncio.gather(*(exchange(client) for client in clients))
            await asyncio.gather(*(client.close() for client in clients))

    run(main())
    assert seen == {threading.current_thread().name}


def sleeps(name: str) -> int:
    """How often this process's threads with this name have given up their core to wait."""
    tasks = [task for task in Path("/proc/self/task").iterdir() if task.joinpath("comm").read_text() == f"{name}\n"]
    lines = [line for task in tasks for line in task.joinpath("status").read_text().splitlines()]
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))


@pytest.mark.parametrize("busy_poll", [None, 1])
def test_busy_threads_do_not_sleep(run: Run, busy_poll: float | None) -> None:
    async def main() -> int:
        async with our_server(threads=1, busy_poll=busy_poll) as url, websockets.connect(url) as client:
            await exchange(client)
            before = sleeps("sockline")
            await exchange(client)
            return sleeps("sockline") - before

    async def exchange(client: Any) -> None:
        for number in range(200):
            await client.send(f"{number}")
            assert await client.recv() == f"{number}"

    slept = run(main())
    assert slept < 50 if busy_poll else slept > 100


def test_only_threads_of_the_engine_can_be_busy(run: Run) -> None:
    async def main() -> None:
        for options in (dict(busy_poll=0.0001), dict(threads=0, busy_poll=0.0001)):
            with pytest.raises(NotImplementedError, match="busy_poll"):
                await sockline.serve(echo, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
            with pytest.raises(NotImplementedError, match="busy_poll"):
                sockline.WebSocketServer("127.0.0.1", **options)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="busy_poll"):
            await sockline.serve(echo, "127.0.0.1", 0, threads=1, busy_poll=-1)
        async with sockline.serve(echo, "127.0.0.1", 0, busy_poll=0):
            pass

    async def echo(connection: Any) -> None: ...

    run(main())


# Its own process: the thread that turns what others wait for begins once.
BLOCKING = """
import sys
import threading
import time

import sockline
from sockline.sync.client import connect
from sockline.sync.server import serve

if sys.argv[1] != "None":
    sockline.set_busy_poll(float(sys.argv[1]))

def echo(connection):
    for message in connection:
        connection.send(message)

def cpu():
    (turning,) = [thread for thread in threading.enumerate() if thread.name == "sockline-sync"]
    return time.clock_gettime(time.pthread_getcpuclockid(turning.ident))

with serve(echo, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever).start()
    with connect("ws://127.0.0.1:%d" % server.socket.getsockname()[1]) as client:
        client.send("x")
        assert client.recv() == "x"
        # Nothing comes any more: who looks for it goes on for a second.
        before, until = cpu(), time.monotonic() + 1.5
        while cpu() - before < 0.05 and time.monotonic() < until:
            time.sleep(0.001)
        print("looks" if cpu() - before >= 0.05 else "sleeps")
        try:
            sockline.set_busy_poll(None)
        except RuntimeError as error:
            print(error)
    server.shutdown()
"""


@pytest.mark.parametrize("busy_poll", [None, 1])
def test_the_thread_of_blocking_connections_can_be_busy(busy_poll: float | None) -> None:
    command = [sys.executable, "-c", BLOCKING, str(busy_poll)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    doing, error = done.stdout.splitlines()
    assert "too late" in error
    assert doing == ("looks" if busy_poll else "sleeps")


def test_parts_come_before_their_message_is_whole(run: Run) -> None:
    async def relay(connection: Any) -> None:
        await connection.send(connection.recv_streaming())

    async def main() -> None:
        async with our_server(relay, threads=2) as url, sockline.connect(url) as connection:
            streaming = connection.recv_streaming()

            async def two() -> AsyncIterator[str]:
                yield "one"
                assert await asyncio.wait_for(anext(streaming), WAIT) == "one"
                yield "two"

            await connection.send(two())
            assert [part async for part in streaming if part] == ["two"]

    run(main())


def test_a_server_that_has_closed_leaves_no_thread_and_no_descriptor() -> None:
    async def main() -> None:
        for number in range(30):
            async with our_server(threads=2) as url:
                connection = await sockline.connect(url)
                await connection.send("x")
                assert await connection.recv() == "x"
                if number % 2:
                    await connection.close()

    asyncio.run(main())
    descriptors, threads = open_descriptors(), native_threads()
    asyncio.run(main())
    assert (open_descriptors(), native_threads()) == (descriptors, threads)


def test_a_loop_that_ends_takes_its_threads_along() -> None:
    async def main() -> None:
        server = await sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0, threads=2)
        await sockline.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")

    asyncio.run(main())
    descriptors, threads = open_descriptors(), native_threads()
    for _ in range(10):
        asyncio.run(main())
    assert (open_descriptors(), native_threads()) == (descriptors, threads)


def test_upgrades_are_answered_and_closes_told(run: Run) -> None:
    ended: list[Any] = []

    def process(connection: Any, request: Any) -> Any:
        return connection.respond(403, "no\n") if request.path == "/no" else None

    async def handler(connection: Any) -> None:
        try:
            await connection.recv()
        except sockline.ConnectionClosed as closed:
            ended.append((closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else None)

    async def main() -> None:
        async with our_server(handler, threads=2, process_request=process, subprotocols=["chat"]) as url:
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(url + "/no")
            assert (caught.value.response.status_code, caught.value.response.body) == (403, b"no\n")
            async with websockets.connect(url, subprotocols=["chat"]) as client:  # type: ignore[list-item]
                assert client.subprotocol == "chat"
                await client.close(4000, "enough")
            async with websockets.connect(url, subprotocols=["chat"]) as client:  # type: ignore[list-item]
                client.transport.abort()

    run(main())
    assert ended == [(4000, "enough"), None]


def test_a_slow_handler_makes_its_peer_wait(run: Run) -> None:
    payload = b"x" * 10_000
    sent = 0

    async def slow(connection: Any) -> None:
        await go.wait()
        count = 0
        async for message in connection:
            count += len(message)
            if count == 4000 * len(payload):
                await connection.send("all")

    async def main() -> None:
        nonlocal sent
        async with our_server(slow, threads=1, compression=None) as url:
            async with websockets.connect(url, compression=None) as client:

                async def flood() -> None:
                    nonlocal sent
                    for _ in range(4000):
                        await client.send(payload)
                        sent += 1

                flooding = asyncio.create_task(flood())
                before = -1
                while before != sent:  # until the sender stands still
                    before = sent
                    await asyncio.sleep(0.1)
                assert sent < 4000
                go.set()
                await flooding
                assert await client.recv() == "all"

    go = asyncio.Event()
    run(main())


def test_the_callback_face_without_asyncio() -> None:
    seen: set[str] = set()
    closed = threading.Event()

    def onmessage(ws: sockline.WebSocket, message: sockline.Data) -> None:
        seen.add(threading.current_thread().name)
        ws.subscribe("room")
        ws.publish("room", message, include_self=True)

    server = sockline.WebSocketServer(
        "127.0.0.1", threads=2, compression=True, onmessage=onmessage, onclosed=lambda server: closed.set()
    )

    async def main() -> None:
        url = f"ws://127.0.0.1:{server.port}"
        async with websockets.connect(url) as first, websockets.connect(url) as second:
            for client in (first, second):
                await client.send("hello")
                assert await client.recv() == "hello"
            assert await first.recv() == "hello"
            server.broadcast("to all")
            assert await first.recv() == await second.recv() == "to all"
            server.close(1001, "bye")
            with pytest.raises(websockets.ConnectionClosedOK):
                await first.recv()

    asyncio.run(main())
    assert closed.wait(WAIT)
    assert seen == {"sockline"}


def test_an_exception_in_answering_is_a_500(run: Run) -> None:
    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)

        def fail(request: sockline.UpgradeRequest) -> None:
            raise LookupError("on purpose")

        server = sockline.WebSocketServer("127.0.0.1", threads=1, onupgrade=fail)
        with pytest.raises(websockets.InvalidStatus) as caught:
            await websockets.connect(f"ws://127.0.0.1:{server.port}")
        assert caught.value.response.status_code == 500
        server.close()

    run(main())


def test_the_interpreter_ends_in_silence_with_threads_at_work() -> None:
    body = """
import threading
import sockline
server = sockline.WebSocketServer("127.0.0.1", threads=2, onmessage=lambda ws, message: ws.send(message))
opened = threading.Event()
def again(ws, message):
    ws.send(message)
    opened.set()
ws = sockline.WebSocket(f"ws://127.0.0.1:{server.port}", onopen=lambda ws: ws.send("x"), onmessage=again)
opened.wait()
"""
    done = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
