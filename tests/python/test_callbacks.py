"""The callback face, in its two homes: an asyncio loop, and a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import websockets
from conftest import Run, foreign_server
from websockets.sync.client import connect as foreign_connect

import sockline

WAIT = 20


class Recorder:
    """Handlers that write down what they hear."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.threads: set[str] = set()
        self.closed = threading.Event()

    def handlers(self) -> dict[str, Any]:
        def note(name: str) -> Any:
            def handler(ws: Any, *arguments: Any) -> None:
                self.threads.add(threading.current_thread().name)
                self.events.append((name, *arguments))
                if name == "close":
                    self.closed.set()

            return handler

        return {f"on{name}": note(name) for name in ("open", "message", "close", "error", "ping", "pong")}


def test_events_come_in_order_on_the_thread() -> None:
    recorder = Recorder()

    def answer(ws: sockline.WebSocket, message: sockline.Data) -> None:
        ws.ping(b"are you there")
        ws.send(message)
        ws.close(4000, "enough")

    server = sockline.WebSocketServer("127.0.0.1", onmessage=answer)
    ws = sockline.WebSocket(f"ws://127.0.0.1:{server.port}/path?query", **recorder.handlers())
    while ws.ready_state != ws.OPEN:
        recorder.closed.wait(0.001)
    assert ws.send("grüße") is True
    assert recorder.closed.wait(WAIT)
    assert recorder.events == [
        ("open",),
        ("ping", b"are you there"),
        ("message", "grüße"),
        ("close", 4000, "enough", True),
    ]
    assert recorder.threads == {"sockline"}
    assert (ws.ready_state, ws.readyState, ws.bufferedAmount) == (3, 3, 0)
    assert ws.url.endswith("/path?query") and ws.remote_address == ("127.0.0.1", server.port)
    with pytest.raises(sockline.SocklineError) as caught:
        ws.send("too late")
    assert caught.value.code == "SOCKLINE_ERR_CLOSED"
    ws.close()
    ws.terminate()
    server.close()


def test_events_come_within_the_running_loop(run: Run) -> None:
    recorder = Recorder()

    async def main() -> None:
        async def handler(connection: Any) -> None:
            await connection.send("one")
            await connection.send(b"two")

        async with foreign_server(handler) as url:
            sockline.WebSocket(url, **recorder.handlers())
            while not recorder.closed.is_set():
                await asyncio.sleep(0.001)

    run(main())
    assert recorder.events == [("open",), ("message", "one"), ("message", b"two"), ("close", 1000, "", True)]
    assert recorder.threads == {threading.current_thread().name}


def test_an_exception_in_a_handler_goes_to_the_loop_and_the_batch_goes_on(run: Run) -> None:
    reported: list[Any] = []
    received: list[str] = []

    def fail_once(ws: sockline.WebSocket, message: sockline.Data) -> None:
        received.append(str(message))
        if message == "0":
            raise LookupError("on purpose")

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        done = asyncio.Event()

        async def handler(connection: Any) -> None:
            for number in range(10):
                await connection.send(str(number))

        async with foreign_server(handler) as url:
            sockline.WebSocket(url, onmessage=fail_once, onclose=lambda *_: done.set())
            await asyncio.wait_for(done.wait(), WAIT)

    run(main())
    assert received == [str(number) for number in range(10)]
    assert [type(context["exception"]) for context in reported] == [LookupError]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_exit_in_a_handler_leaves_the_loop(run: Run, kind: type[BaseException]) -> None:
    def leave(ws: sockline.WebSocket) -> None:
        raise kind

    async def main() -> None:
        async with foreign_server() as url:
            sockline.WebSocket(url, onopen=leave)
            await asyncio.sleep(WAIT)

    with pytest.raises(kind):
        run(main())


