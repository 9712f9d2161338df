"""The server as an application of ASGI, under servers and frameworks that are not ours."""

from __future__ import annotations

import asyncio
import gc
import json
import runpy
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from conftest import Run
from fastapi import FastAPI
from io_peers import TRANSPORTS, WAIT, Recorder, echo_server, foreign_client, node_client, until
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from web_servers import ASGI_SERVERS, asgi_server

from sockline import socketio


def chatty_server(**options: Any) -> tuple[socketio.AsyncServer, Recorder]:
    """Says what it hears; answers `echo`."""
    sio, recorder = echo_server(**options), Recorder()

    @sio.event
    async def connect(sid: str, environ: dict[str, Any], auth: Any) -> None:
        recorder.note("connect", sid, environ, auth)

    @sio.event
    async def disconnect(sid: str, reason: str) -> None:
        recorder.note("disconnect", sid, reason)

    return sio, recorder


def test_a_post_is_answered_before_what_it_brings_about() -> None:
    """Else a polling client of python-socketio's that says goodbye meanwhile waits for the next ping."""

    async def main() -> None:
        sio = socketio.AsyncServer()

        @sio.event
        def echo(sid: str, value: Any) -> Any:
            return value

        app, order = socketio.ASGIApp(sio), []

        async def ask(name: str, method: str, query: str, body: bytes = b"") -> str:
            coming = asyncio.Queue[Any]()  # after the body it never tells anything
            coming.put_nowait({"type": "http.request", "body": body})
            sent: list[Any] = []

            async def send(event: Any) -> None:
                if not sent:
                    order.append(name)
                sent.append(event)

            query = f"EIO=4&transport=polling{query}"
            scope = {"type": "http", "method": method, "path": "/socket.io/", "query_string": query.encode(), "headers": [], "client": ("127.0.0.1", 1)}
            await app(scope, coming.get, send)
            return bytes(sent[1]["body"]).decode()

        session = "&sid=" + json.loads((await ask("open", "GET", ""))[1:])["sid"]
        for packet, answer in (b"40", "40{"), (b'421["echo",7]', "431[7]"):
            getting = asyncio.create_task(ask("get", "GET", session))
            await asyncio.sleep(0)  # it is asked
            order.clear()
            assert await ask("post", "POST", session, packet) == "ok"
            assert (await asyncio.wait_for(getting, WAIT)).startswith(answer)
            assert order == ["post", "get"]
        await sio.shutdown()

    asyncio.run(main())


@ASGI_SERVERS
@TRANSPORTS
def test_clients_speak_by_every_transport(kind: str, transports: list[str] | None) -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        async with asgi_server(socketio.ASGIApp(sio), kind) as url:
            async with foreign_client(url, transports=transports, auth={"name": "Ann"}) as client:
                _, sid, environ, auth = await recorder.next()
                begun = "websocket" if transports == ["websocket"] else "http"
                assert environ["asgi.scope"]["type"] == begun and auth == {"name": "Ann"}
                assert environ["asgi.scope"]["client"][0] == environ["REMOTE_ADDR"] == "127.0.0.1"
                assert environ["HTTP_HOST"] == url.removeprefix("http://") and "EIO=4" in environ["QUERY_STRING"]
                await until(lambda: sio.transport(sid) == (transports or ["websocket"])[0])
                values = ("ü", {"a": [b"\x00\xff", None]}, 1.5)
                assert await client.call("echo", values, timeout=WAIT) == values
                for number in range(20):
                    await sio.emit("many", number, to=sid)
                assert [await client.recorder.next() for _ in range(20)] == [("many", number) for number in range(20)]
                assert await sio.call("ask", b"bytes", to=sid) == b"bytes"
            assert (await recorder.next())[:2] == ("disconnect", sid)

    asyncio.run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids=len)
def test_the_official_client_speaks(transports: list[str]) -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        async with asgi_server(socketio.ASGIApp(sio)) as url, node_client(url, transports=transports) as peer:
            sid = (await peer.expect("connect"))[0]
            await peer.moves_to(transports[-1])
            assert await peer.call("echo", 1, {"b": b"\x01\x02"}) == [1, {"b": b"\x01\x02"}]
            await sio.emit("news", (b"x", "y"), to=sid)
            assert await peer.expect("event") == ["news", [b"x", "y"]]
            await sio.disconnect(sid)
            assert await peer.expect("disconnect") == ["io server disconnect"]
        assert [(await recorder.next())[0] for _ in range(2)] == ["connect", "disconnect"]

    asyncio.run(main())


