"""What there is of Engine.IO below: ids that the application chooses, its own answers and messages, single packets."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import pytest
import requests
import socketio as foreign
from aiohttp import web
from conftest import Run
from io_peers import TRANSPORTS, WAIT, Recorder, echo_server, foreign_client, foreign_io, our_io, until
from test_socketio_server_options import POLLING, get, polling
from test_socketio_threads import echo_server as threaded_server
from test_socketio_threads import serving
from test_socketio_threads import until as wait_until
from web_servers import asgi_server, werkzeug_server

import sockline
from sockline import socketio
from sockline.socketio.exceptions import DisconnectedError


@asynccontextmanager
async def in_aiohttp(sio: socketio.AsyncServer) -> AsyncIterator[str]:
    async with foreign_io(sio) as url:  # type: ignore[arg-type]
        yield url


@asynccontextmanager
async def in_asgi(sio: socketio.AsyncServer) -> AsyncIterator[str]:
    async with asgi_server(socketio.ASGIApp(sio)) as url:
        yield url
        await sio.shutdown()


Host = Callable[[socketio.AsyncServer], AbstractAsyncContextManager[str]]
HOSTS = pytest.mark.parametrize("host", [our_io, in_asgi, in_aiohttp], ids=["listen", "asgi", "aiohttp"])


@contextmanager
def in_wsgi(sio: socketio.Server) -> Iterator[str]:
    with werkzeug_server(socketio.WSGIApp(sio)) as url:
        yield url


THREADED_HOSTS = pytest.mark.parametrize("host", [serving, in_wsgi], ids=["listen", "wsgi"])


def counted() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"session-{next(numbers)}"


# Ids


@HOSTS
@TRANSPORTS
def test_sessions_have_the_applications_ids(run: Run, host: Host, transports: list[str] | None) -> None:
    async def main() -> None:
        sio = echo_server(generate_id=counted())
        async with host(sio) as url:
            for number in (1, 2):
                async with foreign_client(url, transports=transports) as client:
                    assert client.eio.sid == client.sid == f"session-{number}"
                    await until(lambda: client.transport() == (transports or ["websocket"])[0])
                    assert client.sid == f"session-{number}"  # it keeps it where it goes over
                    assert sio.manager.eio_sid_from_sid(client.get_sid(), "/") == client.sid
                    assert await client.call("echo", 1, timeout=WAIT) == 1

    run(main())


def test_ids_are_made_as_by_python_engineio_by_a_function_in_place_of_its_own(run: Run) -> None:
    async def later() -> str:
        await asyncio.sleep(0)
        return "later"

    async def main() -> None:
        sio = echo_server(cors_allowed_origins="*")  # so that nobody is asked but for this
        assert len(sio.eio.generate_id()) == 20 != sio.eio.generate_id()
        sio.eio.generate_id = later
        assert await sio.eio.generate_id() == "later"
        async with our_io(sio) as url, foreign_client(url) as client:
            assert client.sid == "later"
            sio.eio.generate_id = lambda: "another"
            async with foreign_client(url) as other:
                assert other.sid == "another"
        too_late = echo_server(cors_allowed_origins="*")
        async with our_io(too_late):
            with pytest.raises(RuntimeError, match="too late"):
                too_late.eio.generate_id = later

    run(main())


@pytest.mark.parametrize("generated", ["", "with space", 'a"b', "ü", "x" * 256, "session-1", 7, None, Exception])
def test_ids_that_can_not_be_refuse_the_session(run: Run, generated: Any) -> None:
    def generate_id() -> Any:
        made.append(generated)
        if len(made) == 1:
            return "session-1"
        if generated is Exception:
            raise ValueError("no id")
        return generated

    made: list[Any] = []

    async def main() -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(type(context["exception"])))
        async with our_io(echo_server(generate_id=generate_id)) as url:
            assert (await get(url + POLLING))[0] == 200
            status, body, _ = await get(url + POLLING)
            assert (status, json.loads(body)) == (400, {"code": 3, "message": "Bad request"})
        expected = {Exception: [ValueError], 7: [TypeError], None: [TypeError]}
        assert reported == expected.get(generated, [])

    run(main())


def test_ids_that_name_servers_are_not_the_applications() -> None:
    manager = socketio.RedisManager("redis://127.0.0.1:1")
    with pytest.raises(ValueError, match="forward_requests"):
        socketio.Server(client_manager=manager, forward_requests=True, generate_id=counted())
    with pytest.raises(TypeError, match="generate_id must be callable, not str"):
        socketio.Server().eio.generate_id = "id"


@THREADED_HOSTS
def test_threads_choose_ids(host: Any) -> None:
    threads: list[str] = []

    def generate_id() -> str:
        threads.append(threading.current_thread().name)
        return f"session-{len(threads)}"

    with host(threaded_server(generate_id=generate_id)) as url:
        client = foreign.Client(reconnection=False)
        client.connect(url, wait_timeout=WAIT)
        assert client.eio.sid == "session-1" and client.call("echo", 1, timeout=WAIT) == 1
        client.disconnect()
    assert threads == ["sockline-handler"]


# Answers


def page(environ: dict[str, Any]) -> Any:
    """What the request's header asks for."""
    headers = sockline.Headers({"X-Page": "yes", "Content-Length": "999", "Content-Type": "text/plain"})
    wanted = environ.get("HTTP_WANTED", "")
    if wanted == "bad status":
        return sockline.Response(101, "Switching Protocols", headers)
    if wanted == "bad header":
        headers["X"] = "a\r\nY: b"
    return sockline.Response(int(wanted), "a phrase", headers, b"later, please\n") if wanted else True


