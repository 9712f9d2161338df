"""`AsyncClient` and `AsyncSimpleClient` at the official server, at that of python-socketio, and at ours."""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
import socketio as foreign
import trustme
from conftest import Run
from io_peers import TRANSPORTS, WAIT, Recorder, foreign_io, node_server, our_io, until

import sockline
from sockline import socketio
from sockline.socketio.exceptions import BadNamespaceError, ConnectionError, ConnectionLostError, DisconnectedError

VALUES: tuple[Any, ...] = (1, "grüße 🎉", {"a": [b"binary", {"b": b""}]}, None, b"more")


@asynccontextmanager
async def server(kind: str, **options: Any) -> AsyncIterator[str]:
    """The URL of a server that answers `echo`, and asks by `question` what it is told by `ask me`."""
    if kind == "node":
        async with node_server(**options) as (url, _):
            yield url
        return
    sio: Any = foreign.AsyncServer(async_mode="aiohttp", **options) if kind == "python" else socketio.AsyncServer(**options)

    @sio.event
    async def echo(sid: str, *values: Any) -> Any:
        return values

    @sio.on("ask me")
    async def ask_me(sid: str, *values: Any) -> None:
        await sio.emit("question", values, to=sid, callback=lambda *answer: sio.emit("answer", answer, to=sid))

    async with foreign_io(sio) if kind == "python" else our_io(sio) as url:
        yield url


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[socketio.AsyncClient]:
    """A client whose events are in `client.recorder`."""
    known = ("auth", "headers", "namespaces", "transports", "socketio_path")
    client: Any = socketio.AsyncClient(**{name: value for name, value in options.items() if name not in known})
    record(client, options.get("namespaces") or ["/"])
    await client.connect(url, wait_timeout=WAIT, **{name: options[name] for name in known if name in options})
    try:
        yield client
    finally:
        await client.shutdown()


def record(client: Any, namespaces: list[str] = ["/"]) -> Recorder:
    recorder = client.recorder = Recorder()
    for namespace in namespaces:
        client.on("*", lambda event, *values: recorder.note(event, *values), namespace)
        client.on("disconnect", lambda reason: recorder.note("disconnect", reason), namespace)
        client.on("connect_error", lambda *values: recorder.note("connect_error", *values), namespace)
    return recorder


async def heard(client: Any, event: str) -> tuple[Any, ...]:
    """The values of the next event of this name; others are passed over."""
    while True:
        name, *values = await client.recorder.next()
        if name == event:
            return tuple(values)


@pytest.mark.parametrize("kind", ["node", "python", "ours"])
@TRANSPORTS
def test_client_and_server_ask_each_other(run: Run, kind: str, transports: Any) -> None:
    async def main() -> None:
        async with server(kind) as url, connected(url, transports=transports) as client:
            assert client.transport() == ("polling" if transports == ["polling"] else "websocket") or not transports
            assert await client.call("echo", VALUES, timeout=WAIT) == VALUES
            assert await client.call("echo", timeout=WAIT) is None
            assert await client.call("echo", 5, timeout=WAIT) == 5
            client.on("question", lambda *values: (*values, "answered"))
            answer = asyncio.get_running_loop().create_future()
            if kind == "node":
                await client.emit("ask me", (1, b"2"))
            else:
                client.on("answer", lambda *values: answer.set_result(values))
                await client.emit("ask me", (1, b"2"))
                assert await asyncio.wait_for(answer, WAIT) == (1, b"2", "answered")

    run(main())


def test_the_official_server_hears_answers(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, peer), connected(url) as client:
            client.on("question", lambda *values: (*values, "answered"))
            await client.emit("ask me", (1, b"2"))
            assert await peer.expect("answer") == [[1, b"2", "answered"]]

            @client.on("question")
            async def later(*values: Any) -> Any:
                await asyncio.sleep(0)
                return {"later": values[0]}

            await client.emit("ask me", b"3")
            assert await peer.expect("answer") == [[{"later": b"3"}]]
            client.handlers["/"].clear()
            await client.emit("ask me", 4)
            assert await peer.expect("answer") == [[]]

    run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
def test_msgpack_is_spoken(run: Run, transports: list[str]) -> None:
    async def main() -> None:
        async with node_server(msgpack=True) as (url, _):
            async with connected(url, serializer="msgpack", transports=transports) as client:
                assert await client.call("echo", VALUES, timeout=WAIT) == VALUES

    run(main())


def test_it_goes_over_to_a_websocket(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, _), connected(url) as client:
            await until(lambda: client.transport() == "websocket")
            assert await client.call("echo", 1, timeout=WAIT) == 1

    run(main())


