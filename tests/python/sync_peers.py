"""Servers and clients of threads: ours, and those of websockets, in either role."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import websockets
import websockets.sync.client
import websockets.sync.server

import sockline
import sockline.sync.client
import sockline.sync.server

WAIT = 20

def echo(connection: Any) -> None:
    for message in connection:
        connection.send(message)


@contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Serves in a thread meanwhile."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


def url_of(server: Any) -> str:
    return f"ws://127.0.0.1:{server.socket.getsockname()[1]}"


@contextmanager
def served(serve: Any, handler: Any = echo, **options: Any) -> Iterator[str]:
    with serving(serve(handler, "127.0.0.1", 0, **options)) as server:
        yield url_of(server)


def pair(role: str) -> tuple[Any, Any, Any]:
    """A way to serve, a way to connect, and the exceptions of the connecting side."""
    serve = websockets.sync.server.serve if role == "client" else sockline.sync.server.serve
    if role == "server":
        return serve, websockets.sync.client.connect, websockets
    return serve, sockline.sync.client.connect, sockline


def retry_until(error: type[Exception], call: Any, ignored: type[Exception]) -> None:
    """Calls until it raises the one, which may take a moment, and not the other."""
    while True:
        try:
            call()
        except error:
            return
        except ignored:
            pass
