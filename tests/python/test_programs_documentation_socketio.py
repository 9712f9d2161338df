"""The programs in the documentation of python-socketio, its docstrings and the pages in its sources: each runs with it and with
ours, with nothing but the import changed, and the same has to be seen. The results are in docs/programs.md.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import inspect
import ssl
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import socketio as foreign
import trustme
from aiohttp import web
from documentation import Block, in_docstrings, in_pages
from documentation_runs import SECONDS, Entry, Running, edited, swapped
from documentation_socketio import CLIENTS, SERVERS
from documentation_socketio_skipped import SKIPPED
from io_peers import foreign_io
from redis_server import RedisServer, cli, redis_server
from socketio.packet import DISCONNECT, Packet
from web_servers import asgi_server, werkzeug_server

BLOCKS = in_docstrings("socketio") + in_pages("python-socketio")
PATHS = ("/path/to/ca.pem", "/path/to/client/cert.pem", "/path/to/client/key.pem")
RUN = {**CLIENTS, **SERVERS}


def test_every_block_is_in_a_table_and_every_entry_has_its_block() -> None:
    assert sorted(block.name for block in BLOCKS) == sorted([*RUN, *SKIPPED])
    rows = (Path(__file__).resolve().parents[2] / "docs/programs.md").read_text()
    assert f"its documentation | 5.18.1 | `sockline.socketio` as `socketio` | {len(RUN)} of {len(BLOCKS)} blocks" in rows


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.name in CLIENTS], ids=lambda block: block.name)
def test_the_client(block: Block, authority: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    entry = CLIENTS[block.name]
    if entry.more.get("tls"):
        entry = with_certificates(entry, block, *authority)
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "WEBSOCKET_CLIENT_CA_BUNDLE"):
            monkeypatch.setenv(name, str(authority[1] / "ca.pem"))
    compare(block, entry, client)


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.name in SERVERS], ids=lambda block: block.name)
def test_the_server(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("index.html", "latency.html", "image.gif", "static/socket.io.js", "static/style.css", "public/index.html", "public/style.css"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"this is {name}")
    compare(block, SERVERS[block.name], server)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    """One for all, and its file: whom a process trusts by default is read once."""
    made, folder = trustme.CA(), tmp_path_factory.mktemp("authority")
    made.cert_pem.write_to_path(folder / "ca.pem")
    return made, folder


def with_certificates(entry: Entry, block: Block, authority: trustme.CA, folder: Path) -> Entry:
    """The same with an authority, a certificate for the server, and one for the client where the example names its files."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    if "/path/to/client" in block.code:
        tls.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(tls)
        identity = authority.issue_cert("client")
        identity.cert_chain_pems[0].write_to_path(folder / "cert.pem")
        identity.private_key_pem.write_to_path(folder / "key.pem")
    paths = tuple((path, str(folder / path.split("/")[-1])) for path in PATHS if path in block.code)
    return replace(entry, edits=(*entry.edits, *paths), more={**entry.more, "tls": tls})


def compare(block: Block, entry: Entry, run: Any) -> None:
    seen = asyncio.run(run(block, entry, "socketio"))
    for part in entry.shows:
        assert any(part in line for line in seen), f"no {part} in {seen}"
    assert asyncio.run(run(block, entry, "sockline.socketio")) == seen


async def shown(entry: Entry, *places: list[str], sids: list[str]) -> None:
    """Until it shows what it has to, as what goes on in the background ends when it ends."""
    for _ in range(100 * SECONDS):
        lines = [line for place in places for line in plain(place, *sids)]
        if all(any(part in line for line in lines) for part in entry.shows):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{entry.shows} in {lines}")


async def connected_by(program: Running) -> None:
    """Until its `connect` has seen that it is, as one whose handlers are faster raises when it is over by then, with both packages."""
    async with asyncio.timeout(SECONDS):
        while not getattr(program.names.get("sio"), "connected", True):
            await asyncio.sleep(0.01)


def plain(lines: list[str], *sids: str) -> list[str]:
    for sid in sids:
        lines = [line.replace(sid, "<sid>") for line in lines]
    return lines


async def client(block: Block, entry: Entry, package: str) -> list[str]:
    """With a server of python-socketio's, which says something and disconnects it, unless it is to stay."""
    heard: list[str] = []
    sids: list[str] = []
    # A client of python-socketio's in threads that is polling has disconnected when its poll has been answered, and one on a WebSocket
    # with TLS, now and then, when it has heard nothing for as long as both of these times.
    sio = foreign.AsyncServer(async_mode="aiohttp", namespaces="*", async_handlers=False, ping_interval=0.5, ping_timeout=5)
    gone = asyncio.Event()
    it_is_heard = threading.Event()

    async def connected(namespace: str, sid: str, environ: Any) -> None:
        sids.extend([sid, sio.manager.eio_sid_from_sid(sid, namespace)])
        heard.append(f"connect {namespace}")
        sio.start_background_task(talk, namespace, sid)

    async def talk(namespace: str, sid: str) -> None:
        await sio.emit("message", "hey", to=sid, namespace=namespace)
        if entry.more.get("stays"):
            return
        await sio.emit("my message", {"foo": 1}, to=sid, namespace=namespace)
        await sio.emit("my_message", "m", to=sid, namespace=namespace)
        answered = asyncio.Event()

        def answer(*values: Any) -> None:
            heard.append(f"answer {values}")
            answered.set()

        await sio.emit("my_event", {"n": 1}, to=sid, namespace=namespace, callback=answer)
        await answered.wait()
        still_to_come = tuple(part for part in entry.shows if "disconnect" not in part and part not in entry.more.get("at_its_end", ()))
        await shown(replace(entry, shows=still_to_come), program.printed, heard, sids=sids)  # some of it in the background
        await connected_by(program)
        await sio.disconnect(sid, namespace=namespace)

    async def event(name: str, namespace: str, sid: str, *values: Any) -> None:
        heard.append(" ".join(map(str, (name, *values))))
        it_is_heard.set()

    async def disconnected(namespace: str, sid: str, reason: str) -> None:
        heard.append("disconnect")
        gone.set()

    sio.on("connect", connected, namespace="*")
    sio.on("disconnect", disconnected, namespace="*")
    sio.on("*", event, namespace="*")
    async with foreign_io(sio, tls=entry.more.get("tls")) as url:
        program = Running(swapped(edited(entry, block.code), "socketio", package), {"url": url, "socketio": importlib.import_module(package), "it_is_heard": it_is_heard})
        await program.join()
        if heard:
            await asyncio.wait_for(gone.wait(), SECONDS)
    return plain([*sorted(program.printed), *sorted(heard), f"ended with {program.thrown!r}"], *sids)