def test_auth_headers_and_query_reach_the_server(run: Run) -> None:
    async def auth() -> Any:
        await asyncio.sleep(0)
        return {"token": "a"}

    async def main() -> None:
        async with node_server() as (url, peer):
            given = {"auth": auth, "headers": lambda: {"X-Header": "value"}}
            async with connected(f"{url}?room=a%20b", **given) as client:
                namespace, sid, told, recovered = await peer.expect("connect")
                assert (namespace, told, recovered) == ("/", {"token": "a"}, False)
                assert client.get_sid() == sid and client.sid != sid and client.sid
                welcome = await heard(client, "welcome")
                assert welcome[:2] == (sid, "value")
                assert welcome[2]["room"] == "a b"

    run(main())


def test_namespaces_share_a_connection(run: Run) -> None:
    class Chat(socketio.AsyncClientNamespace):
        async def on_welcome(self, sid: str, *_: Any) -> None:
            self.client.recorder.note("in the chat", sid)

        async def on_question(self, *values: Any) -> Any:
            return ["chat", *values]

    async def main() -> None:
        async with node_server() as (url, peer):
            client: Any = socketio.AsyncClient()
            record(client)
            chat = Chat("/chat")
            client.register_namespace(chat)
            await client.connect(url, wait_timeout=WAIT)
            assert set(client.namespaces) == {"/", "/chat"}
            assert await heard(client, "in the chat") == (client.get_sid("/chat"),)
            assert await chat.call("echo", "x") == "x"
            await chat.emit("ask me", 1)
            assert await peer.expect("answer") == [[["chat", 1]]]
            with pytest.raises(BadNamespaceError):
                await client.emit("echo", namespace="/elsewhere")
            await client.disconnect()
            assert not client.namespaces

    run(main())


def test_a_refusal_is_told_with_its_data(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, _):
            client: Any = socketio.AsyncClient()
            record(client, ["/", "/nowhere"])
            with pytest.raises(ConnectionError, match="/"):
                await client.connect(url, auth={"name": "nobody"}, wait_timeout=WAIT, namespaces=["/"])
            assert await client.recorder.next() == ("connect_error", {"message": "who are you", "data": {"code": 7}})
            with pytest.raises(ConnectionError, match="/nowhere"):
                await client.connect(url, wait_timeout=WAIT, namespaces=["/", "/nowhere"])
            assert await heard(client, "connect_error") == ({"message": "Invalid namespace"},)
            assert not client.connected
            await client.connect(url, wait_timeout=WAIT, namespaces=["/"])
            assert client.connected
            with pytest.raises(ConnectionError, match="Already"):
                await client.connect(url)
            await client.disconnect()

    run(main())


def test_nobody_there_is_an_error(run: Run, unused_port: int) -> None:
    async def main() -> None:
        client: Any = socketio.AsyncClient()
        record(client)
        with pytest.raises(ConnectionError):
            await client.connect(f"http://127.0.0.1:{unused_port}")
        assert (await client.recorder.next())[0] == "connect_error"
        with pytest.raises(ConnectionError):
            await client.connect("nonsense://")
        await client.wait()
        await client.disconnect()

    run(main())


def test_calls_end_in_time_and_with_the_connection(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, peer), connected(url, reconnection=False) as client:
            with pytest.raises(socketio.exceptions.TimeoutError):
                await client.call("silence", timeout=0.05)
            waiting = asyncio.create_task(client.call("silence", timeout=WAIT))
            await peer.expect("event")
            await client.emit("drop me")
            with pytest.raises(ConnectionLostError):
                await waiting
            await asyncio.wait_for(client.wait(), WAIT)
            assert not client.connected

    run(main())


def test_the_server_may_put_it_out(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, _), connected(url) as client:
            await client.emit("kick me")
            assert await heard(client, "disconnect") == (client.reason.SERVER_DISCONNECT,)
            await asyncio.wait_for(client.wait(), WAIT)
            assert not client.connected and client.transport() is None

    run(main())


def test_disconnect_waits_for_its_handlers(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, peer), connected(url) as client:
            said: list[str] = []

            @client.event
            async def disconnect(reason: str) -> None:
                await asyncio.sleep(0.01)
                said.append(reason)
                await client.disconnect()  # harmless

            waiting = asyncio.create_task(client.wait())
            await client.disconnect()
            assert said == [client.reason.CLIENT_DISCONNECT]
            await asyncio.wait_for(waiting, WAIT)
            assert await peer.expect("disconnect") == ["/", "client namespace disconnect"]

    run(main())


