"""What the documentation of python-socketio shows (client.rst and server.rst of 5.18), section by section, with coroutines.

Each program is run with python-socketio and with ours: nothing but the import differs. The classes for threads are in
test_socketio_documentation_threads.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import socketio as foreign
from conftest import Run
from io_peers import WAIT, Recorder, foreign_io, our_io, until

from sockline import socketio as ours

PACKAGES = pytest.mark.parametrize("socketio", [foreign, ours], ids=["foreign", "ours"])
URL = {"transports": ["websocket"], "wait_timeout": WAIT}


@asynccontextmanager
async def serving(sio: Any) -> AsyncIterator[str]:
    """The URL of a server of either package."""
    async with foreign_io(sio) if isinstance(sio, foreign.AsyncServer) else our_io(sio) as url:
        yield url


@asynccontextmanager
async def connected(sio: Any, url: str, **options: Any) -> AsyncIterator[Any]:
    await sio.connect(url, **(URL | options))
    try:
        yield sio
    finally:
        await sio.disconnect()


def server(socketio: Any, **options: Any) -> Any:
    if socketio is foreign:
        options["async_mode"] = "aiohttp"
    return socketio.AsyncServer(**options)


def left(socketio: Any) -> set[str]:
    """Reasons of a server's for a client that has left: python-socketio's may close before it has said so."""
    return {"client disconnect", "transport close"} if socketio is foreign else {"client disconnect"}


# The simple client


@PACKAGES
def test_using_the_simple_client(run: Run, socketio: Any) -> None:
    sio = server(socketio)

    @sio.on("my message")
    async def my_message(sid: str, data: Any) -> str:
        await sio.emit("my reply", (data, 2), to=sid)
        return "done"

    async def main() -> None:
        async with serving(sio) as url, socketio.AsyncSimpleClient() as client:
            await client.connect(url, transports=["websocket"])
            assert client.sid and client.transport == "websocket"
            await client.emit("my message", {"foo": "bar"})
            event = await client.receive()
            assert event == ["my reply", {"foo": "bar"}, 2]
            assert await client.call("my message", "again") == "done"
            await client.receive()
            with pytest.raises(socketio.exceptions.TimeoutError):
                await client.receive(timeout=0.01)
            by_hand = socketio.AsyncSimpleClient()
            await by_hand.connect(url, transports=["websocket"])
            await by_hand.disconnect()

    run(main())


# Event handlers


@PACKAGES
def test_defining_event_handlers(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio), socketio.AsyncClient(), Recorder()

    @sio.event
    def my_event(sid: str, data: Any) -> None:
        heard.note("my_event", data)

    @sio.on("my custom event")
    async def another_event(sid: str, data: Any) -> None:
        heard.note("my custom event", data)
        await sio.emit("message", data, to=sid)
        await sio.send("sent", to=sid)
        await sio.emit("my message", ("one", {"two": b"2"}), room=sid)

    @client.event
    async def message(data: Any) -> None:
        heard.note("message", data)

    @client.on("my message")
    def on_message(*data: Any) -> None:
        heard.note("my message", *data)

    async def main() -> None:
        async with serving(sio) as url, connected(client, url):
            await client.emit("my_event", {"data": "foobar"})
            assert await heard.next() == ("my_event", {"data": "foobar"})
            await client.emit("my custom event", b"bytes")
            told = [await heard.next() for _ in range(4)]
            assert told == [
                ("my custom event", b"bytes"),
                ("message", b"bytes"),
                ("message", "sent"),
                ("my message", "one", {"two": b"2"}),
            ]

    run(main())


@PACKAGES
def test_catch_all_event_and_namespace_handlers(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio, namespaces="*"), socketio.AsyncClient(), Recorder()

    @sio.on("*")
    async def any_event(event: str, sid: str, data: Any) -> None:
        heard.note("any event", event, data)
        await sio.emit("answer", data, to=sid)

    @sio.on("my_event", namespace="*")
    def my_event_any_namespace(namespace: str, sid: str, data: Any) -> None:
        heard.note("any namespace", namespace, data)

    @sio.on("*", namespace="*")
    async def any_event_any_namespace(event: str, namespace: str, sid: str, data: Any) -> None:
        heard.note("any", event, namespace, data)
        await sio.emit("answer", data, to=sid, namespace=namespace)

    @client.on("*")
    def any_event_comes(event: str, data: Any) -> None:
        heard.note("client", event, data)

    @client.on("*", namespace="*")
    def any_comes(event: str, namespace: str, data: Any) -> None:
        heard.note("client", event, namespace, data)

    async def main() -> None:
        async with serving(sio) as url, connected(client, url, namespaces=["/", "/other"]):
            await client.emit("unknown", 1)
            assert await heard.next() == ("any event", "unknown", 1)
            assert await heard.next() == ("client", "answer", 1)
            await client.emit("my_event", 2, namespace="/other")
            assert await heard.next() == ("any namespace", "/other", 2)
            await client.emit("unknown", 3, namespace="/other")
            assert await heard.next() == ("any", "unknown", "/other", 3)
            assert await heard.next() == ("client", "answer", "/other", 3)
        assert heard.is_empty()  # nothing of connect and disconnect

    run(main())


@PACKAGES
def test_connect_connect_error_and_disconnect_handlers(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio), socketio.AsyncClient(reconnection=False), Recorder()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> Any:
        heard.note("connect", environ["REQUEST_METHOD"], environ["HTTP_X_HEADER"], auth)
        if auth == {"password": "wrong"}:
            raise socketio.exceptions.ConnectionRefusedError("authentication failed", 1, {"a": 2})
        return not (auth and auth.get("password") == "false")

    @sio.event
    def disconnect(sid: str, reason: str) -> None:
        heard.note("disconnect", sid, reason in left(socketio), reason == sio.reason.SERVER_DISCONNECT)

    client.on("connect", lambda: heard.note("connected"))
    client.on("connect_error", lambda data: heard.note("connect_error", data))
    client.on("disconnect", lambda reason: heard.note("lost", reason))

    async def main() -> None:
        options: dict[str, Any] = URL | {"headers": {"X-Header": "value"}}
        async with serving(sio) as url:
            with pytest.raises(socketio.exceptions.ConnectionError):
                await client.connect(url, auth={"password": "wrong"}, **options)
            assert await heard.next() == ("connect", "GET", "value", {"password": "wrong"})
            refusal = {"message": "authentication failed", "data": [1, {"a": 2}]}
            assert await heard.next() == ("connect_error", refusal)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await client.connect(url, auth={"password": "false"}, **options)
            await heard.next()
            assert (await heard.next())[0] == "connect_error"
            await client.connect(url, **options)
            assert await heard.next() == ("connect", "GET", "value", None)
            assert await heard.next() == ("connected",)
            assert client.sid and client.transport() == "websocket"
            sid = client.get_sid()
            await client.disconnect()
            told = {await heard.next(), await heard.next()}
            assert told == {("lost", client.reason.CLIENT_DISCONNECT), ("disconnect", sid, True, False)}
            await client.connect(url, **options)
            assert (await heard.next())[0] == "connect" and await heard.next() == ("connected",)
            sid = client.get_sid()
            await sio.disconnect(sid)
            told = {await heard.next(), await heard.next()}
            assert told == {("lost", client.reason.SERVER_DISCONNECT), ("disconnect", sid, False, True)}
            await asyncio.wait_for(client.wait(), WAIT)

    run(main())


@PACKAGES
def test_handlers_of_disconnect_may_take_no_reason(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio), socketio.AsyncClient(reconnection=False), Recorder()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        heard.note("connect")

    @sio.event
    async def disconnect(sid: str) -> None:
        heard.note("disconnect")

    @client.event
    async def disconnect() -> None:  # noqa: F811
        heard.note("disconnect")

    async def main() -> None:
        async with serving(sio) as url:
            async with connected(client, url):
                assert await heard.next() == ("connect",)
            assert {await heard.next(), await heard.next()} == {("disconnect",)}

    run(main())


# Acknowledgements


@PACKAGES
def test_acknowledging_events_and_requesting_acknowledgements(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio), socketio.AsyncClient(), Recorder()

    @sio.event
    async def my_event(sid: str, data: Any) -> Any:
        return "OK", 123

    @sio.event
    async def ask_me(sid: str) -> None:
        heard.note("call", await sio.call("question", {"data": "foobar"}, to=sid))
        with pytest.raises(socketio.exceptions.TimeoutError):
            await sio.call("silence", to=sid, timeout=0.05)
        with pytest.raises(ValueError):
            await sio.call("question")
        await sio.emit("question", 1, to=sid, callback=lambda *answer: heard.note("callback", *answer))

        async def my_callback(*answer: Any) -> None:
            heard.note("coroutine", *answer)

        await sio.emit("question", 2, to=sid, callback=my_callback)

    @client.event
    async def question(data: Any) -> Any:
        return data, "answered"

    @client.event
    async def silence() -> None:
        await asyncio.sleep(WAIT)

    async def main() -> None:
        async with serving(sio) as url, connected(client, url):
            assert await client.call("my_event", "data") == ("OK", 123)
            await client.emit("my_event", "data", callback=lambda *answer: heard.note(*answer))
            assert await heard.next() == ("OK", 123)
            await client.emit("ask_me")
            assert await heard.next() == ("call", ({"data": "foobar"}, "answered"))
            assert await heard.next() == ("callback", 1, "answered")
            assert await heard.next() == ("coroutine", 2, "answered")

    run(main())


# Rooms


@PACKAGES
def test_rooms_and_who_is_left_out(run: Run, socketio: Any) -> None:
    sio = server(socketio)

    @sio.event
    async def begin_chat(sid: str, room: str) -> list[str]:
        await sio.enter_room(sid, room)
        return sorted(set(sio.rooms(sid)) - {sid})

    @sio.event
    async def exit_chat(sid: str, room: str) -> None:
        await sio.leave_room(sid, room)

    @sio.event
    async def my_message(sid: str, data: Any) -> None:
        await sio.emit("my reply", data, room="chat_users", skip_sid=sid)

    async def main() -> None:
        clients = [socketio.AsyncClient() for _ in range(3)]
        heard = [Recorder() for _ in clients]
        async with serving(sio) as url:
            for client, recorder in zip(clients, heard, strict=True):
                client.on("*", lambda event, data, recorder=recorder: recorder.note(event, data))
                await client.connect(url, **URL)
            one, two, three = (client.get_sid() for client in clients)

            async def everybody_heard(*expected: list[Any]) -> None:
                """And nothing else."""
                await sio.emit("end", 0)
                for recorder, values in zip(heard, expected, strict=True):
                    assert [await recorder.next() for _ in range(len(values) + 1)] == [*values, ("end", 0)]

            assert await clients[0].call("begin_chat", "chat_users") == ["chat_users"]
            assert await clients[1].call("begin_chat", "chat_users") == ["chat_users"]
            assert await clients[2].call("begin_chat", "others") == ["others"]
            await clients[0].emit("my_message", "hello")
            await heard[1].next()
            await everybody_heard([], [], [])
            await sio.emit("to", 1, to=one)
            await sio.emit("to", 2, to=["chat_users", "others"])
            await sio.emit("to", 3, room="others", skip_sid=two)
            await sio.emit("to", 4, skip_sid=[one, two])
            await everybody_heard([("to", 1), ("to", 2)], [("to", 2)], [("to", 2), ("to", 3), ("to", 4)])
            await clients[1].call("exit_chat", "chat_users")
            await sio.emit("to", 5, to="chat_users")
            await sio.close_room("others")
            await sio.emit("to", 6, to="others")
            await everybody_heard([("to", 5)], [], [])
            assert sio.rooms(three) == [three]
            for client in clients:
                await client.disconnect()

    run(main())


# Namespaces


@PACKAGES
def test_namespaces_of_decorators(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio), socketio.AsyncClient(), Recorder()

    @sio.event(namespace="/chat")
    async def my_custom_event(sid: str, data: Any) -> None:
        await sio.emit("my message", {"foo": data}, namespace="/chat")

    @client.on("my message", namespace="/chat")
    def on_message(data: Any) -> None:
        heard.note("chat", data)

    client.on("connect", lambda: heard.note("connected"), namespace="/chat")
    client.on("my message", lambda data: heard.note("default", data))

    async def main() -> None:
        async with serving(sio) as url, connected(client, url):  # to those that there are handlers for
            assert await heard.next() == ("connected",)
            await client.emit("my_custom_event", "bar", namespace="/chat")
            assert await heard.next() == ("chat", {"foo": "bar"})
            assert set(client.namespaces) == {"/", "/chat"}
            assert client.get_sid("/chat") != client.get_sid()
            with pytest.raises(socketio.exceptions.BadNamespaceError):
                await client.emit("my_custom_event", 1, namespace="/elsewhere")
            await client.disconnect()
            with pytest.raises(socketio.exceptions.ConnectionError):
                await client.connect(url, namespaces=["/elsewhere"], **URL)

    run(main())


@PACKAGES
@pytest.mark.parametrize("registered", ["/test", "*"])
def test_namespaces_of_classes(run: Run, socketio: Any, registered: str) -> None:
    sio, client, heard = server(socketio, namespaces="*"), socketio.AsyncClient(), Recorder()
    is_any = registered == "*"

    class MyCustomNamespace(socketio.AsyncNamespace):  # type: ignore[misc]
        def on_connect(self, *arguments: Any) -> None:
            heard.note("connect", *arguments[:-2])

        def on_disconnect(self, *arguments: Any) -> None:
            heard.note("disconnect", *arguments[:-1], arguments[-1] in left(socketio))

        async def on_my_event(self, *arguments: Any) -> str:
            namespace = arguments[0] if is_any else None
            sid, data = arguments[-2:]
            await self.enter_room(sid, "room", namespace=namespace)
            await self.emit("my_response", data, room="room", namespace=namespace)
            async with self.session(sid, namespace=namespace) as session:
                session["kept"] = data
            await self.save_session(sid, await self.get_session(sid, namespace=namespace), namespace=namespace)
            return "done"

    class MyClientNamespace(socketio.AsyncClientNamespace):  # type: ignore[misc]
        def on_connect(self, *arguments: Any) -> None:
            heard.note("connected", *arguments)

        def on_disconnect(self, *arguments: Any) -> None:
            heard.note("lost", *arguments)

        async def on_my_response(self, *arguments: Any) -> None:
            heard.note("my_response", *arguments)

    sio.register_namespace(MyCustomNamespace(registered))
    client.register_namespace(MyClientNamespace(registered))
    namespace = ["/test"] if is_any else []

    async def main() -> None:
        async with serving(sio) as url:
            async with connected(client, url, namespaces=["/test"]):
                sid = client.get_sid("/test")
                assert {await heard.next(), await heard.next()} == {("connect", *namespace, sid), ("connected", *namespace)}
                assert await client.call("my_event", "data", namespace="/test") == "done"
                assert await heard.next() == ("my_response", *namespace, "data")
                await client.emit("nobody hears this", namespace="/test")
            assert {await heard.next(), await heard.next()} == {
                ("lost", *namespace, "client disconnect"),
                ("disconnect", *namespace, sid, True),
            }

    run(main())


@PACKAGES
def test_a_function_goes_before_a_class(run: Run, socketio: Any) -> None:
    sio, client = server(socketio), socketio.AsyncClient()

    class MyNamespace(socketio.AsyncNamespace):  # type: ignore[misc]
        async def on_who(self, sid: str) -> str:
            return "class"

        async def on_whose(self, sid: str) -> str:
            return "class"

    sio.register_namespace(MyNamespace("/"))
    sio.on("who", lambda sid: "function")

    async def main() -> None:
        async with serving(sio) as url, connected(client, url):
            assert [await client.call(event) for event in ("who", "whose")] == ["function", "class"]

    run(main())


# Sessions


@PACKAGES
def test_user_sessions(run: Run, socketio: Any) -> None:
    sio, client = server(socketio), socketio.AsyncClient()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any]) -> None:
        await sio.save_session(sid, {"username": environ["QUERY_STRING"].split("name=")[1].split("&")[0]})

    @sio.event
    async def message(sid: str, data: Any) -> Any:
        session = await sio.get_session(sid)
        async with sio.session(sid) as changed:
            changed["messages"] = changed.get("messages", 0) + 1
        return session["username"], (await sio.get_session(sid))["messages"]

    async def main() -> None:
        async with serving(sio) as url:
            async with connected(client, f"{url}?name=me"):
                assert await client.call("message", 1) == ("me", 1)
                assert await client.call("message", 2) == ("me", 2)
                sid = client.get_sid()
            await until(lambda: not sio.manager.is_connected(sid, "/"))
            with pytest.raises(KeyError):
                await sio.get_session(sid)

    run(main())


@PACKAGES
def test_the_environ_of_a_client(run: Run, socketio: Any) -> None:
    sio, client = server(socketio), socketio.AsyncClient()

    @sio.event
    async def where(sid: str) -> Any:
        environ = sio.get_environ(sid)
        return [environ["PATH_INFO"], environ["HTTP_X_NAME"], sio.transport(sid)]

    async def main() -> None:
        async with serving(sio) as url, connected(client, url, headers={"X-Name": "a"}):
            assert await client.call("where") == ["/socket.io/", "a", "websocket"]
            assert sio.get_environ("nobody") is None

    run(main())


# Background tasks


@PACKAGES
def test_managing_background_tasks(run: Run, socketio: Any) -> None:
    sio, client, heard = server(socketio), socketio.AsyncClient(), Recorder()

    async def my_background_task(my_argument: int, *, of: Any) -> str:
        await of.sleep(0.001)
        await of.emit("tick", my_argument)
        return "ended"

    sio.on("tick", lambda sid, value: heard.note("server", value))
    client.on("tick", lambda value: heard.note("client", value))

    async def main() -> None:
        async with serving(sio) as url, connected(client, url):
            task = client.start_background_task(my_background_task, 123, of=client)
            assert await task == "ended" and await heard.next() == ("server", 123)
            assert await sio.start_background_task(my_background_task, 456, of=sio) == "ended"
            assert await heard.next() == ("client", 456)

    run(main())


# Monitoring, debugging


def test_the_admin_ui_is_let_in(run: Run) -> None:
    socketio: Any = ours  # python-socketio's changes its classes, for whatever comes after
    sio = server(socketio, cors_allowed_origins=["http://localhost:5000", "https://admin.socket.io"])
    sio.instrument(auth={"username": "admin", "password": "secret"})
    admin, heard = socketio.AsyncClient(), Recorder()
    admin.on("server_stats", lambda stats: heard.note(stats), namespace="/admin")

    async def main() -> None:
        options: dict[str, Any] = {"namespaces": ["/admin"], "headers": {"Origin": "https://admin.socket.io"}}
        async with serving(sio) as url:
            with pytest.raises(socketio.exceptions.ConnectionError):
                await admin.connect(url, auth={"username": "admin", "password": "wrong"}, **(URL | options))
            async with connected(admin, url, auth={"username": "admin", "password": "secret"}, **options):
                stats = (await heard.next())[0]
                assert {"serverId", "hostname", "pid", "uptime", "clientsCount", "namespaces"} <= set(stats)
            with pytest.raises(socketio.exceptions.ConnectionError):
                await admin.connect(url, **(URL | {"headers": {"Origin": "https://elsewhere.example"}}))

    run(main())


@PACKAGES
def test_debugging_and_troubleshooting(run: Run, socketio: Any) -> None:
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    logger = logging.Logger("mine", logging.INFO)
    logger.addHandler(Handler())
    sio = server(socketio, logger=logger)
    client = socketio.AsyncClient(logger=logger)
    sio.on("my event", lambda sid, data: data)

    async def main() -> None:
        async with serving(sio) as url, connected(client, url):
            assert await client.call("my event", 1) == 1
            await sio.emit("their event", to="a room")
            sid = client.get_sid()
        assert {
            'Emitting event "my event" [/]',
            f'received event "my event" from {sid} [/]',
            'emitting event "their event" to a room [/]',
        } <= set(lines)

    run(main())
