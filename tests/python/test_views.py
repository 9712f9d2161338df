"""Messages as memoryviews: what a program does with them can't make them wrong."""

from __future__ import annotations

import asyncio
import copy
import gc
import hashlib
import os
import pickle
import queue
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as foreign_connect

import sockline

WAIT = 20
KIB = 1 << 10
WHOLE = 100 * KIB
"""A message of this length never lies in one read, so it is never copied."""

SERVERS = pytest.mark.parametrize(
    "options", [{}, {"threads": 2}, {"compression": True}], ids=["plain", "threads", "compressed"]
)


def payload(number: int, length: int) -> bytes:
    """Of each number other bytes."""
    return hashlib.sha256(str(number).encode()).digest() * (length // 32) + bytes([number % 256]) * (length % 32)


def connected(server: sockline.WebSocketServer) -> ClientConnection:
    return foreign_connect(f"ws://127.0.0.1:{server.port}", max_size=None)


class Taken:
    """A server and the messages that it has heard."""

    def __init__(self, **options: Any) -> None:
        self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        options = {"onmessage": lambda ws, message: self.messages.put(message), "views_from": 0, **options}
        self.server = sockline.WebSocketServer("127.0.0.1", max_size=None, **options)

    def next(self) -> Any:
        return self.messages.get(timeout=WAIT)

    def take(self, *messages: str | bytes) -> list[Any]:
        """Sends messages there; what came of them."""
        with connected(self.server) as client:
            for message in messages:
                client.send(message)
            return [self.next() for _ in messages]


def test_binary_messages_from_a_length_on_come_as_views() -> None:
    taken = Taken(views_from=1000)
    short, exact, long, text = taken.take(bytes(999), bytes(1000), payload(1, WHOLE), "x" * WHOLE)
    assert (type(short), type(exact), type(long), text) == (bytes, memoryview, memoryview, "x" * WHOLE)
    assert exact == bytes(1000) and long == payload(1, WHOLE)
    taken.server.close()


def test_without_being_asked_for_there_are_none() -> None:
    taken = Taken(views_from=None)
    assert [type(message) for message in taken.take(b"", bytes(WHOLE))] == [bytes, bytes]
    taken.server.close()


def test_a_client_has_them_too(run: Run) -> None:
    async def main() -> None:
        echo = sockline.WebSocketServer("127.0.0.1", onmessage=lambda ws, message: ws.send(message))
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[Any] = loop.create_future()
        ws = sockline.WebSocket(
            f"ws://127.0.0.1:{echo.port}",
            views_from=0,
            onopen=lambda ws: ws.send(payload(1, WHOLE)),
            onmessage=lambda ws, message: heard.set_result(message),
        )
        view = await asyncio.wait_for(heard, WAIT)
        assert type(view) is memoryview and view == payload(1, WHOLE)
        ws.close()
        echo.close()

    run(main())


@SERVERS
def test_only_what_is_short_or_lies_in_the_loops_memory_is_copied(options: dict[str, Any]) -> None:
    taken = Taken(**options)
    short, long = taken.take(payload(1, 1000), payload(2, WHOLE))
    assert type(short.obj) is bytes
    assert type(long.obj).__name__ == "Payload"
    taken.server.close()


@pytest.mark.parametrize("length", [0, 1000, WHOLE])
def test_a_view_is_like_one_of_bytes(length: int) -> None:
    taken = Taken()
    content = payload(1, length)
    (view,) = taken.take(content)
    like = memoryview(content)
    for name in ("readonly", "format", "itemsize", "nbytes", "ndim", "shape", "strides", "c_contiguous"):
        assert getattr(view, name) == getattr(like, name)
    assert view == like and bytes(view) == content and hash(view) == hash(like)
    with pytest.raises(TypeError):
        view[:1] = b"x"
    with pytest.raises(TypeError):
        pickle.dumps(view)
    with pytest.raises(TypeError):
        copy.deepcopy(view)
    taken.server.close()


def test_the_owner_of_the_memory_gives_nothing_else_away() -> None:
    taken = Taken()
    (view,) = taken.take(payload(1, WHOLE))
    owner = view.obj
    with pytest.raises(TypeError):
        type(owner)()
    with pytest.raises(TypeError):
        pickle.dumps(owner)
    with pytest.raises(TypeError):
        copy.copy(owner)
    with pytest.raises((TypeError, BufferError)), open(os.devnull, "rb") as source:
        source.readinto(owner)  # asks for memory that it may write to
    with pytest.raises(TypeError):
        type("Mine", (type(owner),), {})
    view.release()
    assert memoryview(owner) == payload(1, WHOLE)
    taken.server.close()


@SERVERS
def test_what_is_kept_stays_right_while_thousands_more_come(options: dict[str, Any]) -> None:
    kept: dict[int, tuple[bytes, Any]] = {}
    count = 3000
    done = threading.Event()

    def content(number: int) -> bytes:
        return payload(number, (0, 3, 300, 20 * KIB, 63 * KIB, 70 * KIB, 200 * KIB)[number % 7])

    def keep(ws: Any, view: Any) -> None:
        number = len(seen)
        seen.append(len(view))
        if number % 35 < 7:  # each length is among them
            some = slice(len(view) // 3, len(view), 1 + number % 3)
            kept[number] = (content(number)[some], view[some])  # the view itself goes, a slice stays
        if number == count - 1:
            done.set()

    seen: list[int] = []
    server = sockline.WebSocketServer("127.0.0.1", onmessage=keep, views_from=0, max_size=None, **options)
    with connected(server) as client:
        for number in range(count):
            client.send(content(number))
        assert done.wait(WAIT)
    server.close()
    gc.collect()
    assert len(kept) == 602
    assert all(view == expected for expected, view in kept.values())


def test_it_outlives_its_connection_and_its_loop(run: Run) -> None:
    kept: list[memoryview] = []

    async def main() -> None:
        def keep(ws: Any, view: memoryview) -> None:
            kept.append(view[1:])
            ws.terminate()
            server.close()
            assert view == payload(1, WHOLE)

        closed = asyncio.Event()
        server = sockline.WebSocketServer(
            "127.0.0.1", onmessage=keep, onclosed=lambda server: closed.set(), views_from=0
        )
        sockline.WebSocket(f"ws://127.0.0.1:{server.port}", onopen=lambda ws: ws.send(payload(1, WHOLE)))
        await asyncio.wait_for(closed.wait(), WAIT)

    run(main())
    gc.collect()
    assert kept[0] == payload(1, WHOLE)[1:]


def test_other_threads_read_views_while_more_comes() -> None:
    pool = ThreadPoolExecutor(4)
    digests: queue.SimpleQueue[Future[bytes]] = queue.SimpleQueue()

    def digest(view: memoryview) -> bytes:
        return hashlib.sha256(view).digest()  # without the interpreter's lock

    server = sockline.WebSocketServer(
        "127.0.0.1", onmessage=lambda ws, view: digests.put(pool.submit(digest, view)), views_from=0
    )
    contents = [payload(number, 50 * KIB + 1000 * number) for number in range(300)]
    with connected(server) as client:
        for content in contents:
            client.send(content)
        for content in contents:
            found = digests.get(timeout=WAIT).result(WAIT)
            assert found == hashlib.sha256(content).digest()
    pool.shutdown()
    server.close()


def test_an_exception_keeps_its_view_and_the_next_message_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: errors.append(unraisable.exc_value))
    heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def fail(ws: Any, view: memoryview) -> None:
        if view[0] == payload(0, WHOLE)[0]:
            raise LookupError(view[1000:2000])
        heard.put(bytes(view))

    taken = Taken(onmessage=fail)
    with connected(taken.server) as client:
        for number in range(50):
            client.send(payload(number % 2, WHOLE))
        for _ in range(25):
            assert heard.get(timeout=WAIT) == payload(1, WHOLE)
    assert len(errors) == 25
    for error in errors:
        assert isinstance(error, LookupError) and error.args[0] == payload(0, WHOLE)[1000:2000]
    taken.server.close()


def test_a_handler_may_release_its_view() -> None:
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def release(ws: Any, view: memoryview) -> None:
        rest = view[1:]
        view.release()
        heard.put((view, rest))

    taken = Taken(onmessage=release)
    with connected(taken.server) as client:
        for number in range(20):
            client.send(payload(number, WHOLE))
            view, rest = heard.get(timeout=WAIT)
            with pytest.raises(ValueError):
                view[0]
            assert rest == payload(number, WHOLE)[1:]
    taken.server.close()


def test_what_nobody_keeps_is_freed() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    taken = Taken(onmessage=lambda ws, view: ws.send(str(len(view))))
    content = bytes(4 << 20)
    with connected(taken.server) as client:

        def send(count: int) -> None:
            for _ in range(count):
                client.send(content)
                assert client.recv(WAIT) == str(len(content))

        send(5)
        before = resident()
        send(40)
        assert resident() - before < 10 * len(content)
    taken.server.close()


def test_messages_that_wait_for_their_handler_are_views_then() -> None:
    taken = Taken(onmessage=None)
    clients: queue.SimpleQueue[sockline.WebSocket] = queue.SimpleQueue()
    taken.server.onconnection = clients.put
    with connected(taken.server) as client:
        client.send(bytes(10))
        client.send(payload(1, WHOLE))
        client.ping().wait(WAIT)  # so the messages are there
        connection = clients.get(timeout=WAIT)
        connection.onmessage = lambda ws, message: taken.messages.put(message)
        assert (taken.next(), taken.next()) == (bytes(10), payload(1, WHOLE))
        client.send(b"last")
        assert taken.next() == b"last"
    taken.server.close()


@pytest.mark.parametrize(
    "message",
    [
        memoryview(b""),
        memoryview(payload(1, 1000)),
        memoryview(payload(2, WHOLE)),
        memoryview(payload(3, WHOLE))[::-3],
        memoryview(payload(4, 64 * KIB)).cast("I", [128, 128]),
        memoryview(payload(5, 8)).cast("d", ()),
        bytearray(payload(6, WHOLE)),
        bytearray(),
    ],
    ids=["empty", "short", "long", "in steps", "table", "number", "bytearray", "empty bytearray"],
)
def test_buffers_are_sent_as_they_are(message: memoryview | bytearray) -> None:
    opened: queue.SimpleQueue[sockline.WebSocket] = queue.SimpleQueue()
    server = sockline.WebSocketServer("127.0.0.1", onopen=opened.put)
    with connected(server) as client:
        ws = opened.get(timeout=WAIT)
        ws.send(message)
        assert client.recv(WAIT) == bytes(message)
        ws.send(memoryview("grüße".encode()), text=True)
        assert client.recv(WAIT) == "grüße"
        with pytest.raises(UnicodeDecodeError):
            ws.send(memoryview(b"\xff"), text=True)
        released = memoryview(b"x")
        released.release()
        with pytest.raises(ValueError):
            ws.send(released)
    if isinstance(message, bytearray):
        message.append(1)  # it isn't held
    server.close()


def test_views_are_echoed(run: Run) -> None:
    async def main() -> None:
        server = sockline.WebSocketServer(
            "127.0.0.1", onmessage=lambda ws, view: ws.send(view), views_from=0, max_size=None
        )
        async with sockline.connect(f"ws://127.0.0.1:{server.port}", max_size=None) as client:
            for length in (0, 1, 5000, 60_000, WHOLE, 1 << 20):
                await client.send(memoryview(payload(length, length)))
                assert await client.recv() == payload(length, length)
        server.close()

    run(main())


def test_lengths_that_are_none_are_refused() -> None:
    for make in (sockline.WebSocketServer, lambda **options: sockline.WebSocket("ws://127.0.0.1:1", **options)):
        with pytest.raises(ValueError, match="views_from"):
            make(views_from=-1)
        with pytest.raises(TypeError):
            make(views_from="many")  # type: ignore[arg-type]
    taken = Taken(views_from=1 << 70)
    assert taken.take(b"x") == [b"x"]
    taken.server.close()
