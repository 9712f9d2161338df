"""Echo on aiohttp with uvloop: aiohttp_echo.py PORT"""

import asyncio
import sys

import uvloop
from aiohttp import WSMsgType, web


async def echo(request: web.Request) -> web.WebSocketResponse:
    connection = web.WebSocketResponse()
    await connection.prepare(request)
    async for message in connection:
        if message.type == WSMsgType.BINARY:
            await connection.send_bytes(message.data)
        elif message.type == WSMsgType.TEXT:
            await connection.send_str(message.data)
    return connection


async def main(port: int) -> None:
    app = web.Application()
    app.router.add_get("/", echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
    print(f"listening on 127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


uvloop.run(main(int(sys.argv[1])))
