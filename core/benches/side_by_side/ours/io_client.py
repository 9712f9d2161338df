"""A Socket.IO client under test: io_client.py PORT CONNECTIONS PIPELINE SIZE sockline|python-socketio [call]

On each connection PIPELINE events with a string of SIZE characters are in flight, whose answers are compared whole. A
callback emits the next event, or, with `call`, a coroutine for each event in flight. On uvloop.
"""

import asyncio
import os
import sys
from typing import Any, NoReturn

import uvloop

if sys.argv[5] == "sockline":
    from sockline import socketio
else:
    import socketio

port, connections, pipeline, size = map(int, sys.argv[1:5])


def fail(why: str) -> NoReturn:
    print(f"io_client: {why}", file=sys.stderr, flush=True)
    os._exit(1)


async def emit(client: Any, text: str) -> None:
    async def answered(answer: Any) -> None:
        if answer != text:
            fail("an answer differs from its event")
        await client.emit("msg", text, callback=answered)

    for _ in range(pipeline):
        await client.emit("msg", text, callback=answered)


async def call(client: Any, text: str) -> None:
    async def go_on() -> None:
        while True:
            if await client.call("msg", text) != text:
                fail("an answer differs from its event")

    await asyncio.gather(*(go_on() for _ in range(pipeline)))


async def talk(index: int) -> None:
    # Of its own for each connection, so that an answer to another's is noticed.
    text = "".join(chr(ord("a") + (index + place) % 26) for place in range(size))
    client = socketio.AsyncClient(reconnection=False)
    await client.connect(f"http://127.0.0.1:{port}/", transports=["websocket"], wait_timeout=10)
    await (call if sys.argv[6:] == ["call"] else emit)(client, text)
    await client.wait()
    fail("the connection was closed")


async def main() -> None:
    await asyncio.gather(*(talk(index) for index in range(connections)))


uvloop.run(main())