async def server(block: Block, entry: Entry, package: str) -> list[str]:
    """With two clients of python-socketio's, and a Redis if it wants one."""
    with redis_server() if entry.more.get("over_redis") else contextlib.nullcontext() as redis:
        return await server_with(redis, block, entry, package)


async def server_with(redis: RedisServer | None, block: Block, entry: Entry, package: str) -> list[str]:
    printed: list[str] = []
    heard: list[str] = []
    names = {"print": lambda *values: printed.append(" ".join(map(str, values))), "socketio": importlib.import_module(package)}
    names["redis_url"] = redis and redis.url
    code = swapped(edited(entry, block.code), "socketio", package)
    after = entry.more.get("after")
    if after:
        await execute(swapped(entry.prologue, "socketio", package), names)
        code = code.replace(entry.prologue, "", 1)
    else:
        await execute(code, names)
    sids = []
    async with served(names) as url:
        for path in entry.more.get("gets", ()):
            answer = await asyncio.to_thread(requests.get, url + path, timeout=SECONDS)
            heard.append(f"{path}: {answer.status_code} {answer.text} {answer.headers.get('content-type')}")
        clients = {}
        namespace = entry.more.get("namespace", "/")
        for name in ("ann", "bob"):
            sio = clients[name] = foreign.AsyncClient(reconnection=False)

            async def hear(event: str, *values: Any, name: str = name) -> Any:
                heard.append(" ".join(map(str, (name, "hears", event, *values))))
                return f"{name} answers"

            async def refused(data: Any) -> None:
                heard.append(f"refused: {data['message']}")

            sio.on("*", hear, namespace=namespace)
            sio.on("connect_error", refused, namespace=namespace)
            try:
                await sio.connect(url, namespaces=[namespace], transports=["websocket"], wait_timeout=SECONDS)
            except foreign.exceptions.ConnectionError:
                heard.append("not connected")
                continue
            heard.append("connected")
            sids.append(sio.get_sid(namespace))
        if after:
            names["user_sid"] = sids[0]
            if redis:
                listens = ("socketio", "socket.io-request#/#")
                while not any(channel in cli(redis, "PUBSUB", "CHANNELS").split() for channel in listens):
                    await asyncio.sleep(0.01)  # a subscription takes its time
            await execute(code, names, in_thread=True)
        for event, *values in entry.more["says"]:
            for sio in clients.values():
                if event == "ask":
                    heard.append(f"answer {await sio.call(*values, namespace=namespace, timeout=SECONDS)}")
                else:
                    await sio.emit(event, *values, namespace=namespace)
        departing = [part for part in entry.shows if "disconnect" in part]
        if not departing:
            await shown(entry, printed, heard, sids=sids)
        for sio in clients.values():
            if departing:
                # Its `disconnect` would close the transport as well, and the server tells of what it sees first.
                await sio._send_packet(Packet(DISCONNECT, namespace=namespace))
        if departing:
            await departed(printed, sids)
        for sio in clients.values():
            await sio.disconnect()
    return sorted(plain(printed, *sids)) + sorted(set(plain(heard, *sids)))  # of a broadcast each hears as much as it is there for


async def departed(printed: list[str], sids: list[str]) -> None:
    async with asyncio.timeout(SECONDS):
        while sum("disconnect" in line and "connect " in line or "the client disconnected" in line for line in printed) < len(sids):
            await asyncio.sleep(0.01)


async def execute(code: str, names: dict[str, Any], in_thread: bool = False) -> None:
    compiled = compile(code, "<documentation>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if compiled.co_flags & inspect.CO_COROUTINE:
        await eval(compiled, names)
    elif in_thread:
        await asyncio.to_thread(exec, compiled, names)
    else:
        exec(compiled, names)


@contextlib.asynccontextmanager
async def served(names: dict[str, Any]) -> AsyncIterator[str]:
    """The application that it has made, or one with the server that it has made."""
    sio = names["sio"]
    is_async = inspect.iscoroutinefunction(sio.emit)
    app = names.get("app")
    if app is None:
        app = (names["socketio"].ASGIApp if is_async else names["socketio"].WSGIApp)(sio)
    if isinstance(app, web.Application):
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
        await runner.cleanup()
    elif is_async:
        async with asgi_server(app) as url:
            yield url
    else:
        with werkzeug_server(app) as url:
            yield url
