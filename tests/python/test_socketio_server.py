"""`AsyncServer` for the client of python-socketio and the official one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import socketio as foreign
from conftest import Run
from io_peers import TRANSPORTS, WAIT, Recorder, echo_server, foreign_client, node_client, our_io, until

from sockline import socketio

VALUES: list[Any] = [
    1,
    -1.5,
    True,
    None,
    "grüße 🎉",
    [],
    {"a": [1, {"b": "c"}]},
    2**53,
]


@TRANSPORTS
def test_events_are_answered(run: Run, transports: Any) -> None:
    async def main() -> None:
        async with our_io(echo_server()) as url, foreign_client(url, transports=transports) as client:
            for value in VALUES[:3] + VALUES[4:]:
                assert await client.call("echo", value) == value
            assert await client.call("echo", (1, "two", {"three": 3})) == (1, "two", {"three": 3})
            assert await client.call("echo") is None
            assert await client.call("echo", 10**40) == 10**40

    run(main())


def test_integers_beyond_64_bits_are_seen_wherever_they_are(run: Run) -> None:
    async def main() -> None:
        async with our_io(echo_server()) as url, foreign_client(url, transports=["websocket"]) as client:
            for before in range(40):
                for value in (2**63 - 1, 2**64, -(2**63) - 1, 10**19, 10**25, [10**18] * 3 + [10**22]):
                    assert await client.call("echo", ("x" * before, value)) == ("x" * before, value)

    run(main())


@TRANSPORTS
def test_binary_values_go_both_ways(run: Run, transports: Any) -> None:
    async def main() -> None:
        async with our_io(echo_server()) as url, foreign_client(url, transports=transports) as client:
            value = {"a": b"\0\xff", "b": [b"", {"c": bytes(1000)}], "d": "no bytes"}
            assert await client.call("echo", (value, b"x", 1)) == (value, b"x", 1)

    run(main())


@pytest.mark.parametrize("options", [{}, {"transports": ["polling"]}, {"transports": ["websocket"]}], ids=str)
@pytest.mark.parametrize("msgpack", [False, True], ids=["json", "msgpack"])
def test_the_official_client_and_the_server_ask_each_other(run: Run, options: Any, msgpack: bool) -> None:
    sio = echo_server(serializer="msgpack" if msgpack else "default")
    connected: asyncio.Queue[str] = asyncio.Queue()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        connected.put_nowait(sid)

    async def main() -> None:
        async with our_io(sio) as url, node_client(url, msgpack=msgpack, **options) as client:
            sid, _ = await client.expect("connect")
            assert await connected.get() == sid
            assert await client.call("echo", *VALUES, b"binary", {"deep": [b"down"]}) == [
                *VALUES,
                b"binary",
                {"deep": [b"down"]},
            ]
            answer = await sio.call("ask", (*VALUES, b"binary", {"deep": [b"down"]}), to=sid, timeout=WAIT)
            assert answer == (*VALUES, b"binary", {"deep": [b"down"]})

    run(main())


def test_the_official_client_goes_over_to_a_websocket(run: Run) -> None:
    async def main() -> None:
        async with our_io(echo_server()) as url, node_client(url) as client:
            assert await client.expect("upgrade") == ["websocket"]
            assert await client.call("echo", 1) == [1]

    run(main())


def test_a_polling_client_takes_a_burst(run: Run) -> None:
    sio = echo_server()

    @sio.on("burst")
    async def burst(sid: str) -> None:
        for number in range(100):
            await sio.emit("number", number, to=sid)

    async def main() -> None:
        async with our_io(sio) as url, foreign_client(url, transports=["polling"]) as client:
            await client.emit("burst")
            heard = [await client.recorder.next() for _ in range(100)]
            assert sorted(heard) == [("number", number) for number in range(100)]  # the client has a task for each
            assert client.connected

    run(main())


@TRANSPORTS
def test_events_stay_in_order(run: Run, transports: Any) -> None:
    sio = socketio.AsyncServer()
    got: list[int] = []
    recorder = Recorder()

    @sio.event
    async def number(sid: str, value: int) -> None:
        got.append(value)
        await sio.emit("back", value, to=sid)
        if value == 499:
            recorder.note("done")

    async def main() -> None:
        async with our_io(sio) as url, foreign_client(url, transports=transports) as client:
            for value in range(500):
                await client.emit("number", value)
            await recorder.next()
            assert got == list(range(500))
            assert [await client.recorder.next() for _ in range(500)] == [("back", value) for value in range(500)]

    run(main())


def test_rooms_say_who_hears_an_event(run: Run) -> None:
    sio = socketio.AsyncServer()

    async def main() -> None:
        async with our_io(sio) as url, foreign_client(url) as first, foreign_client(url) as second:
            one, two = first.get_sid(), second.get_sid()
            await sio.enter_room(one, "a")
            await sio.enter_room(two, "a")
            await sio.enter_room(two, "b")
            assert set(sio.rooms(two)) == {two, "a", "b"}
            await sio.emit("all")
            await sio.emit("to a", room="a")
            await sio.emit("to b", to="b")
            await sio.emit("to b and one", to=["b", one])
            await sio.emit("but one", room="a", skip_sid=one)
            await sio.emit("but both", skip_sid=[one, two])
            await sio.emit("to nobody", to="nobody is here")
            await sio.leave_room(two, "b")
            await sio.emit("no longer to b", room="b")
            await sio.close_room("a")
            await sio.emit("no longer to a", room="a")
            await sio.send({"the": "end"})
            heard = [("all",), ("to a",), ("to b and one",), ("message", {"the": "end"})]
            assert [await first.recorder.next() for _ in heard] == heard
            heard = [("all",), ("to a",), ("to b",), ("to b and one",), ("but one",), ("message", {"the": "end"})]
            assert [await second.recorder.next() for _ in heard] == heard
            assert sio.rooms(two) == [two]
            with pytest.raises(ValueError):
                await sio.enter_room("nobody", "a")
            with pytest.raises(ValueError):
                await sio.enter_room(one, two)
            with pytest.raises(ValueError):
                await sio.close_room(one)
            assert {sid for sid, _ in sio.manager.get_participants("/", None)} == {one, two}

    run(main())


def test_connect_handlers_may_emit_enter_rooms_and_keep_a_session(run: Run) -> None:
    sio = socketio.AsyncServer()

    @sio.event
    async def connect(sid: str, environ: Any, auth: Any) -> None:
        await sio.emit("first", {"name": auth["name"]}, to=sid)
        await sio.enter_room(sid, "room")
        await sio.emit("second", room="room")
        await sio.emit("not for you", room="room", skip_sid=sid)
        await asyncio.sleep(0)
        await sio.emit("third")
        await sio.save_session(sid, {"name": auth["name"]})
        assert sio.rooms(sid) == [sid, "room"]
        assert sio.transport(sid) in ("polling", "websocket")

    @sio.event
    async def who(sid: str) -> Any:
        async with sio.session(sid) as session:
            session["asked"] = session.get("asked", 0) + 1
        return await sio.get_session(sid)

    async def main() -> None:
        async with our_io(sio) as url, node_client(url, auth={"name": "me"}) as client:
            await client.expect("connect")  # an event before this one would be lost in this client
            heard = [(await client.expect("event"))[0] for _ in range(3)]
            assert heard == ["first", "second", "third"]
            assert await client.call("who") == [{"name": "me", "asked": 1}]
            assert await client.call("who") == [{"name": "me", "asked": 2}]

    run(main())


@pytest.mark.parametrize("always_connect", [False, True])
def test_connect_handlers_refuse_clients(run: Run, always_connect: bool) -> None:
    sio = socketio.AsyncServer(always_connect=always_connect)

    @sio.event
    async def connect(sid: str, environ: Any, auth: Any) -> Any:
        await asyncio.sleep(0)
        match auth["how"]:
            case "false":
                return False
            case "data":
                raise socketio.exceptions.ConnectionRefusedError("no", {"code": 1}, [2])
            case "builtin":
                raise ConnectionRefusedError("no")
            case "message":
                raise socketio.exceptions.ConnectionRefusedError("not you")
            case "disconnect":
                await sio.disconnect(sid)

    async def main() -> None:
        expected = {
            "false": ["Connection rejected by server", None],
            "data": ["no", [{"code": 1}, [2]]],
            "builtin": ["Connection refused by server", None],
            "message": ["not you", None],
            "disconnect": ["Connection rejected by server", None],
        }
        async with our_io(sio) as url:
            for how, told in expected.items():
                async with node_client(url, auth={"how": how}) as client:
                    if always_connect:
                        assert await client.expect("disconnect") == ["io server disconnect"]
                    else:
                        assert await client.expect("connect_error") == told
            assert list(sio.manager.get_participants("/", None)) == []
        assert not sio._sessions and not sio._environs and not sio._connecting_clients

    run(main())


def test_a_failing_connect_handler_refuses_and_is_reported(run: Run) -> None:
    sio = socketio.AsyncServer()
    reported: list[str] = []

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        raise RuntimeError("a bug")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(str(context["exception"])))
        async with our_io(sio) as url, node_client(url) as client:
            assert await client.expect("connect_error") == ["Connection rejected by server", None]
        assert reported == ["a bug"]

    run(main())


@pytest.mark.parametrize("auth", [None, {"name": "me"}])
def test_handlers_of_connect_and_disconnect_may_be_of_the_old_form(run: Run, auth: Any) -> None:
    for new in (True, False):
        sio = socketio.AsyncServer()
        recorder = Recorder()
        if new:
            sio.on("connect", lambda sid, environ, auth, *, note=recorder.note: note(sid, auth))
            sio.on("disconnect", lambda sid, reason, *, note=recorder.note: note(sid, reason))
        else:
            sio.on("connect", lambda sid, environ, *, note=recorder.note: note(sid))
            sio.on("disconnect", lambda sid, *, note=recorder.note: note(sid))

        async def main() -> None:
            async with our_io(sio) as url, node_client(url, **({"auth": auth} if auth else {})) as client:
                sid, _ = await client.expect("connect")
                assert await recorder.next() == ((sid, auth) if new else (sid,))
                await client.send("disconnect")
                assert await recorder.next() == ((sid, "client disconnect") if new else (sid,))

        run(main())


def test_the_environ_tells_of_the_request(run: Run) -> None:
    sio = socketio.AsyncServer()
    seen: list[dict[str, Any]] = []

    @sio.event
    def connect(sid: str, environ: dict[str, Any]) -> None:
        seen.append(environ)

    async def main() -> None:
        async with our_io(sio) as url, node_client(
            url, query={"room": "a b"}, extraHeaders={"X-Header": "value"}, transports=["websocket"]
        ) as client:
            sid, _ = await client.expect("connect")
            environ = seen[0]
            assert environ is sio.get_environ(sid)
            assert environ["REQUEST_METHOD"] == "GET"
            assert environ["PATH_INFO"] == "/socket.io/"
            assert "room=a%20b" in environ["QUERY_STRING"]
            assert environ["HTTP_X_HEADER"] == "value"
            assert environ["REMOTE_ADDR"] == "127.0.0.1"
            assert environ["wsgi.url_scheme"] == "http"
            assert environ["SERVER_PORT"] == url.rpartition(":")[2]
            assert (b"x-header", b"value") in environ["asgi.scope"]["headers"]
            assert sio.get_environ("nobody") is None
            assert sio.transport(sid) == "websocket"

    run(main())


def test_the_environ_is_kept_where_it_was_changed(run: Run) -> None:
    sio = socketio.AsyncServer()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        await asyncio.sleep(0)
        if auth["changes"]:
            environ["who"] = auth["changes"]

    async def main() -> None:
        async with our_io(sio) as url:
            for changes in (None, "me"):
                async with node_client(url, auth={"changes": changes}, transports=["websocket"]) as client:
                    sid, _ = await client.expect("connect")
                    await until(lambda: not sio._connecting_clients)
                    assert bool(sio._environs) is bool(changes)
                    environ = sio.get_environ(sid)
                    assert environ is not None and environ is sio.get_environ(sid)
                    assert environ.get("who") == changes and environ["PATH_INFO"] == "/socket.io/"

    run(main())


def test_catch_all_handlers_get_what_has_no_handler(run: Run) -> None:
    sio = socketio.AsyncServer(namespaces="*")
    sio.on("known", lambda sid, *values: ["known", *values])
    sio.on("*", lambda event, sid, *values: ["any event", event, *values])
    sio.on("known", lambda namespace, sid, *values: ["any namespace", namespace, *values], namespace="*")
    sio.on("*", lambda event, namespace, sid, *values: ["any", event, namespace, *values], namespace="*")

    async def main() -> None:
        namespaces = ["/", "/else"]
        async with our_io(sio) as url, foreign_client(url, namespaces=namespaces) as client:
            assert await client.call("known", 1) == ["known", 1]
            assert await client.call("other", 1) == ["any event", "other", 1]
            assert await client.call("known", 1, namespace="/else") == ["any namespace", "/else", 1]
            assert await client.call("other", 1, namespace="/else") == ["any", "other", "/else", 1]

    run(main())


def test_namespaces_are_separate_and_unknown_ones_refused(run: Run) -> None:
    sio = echo_server()

    class Chat(socketio.AsyncNamespace):
        async def on_connect(self, sid: str, environ: Any) -> None:
            await self.save_session(sid, {"in": "chat"})

        async def on_msg(self, sid: str, text: str) -> Any:
            await self.emit("said", text, skip_sid=sid)
            async with self.session(sid) as session:
                return [self.rooms(sid) == [sid], session]

        def on_quick(self, sid: str) -> str:
            return "quick"

    sio.register_namespace(Chat("/chat"))

    async def main() -> None:
        async with our_io(sio) as url:
            async with foreign_client(url, namespaces=["/", "/chat"]) as first, foreign_client(
                url, namespaces=["/chat"]
            ) as second:
                assert first.get_sid("/") != first.get_sid("/chat")
                assert await first.call("msg", "hi", namespace="/chat") == [True, {"in": "chat"}]
                assert await first.call("quick", namespace="/chat") == "quick"
                assert await second.recorder.next() == ("said", "hi")
                assert first.recorder.is_empty()
                assert sio.rooms(first.get_sid("/chat")) == []
            with pytest.raises(foreign.exceptions.ConnectionError):
                async with foreign_client(url, namespaces=["/nowhere"]):
                    pass

    run(main())


def test_what_is_no_namespace_of_this_server_is_refused() -> None:
    sio = socketio.AsyncServer()
    with pytest.raises(ValueError):
        sio.register_namespace(object())
    with pytest.raises(ValueError):
        sio.register_namespace(socketio.Namespace("/sync"))
    with pytest.raises(ValueError):
        sio.register_namespace(socketio.AsyncClientNamespace("/client"))


def test_calls_end_in_time_and_when_the_client_is_gone(run: Run) -> None:
    sio = socketio.AsyncServer()

    async def main() -> None:
        async with our_io(sio) as url, node_client(url) as client:
            sid, _ = await client.expect("connect")
            with pytest.raises(socketio.exceptions.TimeoutError):
                await sio.call("never answered", to=sid, timeout=0.05)
            waiting = asyncio.create_task(sio.call("never answered", sid=sid, timeout=WAIT))
            await client.expect("event")
            await client.expect("event")
            await client.send("disconnect")
            with pytest.raises(socketio.exceptions.ConnectionLostError):
                await waiting
            with pytest.raises(socketio.exceptions.TimeoutError):
                await sio.call("nobody", to=sid, timeout=WAIT)
            with pytest.raises(ValueError):
                await sio.call("everybody")
            assert not sio._callbacks

    run(main())


def test_callbacks_get_the_answers_of_all(run: Run) -> None:
    sio = socketio.AsyncServer()

    async def main() -> None:
        recorder = Recorder()

        async def callback(*values: Any) -> None:
            recorder.note(*values)

        async with our_io(sio) as url, foreign_client(url) as first, foreign_client(url) as second:
            await sio.emit("ask", ("a", 1), to=first.get_sid(), callback=callback)
            assert await recorder.next() == ("a", 1)
            await sio.emit("ask", "b", callback=recorder.note)
            assert [await recorder.next() for _ in range(2)] == [("b",), ("b",)]
            await sio.emit("ask", "c", skip_sid=second.get_sid(), callback=recorder.note)
            assert await recorder.next() == ("c",)
            assert recorder.is_empty()

    run(main())


def test_without_async_handlers_a_clients_events_wait_for_each_other(run: Run) -> None:
    sio = socketio.AsyncServer(async_handlers=False)
    running: list[str] = []
    most = [0]

    @sio.event
    async def work(sid: str, number: int) -> int:
        running.append(sid)
        most[0] = max(most[0], len(running))
        await asyncio.sleep(0.01)
        assert running.count(sid) == 1
        running.remove(sid)
        return number

    @sio.event
    def quick(sid: str) -> bool:
        return sid in running

    async def main() -> None:
        async with our_io(sio) as url, foreign_client(url) as first, foreign_client(url) as second:
            calls = [client.call("work", number) for number in range(4) for client in (first, second)]
            assert await asyncio.gather(*calls, first.call("quick")) == [0, 0, 1, 1, 2, 2, 3, 3, False]
            assert most == [2]
            with pytest.raises(RuntimeError):
                await sio.call("ask", to=first.get_sid())

    run(main())


def test_disconnect_waits_for_its_handler(run: Run) -> None:
    sio = socketio.AsyncServer()
    gone: list[Any] = []

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        await asyncio.sleep(0.02)
        gone.append((sid, reason, sio.rooms(sid), await sio.get_session(sid), sio.manager.is_connected(sid, "/")))
        assert sio.get_environ(sid) is not None

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.enter_room(sid, "room")
        await sio.save_session(sid, {"a": 1})

    async def main() -> None:
        async with our_io(sio) as url, node_client(url) as client:
            sid, _ = await client.expect("connect")
            await sio.disconnect(sid)
            assert gone == [(sid, sio.reason.SERVER_DISCONNECT, [sid, "room"], {"a": 1}, False)]
            assert await client.expect("disconnect") == ["io server disconnect"]
            await sio.disconnect(sid)  # nobody is there any more
            with pytest.raises(KeyError):
                await sio.get_session(sid)
            with pytest.raises(KeyError):
                sio.transport(sid)

    run(main())


def test_a_client_whose_connection_is_cut_is_forgotten(run: Run) -> None:
    sio = socketio.AsyncServer()
    recorder = Recorder()
    sio.on("connect", lambda sid, environ: None)
    sio.on("disconnect", lambda sid, reason: recorder.note(reason))

    async def main() -> None:
        async with our_io(sio) as url:
            async with node_client(url, transports=["websocket"], reconnection=False) as client:
                await client.expect("connect")
                await client.send("drop")
                assert await recorder.next() == (sio.reason.TRANSPORT_CLOSE,)
            await until(lambda: sio.metrics()["clients"] == 0)
        assert not any(sio._of_clients())

    run(main())


def test_shutdown_says_good_bye(run: Run) -> None:
    sio = socketio.AsyncServer()
    recorder = Recorder()
    sio.on("disconnect", lambda sid, reason: recorder.note(reason))

    async def main() -> None:
        async with our_io(sio) as url, node_client(url, reconnection=False) as client:
            await client.expect("upgrade")
            await sio.shutdown()
            assert await recorder.next() == (sio.reason.SERVER_DISCONNECT,)
            assert await client.expect("disconnect") in (["io server disconnect"], ["transport close"])

    run(main())


def test_a_server_can_listen_again_on_another_loop(run: Run) -> None:
    sio = echo_server()

    async def main() -> None:
        async with our_io(sio) as url, foreign_client(url) as client:
            assert await client.call("echo", 1) == 1

    run(main())
    run(main())
