"""The Socket.IO server of the interop tests with the API of python-socketio: socketio_server.py PORT [msgpack]

$SOCKETIO names another package, whose servers listen themselves. It prints `listening PORT`. What its events do is said
in ../README.md.
"""

import asyncio
import importlib
import os
import re
import sys
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

import socketio_cluster

IS_FOREIGN = "SOCKETIO" not in os.environ
socketio = importlib.import_module(os.environ.get("SOCKETIO", "socketio"))
if IS_FOREIGN:
    from aiohttp import StreamReader, web
    from engineio.payload import Payload

    Payload.max_decode_packets = 1000  # other clients put more than 16 packets in a request

ANY = "*"  # namespace
PATIENCE = 5.0  # seconds, for those who are asked

sio = socketio.AsyncServer(
    **({"async_mode": "aiohttp"} if IS_FOREIGN else {"allow_eio3": True}),
    async_handlers=False,  # events are heard in their order
    namespaces=ANY,
    serializer="msgpack" if sys.argv[2:] == ["msgpack"] else "default",
    **socketio_cluster.manager(),
)
if "ADAPTER" in os.environ:
    socketio_cluster.serve(sio)
tasks: set[asyncio.Task] = set()
said: dict[tuple[str, str], object] = {}  # by socket: what it says of itself
origins: dict[tuple[str, str], object] = {}  # by socket: where it comes from


class WholeBody:
    """aiohttp's stream gives what has come so far, which python-engineio takes for all of a body."""

    def __init__(self, stream: "StreamReader") -> None:
        self._stream = stream

    async def read(self, length: int) -> bytes:
        return await self._stream.readexactly(length)


def read_whole_bodies() -> None:
    translate = sio.eio._async["translate_request"]

    def translated(request: "web.Request") -> dict:
        return {**translate(request), "wsgi.input": WholeBody(request.content)}

    sio.eio._async["translate_request"] = translated


def later(work: Awaitable[None]) -> None:
    """Does what waits for events that come."""
    task = asyncio.ensure_future(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def ask(namespace: str, sid: str, name: str, values: tuple, patience: float | None = None) -> tuple:
    """What the socket acknowledges an event with."""
    answer: asyncio.Future = asyncio.get_running_loop().create_future()
    await sio.emit(name, values, to=sid, namespace=namespace, callback=lambda *got: answer.set_result(got))
    return await asyncio.wait_for(answer, patience)


def event(name: str) -> Callable:
    return sio.on(name, namespace=ANY)


@event("connect")
async def connect(namespace: str, sid: str, environ: dict, auth: object) -> None:
    if namespace == "/admin" and (not isinstance(auth, dict) or auth.get("token") != "secret"):
        raise socketio.exceptions.ConnectionRefusedError("not allowed", {"code": 7})
    if namespace not in ("/", "/admin") and not re.fullmatch(r"/dynamic-\d+", namespace):
        raise socketio.exceptions.ConnectionRefusedError("Invalid namespace")
    query = parse_qs(environ["QUERY_STRING"])
    said[namespace, sid] = {"auth": auth or {}, "who": query.get("who", [None])[0]}
    origins[namespace, sid] = {"address": environ.get("REMOTE_ADDR"), "forwarded": environ.get("HTTP_X_FORWARDED_FOR")}


@event("disconnect")
async def disconnect(namespace: str, sid: str, reason: str) -> None:
    said.pop((namespace, sid), None)
    origins.pop((namespace, sid), None)


@event("echo")
async def echo(namespace: str, sid: str, *values: object) -> tuple:
    return values


@event("bounce")
async def bounce(namespace: str, sid: str, *values: object) -> None:
    await sio.emit("bounced", values, to=sid, namespace=namespace)


@event("ask")
async def ask_client(namespace: str, sid: str, *values: object) -> None:
    async def work() -> None:
        await sio.emit("answer", await ask(namespace, sid, "question", values), to=sid, namespace=namespace)

    later(work())


@event("ask-timeout")
async def ask_timeout(namespace: str, sid: str, milliseconds: int) -> None:
    async def work() -> None:
        try:
            await ask(namespace, sid, "unanswered", (), milliseconds / 1000)
            answer = "in time"
        except asyncio.TimeoutError:
            answer = "timeout"
        await sio.emit("answer", answer, to=sid, namespace=namespace)

    later(work())


@event("join")
async def join(namespace: str, sid: str, room: str) -> tuple:
    await sio.enter_room(sid, room, namespace=namespace)
    return ()


@event("leave")
async def leave(namespace: str, sid: str, room: str) -> tuple:
    await sio.leave_room(sid, room, namespace=namespace)
    return ()


@event("rooms")
async def rooms(namespace: str, sid: str) -> list[str]:
    return sorted(room for room in sio.rooms(sid, namespace=namespace) if room != sid)


@event("say")
async def say(namespace: str, sid: str, room: str, *values: object) -> None:
    await sio.emit("said", values, room=room, skip_sid=sid, namespace=namespace)


@event("say-except")
async def say_except(namespace: str, sid: str, room: str, *values: object) -> None:
    await sio.emit("said", values, skip_sid=await members_of(namespace, room), namespace=namespace)


@event("all")
async def everybody(namespace: str, sid: str, *values: object) -> None:
    await sio.emit("all", values, namespace=namespace)


@event("ask-room")
async def ask_room(namespace: str, sid: str, room: str) -> list:
    asked = (ask(namespace, member, "question", ("all",), PATIENCE) for member in await members_of(namespace, room))
    answers = [answer for answer, in await asyncio.gather(*asked)]
    return sorted(answers)


@event("who")
async def who(namespace: str, sid: str) -> object:
    return said[namespace, sid]


@event("from")
async def origin(namespace: str, sid: str) -> object:
    return origins[namespace, sid]


@event("members")
async def members(namespace: str, sid: str, room: str) -> int:
    return len(await members_of(namespace, room))


@event("kick")
async def kick(namespace: str, sid: str, close: bool) -> None:
    await sio.disconnect(sid, namespace=namespace)


async def members_of(namespace: str, room: str) -> list[str]:
    if "ADAPTER" in os.environ:
        return [found.sid for found in await sio.fetch_sockets(room, namespace=namespace)]
    try:
        return [sid for sid, _ in sio.manager.get_participants(namespace, room)]
    except KeyError:  # there is no such room
        return []


async def listen_on_aiohttp(port: int) -> int:
    """The port where it listens."""
    read_whole_bodies()
    application = web.Application()
    sio.attach(application)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)  # without, each family has a free port of its own
    await site.start()
    return site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]


async def main() -> None:
    port = int(sys.argv[1])
    if IS_FOREIGN:
        port = await listen_on_aiohttp(port)
    else:
        listener = await sio.listen("127.0.0.1", port)
        port = listener.sockets[0].getsockname()[1]
    print(f"listening {port}", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