async def page_later(environ: dict[str, Any]) -> Any:
    await asyncio.sleep(0)
    return page(environ)


@HOSTS
@pytest.mark.parametrize("allow_request", [page, page_later])
def test_requests_are_answered_in_place_of_the_engine(run: Run, host: Host, allow_request: Any) -> None:
    async def main() -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: reported.append(context.get("exception")))
        sio = echo_server(allow_request=allow_request, cors_allowed_origins="*")
        async with host(sio) as url, aiohttp.ClientSession() as session:
            for status in (200, 429, 503):
                headers = {"Wanted": str(status), "Origin": "http://there"}
                async with session.get(url + POLLING, headers=headers) as response:
                    assert (response.status, await response.text()) == (status, "later, please\n")
                    assert response.headers["X-Page"] == "yes" and response.headers["Content-Length"] == "14"
                    assert response.headers["Access-Control-Allow-Origin"] in ("*", "http://there")
            websocket = url + POLLING.replace("polling", "websocket")
            for status in (200, 429):
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(websocket, headers={"Wanted": str(status)})
                assert refused.value.status == status
            assert reported == []
            for wanted in ("bad status", "bad header"):
                assert (await get(url + POLLING, headers={"Wanted": wanted}))[0] == 403
            assert [type(error) for error in reported] == [ValueError, sockline.InvalidHeader]
            async with foreign_client(url) as client:
                assert await client.call("echo", 1, timeout=WAIT) == 1
            assert sio.metrics()["sessions"] == 1

    run(main())


@THREADED_HOSTS
def test_threads_answer_in_place_of_the_engine(host: Any) -> None:
    with host(threaded_server(allow_request=page, cors_allowed_origins="*")) as url:
        for status in (200, 299, 503):
            answer = requests.get(url + POLLING, headers={"Wanted": str(status)})
            assert (answer.status_code, answer.text) == (status, "later, please\n")
            assert answer.headers["X-Page"] == "yes" and answer.headers["Content-Length"] == "14"
        assert requests.get(url + POLLING).status_code == 200


# Messages


