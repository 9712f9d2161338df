"""A client under test on websockets with uvloop: websockets_client.py PORT CONNECTIONS PIPELINE SIZE

On each connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole.
"""

import asyncio

import uvloop
from under_test import connections, fail, payload_of, pipeline, port
from websockets.asyncio.client import connect


async def talk(index: int) -> None:
    payload = payload_of(index)
    async with connect(f"ws://127.0.0.1:{port}/", compression=None) as connection:
        for _ in range(pipeline):
            await connection.send(payload)
        async for message in connection:
            if message != payload:
                fail("an echo differs from its message")
            await connection.send(payload)
    fail("the connection was closed")


async def main() -> None:
    await asyncio.gather(*(talk(index) for index in range(connections)))


uvloop.run(main())