@pytest.mark.parametrize("transports", [["polling"], ["websocket"]], ids=str)
def test_it_comes_back(run: Run, transports: list[str]) -> None:
    async def main() -> None:
        asked: list[int] = []

        def auth() -> Any:
            asked.append(1)
            return {"attempt": len(asked)}

        options: Any = {"reconnection_delay": 0.02, "randomization_factor": 0, "transports": transports, "auth": auth}
        async with node_server() as (url, peer), connected(url, **options) as client:
            before = client.get_sid()
            connects: list[str | None] = []
            client.on("connect", lambda: connects.append(client.get_sid()))
            waiting = asyncio.create_task(client.wait())
            await client.emit("drop me")
            assert await heard(client, "disconnect") == (client.reason.TRANSPORT_ERROR,)
            await until(lambda: client.connected)
            assert connects == [client.get_sid()] != [before]
            assert await client.call("echo", "again", timeout=WAIT) == "again"
            assert [(await peer.expect("connect"))[2] for _ in range(2)] == [{"attempt": 1}, {"attempt": 2}]
            assert not waiting.done()
            waiting.cancel()

    run(main())


def test_it_is_recovered_by_the_official_server(run: Run) -> None:
    recovery = {"connectionStateRecovery": {"maxDisconnectionDuration": 60_000}}

    async def main() -> None:
        options: Any = {"reconnection_delay": 0.02, "randomization_factor": 0, "transports": ["websocket"]}
        async with node_server(**recovery) as (url, peer), connected(url, **options) as client:
            before = client.get_sid()
            await client.call("echo", timeout=WAIT)
            await peer.send("emit", "kept")
            await heard(client, "kept")
            await client.emit("drop me")
            await heard(client, "disconnect")
            await peer.send("emit", "missed")
            await heard(client, "missed")
            await until(lambda: client.connected)
            assert client.get_sid() == before
            assert client._native is not None and client._native.recovered("/")

    run(main())


def test_it_gives_up_after_the_attempts_that_it_may_make(run: Run) -> None:
    async def main() -> None:
        options: Any = {"reconnection_delay": 0.01, "randomization_factor": 0, "reconnection_attempts": 2}
        async with node_server() as (url, peer):
            client: Any = socketio.AsyncClient(**options)
            record(client)
            await client.connect(url, wait_timeout=WAIT)
            await client.call("echo", timeout=WAIT)
        await asyncio.wait_for(client.wait(), WAIT)
        assert not client.connected
        assert await heard(client, "disconnect")
        await heard(client, "connect_error")
        await heard(client, "connect_error")
        assert client.recorder.is_empty()

    run(main())


def test_a_first_attempt_may_be_followed_by_others(run: Run, unused_port: int) -> None:
    async def main() -> None:
        client: Any = socketio.AsyncClient(reconnection_delay=0.01, randomization_factor=0)
        connecting = asyncio.create_task(client.connect(f"http://127.0.0.1:{unused_port}", retry=True))
        await asyncio.sleep(0)
        async with node_server(port=unused_port):
            await asyncio.wait_for(connecting, WAIT)
            assert await client.call("echo", 1, timeout=WAIT) == 1
            await client.disconnect()

    run(main())


def test_shutdown_stops_coming_back(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, _):
            client: Any = socketio.AsyncClient(reconnection_delay=1000, randomization_factor=0)
            record(client)
            finals: list[int] = []
            client.on("__disconnect_final", lambda: finals.append(1))
            await client.connect(url, wait_timeout=WAIT)
            await client.emit("drop me")
            await heard(client, "disconnect")
            await until(lambda: client._comeback.is_running)
            await client.shutdown()
            assert finals == [1]
            await asyncio.wait_for(client.wait(), WAIT)

    run(main())


def test_emitting_waits_for_room(run: Run) -> None:
    async def main() -> None:
        async with server("ours") as url, connected(url, transports=["websocket"], high_water_mark=1 << 16) as client:
            most = 0
            for _ in range(100):
                await client.emit("nobody hears", b"x" * 100_000)
                most = max(most, client.buffered_amount)
            assert await client.call("echo", 1, timeout=WAIT) == 1
            assert most < 1_000_000

    run(main())


def test_a_lost_client_leaves_nothing(run: Run) -> None:
    import gc
    import weakref

    async def main() -> Any:
        async with server("ours") as url:
            async with connected(url) as client:
                pass
            return weakref.ref(client)

    kept = run(main())
    gc.collect()
    assert kept() is None


