"""What servers of Socket.IO are told by their options, and what is beside them."""

from __future__ import annotations

import asyncio
import gc
import json
import urllib.error
import urllib.request
import weakref
from typing import Any

import pytest
import socketio as foreign
from conftest import Run
from io_peers import WAIT, Recorder, echo_server, foreign_client, node_client, our_io, until

import sockline
from sockline import socketio


def status(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(f"{url}/socket.io/?EIO=4&transport=polling", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=WAIT) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


@pytest.mark.parametrize(
    ("allowed", "origin", "is_let_in"),
    [
        (None, "http://elsewhere.example", False),
        (None, "own", True),
        (None, None, True),
        ("*", "http://elsewhere.example", True),
        ([], "http://elsewhere.example", True),
        ("http://friend.example", "http://friend.example", True),
        ("http://friend.example", "http://elsewhere.example", False),
        (["http://friend.example"], "http://elsewhere.example", False),
        (lambda origin: origin.endswith(".example"), "http://friend.example", True),
        (lambda origin, environ: environ["REQUEST_METHOD"] == "POST", "http://friend.example", False),
    ],
)
def test_pages_of_other_origins_are_let_in_or_not(allowed: Any, origin: str | None, is_let_in: bool) -> None:
    sio = socketio.AsyncServer(cors_allowed_origins=allowed)

    async def main() -> None:
        async with our_io(sio) as url:
            headers = {} if origin is None else {"Origin": url if origin == "own" else origin}
            code, got, _ = await asyncio.to_thread(status, url, **headers)
            assert code == (200 if is_let_in else 403)
            if is_let_in and allowed and origin:
                assert got["Access-Control-Allow-Origin"] == origin
                assert got["Access-Control-Allow-Credentials"] == "true"

    asyncio.run(main())


def test_options_reach_the_engine() -> None:
    sio = socketio.AsyncServer(
        ping_interval=(7, 1),
        ping_timeout=3,
        max_http_buffer_size=5000,
        allow_upgrades=False,
        cookie={"name": "sid", "path": "/a", "SameSite": "Strict", "HttpOnly": True, "Max-Age": lambda: "60"},
    )

    async def main() -> None:
        async with our_io(sio) as url:
            _, headers, body = await asyncio.to_thread(status, url)
            hello = json.loads(body[1:])
            assert (hello["pingInterval"], hello["pingTimeout"], hello["maxPayload"]) == (7000, 4000, 5000)
            assert hello["upgrades"] == []
            cookie = headers["Set-Cookie"].split("; ")
            assert cookie[0] == f"sid={hello['sid']}"
            assert {"Path=/a", "SameSite=Strict", "HttpOnly", "Max-Age=60"} <= set(cookie)

    asyncio.run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"transports": ["pigeon"]},
        {"ping_interval": 0},
        {"cookie": {"name": "io", "Flavour": "sweet"}},
        {"slow_consumer": "patience"},
    ],
)
def test_options_that_can_not_be_are_refused(options: Any) -> None:
    async def main() -> None:
        with pytest.raises(ValueError):
            await socketio.AsyncServer(**options).listen("127.0.0.1")

    asyncio.run(main())


def test_what_belongs_to_web_frameworks_says_what_to_do_instead() -> None:
    sio = socketio.AsyncServer()
    with pytest.raises(NotImplementedError, match="listen"):
        sio.attach(object())
    with pytest.raises(NotImplementedError):
        socketio.AsyncServer(client_manager=object())  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        socketio.AsyncServer(serializer="pickle")
    with pytest.raises(TypeError):
        socketio.AsyncServer(ping_intervall=3)


def test_lost_clients_are_recovered_with_their_session(run: Run) -> None:
    sio = socketio.AsyncServer(connection_state_recovery=True)
    recorder = Recorder()

    @sio.event
    async def connect(sid: str, environ: Any) -> None:
        await sio.enter_room(sid, "room")
        await sio.save_session(sid, {"kept": True})
        recorder.note("connect")

    sio.on("disconnect", lambda sid, reason: recorder.note("disconnect"))
    sio.on("session", lambda sid: sio._session_of(sid, "/"))

    async def main() -> None:
        async with our_io(sio) as url, node_client(
            url, transports=["websocket"], reconnectionDelay=200, randomizationFactor=0
        ) as client:
            sid, recovered = await client.expect("connect")
            assert recovered is False
            await sio.emit("before", room="room")
            assert (await client.expect("event"))[0] == "before"
            await client.send("drop")
            assert await recorder.next() == ("connect",)
            assert await recorder.next() == ("disconnect",)
            await sio.emit("missed", room="room")
            await sio.emit("missed too", to=sid)
            lines = [await client.next() for _ in range(4)]
            assert ["connect", sid, True] in lines
            assert [line[1] for line in lines if line[0] == "event"] == ["missed", "missed too"]
            assert sio.recovered(sid)
            assert await client.call("session") == [{"kept": True}]
            assert recorder.is_empty()

    run(main())