def test_rooms_namespaces_and_sessions(run: Run) -> None:
    async def main() -> None:
        sio = socketio.AsyncServer(namespaces="*")

        @sio.event
        async def connect(sid: str, environ: dict[str, Any]) -> None:
            async with sio.session(sid) as session:
                session["agent"] = environ["HTTP_USER_AGENT"]

        @sio.event
        async def join(sid: str, room: str) -> list[str]:
            await asyncio.sleep(0)  # not in its first step any more
            await sio.enter_room(sid, room)
            return sorted(sio.rooms(sid))

        @sio.on("who", namespace="/other")
        async def who(sid: str) -> str:
            return sio.get_environ(sid, "/other")["asgi.scope"]["path"]  # type: ignore[index]

        async with asgi_server(socketio.ASGIApp(sio)) as url:
            async with foreign_client(url, namespaces=["/", "/other"]) as one, foreign_client(url) as two:
                assert await one.call("join", "r") == sorted(["r", one.get_sid("/")])
                await sio.emit("to r", 1, room="r")
                await sio.emit("to all", 2, skip_sid=one.get_sid("/"))
                assert await two.recorder.next() == ("to all", 2)
                assert await one.recorder.next() == ("to r", 1)
                assert await one.call("who", namespace="/other") == "/socket.io/"
                assert "aiohttp" in (await sio.get_session(two.get_sid("/")))["agent"]

    run(main())


async def asgi_frameworks(sio: socketio.AsyncServer, which: str) -> tuple[Any, str]:
    """An application, and at which path Socket.IO is in it."""
    if which == "wrapped":
        fastapi = FastAPI()

        @fastapi.get("/hello")
        async def hello() -> str:
            return "world"

        return socketio.ASGIApp(sio, other_asgi_app=fastapi), "socket.io"
    if which == "fastapi":
        fastapi = FastAPI()
        fastapi.get("/hello")(lambda: "world")
        fastapi.mount("/ws", socketio.ASGIApp(sio))
        return fastapi, "ws/socket.io"
    if which == "fastapi with the whole path":
        fastapi = FastAPI()
        fastapi.get("/hello")(lambda: "world")
        fastapi.mount("/ws", socketio.ASGIApp(sio, socketio_path="/ws/sio"))
        return fastapi, "ws/sio"

    async def through(request: Request, call_next: Callable[[Request], Awaitable[Any]]) -> Any:
        response = await call_next(request)
        response.headers["x-through"] = "yes"
        return response

    middleware = [Middleware(SessionMiddleware, secret_key="k"), Middleware(BaseHTTPMiddleware, dispatch=through)]
    routes = [
        Route("/hello", lambda request: PlainTextResponse('"world"')),
        Mount("/socket.io", socketio.ASGIApp(sio, socketio_path=None)),
    ]
    return Starlette(routes=routes, middleware=middleware), "socket.io"


@pytest.mark.parametrize("which", ["wrapped", "fastapi", "fastapi with the whole path", "starlette"])
def test_it_is_a_part_of_frameworks(which: str) -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        app, path = await asgi_frameworks(sio, which)
        async with asgi_server(app) as url:
            async with aiohttp.ClientSession() as http, http.get(f"{url}/hello") as response:
                assert await response.text() == '"world"'
            for transports in (["polling"], ["websocket"]):
                client = socketio.AsyncClient(reconnection=False)
                await client.connect(url, socketio_path=path, transports=transports)
                assert await client.call("echo", "x", timeout=WAIT) == "x"
                scope = (await recorder.next())[2]["asgi.scope"]
                assert ("session" in scope) == (which == "starlette")
                await client.disconnect()
                assert (await recorder.next())[0] == "disconnect"

    asyncio.run(main())


