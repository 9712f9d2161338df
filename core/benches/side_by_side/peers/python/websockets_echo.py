"""Echo on websockets with uvloop: websockets_echo.py PORT [deflate]."""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def main(port: int, compression: str | None = None) -> None:
    async with serve(echo, "127.0.0.1", port, compression=compression, backlog=4096) as server:
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await server.serve_forever()


uvloop.run(main(int(sys.argv[1]), *sys.argv[2:]))
