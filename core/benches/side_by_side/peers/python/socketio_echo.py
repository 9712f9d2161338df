"""What sockline's io_echo_server does, on python-socketio with uvloop: socketio_echo.py PORT [uvicorn] [coroutine]

Served by aiohttp unless uvicorn is asked for; events are answered by a plain function, or by a coroutine function.
"""

import asyncio
import sys
from typing import Any

import socketio
import uvloop

HOST = "127.0.0.1"
BACKLOG = 4096
ROOM = "room"


def application(mode: str) -> socketio.AsyncServer:
    sio = socketio.AsyncServer(async_mode=mode)

    @sio.event
    async def connect(sid: str, _environ: dict[str, Any]) -> None:
        await sio.enter_room(sid, ROOM)

    def msg(_sid: str, value: Any) -> Any:
        return value

    async def msg_coroutine(_sid: str, value: Any) -> Any:
        return value

    sio.on("msg", msg_coroutine if "coroutine" in sys.argv else msg)

    @sio.event
    async def bc(_sid: str, value: Any) -> None:
        await sio.emit("bc", value, room=ROOM)

    return sio


async def on_aiohttp(port: int) -> None:
    from aiohttp import web

    app = web.Application()
    application("aiohttp").attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port, backlog=BACKLOG).start()
    print(f"listening on {HOST}:{port}", flush=True)
    await asyncio.Event().wait()


async def on_uvicorn(port: int) -> None:
    import uvicorn

    app = socketio.ASGIApp(application("asgi"))
    config = uvicorn.Config(app, HOST, port, log_level="warning", backlog=BACKLOG, lifespan="off")
    await uvicorn.Server(config).serve()


uvloop.run((on_uvicorn if "uvicorn" in sys.argv else on_aiohttp)(int(sys.argv[1])))