def test_files_other_paths_and_the_lifespan(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>")
    (tmp_path / "a.js").write_text("1")
    heard = []

    async def main() -> None:
        app = socketio.ASGIApp(
            socketio.AsyncServer(),
            static_files={
                "/": str(tmp_path / "index.html"),
                "/static": str(tmp_path),
                "/typed": {"filename": str(tmp_path / "a.js"), "content_type": "x/y"},
            },
            on_startup=lambda: heard.append("up"),
            on_shutdown=stop,
        )
        async with asgi_server(app) as url, aiohttp.ClientSession() as http:
            for path, status, kind, body in (
                ("/", 200, "text/html", "<p>"),
                ("/static/a.js", 200, "application/javascript", "1"),
                ("/static/", 200, "text/html", "<p>"),
                ("/typed", 200, "x/y", "1"),
                ("/static/none", 404, "text/plain", "Not Found"),
                ("/none", 404, "text/plain", "Not Found"),
            ):
                async with http.get(url + path) as response:
                    text = await response.text()
                    assert (response.status, response.content_type, text) == (status, kind, body), path
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(f"{url}/none")
            assert refused.value.status == 403
            assert heard == ["up"]

    async def stop() -> None:
        heard.append("down")

    asyncio.run(main())
    assert heard == ["up", "down"]


def test_what_can_not_be_is_refused() -> None:
    async def main() -> None:
        sio = socketio.AsyncServer(max_http_buffer_size=1000, cors_allowed_origins=["http://good"])
        async with asgi_server(socketio.ASGIApp(sio)) as url, aiohttp.ClientSession() as http:
            polling = f"{url}/socket.io/?EIO=4&transport=polling"
            websocket = f"{url}/socket.io/?EIO=4&transport=websocket"
            async with http.get(f"{polling}&sid=none") as response:
                assert (response.status, (await response.json())["message"]) == (400, "Session ID unknown")
            async with http.get(polling, headers={"Origin": "http://bad"}) as response:
                assert response.status == 403
            async with http.get(polling, headers={"Origin": "http://good"}) as response:
                assert response.status == 200
                assert response.headers["Access-Control-Allow-Origin"] == "http://good"
                sid = (await response.text()).split('"')[3]
            async with http.post(f"{polling}&sid={sid}", data=b"4" * 2000) as response:
                assert response.status == 413
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(websocket, headers={"Origin": "http://bad"})
            assert refused.value.status == 400
            async with http.ws_connect(websocket) as ws:
                await ws.receive()
                await ws.send_str("4" * 2000)
                message = await ws.receive()
                assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 1009)
            # What the refused ones had with them is kept no more.
            assert len(sio._foreigners) == 1

    asyncio.run(main())


def test_a_client_that_goes_away_is_noticed() -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        is_asked = asyncio.Event()

        async def asked(*_: Any) -> None:
            is_asked.set()

        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(asked)
        async with asgi_server(socketio.ASGIApp(sio)) as url, aiohttp.ClientSession(trace_configs=[trace]) as http:
            polling = f"{url}/socket.io/?EIO=4&transport=polling"
            async with http.get(polling) as response:
                sid = (await response.text()).split('"')[3]
            async with http.post(f"{polling}&sid={sid}", data="40") as response:
                assert response.status == 200
            async with http.get(f"{polling}&sid={sid}") as response:
                assert (await response.text()).startswith('40{"sid":')
            await recorder.next()
            is_asked.clear()
            waits = asyncio.create_task(http.get(f"{polling}&sid={sid}"))
            native = sio._native
            assert native is not None
            await is_asked.wait()
            waits.cancel()
            assert (await recorder.next())[0::2] == ("disconnect", "transport error")
            assert not native.has_session(sid)

    asyncio.run(main())


def test_a_slow_client_holds_up_nobody() -> None:
    async def main() -> None:
        sio, recorder = chatty_server(high_water_mark=100_000)
        async with asgi_server(socketio.ASGIApp(sio)) as url, aiohttp.ClientSession() as http:
            slow = await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0)
            await slow.receive()
            await slow.send_str("40")
            sid = (await recorder.next())[1]
            slow._reader._protocol.pause_reading()  # type: ignore[attr-defined]
            text = "x" * 100_000
            for _ in range(200):
                await sio.emit("long", text, to=sid)
            assert sio.buffered_amount(sid) > 1_000_000
            await sio.emit("dropped", to=sid, volatile=True)
            drained = asyncio.create_task(sio.drained(sid))
            async with foreign_client(url, transports=["websocket"]) as quick:
                assert await quick.call("echo", "x", timeout=WAIT) == "x"
                assert not drained.done()
                slow._reader._protocol.resume_reading()  # type: ignore[attr-defined]
                got = 0
                while got < 200:
                    data = (await slow.receive_str()).removeprefix("4")
                    assert "dropped" not in data
                    got += data.startswith("2")
                await asyncio.wait_for(drained, WAIT)
                await until(lambda: sio.buffered_amount(sid) == 0)
            await slow.close()

    asyncio.run(main())


def test_200_clients_come_talk_and_go(run: Run) -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        async with asgi_server(socketio.ASGIApp(sio)) as url:
            clients = [socketio.AsyncClient(reconnection=False) for _ in range(200)]
            got = []
            for client in clients:
                client.on("news", got.append)
            by = [["websocket"] if number % 10 else ["polling"] for number in range(200)]
            await asyncio.gather(*(client.connect(url, transports=each, wait_timeout=WAIT) for client, each in zip(clients, by, strict=True)))
            answers = await asyncio.gather(*(client.call("echo", number) for number, client in enumerate(clients)))
            assert answers == [*range(200)]
            await sio.emit("news", "x")
            await until(lambda: len(got) == 200)
            await asyncio.gather(*(client.disconnect() for client in clients))
            await until(lambda: sio.metrics()["clients"] == 0)
            heard = [(await recorder.next())[0] for _ in range(400)]
            assert heard.count("disconnect") == 200
            sio._foreigners.sweep()
            assert len(sio._foreigners) == 0

    run(main())