def test_the_simple_client_receives(run: Run) -> None:
    async def main() -> None:
        async with node_server() as (url, _):
            async with socketio.AsyncSimpleClient(reconnection_delay=0.02, randomization_factor=0) as client:
                await client.connect(url, transports=["websocket"])
                assert (await client.receive(timeout=WAIT))[:2] == ["welcome", client.sid]
                assert client.transport == "websocket"
                assert await client.call("echo", (1, b"2")) == (1, b"2")
                await client.emit("bc", "hi")
                assert await client.receive() == ["bc", "hi"]
                with pytest.raises(socketio.exceptions.TimeoutError):
                    await client.receive(timeout=0.01)
                before = client.sid
                await client.emit("drop me")
                assert (await client.receive(timeout=WAIT))[0] == "welcome"
                assert client.sid != before
                with pytest.raises(RuntimeError):
                    await client.connect(url)
                await client.emit("kick me")
                with pytest.raises(DisconnectedError):
                    await client.receive(timeout=WAIT)
                with pytest.raises(DisconnectedError):
                    await client.emit("anything")

    run(main())


def test_sessions_of_other_libraries_are_read(run: Run, tmp_path: Any) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    tls = sockline.ServerTLS(
        b"".join(part.bytes() for part in certificate.cert_chain_pems), certificate.private_key_pem.bytes()
    )

    async def main() -> None:
        sio = socketio.AsyncServer()
        sio.on("seen", lambda sid: [sio.get_environ(sid)[f"HTTP_{name}"] for name in ("X_HEADER", "COOKIE")])  # type: ignore[index]
        async with our_io(sio, ssl=tls) as url:
            url = url.replace("http:", "https:")
            trusting = requests.Session()
            trusting.verify = str(path)
            trusting.headers["X-Header"] = "value"
            trusting.cookies.set("a", "b")
            async with connected(url, http_session=trusting) as client:
                assert await client.call("seen", timeout=WAIT) == ["value", "a=b"]
            careless = requests.Session()
            careless.verify = False
            context = ssl.create_default_context(cafile=str(path))
            async with (
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as with_context,
                aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as with_none,
            ):
                for session in (careless, with_context, with_none):
                    async with connected(url, http_session=session) as client:
                        assert client.connected
            async with connected(url, ssl_verify=False) as client:
                assert client.connected
            with_certificate = ssl.create_default_context(cafile=str(path))
            certificate.configure_cert(with_certificate)
            for wanted, hint in ((with_certificate, "sockline.SSLContext"), (aiohttp.Fingerprint(bytes(32)), "pins")):
                async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=wanted)) as session:
                    with pytest.raises(NotImplementedError, match=hint):
                        socketio.AsyncClient(http_session=session)
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector("/nowhere")) as session:
                with pytest.raises(NotImplementedError, match="socket of the system"):
                    socketio.AsyncClient(http_session=session)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.1", 0))) as session:
                with pytest.raises(NotImplementedError, match="local_addr"):
                    socketio.AsyncClient(http_session=session)
            for stranger in ({}, {"http_session": requests.Session()}):
                with pytest.raises(ConnectionError, match="certificate"):
                    async with connected(url, **stranger):
                        pass

    run(main())


def test_what_belongs_to_other_libraries_is_refused() -> None:
    for options in ({"http_session": object()}, {"websocket_extra_options": {"a": 1}}, {"serializer": "pickle"}):
        with pytest.raises(NotImplementedError):
            socketio.AsyncClient(**options)
    with pytest.raises(ValueError):
        socketio.AsyncClient().register_namespace(socketio.ClientNamespace("/sync"))


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_interrupt_is_told_to_the_server(tmp_path: Path, loop: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import signal, sys\n"
        f"import {loop} as loop\n"
        "from sockline import socketio\n"
        "async def main():\n"
        "    client = socketio.AsyncClient()\n"
        "    client.on('disconnect', lambda reason: print(reason, flush=True))\n"
        "    await client.connect(sys.argv[1], transports=['websocket'], wait_timeout=20)\n"
        "    await client.disconnect()\n"
        "    assert signal.getsignal(signal.SIGINT) is not before\n"
        "    await client.connect(sys.argv[1], transports=['websocket'], wait_timeout=20)\n"
        "    print('connected', flush=True)\n"
        "    await client.wait()\n"
        "before = signal.getsignal(signal.SIGINT)\n"
        "try:\n"
        "    loop.run(main())\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )

    async def main() -> None:
        async with node_server() as (url, peer):
            pipe = asyncio.subprocess.PIPE
            process = await asyncio.create_subprocess_exec(sys.executable, program, url, stdout=pipe)
            assert process.stdout is not None
            lines = [await asyncio.wait_for(process.stdout.readline(), WAIT) for _ in range(2)]
            assert lines == [b"client disconnect\n", b"connected\n"]
            process.send_signal(signal.SIGINT)
            rest = await asyncio.wait_for(process.stdout.read(), WAIT)
            assert rest in (b"client disconnect\ninterrupted\n", b"interrupted\n") and await process.wait() == 0
            for _ in range(2):
                assert await peer.expect("disconnect") == ["/", "client namespace disconnect"]

    asyncio.run(main())
