"""Servers of ASGI and WSGI that are not ours, with applications of ours."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import hypercorn.asyncio
import pytest
import uvicorn
from hypercorn.config import Config as HypercornConfig
from io_peers import WAIT
from werkzeug.serving import WSGIRequestHandler, make_server

ASGI_SERVERS = pytest.mark.parametrize(
    "kind", ["httptools websockets-sansio", "h11 wsproto", "httptools websockets", "hypercorn"]
)
"""uvicorn with each of its implementations of HTTP and WebSocket, and another server."""


@asynccontextmanager
async def asgi_server(app: Any, kind: str = "httptools websockets-sansio", **options: Any) -> AsyncIterator[str]:
    """The URL at which an application is served."""
    if kind == "hypercorn":
        async with _hypercorn(app) as url:
            yield url
        return
    http, ws = kind.split()
    config = uvicorn.Config(
        app, "127.0.0.1", 0, http=http, ws=ws, log_level="error", timeout_graceful_shutdown=2, **options
    )
    server = uvicorn.Server(config)
    server.capture_signals = _no_signals  # type: ignore[method-assign]
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            await asyncio.sleep(0.005)
            assert not serving.done(), "it has not begun"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, WAIT)


@contextmanager
def _no_signals() -> Iterator[None]:
    yield


@asynccontextmanager
async def _hypercorn(app: Any) -> AsyncIterator[str]:
    config = HypercornConfig()
    config.graceful_timeout = 0.5
    config.loglevel = "ERROR"
    sockets = config.create_sockets
    bound: list[Any] = []

    def create_sockets() -> Any:
        created = sockets()
        bound.append(created.insecure_sockets[0])
        return created

    config.bind = ["127.0.0.1:0"]
    config.create_sockets = create_sockets  # type: ignore[method-assign]
    ends = asyncio.Event()
    serving = asyncio.create_task(hypercorn.asyncio.serve(app, config, shutdown_trigger=ends.wait))
    try:
        while not bound:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{bound[0].getsockname()[1]}"
    finally:
        ends.set()
        await asyncio.wait_for(serving, WAIT)


class _Silent(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


@contextmanager
def werkzeug_server(app: Any) -> Iterator[str]:
    """Flask's and werkzeug's own, which shows its sockets."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@contextmanager
def server_process(*command: str) -> Iterator[str]:
    """The URL of a server in a process of its own, which says on its standard error where it is."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parent
    )
    assert process.stderr is not None
    try:
        at = next(found[0] for line in process.stderr if (found := re.search(r"http://127.0.0.1:\d+", line)))
        reading = threading.Thread(target=process.stderr.read)
        reading.start()
        yield at
    finally:
        process.terminate()
        process.wait(WAIT)
    reading.join()


def gunicorn_server(app: str) -> AbstractContextManager[str]:
    """A server with threads that shows its sockets, and an application by its name."""
    return server_process("gunicorn", "-k", "gthread", "--threads", "8", "-b", "127.0.0.1:0", "--no-control-socket", app)


def waitress_server(app: str) -> AbstractContextManager[str]:
    """A server that shows no sockets."""
    return server_process("waitress", "--listen", "127.0.0.1:0", "--threads", "8", app)