def test_a_closed_tab_comes_back(run: Run) -> None:
    async def main() -> None:
        sio = echo_server(connection_state_recovery=True)
        async with asgi_server(socketio.ASGIApp(sio)) as url, node_client(url, transports=["websocket"], reconnectionDelay=50) as peer:
            sid, recovered = await peer.expect("connect")
            await sio.enter_room(sid, "r")
            await sio.emit("first", to=sid)
            await peer.expect("event")
            await peer.send("drop")
            await until(lambda: sio.metrics()["sockets"] == 0)
            await sio.emit("missed", 1, room="r")
            name, (value, _) = await peer.expect("event")
            assert (name, value) == ("missed", 1)
            assert await peer.expect("connect") == [sid, True]
            assert sio.recovered(sid) and sio.get_environ(sid)["asgi.scope"]["type"] == "websocket"  # type: ignore[index]

    run(main())


def test_shutting_down_and_beginning_again() -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        async with asgi_server(socketio.ASGIApp(sio)) as url:
            for transports in (["websocket"], ["polling"]):
                async with foreign_client(url, transports=transports) as client:
                    sid = (await recorder.next())[1]
                    await sio.shutdown()
                    assert await recorder.next() == ("disconnect", sid, "server disconnect")
                    await until(lambda client=client: not client.connected)

    asyncio.run(main())


def test_the_end_of_the_asgi_server_is_the_clients_end() -> None:
    async def main() -> None:
        sio, recorder = chatty_server()
        async with asgi_server(socketio.ASGIApp(sio)) as url:
            client = socketio.AsyncClient(reconnection=False)
            await client.connect(url, transports=["websocket"])
            await recorder.next()
        assert (await recorder.next())[0::2] == ("disconnect", "transport close")
        await until(lambda: not client.connected)
        assert sio.metrics()["clients"] == 0

    asyncio.run(main())


def test_one_loop_after_the_other_and_two_at_once() -> None:
    sio, recorder = chatty_server()
    app = socketio.ASGIApp(sio)

    async def main() -> None:
        async with asgi_server(app) as url:
            for transports in (["polling"], ["websocket"], None):
                async with foreign_client(url, transports=transports) as client:
                    assert await client.call("echo", "x", timeout=WAIT) == "x"

    async def outer() -> None:
        async with asgi_server(app) as url, foreign_client(url) as client:
            await asyncio.to_thread(asyncio.run, main())  # requests that another loop reads
            assert await client.call("echo", "y", timeout=WAIT) == "y"

    asyncio.run(main())
    asyncio.run(outer())
    asyncio.run(main())


def test_nothing_is_left_of_a_server() -> None:
    async def main() -> weakref.ref[Any]:
        sio = echo_server()
        async with asgi_server(socketio.ASGIApp(sio)) as url:
            for transports in (["polling"], ["websocket"], None):
                async with foreign_client(url, transports=transports) as client:
                    await client.call("echo", "x", timeout=WAIT)
        await sio.shutdown()
        return weakref.ref(sio)

    left = asyncio.run(main())
    gc.collect()
    assert left() is None


def test_handlers_have_tasks_of_their_own() -> None:
    async def main() -> None:
        sio, tasks = socketio.AsyncServer(), []

        @sio.event
        async def ask(sid: str, value: Any) -> Any:
            tasks.append(asyncio.current_task())
            async with asyncio.timeout(WAIT):
                await asyncio.sleep(0.01)
            return value

        async with asgi_server(socketio.ASGIApp(sio)) as url:
            async with foreign_client(url, transports=["websocket"]) as client:
                answers = await asyncio.gather(*(client.call("ask", number) for number in range(5)))
                assert sorted(answers) == [*range(5)] and len(set(tasks)) == 5

    asyncio.run(main())


def test_the_example_runs() -> None:
    program = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "python" / "io_asgi.py"))

    async def main() -> None:
        async with asgi_server(program["app"]) as url, foreign_client(url) as client, aiohttp.ClientSession() as http:
            assert await client.call("msg", (1, "x"), timeout=WAIT) == (1, "x")
            async with http.post(f"{url}/say/hello") as response:
                assert await response.json() == "said"
            assert await client.recorder.next() == ("said", "hello")
            async with http.get(f"{url}/clients") as response:
                assert await response.json() == 1

    asyncio.run(main())
