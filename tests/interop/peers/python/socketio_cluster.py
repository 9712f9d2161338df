"""What a Socket.IO server of the tests in Python is and does as one of a cluster; told in ../README.md.

Of what sockets of other servers can be ordered to do, the API of python-socketio knows little: `LACKS`.
"""

import importlib
import os
from typing import Any

LACKS = ["data", "do-ask", "do-join", "do-disconnect", "emitter"]
ANY = "*"  # namespace


def manager() -> dict[str, Any]:
    """The arguments of a server that is one of a cluster, if it is to be."""
    url = os.environ.get("ADAPTER")
    if not url:
        return {}
    socketio = importlib.import_module(os.environ["SOCKETIO"])
    seconds = int(os.environ.get("REQUESTS_TIMEOUT", "5000")) / 1000
    mode = os.environ.get("MODE", "classic")
    forwards = {"forward_requests": True} if os.environ.get("FORWARD") else {}
    return {"client_manager": socketio.AsyncRedisManager(url, mode=mode, requests_timeout=seconds), **forwards}


def note(missing: int) -> str:
    return "partial" if missing else "complete"


def serve(sio: Any) -> None:
    """Adds the events."""
    name = os.environ.get("NAME", "python")

    async def node(namespace: str, sid: str) -> dict:
        return {"name": name, "pid": os.getpid(), "recovered": False, "lacks": LACKS}

    async def broadcast(namespace: str, sid: str, to: str, left_out: str, *values: object) -> None:
        await sio.emit("said", values, to=to.split() or None, skip_sid=left_out.split(), namespace=namespace)

    async def local(namespace: str, sid: str, to: str, left_out: str, *values: object) -> None:
        rooms = to.split() or None
        await sio.emit("said", values, to=rooms, skip_sid=left_out.split(), namespace=namespace, ignore_queue=True)

    async def fetch(namespace: str, sid: str, to: str, left_out: str) -> tuple:
        found = await sio.fetch_sockets(to.split() or None, left_out.split(), namespace)
        sockets = [{"id": one.sid, "rooms": [room for room in one.rooms if room != one.sid], "data": one.data} for one in found]
        return sockets, note(found.missing)

    async def server_emit(namespace: str, sid: str, *values: object) -> None:
        await sio.server_side_emit("hello", values, namespace)

    async def server_ask(namespace: str, sid: str, *values: object) -> tuple:
        answers = await sio.server_side_call("who", values, namespace)
        return list(answers), note(answers.missing)

    async def count(namespace: str, sid: str) -> int:
        return await sio.server_count(namespace)

    events = {
        "node": node,
        "do-broadcast": broadcast,
        "do-local": local,
        "do-fetch": fetch,
        "do-server-emit": server_emit,
        "do-server-ask": server_ask,
        "do-count": count,
    }
    for event, handler in events.items():
        sio.on(event, handler, namespace=ANY)
    for namespace in ("/", "/admin"):
        hear(sio, namespace, name)


def hear(sio: Any, namespace: str, name: str) -> None:
    """What other servers say."""

    async def hello(*values: object) -> None:
        await sio.emit("heard", (name, *values), namespace=namespace, ignore_queue=True)

    async def who(*values: object) -> list:
        return [name, *values]

    sio.on_server_side_emit("hello", hello, namespace)
    sio.on_server_side_emit("who", who, namespace)
