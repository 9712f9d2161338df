"""The same as socketio_server.py with the Server for threads, in a package whose servers listen themselves:
socketio_threads_server.py PORT [msgpack]

A client's events are handled in their order, so its handlers don't wait for what that client says.
"""

import importlib
import os
import queue
import re
import sys
from typing import Any
from urllib.parse import parse_qs

socketio = importlib.import_module(os.environ["SOCKETIO"])
exceptions = importlib.import_module(f"{socketio.__name__}.exceptions")

serializer = "msgpack" if sys.argv[2:] == ["msgpack"] else "default"
sio = socketio.Server(namespaces="*", async_handlers=False, serializer=serializer, allow_eio3=True)


def on(event: str) -> Any:
    """For the event in all namespaces."""
    return sio.on(event, namespace="*")


@on("connect")
def connect(namespace: str, sid: str, environ: dict, auth: Any) -> None:
    if namespace == "/admin":
        if (auth or {}).get("token") != "secret":
            raise exceptions.ConnectionRefusedError("not allowed", {"code": 7})
    elif namespace != "/" and not re.fullmatch(r"/dynamic-\d+", namespace):
        raise exceptions.ConnectionRefusedError("Invalid namespace")
    who = parse_qs(environ["QUERY_STRING"]).get("who", [None])[0]
    with sio.session(sid, namespace) as session:
        session |= {"auth": auth or {}, "who": who}


@on("echo")
def echo(namespace: str, sid: str, *values: Any) -> Any:
    return values


@on("bounce")
def bounce(namespace: str, sid: str, *values: Any) -> None:
    sio.emit("bounced", values, to=sid, namespace=namespace)


@on("ask")
def ask(namespace: str, sid: str, *values: Any) -> None:
    def answer(*answers: Any) -> None:
        sio.emit("answer", answers, to=sid, namespace=namespace)

    sio.emit("question", values, to=sid, namespace=namespace, callback=answer)


@on("ask-timeout")
def ask_timeout(namespace: str, sid: str, milliseconds: int) -> None:
    def wait() -> None:
        try:
            answers.get(timeout=milliseconds / 1000)
        except queue.Empty:
            sio.emit("answer", "timeout", to=sid, namespace=namespace)

    answers: queue.Queue[Any] = queue.Queue()
    sio.emit("unanswered", to=sid, namespace=namespace, callback=lambda *values: answers.put(values))
    sio.start_background_task(wait)


@on("join")
def join(namespace: str, sid: str, room: str) -> None:
    sio.enter_room(sid, room, namespace)


@on("leave")
def leave(namespace: str, sid: str, room: str) -> None:
    sio.leave_room(sid, room, namespace)


@on("rooms")
def rooms(namespace: str, sid: str) -> list[str]:
    return sorted(room for room in sio.rooms(sid, namespace) if room != sid)


@on("say")
def say(namespace: str, sid: str, room: str, *values: Any) -> None:
    sio.emit("said", values, room=room, skip_sid=sid, namespace=namespace)


@on("say-except")
def say_except(namespace: str, sid: str, room: str, *values: Any) -> None:
    sio.emit("said", values, skip_sid=members_of(room, namespace), namespace=namespace)


@on("all")
def all_(namespace: str, sid: str, *values: Any) -> None:
    sio.emit("all", values, namespace=namespace)


@on("ask-room")
def ask_room(namespace: str, sid: str, room: str) -> list[Any]:
    answers: queue.Queue[Any] = queue.Queue()
    asked = members_of(room, namespace)
    sio.emit("question", "all", room=room, namespace=namespace, callback=answers.put)
    return sorted(answers.get(timeout=5) for _ in asked)


@on("who")
def who(namespace: str, sid: str) -> dict:
    return sio.get_session(sid, namespace)


@on("members")
def members(namespace: str, sid: str, room: str) -> int:
    return len(members_of(room, namespace))


@on("kick")
def kick(namespace: str, sid: str, close: bool) -> None:
    sio.disconnect(sid, namespace)


def members_of(room: str, namespace: str) -> list[str]:
    return [sid for sid, _ in sio.manager.get_participants(namespace, room)]


with sio.listen("127.0.0.1", int(sys.argv[1])) as listener:
    print(f"listening {listener.port}", flush=True)
    listener.serve_forever()
