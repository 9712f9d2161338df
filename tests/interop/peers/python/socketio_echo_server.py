"""python-socketio on aiohttp, doing what io_echo_server does: socketio_echo_server.py PORT"""

import asyncio
import os
import sys

import socketio
from aiohttp import web

MSGPACK = {"serializer": "msgpack"} if os.environ.get("PARSER") == "msgpack" else {}

sio = socketio.AsyncServer(async_mode="aiohttp", **MSGPACK)


@sio.event
async def connect(sid: str, environ: dict) -> None:
    await sio.enter_room(sid, "room")


@sio.event
async def msg(sid: str, *values: object) -> object:
    return values


@sio.event
async def bc(sid: str, *values: object) -> None:
    await sio.emit("bc", values, room="room")


async def main() -> None:
    application = web.Application()
    sio.attach(application)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]))  # without, each family has a free port of its own
    await site.start()
    print(f"listening {site._server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
