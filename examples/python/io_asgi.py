"""Socket.IO in an application of ASGI, with routes of its own beside it: uvicorn io_asgi:app"""

from typing import Any

from fastapi import FastAPI

from sockline import socketio

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
fastapi = FastAPI()
app = socketio.ASGIApp(sio, other_asgi_app=fastapi)


@fastapi.get("/clients")
async def clients() -> int:
    return sio.metrics().get("sockets", 0)


@fastapi.post("/say/{text}")
async def say(text: str) -> str:
    await sio.emit("said", text)
    return "said"


@sio.event
def msg(sid: str, *values: Any) -> Any:
    return values
