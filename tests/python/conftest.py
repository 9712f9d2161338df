"""What the tests share: both event loops, servers of ours and of others, and a limit of time for each test."""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
import websockets
from websockets.asyncio.server import serve as foreign_serve

import sockline

SECONDS = 60
"""No test takes so long: one that does hangs, and says where. Those that work long say so by ``@pytest.mark.seconds(…)``: on a
machine that does much else besides they take several times as long.
"""

ROLES = pytest.mark.parametrize("role", ["client", "server", "both"])
"""Which side is ours; the other one is that of websockets."""

Run = Callable[[Coroutine[Any, Any, Any]], Any]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "seconds(limit): how long the test may take")


@pytest.fixture(autouse=True)
def time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    mark = request.node.get_closest_marker("seconds")
    faulthandler.dump_traceback_later(mark.args[0] if mark else SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine to its end, on each of the loops in turn."""
    if request.param == "uvloop":
        return lambda main: uvloop.run(main)
    return lambda main: asyncio.run(main)


@pytest.fixture
def unused_port() -> int:
    """A port at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def echo(connection: Any) -> None:
    """Works on our connections and on those of websockets."""
    async for message in connection:
        await connection.send(message)


@asynccontextmanager
async def our_server(handler: Any = echo, **options: Any) -> AsyncIterator[str]:
    """The URL of a server of ours."""
    async with sockline.serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def foreign_server(handler: Any = echo, **options: Any) -> AsyncIterator[str]:
    """The URL of a server of websockets'."""
    async with foreign_serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def pair(role: str) -> tuple[Any, Any, Any]:
    """A server, a way to connect, and the exceptions of the connecting side."""
    server = foreign_server if role == "client" else our_server
    return (server, websockets.connect, websockets) if role == "server" else (server, sockline.connect, sockline)


def open_descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))
