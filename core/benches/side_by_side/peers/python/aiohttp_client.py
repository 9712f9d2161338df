"""A client under test on aiohttp with uvloop: aiohttp_client.py PORT CONNECTIONS PIPELINE SIZE

On each connection PIPELINE messages of SIZE bytes are in flight, whose echoes are compared whole.
"""

import asyncio

import uvloop
from aiohttp import ClientSession, WSMsgType
from under_test import connections, fail, payload_of, pipeline, port


async def talk(session: ClientSession, index: int) -> None:
    payload = payload_of(index)
    async with session.ws_connect(f"http://127.0.0.1:{port}/") as connection:
        for _ in range(pipeline):
            await connection.send_bytes(payload)
        async for message in connection:
            if message.type != WSMsgType.BINARY or message.data != payload:
                fail("an echo differs from its message")
            await connection.send_bytes(payload)
    fail("the connection was closed")


async def main() -> None:
    async with ClientSession() as session:
        await asyncio.gather(*(talk(session, index) for index in range(connections)))


uvloop.run(main())