def test_messages_wait_for_their_handler() -> None:
    received: list[Any] = []
    three = threading.Event()

    def onmessage(ws: sockline.WebSocket, message: sockline.Data) -> None:
        received.append((message, threading.current_thread().name))
        if len(received) == 3:
            three.set()

    def greet(ws: sockline.WebSocket) -> None:
        for number in range(3):
            ws.send(str(number))

    server = sockline.WebSocketServer("127.0.0.1", onconnection=greet)
    pong = threading.Event()
    ws = sockline.WebSocket(
        f"ws://127.0.0.1:{server.port}", onopen=lambda ws: ws.ping(), onpong=lambda ws, payload: pong.set()
    )
    assert pong.wait(WAIT)  # so the messages are there
    ws.onmessage = onmessage
    assert three.wait(WAIT)
    assert received == [(str(number), "sockline") for number in range(3)]
    ws.close()
    server.close()


def test_upgrades_are_answered_at_once_or_later() -> None:
    def onupgrade(request: sockline.UpgradeRequest) -> None:
        if request.path == "/refuse":
            request.refuse(401, "who are you", {"WWW-Authenticate": "Basic"})
        else:
            name = request.protocols[0]
            threading.Timer(0.01, lambda: request.accept(name, {"X-Name": request.headers["X-Name"]})).start()

    closed = threading.Event()
    server = sockline.WebSocketServer(
        "127.0.0.1",
        onupgrade=onupgrade,
        onmessage=lambda ws, message: ws.send(f"{ws.protocol} {message}"),
        onclosed=lambda server: closed.set(),
    )
    url = f"ws://127.0.0.1:{server.port}"
    with pytest.raises(websockets.InvalidStatus) as caught:
        foreign_connect(url + "/refuse")
    response = caught.value.response
    assert (response.status_code, response.body, response.headers["WWW-Authenticate"]) == (401, b"who are you", "Basic")
    with foreign_connect(url, subprotocols=["chat"], additional_headers={"X-Name": "ann"}) as client:
        assert client.response.headers["X-Name"] == "ann"
        client.send("hello")
        assert client.recv() == "chat hello"
        assert len(server.clients) == 1
        server.broadcast("to all")
        assert client.recv() == "to all"
        server.close(1001, "bye")
        with pytest.raises(websockets.ConnectionClosedOK):
            client.recv()
    assert closed.wait(WAIT)
    assert server.address is None and not server.clients


def test_back_pressure_is_told() -> None:
    drained = threading.Event()
    room: list[bool] = []

    def fill(ws: sockline.WebSocket) -> None:
        while not room or room[-1]:
            room.append(ws.send(b"x" * 100_000))

    received: list[int] = []
    server = sockline.WebSocketServer("127.0.0.1", onmessage=lambda ws, message: received.append(len(message)))
    ws = sockline.WebSocket(
        f"ws://127.0.0.1:{server.port}", onopen=fill, ondrain=lambda ws: drained.set(), high_water_mark=1_000_000
    )
    assert drained.wait(WAIT)
    assert room[-1] is False and all(room[:-1])
    ws.close()
    server.close()


def test_what_can_not_be_used_is_refused_at_once() -> None:
    for url in ("localhost", "ws://localhost/#fragment"):
        with pytest.raises(sockline.SocklineError):
            sockline.WebSocket(url)
    with pytest.raises(TypeError):
        sockline.WebSocket("ws://localhost", onopen=1)
    server = sockline.WebSocketServer("127.0.0.1")
    with pytest.raises(OSError):
        sockline.WebSocketServer("127.0.0.1", server.port)
    server.close()


def test_a_failed_connection_tells_why_and_closes() -> None:
    recorder = Recorder()
    server = sockline.WebSocketServer("127.0.0.1")
    port = server.port
    server.close()
    while server.address is not None:
        recorder.closed.wait(0.001)
    sockline.WebSocket(f"ws://127.0.0.1:{port}", **recorder.handlers())
    assert recorder.closed.wait(WAIT)
    (name, error), last = recorder.events
    assert (name, error.code) == ("error", "SOCKLINE_ERR_CONNECT_FAILED")
    assert last == ("close", 1006, "", False)
