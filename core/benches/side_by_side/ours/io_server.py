"""What the example io_echo_server.py does, with coroutine functions as handlers: io_server.py PORT"""

import sys
from typing import Any

import uvloop
from sockline import socketio

ROOM = "room"

sio = socketio.AsyncServer()


@sio.event
async def connect(sid: str, _environ: dict[str, Any]) -> None:
    await sio.enter_room(sid, ROOM)


@sio.event
async def msg(_sid: str, value: Any) -> Any:
    return value


@sio.event
async def bc(_sid: str, value: Any) -> None:
    await sio.emit("bc", value, room=ROOM)


async def serve(port: int) -> None:
    async with sio.listen("127.0.0.1", port) as listener:
        print(f"listening on 127.0.0.1:{port}", flush=True)
        await listener.serve_forever()


uvloop.run(serve(int(sys.argv[1])))
