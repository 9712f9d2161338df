"""The programs in the documentation of websockets, as it brings it along: each runs with it and with ours, with nothing but the
import changed, and the same has to be seen. The results are in docs/programs.md; those of python-socketio are in
test_programs_documentation_socketio.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from documentation import Block, in_description, in_docstrings
from documentation_runs import SECONDS, Entry, Running, edited, swapped
from redis_server import free_port
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import sockline

ASYNCIO = """
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
async def process(message): print(message)
async def handler(websocket):
    async for message in websocket:
        await websocket.send(message.upper())
"""
SYNC = """
from websockets.sync.client import connect, reconnect
from websockets.sync.server import serve
def process(message): print(message)
def handler(websocket):
    for message in websocket:
        websocket.send(message.upper())
"""
AWAITS_STOP = ASYNCIO + "stop = asyncio.Event()\n"
BODY = ("    ...", "    async for message in websocket:\n        await websocket.send(message.upper())")
SYNC_BODY = ("    ...", "    for message in websocket:\n        websocket.send(message.upper())")
TWICE = ("        ...", "        print(await websocket.recv())\n        print(await websocket.recv())\n        break")
SYNC_TWICE = ("        ...", "        print(websocket.recv())\n        print(websocket.recv())\n        break")
HEARD = ("HELLO", "1000")
AUTHENTICATED = {"additional_headers": {"Authorization": "Basic aGVsbG86aWxvdmV5b3U="}}

TABLE = {
    "asyncio.client ClientConnection": Entry(("one", "two"), ASYNCIO + "websocket = await connect(url + 'ends')"),
    "asyncio.client connect": Entry(("ONE",), edits=(("    ...", "    await websocket.send('one')\n    print(await websocket.recv())"),)),
    "asyncio.client connect (2)": Entry(("one", "two"), ASYNCIO + "url += 'flaky'", (TWICE,)),
    "asyncio.client connect (3)": Entry(("ONE",), ASYNCIO, epilogue="await websocket.send('one')\nprint(await websocket.recv())\nawait websocket.close()"),
    "asyncio.connection Connection.ping": Entry(("True",), ASYNCIO + "ws = await connect(url)", epilogue="print(0 < latency < 10)\nawait ws.close()"),
    "asyncio.server ServerConnection": Entry(("hello",), ASYNCIO + "async def handler(websocket):\n  async def process(message): await websocket.send(message)\n", (("async for", "  async for"), ("    await", "      await")), "async with serve(handler, host, port) as server: await server.serve_forever()", "cancel"),
    "asyncio.server Server.serve_forever": Entry(HEARD, ASYNCIO, ends="cancel"),
    "asyncio.server Server.start_serving": Entry(HEARD, ASYNCIO, (("serve(...,", "serve(handler, host, port,"),), epilogue="await server.serve_forever()", ends="cancel"),
    "asyncio.server serve": Entry(HEARD, edits=(BODY,), ends="stop.set()"),
    "asyncio.server serve (2)": Entry(HEARD, ASYNCIO, ends="cancel"),
    "asyncio.server serve (3)": Entry(HEARD, ASYNCIO, ends="cancel"),
    "asyncio.server serve (4)": Entry(HEARD, AWAITS_STOP, ends="stop.set()"),
    "asyncio.server serve (5)": Entry(HEARD, AWAITS_STOP + "server = await serve(handler, host, port)\nawait stop.wait()\n", epilogue="await server.wait_closed()", ends="stop.set()"),
    "asyncio.server basic_auth": Entry(("HELLO", "401"), AWAITS_STOP, ((",\n    ),\n):", ",\n    ),\n):\n    await stop.wait()"),), ends="stop.set()", more=AUTHENTICATED),
    "datastructures Headers": Entry(("caf\u00e9",), "from websockets.datastructures import Headers\nkey = 'X'\nheaders = Headers(X='caf\u00c3\u00a9')", epilogue="print(value)"),
    "datastructures Headers (2)": Entry(("caf\u00c3\u00a9",), "from websockets.datastructures import Headers\nkey, value = 'X', 'caf\u00e9'\nheaders = Headers()", epilogue="print(headers['x'])"),
    "server ServerProtocol.select_subprotocol": Entry(("HELLO", "chat"), AWAITS_STOP, epilogue="async with serve(handler, host, port, select_subprotocol=select_subprotocol): await stop.wait()", ends="stop.set()", more={"subprotocols": ["talk", "chat"]}),
    "sync.client ClientConnection": Entry(("one", "two"), SYNC + "websocket = connect(url + 'ends', legacy=True)"),
    "sync.client reconnect": Entry(("one", "two"), SYNC + "url += 'flaky'", (SYNC_TWICE,)),
    "sync.client reconnect (2)": Entry(("one", "two"), SYNC + "url += 'ends'", (("connect(...)", "connect(..., legacy=True)"), ("    ...", "    print(message)"))),
    "sync.client connect": Entry(("ONE",), edits=(("    ...", "    websocket.send('one')\n    print(websocket.recv())"),)),
    "sync.client connect (2)": Entry(("ONE",), SYNC, epilogue="websocket.send('one')\nprint(websocket.recv())\nwebsocket.close()"),
    "sync.connection Connection.ping": Entry(("True",), SYNC + "ws = connect(url, legacy=True)", epilogue="print(pong_received.is_set())\nws.close()"),
    "sync.server ServerConnection": Entry(("hello",), SYNC + "def handler(websocket):\n  process = websocket.send\n", (("for message", "  for message"), ("    process", "      process")), "with serve(handler, host, port) as server: server.serve_forever()", "server.shutdown()"),
    "sync.server Server.serve_forever": Entry(HEARD, SYNC, ends="server.shutdown()"),
    "sync.server serve": Entry(HEARD, edits=(SYNC_BODY,), ends="server.shutdown()"),
    "sync.server serve (2)": Entry(HEARD, SYNC + "import threading\nserver = serve(handler, host, port)\nserving = threading.Thread(target=server.serve_forever)\nserving.start()\nstop = threading.Event()\nstop.wait()\n", epilogue="serving.join()", ends="stop.set()"),
    "sync.server serve (3)": Entry(HEARD, SYNC + "import threading\nserver = serve(handler, host, port)\nserving = threading.Thread(target=server.serve_forever)\nserving.start()\nstop = threading.Event()\nstop.wait()\n", epilogue="serving.join()", ends="stop.set()"),
    "sync.server basic_auth": Entry(("HELLO", "401"), SYNC, ((",\n    ),\n):", ",\n    ),\n) as server:\n    server.serve_forever()"),), ends="server.shutdown()", more=AUTHENTICATED),
    "README What is ``websockets``?": Entry(("hello", "1000"), edits=(("asyncio.run(main())", "await main()"), ('"localhost"', "host"), ("8765", "port")), ends="cancel"),
    "README What is ``websockets``? (2)": Entry(("Received: HELLO WORLD!",), edits=(('"ws://localhost:8765"', "url"),)),
}

INSIDE = "it is of the inside of websockets"
SKIPPED = {
    "asyncio.connection Connection.send_context": INSIDE,
    "sync.connection Connection.send_context": INSIDE,
    "headers parse_extension": "it is the shape of a list, and of the inside of websockets",
    "imports lazy_import": INSIDE,
}
NOT_HERE = ("legacy.", "trio.")
"""Modules that are missing as a whole, as docs/compat/websockets.md says."""

BLOCKS = [block for block in in_docstrings("websockets") + in_description("websockets") if not block.name.startswith(NOT_HERE)]


def test_every_block_is_in_a_table_and_every_entry_has_its_block() -> None:
    assert sorted(block.name for block in BLOCKS) == sorted([*TABLE, *SKIPPED])
    rows = (Path(__file__).resolve().parents[2] / "docs/programs.md").read_text()
    assert f"its documentation | {websockets.__version__} | in place of `websockets` | {len(TABLE)} of {len(BLOCKS)} blocks" in rows


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.name in TABLE], ids=lambda block: block.name)
def test_the_program(block: Block) -> None:
    seen = asyncio.run(run(block, TABLE[block.name], "websockets"))
    for part in TABLE[block.name].shows:
        assert any(part in line for line in seen), f"no {part} in {seen}"
    assert asyncio.run(run(block, TABLE[block.name], "sockline")) == seen


async def run(block: Block, entry: Entry, package: str) -> list[str]:
    """What is seen of it: what it prints, what its other side hears, and how it ends."""
    code = edited(entry, block.code)
    code = re.sub(r"(?<=serve\()(handler, )?\s*\.\.\.", "handler, host, port", code)
    code = re.sub(r"(?<=connect\()\.\.\.", "url", code)
    names = {"websockets": websockets if package == "websockets" else sockline, "host": "127.0.0.1", "port": free_port()}
    async with other_side() as (url, heard):
        program = Running(swapped(code, "websockets", package), {"url": url, **names})
        if entry.ends:
            visited = f"ws://127.0.0.1:{names['port']}"
            await visit(visited, heard, **entry.more)
            if "additional_headers" in entry.more:
                await visit(visited, heard)
            program.end(entry.ends)
        await program.join()
    return [*program.printed, *heard, f"ended with {type(program.thrown).__name__}: {program.thrown}"]


@contextlib.asynccontextmanager
async def other_side() -> AsyncIterator[tuple[str, list[str]]]:
    """A server of websockets', for clients."""
    heard: list[str] = []
    lost = False

    async def handler(connection: ServerConnection) -> None:
        nonlocal lost
        assert connection.request
        path = connection.request.path
        if path != "/":
            await connection.send("one")
        if path == "/flaky" and not lost:
            lost = True
            return
        if path != "/":
            await connection.send("two")
        if path == "/ends":
            return
        with contextlib.suppress(ConnectionClosed):
            async for message in connection:
                heard.append(str(message))
                await connection.send(str(message).upper())
        heard.append(f"closed {connection.close_code}")

    async with serve(handler, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", heard


async def visit(url: str, heard: list[str], **options: Any) -> None:
    """A client of websockets', for servers; it comes as soon as one listens."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                connection = await connect(url, **options)
                break
            except websockets.InvalidStatus as refused:
                heard.append(f"refused {refused.response.status_code}")
                return
            except OSError:
                await asyncio.sleep(0.01)  # that it listens isn't told
        heard.append(f"subprotocol {connection.subprotocol}")
        with contextlib.suppress(ConnectionClosed):
            await connection.send("hello")
            heard.append(str(await connection.recv()))
        await connection.close()
        heard.append(f"closed {connection.close_code}")
