"""What becomes of messages: completions, deadlines, slow peers, fragments."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import ROLES, Run, foreign_server, our_server, pair

import sockline

WAIT = 20
CHUNK = b"x" * 100_000


@asynccontextmanager
async def deaf_server() -> AsyncIterator[str]:
    """Shakes hands, and reads nothing after that."""

    async def deaf(connection: Any) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with foreign_server(deaf, max_size=None, compression=None, close_timeout=0.05) as url:
        yield url


async def opened(url: str, **options: Any) -> sockline.WebSocket:
    event = asyncio.Event()
    tcp = sockline.TcpOptions(send_buffer=10_000)
    ws = sockline.WebSocket(url, tcp=tcp, onopen=lambda ws: event.set(), **options)
    await event.wait()
    return ws


def fill(ws: sockline.WebSocket, beyond: int) -> None:
    while ws.buffered_amount <= beyond:
        ws.send(CHUNK)


def test_each_message_tells_what_became_of_it(run: Run) -> None:
    outcomes: list[Any] = []

    async def main() -> None:
        async with deaf_server() as url:
            ws = await opened(url, onclose=lambda *_: (outcomes.append("close"), closed.set()))
            closed = asyncio.Event()

            def note(name: str, event: asyncio.Event | None = None) -> Any:
                def onsent(sent: sockline.WebSocket, outcome: str) -> None:
                    assert sent is ws
                    outcomes.append((name, outcome))
                    if event is not None:
                        event.set()

                return onsent

            ws.send("first", onsent=note("first"))
            fill(ws, 1_000_000)
            expired = asyncio.Event()
            ws.send("late", deadline=0.01, onsent=note("late", expired))
            ws.send("last", onsent=note("last"))
            await asyncio.wait_for(expired.wait(), WAIT)
            with pytest.raises(TypeError):
                ws.send(1, onsent=note("never"))  # type: ignore[arg-type]
            ws.terminate()
            await asyncio.wait_for(closed.wait(), WAIT)
            with pytest.raises(sockline.SocklineError):
                ws.send("too late", onsent=note("never"))

    run(main())
    assert outcomes == [("first", "taken"), ("late", "expired"), ("last", "failed"), "close"]


@pytest.mark.parametrize("policy", ["error", "drop_newest", "drop_oldest", "close"])
def test_a_slow_peer_meets_the_policy(run: Run, policy: Any) -> None:
    outcomes: list[str] = []
    ended: list[Any] = []

    async def main() -> None:
        async with deaf_server() as url:
            closed = asyncio.Event()
            ws = await opened(
                url,
                high_water_mark=100_000,
                hard_limit=1_000_000,
                slow_consumer=policy,
                close_timeout=0.05,
                onerror=lambda ws, error: ended.append(error.code),
                onclose=lambda *_: closed.set(),
            )
            fill(ws, 500_000)
            ws.send("droppable", onsent=lambda ws, outcome: outcomes.append(outcome))
            fill(ws, 1_000_000)
            match policy:
                case "error":
                    with pytest.raises(sockline.SocklineError) as caught:
                        ws.send("over")
                    assert caught.value.code == "SOCKLINE_ERR_OUTBOX_FULL"
                case "drop_newest":
                    assert ws.send("over") is None
                case "drop_oldest":
                    assert ws.send(CHUNK) is False
                    while not outcomes:
                        ws.send(CHUNK)
                        await asyncio.sleep(0)
                case "close":
                    ws.send("over")
                    await asyncio.wait_for(closed.wait(), WAIT)
            if not closed.is_set():
                ws.terminate()
                await asyncio.wait_for(closed.wait(), WAIT)

    run(main())
    assert outcomes == (["dropped"] if policy in ("drop_oldest", "close") else ["failed"])
    assert ended == (["SOCKLINE_ERR_OUTBOX_FULL"] if policy == "close" else [])


def test_the_memory_of_the_process_is_limited(run: Run) -> None:
    async def main() -> None:
        async with deaf_server() as url:
            closed = asyncio.Event()
            ws = await opened(url, hard_limit=None, onclose=lambda *_: closed.set())
            fill(ws, 2_000_000)
            sockline.set_memory_budget(1_000_000)
            try:
                assert sockline.memory_in_use() > 1_000_000
                with pytest.raises(sockline.SocklineError) as caught:
                    ws.send("over")
                assert caught.value.code == "SOCKLINE_ERR_MEMORY_BUDGET"
            finally:
                sockline.set_memory_budget(None)
            ws.send("under no limit")
            ws.terminate()
            await asyncio.wait_for(closed.wait(), WAIT)

    run(main())
    assert sockline.memory_in_use() < 1_000_000


def test_other_threads_hear_too(run: Run) -> None:
    done = threading.Event()
    outcomes: list[Any] = []

    def onsent(ws: sockline.WebSocket, outcome: str) -> None:
        outcomes.append((outcome, threading.current_thread().name))
        done.set()

    server = sockline.WebSocketServer("127.0.0.1")
    is_open = threading.Event()
    ws = sockline.WebSocket(f"ws://127.0.0.1:{server.port}", onopen=lambda ws: is_open.set())
    assert is_open.wait(WAIT)
    ws.send("x", onsent=onsent)
    assert done.wait(WAIT)
    assert outcomes == [("taken", "sockline")]
    ws.close()
    server.close()


def test_options_that_can_not_be_are_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="slow_consumer"):
            sockline.WebSocket("ws://localhost", slow_consumer="wait")  # type: ignore[arg-type]
        async with foreign_server() as url:
            ws = await opened(url)
            with pytest.raises(ValueError, match="deadline"):
                ws.send("x", deadline=-1)
            ws.close()

    run(main())


@ROLES
def test_iterables_are_sent_as_fragments(run: Run, role: str) -> None:
    """The other side gets each as it comes, and other messages wait."""
    server, connect, _ = pair(role)
    parts: list[Any] = []

    async def handler(connection: Any) -> None:
        async for part in connection.recv_streaming():
            parts.append(part)
            go_on.set()
        assert await connection.recv() == "whole"
        async for part in connection.recv_streaming():
            parts.append(part)
        await connection.send("done")

    async def slowly() -> AsyncIterator[str]:
        for number in range(5):
            yield f"grüße {number}"
            await asyncio.wait_for(go_on.wait(), WAIT)
            go_on.clear()

    async def main() -> None:
        nonlocal go_on
        go_on = asyncio.Event()
        async with server(handler) as url, connect(url) as connection:
            sending = asyncio.create_task(connection.send(slowly()))
            await asyncio.sleep(0)
            await connection.send("whole")
            await sending
            await connection.send([b"a", bytearray(b"b"), memoryview(b"c")])
            assert await connection.recv() == "done"

    go_on: asyncio.Event
    run(main())
    texts = [part for part in parts if isinstance(part, str) and part]
    assert texts == [f"grüße {number}" for number in range(5)]
    assert [part for part in parts if isinstance(part, bytes) and part] == [b"a", b"b", b"c"]


@ROLES
def test_fragments_are_put_together_again(run: Run, role: str) -> None:
    server, connect, _ = pair(role)

    async def main() -> None:
        async with server(max_size=None) as url, connect(url, max_size=None) as connection:
            for parts in (["a"], ["grü", "ße", ""], [b"1" * 100_000] * 30, ["x" * 70_000] * 3, [b""]):
                await connection.send(parts)
                empty: Any = "" if isinstance(parts[0], str) else b""
                assert await connection.recv() == empty.join(parts)
            await connection.send([])
            await connection.send("next")
            assert await connection.recv() == "next"

    run(main())


@ROLES
def test_an_error_between_fragments_fails_the_connection(run: Run, role: str) -> None:
    server, connect, names = pair(role)

    async def failing() -> AsyncIterator[str]:
        yield "begun"
        raise LookupError("on purpose")

    async def main() -> None:
        async with server() as url:
            for parts, error in ((failing(), LookupError), (["text", b"bytes"], TypeError)):
                async with connect(url) as connection:
                    with pytest.raises(error):
                        await connection.send(parts)
                    with pytest.raises(names.ConnectionClosedError) as caught:
                        await connection.recv()
                    assert caught.value.sent.code == 1011

    run(main())


def test_a_long_message_streams_with_bounded_memory(run: Run) -> None:
    """The peer has to wait while nobody reads, also within one message."""
    sent = 0

    async def produce(connection: Any) -> None:
        nonlocal sent

        async def parts() -> AsyncIterator[bytes]:
            nonlocal sent
            for _ in range(2000):
                yield CHUNK
                sent += 1

        await connection.send(parts())

    async def main() -> None:
        async with foreign_server(produce, compression=None) as url:
            async with sockline.connect(url, max_size=None, max_queue=4, compression=None) as connection:
                before = -1
                while before != sent:  # until the sender stands still
                    before = sent
                    await asyncio.sleep(0.1)
                assert sent < 2000
                received = 0
                async for part in connection.recv_streaming():
                    received += len(part)
                assert received == 2000 * len(CHUNK)

    run(main())


def test_a_message_that_is_read_in_parts_belongs_to_its_reader(run: Run) -> None:
    async def main() -> None:
        async with foreign_server() as url, sockline.connect(url) as connection:

            async def two() -> AsyncIterator[str]:
                yield "one"
                assert await asyncio.wait_for(anext(streaming), WAIT) == "one"
                with pytest.raises(sockline.ConcurrencyError):
                    await connection.recv()
                yield "two"

            # websockets answers when the message is whole, so the peer is a relay of parts.
            async with our_relay() as url_of_relay, sockline.connect(url_of_relay) as connection:
                streaming = connection.recv_streaming()
                await connection.send(two())
                assert [part async for part in streaming if part] == ["two"]

    async def relay(connection: Any) -> None:
        await connection.send(connection.recv_streaming())
        await connection.wait_closed()

    def our_relay() -> Any:
        return our_server(relay)

    run(main())


def test_parts_are_decoded_as_asked(run: Run) -> None:
    async def main() -> None:
        async with our_server() as url, sockline.connect(url) as connection:
            text = "grüße, 世界 " * 10
            for size in (1, 3, 1000):
                raw = text.encode()
                await connection.send([raw[at : at + size] for at in range(0, len(raw), size)])
                assert "".join([str(part) async for part in connection.recv_streaming(decode=True)]) == text
            await connection.send(["grü", "ße"])
            assert b"".join([bytes(part) async for part in connection.recv_streaming(decode=False)]) == "grüße".encode()
            await connection.send(b"\xff")
            with pytest.raises(sockline.ConnectionClosedError) as caught:
                async for _ in connection.recv_streaming(decode=True):
                    pass
            assert caught.value.sent is not None and caught.value.sent.code == 1007

    run(main())


def test_a_cancelled_recv_loses_no_part(run: Run) -> None:
    async def main() -> None:
        async def slowly() -> AsyncIterator[str]:
            yield "one "
            await asyncio.wait_for(go_on.wait(), WAIT)
            yield "two"

        go_on = asyncio.Event()
        async with our_server(lambda connection: connection.send(slowly())) as url:
            async with sockline.connect(url) as connection:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(connection.recv(), 0.1)
                go_on.set()
                assert await connection.recv() == "one two"

    run(main())


def test_the_callback_face_sends_and_hears_parts(run: Run) -> None:
    parts: list[Any] = []

    def onpart(ws: sockline.WebSocket, data: sockline.Data, is_first: bool, is_last: bool) -> None:
        parts.append((data, is_first, is_last))
        if is_last:
            ws.send("done")

    async def main() -> None:
        server = sockline.WebSocketServer("127.0.0.1", message_parts=True, max_size=None, onpart=onpart)
        done = asyncio.Event()
        ws = await opened(f"ws://127.0.0.1:{server.port}", onmessage=lambda ws, message: done.set())
        assert ws.send_part("grü") is True
        with pytest.raises(sockline.SocklineError) as caught:
            ws.send("not now")
        assert caught.value.code == "SOCKLINE_ERR_MESSAGE_UNFINISHED"
        ws.send_part("ße")
        ws.send_part("", is_last=True)
        await asyncio.wait_for(done.wait(), WAIT)
        ws.close()
        server.close()

    run(main())
    assert "".join(str(data) for data, _, _ in parts) == "grüße"
    assert [is_first for _, is_first, _ in parts] == [True, *[False] * (len(parts) - 1)]
    assert [is_last for _, _, is_last in parts] == [*[False] * (len(parts) - 1), True]


def test_a_coroutines_message_can_come_too_late(run: Run) -> None:
    async def main() -> None:
        async with deaf_server() as url:
            tcp = sockline.TcpOptions(send_buffer=10_000)
            async with sockline.connect(url, tcp=tcp, compression=None, close_timeout=0.05) as connection:
                waiting = []
                while connection.buffered_amount <= 10 * len(CHUNK):
                    waiting.append(asyncio.ensure_future(connection.send(CHUNK)))
                    await asyncio.sleep(0)
                waiting.append(asyncio.ensure_future(connection.send(CHUNK, deadline=0.01)))
                while (metrics := connection.metrics()) is not None and metrics.dropped == 0:
                    await asyncio.sleep(0.01)
                assert metrics is not None and metrics.dropped == 1
                for task in waiting:
                    task.cancel()

    run(main())
