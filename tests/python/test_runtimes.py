"""The interpreter around us: its end with threads and asyncio alive, and second interpreters in one process."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import asyncio, socket, sys, threading
import sockline
from sockline.sync.client import connect
from sockline.sync.server import serve

def echo(connection):
    try:
        for message in connection:
            connection.send(message)
    except sockline.ConnectionClosed:
        pass

server = serve(echo, "127.0.0.1", 0)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = "ws://127.0.0.1:%d" % server.socket.getsockname()[1]

def connected():
    connection = connect(url, legacy=True)
    connection.send("x")
    assert connection.recv() == "x"
    return connection
"""

EXITS = {
    "a server in a daemon thread": "",
    "connections that nobody waits for": "some = [connected() for _ in range(3)]",
    "daemon threads that wait for messages": """
connection = connected()
begun = threading.Event()
def wait():
    begun.set()
    connection.recv()
threading.Thread(target=wait, daemon=True).start()
begun.wait()
""",
    "daemon threads that send": """
connection = connected()
begun = threading.Event()
def send():
    while True:
        connection.send("x" * 1000)
        begun.set()
        connection.recv()
threading.Thread(target=send, daemon=True).start()
begun.wait()
""",
    "an attempt to connect": """
begun = threading.Event()
never_answers = socket.create_server(("127.0.0.1", 0))
def attempt():
    begun.set()
    connect("ws://127.0.0.1:%d" % never_answers.getsockname()[1], legacy=True)
threading.Thread(target=attempt, daemon=True).start()
begun.wait()
""",
    "asyncio beside it": """
async def main():
    return connected(), await sockline.connect(url), await sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0)
living = asyncio.run(main())
""",
    "an exit from within an open connection": """
with connect(url) as connection:
    sys.exit(0)
""",
}


def script(body: str) -> tuple[int, str, str]:
    ran = subprocess.run([sys.executable, "-c", PRELUDE + body], capture_output=True, text=True, timeout=50)
    return ran.returncode, ran.stdout, ran.stderr


SOCKET_IO = """
from sockline import socketio

async def main():
    sio = socketio.AsyncServer()

    @sio.event
    async def never(sid):
        await asyncio.sleep(3600)

    async def tick():
        while True:
            await sio.emit("tick")
            await sio.sleep(0.001)

    sio.start_background_task(tick)
    listener = await sio.listen("127.0.0.1", 0)
    there = "http://127.0.0.1:%d" % listener.sockets[0].getsockname()[1]
    clients = []
    for transports in (["websocket"], ["polling"], None):
        client, heard = socketio.AsyncClient(), asyncio.Event()
        client.on("tick", heard.set)
        await client.connect(there, transports=transports)
        await heard.wait()
        clients += [client, asyncio.create_task(client.call("never")), asyncio.create_task(client.wait())]
    return sio, listener, clients
"""
EXITS["Socket.IO with pending tasks"] = f"{SOCKET_IO}\nliving = asyncio.run(main())"
EXITS["Socket.IO with threads"] = """
from sockline import socketio
sio = socketio.Server()
listener = sio.listen("127.0.0.1", 0)
heard = threading.Event()
clients = [socketio.Client() for _ in range(2)]
for client, transport in zip(clients, ("websocket", "polling")):
    client.connect(f"http://127.0.0.1:{listener.port}", transports=[transport])
clients[0].on("tick", lambda: heard.set())
def tick():
    while True:
        sio.emit("tick")
        sio.sleep(0.001)
sio.start_background_task(tick)
threading.Thread(target=clients[1].wait, daemon=True).start()
heard.wait()
"""
DAEMON = """
busy = threading.Event()
async def answer(ws):
    async for message in ws:
        await ws.send(message)
async def main():
    async with sockline.serve(answer, "127.0.0.1", 0) as server, sockline.connect("ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]) as ws:
        while True:
            await ws.send("x")
            await ws.recv()
            busy.set()
def run():
    asyncio.run(main())
threading.Thread(target=run, daemon=True).start()
busy.wait()
"""
EXITS["asyncio busy in a daemon thread"] = DAEMON
EXITS["uvloop busy in a daemon thread"] = "import uvloop\n" + DAEMON.replace("asyncio.run", "uvloop.run")


@pytest.mark.parametrize("body", EXITS.values(), ids=EXITS.keys())
def test_the_interpreter_ends_in_silence(body: str) -> None:
    assert script(body) == (0, "", "")


def test_a_second_interpreter_is_refused() -> None:
    interpreters = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
    body = f"""
import sockline
import {interpreters} as interpreters
second = interpreters.create()
code = "try:\\n import sockline\\nexcept ImportError as error:\\n print('refused:', error, flush=True)\\nelse:\\n print('taken', flush=True)"
failed = interpreters.run_string(second, code) if "{interpreters}".startswith("_x") else interpreters.exec(second, code)
assert failed is None, failed
"""
    ran = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, timeout=30)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("refused:") and "interpreter" in ran.stdout