@HOSTS
@TRANSPORTS
def test_a_server_sends_messages_of_its_own(run: Run, host: Host, transports: list[str] | None, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        sio = echo_server(logger=logging.getLogger("told"))
        async with host(sio) as url:
            async with foreign_client(url, transports=transports) as client:
                session = sio.manager.eio_sid_from_sid(client.get_sid(), "/")
                assert session == client.eio.sid
                # What a client of Socket.IO takes for packets: an event, and one with an attachment.
                await sio.eio.send(session, '2["text","grüße"]')
                await sio.eio.send(session, '51-["binary",{"_placeholder":true,"num":0}]')
                await sio.eio.send(session, bytearray(b"\x00\xff"))
                await sio.emit("after", to=client.get_sid())
                assert [await client.recorder.next() for _ in range(3)] == [("text", "grüße"), ("binary", b"\x00\xff"), ("after",)]
                with pytest.raises(TypeError):
                    await sio.eio.send(session, 7)
                await sio.eio.disconnect(session)
                await until(lambda: not client.connected)
            assert "Cannot send" not in caplog.text
            await sio.eio.send("nobody", "hello")
            assert "Cannot send to session nobody" in caplog.text

    run(main())


def test_messages_of_json_are_told_in_text(run: Run) -> None:
    async def main() -> None:
        sio = echo_server()
        async with our_io(sio) as url, polling(url) as session:
            name = session.rpartition("=")[2]
            await sio.eio.send(name, {"a": [1, "grüße"]})
            await sio.eio.send(name, [None])
            assert (await get(session))[1] == '4{"a":[1,"grüße"]}\x1e4[null]'
            with pytest.raises(TypeError, match="binary"):
                await sio.eio.send(name, {"a": b"x"})

    run(main())


@TRANSPORTS
def test_a_client_sends_messages_of_its_own(run: Run, transports: list[str] | None) -> None:
    async def main() -> None:
        sio, heard = foreign.AsyncServer(async_mode="aiohttp"), Recorder()
        sio.on("*", lambda event, sid, *values: heard.note(event, *values))
        async with foreign_io(sio) as url:
            client = socketio.AsyncClient(reconnection=False)
            with pytest.raises(DisconnectedError):
                await client.eio.send("hello")
            await client.connect(url, transports=transports, wait_timeout=WAIT)
            await client.eio.send('2["text","grüße"]')
            await client.eio.send('51-["binary",{"_placeholder":true,"num":0}]')
            await client.eio.send(memoryview(b"\x00\xff"))
            await client.emit("after")
            assert [await heard.next() for _ in range(3)] == [("text", "grüße"), ("binary", b"\x00\xff"), ("after",)]
            await client.disconnect()
            with pytest.raises(DisconnectedError):
                await client.eio.send("hello")

    run(main())


def test_threads_send_messages_of_their_own() -> None:
    sio = threaded_server()
    with serving(sio) as url:
        client = socketio.Client(reconnection=False)
        heard: list[Any] = []
        client.on("*", lambda *values: heard.append(values))
        with pytest.raises(DisconnectedError):
            client.eio.send("hello")
        client.connect(url, wait_timeout=WAIT)
        asked: list[Any] = []
        sio.on("ask", lambda sid, *values: asked.append(values))
        client.eio.send('2["ask",1]')
        wait_until(lambda: asked == [(1,)])
        sio.eio.send(sio.manager.eio_sid_from_sid(client.get_sid(), "/"), '2["text",2]')  # type: ignore[arg-type]
        wait_until(lambda: heard == [("text", 2)])
        sio.eio.disconnect(client.sid)  # type: ignore[arg-type]
        wait_until(lambda: not client.connected)


# Packets


class Packets:
    """What was told, without pings."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def note(self, *packet: Any) -> None:
        *session, told = packet
        assert isinstance(told, socketio.EnginePacket) and isinstance(told.compress, bool)
        if told.kind == "message":
            self.told.append((*session, "out" if told.outgoing else "in", told.data))

    def awaits(self, *told: Any) -> Callable[[], bool]:
        return lambda: told in self.told

    async def note_later(self, *packet: Any) -> None:
        await asyncio.sleep(0)
        self.note(*packet)


@HOSTS
@pytest.mark.parametrize("is_coroutine", [False, True])
@TRANSPORTS
def test_a_server_hears_of_each_packet(run: Run, host: Host, transports: list[str] | None, is_coroutine: bool) -> None:
    async def main() -> None:
        sio, packets = echo_server(), Packets()
        handler = packets.note_later if is_coroutine else packets.note
        assert sio.on_packet(handler) is handler
        async with host(sio) as url, foreign_client(url, transports=transports) as client:
            sid, session = client.get_sid(), client.sid
            assert await client.call("echo", ("a", b"\x01"), timeout=WAIT) == ("a", b"\x01")
            await until(packets.awaits(session, "out", b"\x01"))
            said = [
                ("in", "0{}"),
                ("out", f'0{{"sid":"{sid}"}}'),
                ("in", '51-1["echo","a",{"_placeholder":true,"num":0}]'),
                ("in", b"\x01"),
                ("out", '61-1["a",{"_placeholder":true,"num":0}]'),
                ("out", b"\x01"),
            ]
            assert [packet[1:] for packet in packets.told] == said and {packet[0] for packet in packets.told} == {session}
            sio.on_packet(None)
            assert await client.call("echo", 1, timeout=WAIT) == 1
            assert len(packets.told) == len(said)

    run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
def test_a_client_hears_of_each_packet(run: Run, transports: list[str]) -> None:
    async def main() -> None:
        sio, packets = foreign.AsyncServer(async_mode="aiohttp"), Packets()

        @sio.event
        async def echo(sid: str, value: Any) -> Any:
            return value

        async with foreign_io(sio) as url:
            client = socketio.AsyncClient(reconnection=False)
            client.on_packet(packets.note)
            await client.connect(url, transports=transports, wait_timeout=WAIT)
            sid = client.get_sid()
            assert await client.call("echo", b"\x01", timeout=WAIT) == b"\x01"
            placeholder = '{"_placeholder":true,"num":0}'
            assert packets.told[:2] == [("out", "0"), ("in", f'0{{"sid":"{sid}"}}')]
            ((_, asked), sent, (_, answered), came) = packets.told[2:]
            assert asked.startswith("51-") and placeholder in asked and sent == ("out", b"\x01")
            assert answered.startswith("61-") and placeholder in answered and came == ("in", b"\x01")
            await client.disconnect()

    run(main())


def test_threads_hear_of_each_packet() -> None:
    sio, packets, of_client = threaded_server(), Packets(), Packets()
    with serving(sio) as url:

        @sio.on_packet
        def note(session: str, packet: socketio.EnginePacket) -> None:
            packets.note(session, packet)

        client = socketio.Client(reconnection=False)
        client.connect(url, transports=["websocket"], wait_timeout=WAIT)
        client.on_packet(of_client.note)
        assert client.call("echo", 1, timeout=WAIT) == 1
        assert [packet[0] for packet in of_client.told] == ["out", "in"]
        client.on_packet(None)
        assert client.call("echo", 2, timeout=WAIT) == 2
        assert len(of_client.told) == 2
        wait_until(packets.awaits(client.sid, "in", '21["echo",2]'))
        client.disconnect()
