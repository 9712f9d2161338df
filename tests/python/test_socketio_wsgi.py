"""The server as an application of WSGI and of aiohttp, under servers that are not ours."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import socketio as foreign
from aiohttp import web
from conftest import Run
from flask import Flask
from io_peers import TRANSPORTS, WAIT, echo_server, node_client, until
from web_servers import gunicorn_server, waitress_server, werkzeug_server

from sockline import socketio


def threaded_server(**options: Any) -> socketio.Server:
    """Answers ``echo``, and ``where`` with what it knows of a client."""
    sio = socketio.Server(**options)

    @sio.event
    def echo(sid: str, *values: Any) -> Any:
        return values

    @sio.event
    def where(sid: str) -> list[str]:
        environ = sio.get_environ(sid)
        assert environ is not None
        return [sio.transport(sid), environ["PATH_INFO"], environ["SERVER_SOFTWARE"].partition("/")[0].lower()]

    return sio


application = socketio.WSGIApp(threaded_server())
narrow = socketio.WSGIApp(threaded_server(max_http_buffer_size=1000))

SERVERS = pytest.mark.parametrize("kind", ["werkzeug", "waitress", "gunicorn"])


def wsgi_server(kind: str) -> AbstractContextManager[str]:
    """The URL of a server."""
    if kind == "werkzeug":
        return werkzeug_server(socketio.WSGIApp(threaded_server()))
    return (gunicorn_server if kind == "gunicorn" else waitress_server)("test_socketio_wsgi:application")


def wait_for(condition: Any) -> None:
    """Waits until something becomes true that nobody tells of."""
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@SERVERS
def test_clients_speak_by_every_transport_that_there_is(kind: str) -> None:
    with wsgi_server(kind) as url:
        for transports in (["polling"], ["websocket"], None):
            client = foreign.Client(reconnection=False)
            if kind == "waitress" and transports == ["websocket"]:
                with pytest.raises(foreign.exceptions.ConnectionError):
                    client.connect(url, transports=transports)
                continue
            client.connect(url, transports=transports, wait_timeout=WAIT)
            upgrades = transports is None and kind != "waitress"
            assert client.transport() == ("websocket" if upgrades else (transports or ["polling"])[0])
            wait_for(lambda client=client: client.call("where", timeout=WAIT)[0] == client.transport())
            assert client.call("where", timeout=WAIT)[1:] == ["/socket.io/", kind]
            values = ("ü", {"a": [b"\x00\xff", None]})
            assert client.call("echo", values, timeout=WAIT) == values
            client.disconnect()


def test_the_official_client_moves_to_a_websocket() -> None:
    gone = threading.Event()
    sio = threaded_server()
    sio.on("disconnect", lambda sid, reason: gone.set())

    async def main(url: str) -> None:
        async with node_client(url) as peer:
            await peer.expect("connect")
            await peer.moves_to("websocket")
            assert await peer.call("echo", 1, b"\x01") == [1, b"\x01"]
            assert await peer.call("where") == [["websocket", "/socket.io/", "werkzeug"]]

    with werkzeug_server(socketio.WSGIApp(sio)) as url:
        asyncio.run(main(url))
        assert gone.wait(WAIT)


def test_a_websocket_keeps_no_thread() -> None:
    def serving() -> list[str]:
        return [thread.name for thread in threading.enumerate() if "process_request" in thread.name]

    with werkzeug_server(socketio.WSGIApp(threaded_server())) as url, socketio.SimpleClient() as client:
        client.connect(url, transports=["websocket"])
        wait_for(lambda: not serving())
        assert client.call("where") == ["websocket", "/socket.io/", "werkzeug"]


def test_it_is_a_part_of_flask_with_files(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>")
    flask = Flask(__name__)
    flask.get("/hello")(lambda: "world")
    flask.wsgi_app = socketio.WSGIApp(threaded_server(), flask.wsgi_app, static_files={"/files": str(tmp_path)})  # type: ignore[method-assign]
    with werkzeug_server(flask) as url:
        assert requests.get(f"{url}/hello").text == "world"
        page = requests.get(f"{url}/files/a.html")
        assert (page.text, page.headers["content-type"]) == ("<p>", "text/html")
        assert requests.get(f"{url}/files/none").status_code == 404
        with socketio.SimpleClient() as client:
            client.connect(url)
            assert client.call("echo", "x") == "x"
    with werkzeug_server(socketio.Middleware(threaded_server(), socketio_path="sio")) as url:
        assert requests.get(f"{url}/none").text == "Not Found"
        with socketio.SimpleClient() as client:
            client.connect(url, socketio_path="sio")
            # It is connected before it goes over.
            wait_for(lambda: client.call("where") == ["websocket", "/sio/", "werkzeug"])


def test_what_can_not_be_is_refused() -> None:
    with waitress_server("test_socketio_wsgi:narrow") as url:
        polling = f"{url}/socket.io/?EIO=4&transport=polling"
        answer = requests.get(polling)
        assert answer.text.startswith("0{") and '"upgrades":[]' in answer.text
        assert requests.post(f"{polling}&sid=none", data=b"40").status_code == 400
        assert requests.post(polling, data=b"4" * 2000).status_code == 413
        assert requests.get(polling, headers={"Origin": "http://bad"}).status_code == 403


@TRANSPORTS
def test_it_is_a_part_of_aiohttp(transports: list[str] | None, run: Run) -> None:
    async def main() -> None:
        sio, app = echo_server(async_mode="aiohttp", max_http_buffer_size=2000), web.Application()
        environs = []

        @sio.event
        async def connect(sid: str, environ: dict[str, Any]) -> None:
            environs.append(environ)

        sio.attach(app, "sio")
        app.router.add_get("/hello", hello)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as http:
                async with http.get(f"{url}/hello") as response:
                    assert await response.text() == "world"
                async with http.get(f"{url}/sio/?EIO=4&transport=polling", headers={"Origin": "http://bad"}) as response:
                    assert response.status == 403
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await http.ws_connect(f"{url}/sio/?EIO=4&transport=websocket", headers={"Origin": "http://bad"})
                assert refused.value.status == 400
            client = socketio.AsyncClient(reconnection=False)
            await client.connect(url, socketio_path="sio", transports=transports)
            assert await client.call("echo", ("x", b"\x01")) == ("x", b"\x01")
            assert environs[0]["aiohttp.request"].path == "/sio/" and environs[0]["SERVER_SOFTWARE"] == "aiohttp"
            await until(lambda: client.transport() == (transports or ["websocket"])[0])
            await sio.disconnect(client.get_sid())  # type: ignore[arg-type]
            await until(lambda: not client.connected)
            await until(lambda: sio.metrics()["sockets"] == 0)
        finally:
            await sio.shutdown()
            await runner.cleanup()

    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="world")

    run(main())


def test_other_frameworks_are_refused() -> None:
    class Sanic:
        pass

    with pytest.raises(NotImplementedError, match="Sanic's applications are ASGI's"):
        socketio.AsyncServer().attach(Sanic())
    with pytest.raises(NotImplementedError, match="beside Tornado"):
        socketio.get_tornado_handler(socketio.AsyncServer())
    for mode in ("sanic", "tornado"):
        with pytest.raises(NotImplementedError, match="async_mode"):
            socketio.AsyncServer(async_mode=mode)
    for mode in ("eventlet", "gevent"):
        with pytest.raises(NotImplementedError, match="async_mode"):
            socketio.Server(async_mode=mode)
    assert socketio.AsyncServer().async_mode == "asgi" and socketio.Server().async_mode == "threading"

