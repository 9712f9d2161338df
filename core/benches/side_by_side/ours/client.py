"""A client under test: client.py PORT CONNECTIONS PIPELINE SIZE [coroutine]

On each connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole. With callbacks, or
with a coroutine for each connection, on uvloop.
"""

import asyncio
import os
import signal
import sys

import sockline
import uvloop

port, connections, pipeline, size = map(int, sys.argv[1:5])
URL = f"ws://127.0.0.1:{port}/"


def fail(why: str) -> None:
    print(f"client: {why}", file=sys.stderr, flush=True)
    os._exit(1)


def payload_of(index: int) -> bytes:
    """Of its own for each connection, so that an echo of another's is noticed."""
    return bytes((index + place) % 256 for place in range(size))


def connect(payload: bytes) -> None:
    def onopen(ws: sockline.WebSocket) -> None:
        for _ in range(pipeline):
            ws.send(payload)

    def onmessage(ws: sockline.WebSocket, message: sockline.Data) -> None:
        if message != payload:
            fail("an echo differs from its message")
        ws.send(payload)

    def onclose(_ws: sockline.WebSocket, code: int, _reason: str, _was_clean: bool) -> None:
        fail(f"the connection was closed with {code}")

    sockline.WebSocket(URL, onopen=onopen, onmessage=onmessage, onclose=onclose)


async def talk(payload: bytes) -> None:
    async with sockline.connect(URL, compression=None) as connection:
        for _ in range(pipeline):
            await connection.send(payload)
        async for message in connection:
            if message != payload:
                fail("an echo differs from its message")
            await connection.send(payload)
    fail("the connection was closed")


async def talk_on_all() -> None:
    await asyncio.gather(*(talk(payload_of(index)) for index in range(connections)))


if sys.argv[5:] == ["coroutine"]:
    uvloop.run(talk_on_all())
else:
    for index in range(connections):
        connect(payload_of(index))
    signal.pause()  # the connections have a thread of their own
