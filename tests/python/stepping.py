"""Servers of ours with one connection each, on loops with tasks of each kind."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop
from conftest import Run
from websockets.asyncio.client import connect as foreign_connect

import sockline

Handler = Callable[[Any], Awaitable[None]]


class TaskInPython(asyncio.tasks._PyTask):  # type: ignore[name-defined, misc]
    """As on other interpreters."""


def tasks_in_python(loop: Any, coroutine: Any, **options: Any) -> Any:
    return TaskInPython(coroutine, loop=loop, **options)


def wrapping(loop: Any, coroutine: Any, **options: Any) -> Any:
    """Does something around handlers' coroutines, as tools that measure them do."""

    async def around() -> Any:
        return await coroutine

    wrapped = around() if isinstance(coroutine, sockline._native.Stepped) else coroutine
    return asyncio.Task(wrapped, loop=loop, **options)


def eager(loop: Any, coroutine: Any, **options: Any) -> Any:
    return asyncio.Task(coroutine, loop=loop, **{**options, "eager_start": True})


FACTORIES: dict[str, Any] = {"usual": None, "in Python": tasks_in_python, "wrapping": wrapping}
if sys.version_info >= (3, 12):
    FACTORIES["eager"] = eager


@pytest.fixture(params=["asyncio", "uvloop"])
def new_loop(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop]:
    return uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop


@pytest.fixture(params=[*FACTORIES, "debugging"])
def run_any(request: pytest.FixtureRequest, new_loop: Callable[[], asyncio.AbstractEventLoop]) -> Run:
    """Runs a coroutine to its end, on each of the loops, with each kind of tasks."""
    is_debugging = request.param == "debugging"
    factory = None if is_debugging else FACTORIES[request.param]

    async def with_factory(main: Coroutine[Any, Any, Any]) -> Any:
        asyncio.get_running_loop().set_task_factory(factory)
        return await main

    def run(main: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(debug=is_debugging, loop_factory=new_loop) as runner:
            return runner.run(with_factory(main))

    return run


class Served:
    """A server with one connection to it, of somebody else's."""

    def __init__(self, server: Any, client: Any, connection: Any) -> None:
        self.server, self.client, self.connection = server, client, connection
        (self.task,) = server.handler_tasks

    async def ask(self, message: str) -> Any:
        await self.client.send(message)
        return await self.client.recv()


@contextlib.asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[Served]:
    async with sockline.serve(handler, "127.0.0.1", 0, compression=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with foreign_connect(f"ws://127.0.0.1:{port}", proxy=None, compression=None) as client:
            await (await client.ping())  # its handler waits by now
            (connection,) = server.connections
            yield Served(server, client, connection)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)
