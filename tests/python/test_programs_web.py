"""Programs and packages for python-socketio that we did not write, unchanged, with ours under its name."""

from __future__ import annotations

import asyncio
import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import socketio as foreign
from fastapi import FastAPI
from flask import Flask, request, session
from io_peers import WAIT, Recorder, foreign_client, node_client
from web_servers import asgi_server, werkzeug_server

from sockline import socketio

DOCUMENTED = {"asgi": foreign.ASGIApp.__doc__, "wsgi": foreign.WSGIApp.__doc__}

MODULES = "asgi exceptions middleware namespace packet pubsub_manager redis_manager server async_server".split()


@pytest.fixture
def swapped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Who imports `socketio` gets ours."""
    monkeypatch.setitem(sys.modules, "socketio", socketio)
    for name in MODULES:
        monkeypatch.setitem(sys.modules, f"socketio.{name}", importlib.import_module(f"sockline.socketio.{name}"))
    packages = ("fastapi_socketio", "flask_socketio")
    yield
    for name in list(sys.modules):
        if name.startswith(packages):
            del sys.modules[name]


def test_fastapi_socketio(swapped: None) -> None:
    import fastapi_socketio

    async def main() -> None:
        app = FastAPI()
        manager = fastapi_socketio.SocketManager(app=app, mount_location="/ws")
        recorder = Recorder()

        @app.sio.on("join")  # type: ignore[attr-defined]
        async def join(sid: str, room: str) -> str:
            await manager.enter_room(sid, room)
            await manager.emit("joined", room, room=room)
            async with manager.session(sid) as kept:
                kept["room"] = room
            return (await manager.get_session(sid))["room"]  # type: ignore[no-any-return]

        @app.sio.event  # type: ignore[attr-defined]
        async def disconnect(sid: str, reason: str) -> None:
            recorder.note(reason)

        assert isinstance(manager._sio, socketio.AsyncServer)
        async with asgi_server(app) as url, node_client(url, path="/ws/socket.io") as peer:
            await peer.send("call", "join", "r")
            assert await peer.expect("event") == ["joined", ["r"]]
            assert await peer.expect("answer") == [["r"]]
            await peer.send("disconnect")
            assert await recorder.next() == (socketio.AsyncServer.reason.CLIENT_DISCONNECT,)

    asyncio.run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=lambda transports: transports[0])
def test_flask_socketio(swapped: None, transports: list[str]) -> None:
    import flask_socketio

    app, heard = Flask(__name__), Recorder()
    app.config["SECRET_KEY"] = "secret"
    sio = flask_socketio.SocketIO(app, async_mode="threading")
    assert isinstance(sio.server, socketio.Server) and sio.async_mode == "threading"

    @sio.on("connect")  # type: ignore[untyped-decorator]
    def connect(auth: Any) -> Any:
        session["name"] = auth["name"]
        return auth["name"] != "Eve"

    @sio.on("disconnect")  # type: ignore[untyped-decorator]
    def disconnect(reason: str) -> None:
        loop.call_soon_threadsafe(heard.note, "gone", session["name"], reason)

    @sio.on("say")  # type: ignore[untyped-decorator]
    def say(text: str, data: bytes) -> Any:
        flask_socketio.join_room("room")
        flask_socketio.emit("said", (text, data), to="room")
        flask_socketio.send("plain")
        return session["name"], request.path, len(flask_socketio.rooms())

    class Chat(flask_socketio.Namespace):  # type: ignore[misc]
        def on_ask(self, value: Any) -> Any:
            self.emit("asked", value)
            return value

    sio.on_namespace(Chat("/chat"))

    async def main(url: str) -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        with pytest.raises(foreign.exceptions.ConnectionError):
            async with foreign_client(url, transports=transports, auth={"name": "Eve"}):
                pass
        options = {"transports": transports, "auth": {"name": "Ann"}, "namespaces": ["/", "/chat"]}
        async with foreign_client(url, **options) as client:
            assert await client.call("say", ("hi", b"\x01"), timeout=WAIT) == ("Ann", "/socket.io/", 2)
            assert [await client.recorder.next() for _ in range(2)] == [("said", "hi", b"\x01"), ("message", "plain")]
            assert await client.call("ask", {"a": 1}, namespace="/chat", timeout=WAIT) == {"a": 1}
            assert await client.recorder.next() == ("asked", {"a": 1})
        if transports == ["websocket"]:  # of who polls a WSGI server does not tell
            _, name, reason = await heard.next()
            assert name == "Ann" and reason in ("client disconnect", "transport close")

    loop = asyncio.new_event_loop()
    loop.close()
    with werkzeug_server(app) as url:
        asyncio.run(main(url))


def example(kind: str) -> str:
    """The program in the description of one of python-socketio's classes."""
    description = DOCUMENTED[kind]
    assert description is not None
    return textwrap.dedent(description.partition("Example usage::\n")[2])


def test_the_documented_program_of_asgi(swapped: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """uvicorn is begun by the test, for it takes the main thread."""
    (tmp_path / "index.html").write_text("<p>")
    monkeypatch.chdir(tmp_path)
    served: list[Any] = []
    monkeypatch.setattr("uvicorn.run", lambda app, **options: served.append((app, options)))
    exec(compile(example("asgi"), "asgi.py", "exec"), {})
    ((app, options),) = served
    assert options == {"host": "127.0.0.1", "port": 5000} and isinstance(app, socketio.ASGIApp)

    async def main() -> None:
        async with asgi_server(app) as url, foreign_client(url) as client:
            assert client.connected

    asyncio.run(main())


def test_the_documented_program_of_wsgi(swapped: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """eventlet is played by werkzeug, and the module with an application by Flask."""
    served: list[Any] = []
    eventlet: Any = ModuleType("eventlet")
    eventlet.listen = lambda address: address
    eventlet.wsgi = ModuleType("eventlet.wsgi")
    eventlet.wsgi.server = lambda address, app: served.append(app)
    package: Any = ModuleType("program")
    package.__path__ = []
    module = ModuleType("program.wsgi_app")
    package.wsgi_app = Flask(__name__)
    for name, known in (("eventlet", eventlet), ("program", package), ("program.wsgi_app", module)):
        monkeypatch.setitem(sys.modules, name, known)
    exec(compile(example("wsgi"), "wsgi.py", "exec"), {"__package__": "program"})
    (app,) = served
    assert isinstance(app, socketio.WSGIApp)

    async def main(url: str) -> None:
        async with foreign_client(url, transports=["websocket"]) as client:
            assert client.connected

    with werkzeug_server(app) as url:
        asyncio.run(main(url))
