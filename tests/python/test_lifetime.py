"""Ends: of loops, of the interpreter, of forked children; and what is left in memory."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import tracemalloc
import weakref
from typing import Any

import pytest
from conftest import Run, open_descriptors, our_server

import sockline

PRELUDE = """
import asyncio, os, sys, threading
import sockline
server = sockline.WebSocketServer("127.0.0.1", onmessage=lambda ws, message: ws.send(message))
url = f"ws://127.0.0.1:{server.port}"
"""


def script(body: str) -> subprocess.CompletedProcess[str]:
    # From 3.12 on Python itself warns of forks of processes that have threads.
    return subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", PRELUDE + body], capture_output=True, text=True, timeout=50)


EXITS = {
    "busy connections": """
opened = threading.Event()
def again(ws, message):
    ws.send(message)
    opened.set()
ws = sockline.WebSocket(url, onopen=lambda ws: ws.send("ping-pong"), onmessage=again)
opened.wait()
""",
    "a connection that is being made": "ws = sockline.WebSocket(url)",
    "a connection that the application makes": """
asked = threading.Event()
def dial(host, port):
    asked.set()
    threading.Event().wait()
ws = sockline.WebSocket(url, dial=dial)
asked.wait()
""",
    "a name that the application looks up": """
asked = threading.Event()
def lookup(host):
    asked.set()
    threading.Event().wait()
ws = sockline.WebSocket("ws://no.such.host.invalid", lookup=lookup, proxy=None)
asked.wait()
""",
    "a loop that was never closed": """
loop = asyncio.new_event_loop()
connection = loop.run_until_complete(sockline.connect(url).__aenter__())
waiting = loop.create_task(asyncio.wait_for(connection.wait_closed(), None))
loop.run_until_complete(asyncio.sleep(0))
waiting.cancel()
loop.run_until_complete(asyncio.sleep(0))
""",
    "a loop that was closed before its connections": """
async def main():
    return await sockline.connect(url)
connection = asyncio.run(main())
""",
    "an exit from within a handler's thread": """
opened = threading.Event()
ws = sockline.WebSocket(url, onopen=lambda ws: opened.set())
opened.wait()
sys.exit(0)
""",
}


@pytest.mark.parametrize("body", EXITS.values(), ids=EXITS.keys())
def test_the_interpreter_ends_in_silence(body: str) -> None:
    done = script(body)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_forked_child_is_refused() -> None:
    done = script("""
pid = os.fork()
if pid == 0:
    for attempt in (lambda: sockline.WebSocket(url), lambda: sockline.WebSocketServer("127.0.0.1"), server.close):
        try:
            attempt()
        except (sockline.SocklineError, OSError) as error:
            print(error)
    sys.exit(0)
_, status = os.waitpid(pid, 0)
print(os.waitstatus_to_exitcode(status))
done = threading.Event()
sockline.WebSocket(url, onopen=lambda ws: done.set())
print(done.wait(10))
""")
    assert done.stderr == ""
    *refusals, status, parent = done.stdout.splitlines()
    assert (status, parent) == ("0", "True")
    assert len(refusals) == 3 and all("fork" in refusal for refusal in refusals)


@pytest.mark.seconds(300)
def test_a_thousand_loops_leave_no_descriptor() -> None:
    async def main(orderly: bool) -> None:
        async with our_server() as url:
            connection = await sockline.connect(url)
            await connection.send("x")
            assert await connection.recv() == "x"
            if orderly:
                await connection.close()
        if not orderly:
            await sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0)  # never closed

    asyncio.run(main(True))
    before = open_descriptors()
    for number in range(1000):
        asyncio.run(main(number % 2 == 0))
    assert open_descriptors() <= before


def test_connections_and_drivers_are_collected(run: Run) -> None:
    left: list[weakref.ref[Any]] = []

    async def main() -> None:
        async with our_server() as url:
            for orderly in (True, False):
                connection = await sockline.connect(url)
                connection.cycle = connection  # type: ignore[attr-defined]
                left.append(weakref.ref(connection))
                socket = sockline.WebSocket(url, onopen=lambda ws: None)
                socket.onclose = lambda *_, socket=socket: None
                left.append(weakref.ref(socket))
                if orderly:
                    await connection.close()

    run(main())
    gc.collect()
    assert [reference() for reference in left] == [None] * 4


def test_a_loop_that_is_closed_first_takes_its_connections_along() -> None:
    async def main() -> weakref.ref[Any]:
        server = sockline.WebSocketServer("127.0.0.1")
        return weakref.ref(await sockline.connect(f"ws://127.0.0.1:{server.port}"))

    before = open_descriptors()
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(main())
    loop.close()
    del loop
    gc.collect()
    assert connection() is None
    assert open_descriptors() <= before


@pytest.mark.seconds(180)
def test_messages_leave_nothing_in_memory(run: Run) -> None:
    async def main() -> None:
        async with our_server() as url, sockline.connect(url) as connection:

            async def exchange(count: int) -> None:
                for number in range(count):
                    await connection.send(b"x" * 1000)
                    await connection.recv()

            await exchange(2000)
            gc.collect()
            tracemalloc.start()
            await exchange(100)
            before, _ = tracemalloc.get_traced_memory()
            await exchange(5000)
            gc.collect()
            after, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert after - before < 100_000

    run(main())


@pytest.mark.seconds(300)  # mypy reads the whole package
def test_the_stubs_match_the_module() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "sockline._native"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": ""})
    assert done.returncode == 0, done.stdout + done.stderr