def test_who_reads_slowly_is_waited_for(run: Run) -> None:
    sio = socketio.AsyncServer(high_water_mark=1 << 16)
    recorder = Recorder()
    sio.on("connect", lambda sid, environ: recorder.note(sid))

    async def main() -> None:
        async with our_io(sio) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]), limit=2**16)
            writer.write(
                b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
                b"\x81\x82\0\0\0\00040"
            )
            (sid,) = await recorder.next()
            await sio.drained(sid)
            while sio.buffered_amount(sid) <= 1 << 16:
                await sio.emit("much", b"x" * 100_000, to=sid)
                await asyncio.sleep(0)
            waiting = asyncio.create_task(sio.drained(sid))
            await asyncio.sleep(0.05)
            assert not waiting.done()
            while not waiting.done():
                await asyncio.wait_for(reader.read(2**16), WAIT)
            assert sio.buffered_amount(sid) <= 1 << 15
            while sio.buffered_amount(sid) <= 1 << 16:
                await sio.emit("much", b"x" * 100_000, to=sid)
            waiting = asyncio.create_task(sio.drained(sid))
            await asyncio.sleep(0)
            writer.close()
            await asyncio.wait_for(waiting, WAIT)

    run(main())


def test_nothing_is_left_of_a_server(run: Run) -> None:
    async def main() -> Any:
        sio = echo_server()

        @sio.event
        async def connect(sid: str, environ: Any) -> None:
            await sio.save_session(sid, {"a": 1})

        async with our_io(sio) as url, foreign_client(url, transports=["websocket"]) as client:
            assert await client.call("echo", 1) == 1
        return weakref.ref(sio)

    kept = run(main())
    gc.collect()
    assert kept() is None


def test_the_admin_namespace_lets_in_who_knows_the_password(run: Run) -> None:
    sio = socketio.AsyncServer()
    sio.instrument(auth={"username": "admin", "password": "secret"})
    with pytest.raises(ValueError):
        sio.instrument()

    async def main() -> None:
        async with our_io(sio) as url:
            auth = {"username": "admin", "password": "wrong"}
            with pytest.raises(foreign.exceptions.ConnectionError):
                async with foreign_client(url, namespaces=["/admin"], auth=auth):
                    pass
            auth["password"] = "secret"
            async with foreign_client(url, namespaces=["/admin"], auth=auth) as client:
                while (line := await client.recorder.next())[0] != "server_stats":
                    pass
                assert line[1]["clientsCount"] == 1

    run(main())


def test_websockets_and_files_have_their_place_beside_it(run: Run, tmp_path: Any) -> None:
    sio = echo_server()
    (tmp_path / "page.html").write_text("a page")

    async def raw(connection: sockline.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def main() -> None:
        async with sockline.serve(raw, "127.0.0.1", 0, socketio=sio, static_folder=tmp_path) as server:
            port = server.sockets[0].getsockname()[1]
            async with foreign_client(f"http://127.0.0.1:{port}") as client:
                assert await client.call("echo", "io") == "io"
                async with sockline.connect(f"ws://127.0.0.1:{port}/ws") as connection:
                    await connection.send("raw")
                    assert await connection.recv() == "raw"
                page = f"http://127.0.0.1:{port}/page.html"
                assert await asyncio.to_thread(lambda: urllib.request.urlopen(page, timeout=WAIT).read()) == b"a page"

    run(main())


def test_handlers_stay_on_their_thread() -> None:
    with pytest.raises(NotImplementedError, match="threads"):
        echo_server().listen("127.0.0.1", 0, threads=1)
    with pytest.raises(NotImplementedError, match="threads"):
        socketio.Server().listen("127.0.0.1", 0, threads=1)


def test_events_of_reserved_names_are_not_taken_for_the_servers_own(run: Run) -> None:
    sio = echo_server()
    connected: list[str] = []
    sio.on("connect", lambda sid, environ: connected.append(sid))

    async def main() -> None:
        async with our_io(sio) as url:
            client = foreign.AsyncClient(reconnection=False)
            await client.connect(url, transports=["websocket"])
            await client.emit("connect", {"wsgi": "forged"})
            await client.emit("disconnect", "forged")
            await until(lambda: sio.metrics()["clients"] == 0 or sio.metrics()["events_in"] == 2)
            assert len(connected) == 1
            await client.disconnect()
        with pytest.raises(ValueError):
            async with our_io(sio):
                await sio.emit("disconnect", to="room")

    run(main())
