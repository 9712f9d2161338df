"""Servers and clients of Socket.IO that are not ours: python-socketio, and the official packages in Node."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import socketio as foreign
from aiohttp import web
from engineio.payload import Payload

from sockline import socketio

Payload.max_decode_packets = 10_000
"""By default python-engineio gives up on more than 16 events that came while it was not polling."""

PEERS = Path(__file__).resolve().parent / "peers"
WAIT = 20

TRANSPORTS = pytest.mark.parametrize(
    "transports", [["polling"], ["websocket"], None], ids=["polling", "websocket", "upgrade"]
)
"""``None`` begins with polling and goes over to a WebSocket."""


class Recorder:
    """What was heard, to be awaited in its order."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()

    def note(self, *what: Any) -> None:
        self.heard.put_nowait(what)

    async def next(self) -> Any:
        return await asyncio.wait_for(self.heard.get(), WAIT)

    def is_empty(self) -> bool:
        return self.heard.empty()


def echo_server(**options: Any) -> socketio.AsyncServer:
    """Answers `echo` with its arguments."""
    sio = socketio.AsyncServer(**options)

    @sio.event
    async def echo(sid: str, *values: Any) -> Any:
        return values

    return sio


@asynccontextmanager
async def our_io(sio: socketio.AsyncServer, **options: Any) -> AsyncIterator[str]:
    """The URL of a server of ours."""
    async with sio.listen("127.0.0.1", 0, **options) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def foreign_io(sio: foreign.AsyncServer, port: int = 0, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """The URL of a server of python-socketio's, on aiohttp."""
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True, ssl_context=tls)
    await site.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await sio.shutdown()
        await runner.cleanup()


@asynccontextmanager
async def foreign_client(url: str, **options: Any) -> AsyncIterator[foreign.AsyncClient]:
    """A connected client of python-socketio's whose events are in ``client.recorder``."""
    known = ("auth", "headers", "namespaces", "transports")
    client = foreign.AsyncClient(
        reconnection=False, **{name: value for name, value in options.items() if name not in known}
    )
    client.recorder = Recorder()

    async def note(event: str, *values: Any) -> Any:
        client.recorder.note(event, *values)
        return values if event == "ask" else None

    for namespace in options.get("namespaces") or ["/"]:
        client.on("*", note, namespace)
    await client.connect(url, wait_timeout=WAIT, **{name: options[name] for name in known if name in options})
    session = client.eio.http
    try:
        yield client
    finally:
        # Not `disconnect`, which loses a race with its own writer while it is polling.
        if client.connected and client.transport() == "polling":
            await client.eio.disconnect(abort=True)
        else:
            await client.disconnect()
        await session.close()


class NodePeer:
    """A program that tells and obeys lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def send(self, *line: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(_to_wire(list(line))).encode() + b"\n")
        await self._process.stdin.drain()

    async def next(self) -> list[Any]:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), WAIT)
        assert line, "the peer has ended"
        return _from_wire(json.loads(line))  # type: ignore[no-any-return]

    async def expect(self, kind: str) -> list[Any]:
        """The next line of this kind, without its kind; others are passed over."""
        while True:
            line = await self.next()
            if line[0] == kind:
                return line[1:]

    async def moves_to(self, transport: str) -> None:
        """Waits until the client is on a transport."""
        while True:
            await self.send("transport")
            if await self.expect("transport") == [transport]:
                return
            await asyncio.sleep(0.01)

    async def call(self, event: str, *values: Any) -> list[Any]:
        """What a client is answered."""
        await self.send("call", event, *values)
        return (await self.expect("answer"))[0]  # type: ignore[no-any-return]


@asynccontextmanager
async def node_client(url: str, **options: Any) -> AsyncIterator[NodePeer]:
    """The official client."""
    async with _node("io_client.mjs", url, json.dumps(options)) as peer:
        yield peer


@asynccontextmanager
async def node_server(**options: Any) -> AsyncIterator[tuple[str, NodePeer]]:
    """The URL of the official server, and the server."""
    async with _node("io_server.mjs", json.dumps(options)) as peer:
        (port,) = await peer.expect("port")
        yield f"http://127.0.0.1:{port}", peer


@asynccontextmanager
async def _node(script: str, *arguments: str) -> AsyncIterator[NodePeer]:
    install()
    process = await asyncio.create_subprocess_exec(
        "node",
        str(PEERS / script),
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield NodePeer(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


def install() -> None:
    """The official packages, if they are not there yet."""
    if not (PEERS / "node_modules" / "@socket.io" / "redis-adapter").is_dir():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--silent"], cwd=PEERS, check=True)


def _to_wire(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, list | tuple):
        return [_to_wire(item) for item in value]
    if isinstance(value, dict):
        return {key: _to_wire(item) for key, item in value.items()}
    return value


def _from_wire(value: Any) -> Any:
    if isinstance(value, list):
        return [_from_wire(item) for item in value]
    if isinstance(value, dict):
        if "$bytes" in value:
            return base64.b64decode(value["$bytes"])
        return {key: _from_wire(item) for key, item in value.items()}
    return value


async def until(condition: Callable[[], Any]) -> None:
    """Waits until something becomes true that nobody tells of."""
    async with asyncio.timeout(WAIT):
        while not condition():
            await asyncio.sleep(0.005)
