"""The awaitables among those of asyncio."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import contextvars
import hashlib
import os
import threading
from typing import Any

import pytest
from conftest import Run, our_server
from websockets.asyncio.client import connect as foreign_connect

import sockline


async def one_by_one(connection: Any) -> None:
    """Says a number each time it is asked, so that nothing comes before it is wanted."""
    number = 0
    async for _ in connection:
        await connection.send(str(number))
        number += 1


def test_a_cancelled_recv_loses_no_message(run: Run) -> None:
    async def main() -> None:
        async with our_server(one_by_one) as url, sockline.connect(url) as connection:
            for number in range(50):
                waiting = asyncio.create_task(connection.recv())
                await asyncio.sleep(0)
                await connection.send("next")
                if number % 2:
                    await asyncio.sleep(0.001 * (number % 5))
                waiting.cancel()
                try:
                    received = await waiting
                except asyncio.CancelledError:
                    received = await connection.recv()
                assert received == str(number)

    run(main())


def test_two_receivers_at_once_are_refused(run: Run) -> None:
    async def main() -> None:
        async with our_server(one_by_one) as url, sockline.connect(url) as connection:
            first = asyncio.create_task(connection.recv())
            await asyncio.sleep(0)
            with pytest.raises(sockline.ConcurrencyError):
                await connection.recv()
            await connection.send("next")
            assert await first == "0"

    run(main())


def test_timeouts_leave_the_connection_usable(run: Run) -> None:
    async def main() -> None:
        async with our_server(one_by_one) as url, sockline.connect(url) as connection:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.recv(), 0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await connection.recv()
            await connection.send("next")
            assert await asyncio.wait_for(connection.recv(), 10) == "0"

    run(main())


def test_gather_takes_sends_and_reports_failures(run: Run) -> None:
    async def main() -> None:
        async with our_server() as url:
            alive, dead = await sockline.connect(url), await sockline.connect(url)
            await dead.close()
            results = await asyncio.gather(alive.send("a"), alive.send("b"), dead.send("c"), return_exceptions=True)
            assert results[:2] == [None, None]
            assert isinstance(results[2], sockline.ConnectionClosedOK)
            assert [await alive.recv(), await alive.recv()] == ["a", "b"]
            await asyncio.create_task(alive.send("in a task"))
            assert await asyncio.shield(alive.recv()) == "in a task"
            await alive.close()

    run(main())


def test_context_and_task_are_those_of_the_receiver(run: Run) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    seen: list[Any] = []

    async def receiver(connection: Any, name: str) -> None:
        variable.set(name)
        task = asyncio.current_task()
        for _ in range(3):
            await connection.send("next")
            await connection.recv()
            seen.append((name, variable.get(), asyncio.current_task() is task))

    async def main() -> None:
        async with our_server(one_by_one) as url:
            async with sockline.connect(url) as first, sockline.connect(url) as second:
                await asyncio.gather(receiver(first, "first"), receiver(second, "second"))
        assert variable.get() == "outside"

    run(main())
    assert sorted(seen) == [("first", "first", True)] * 3 + [("second", "second", True)] * 3


def test_messages_before_the_close_are_received(run: Run) -> None:
    async def burst(connection: Any) -> None:
        for number in range(1000):
            await connection.send(str(number))

    async def main() -> None:
        async with our_server(burst) as url, sockline.connect(url) as connection:
            await connection.wait_closed()
            assert [message async for message in connection] == [str(number) for number in range(1000)]

    run(main())


def test_reading_pauses_while_the_queue_is_full(run: Run) -> None:
    payload = b"x" * 10_000
    sent = 0

    async def flood(connection: Any) -> None:
        nonlocal sent
        for _ in range(2000):
            await connection.send(payload)
            sent += 1

    async def main() -> None:
        async with our_server(flood) as url, sockline.connect(url, max_queue=4, compression=None) as connection:
            await connection.recv()
            before = -1
            while before != sent:  # until the sender stands still
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 2000
            for _ in range(1999):
                assert await connection.recv() == payload
        assert sent == 2000

    run(main())


def test_threads_may_send(run: Run) -> None:
    count, threads = 2000, 4

    async def main() -> None:
        async with our_server() as url, sockline.connect(url, write_limit=2**24) as connection:

            def send(name: int) -> None:
                for number in range(count):
                    connection.send(f"{name} {number}")

            senders = [threading.Thread(target=send, args=(name,)) for name in range(threads)]
            for sender in senders:
                sender.start()
            following = [0] * threads
            for _ in range(count * threads):
                name, number = map(int, (await connection.recv()).split())
                assert number == following[name]
                following[name] += 1
            for sender in senders:
                sender.join()

    run(main())


def test_unsupported_arguments_are_refused_by_name(run: Run) -> None:
    async def main() -> None:
        for arguments in ({"all_errors": True},):
            with pytest.raises(NotImplementedError, match=next(iter(arguments))):
                sockline.connect("ws://localhost", **arguments)
        with pytest.raises(TypeError, match="no_such_argument"):
            sockline.connect("ws://localhost", no_such_argument=1)
        for uri in ("http:", "ws://localhost/#fragment", "localhost"):
            with pytest.raises(sockline.InvalidURI):
                await sockline.connect(uri)
        with pytest.raises(TypeError):
            sockline.connect("ws://localhost", subprotocols="chat")
        with pytest.raises(ValueError):
            await sockline.connect("ws://localhost", open_timeout=-1)

    run(main())


def test_what_can_not_be_sent_is_refused(run: Run) -> None:
    async def main() -> None:
        async with our_server() as url, sockline.connect(url) as connection:
            for message, error in (
                (1, TypeError),
                ({"a": "b"}, TypeError),
                ([1], TypeError),
                ("\ud800", UnicodeEncodeError),
            ):
                with pytest.raises(error):
                    await connection.send(message)
            with pytest.raises(UnicodeDecodeError):
                await connection.send(b"\xff", text=True)
            with pytest.raises(sockline.ProtocolError):
                await connection.close(1005)
            with pytest.raises(sockline.ProtocolError):
                await connection.ping(b"x" * 126)
            await connection.send("fine")
            assert await connection.recv() == "fine"

    run(main())


def test_nobody_listens_or_answers(run: Run) -> None:
    async def main() -> None:
        kept: list[Any] = []  # a writer that nobody keeps is closed
        silent = await asyncio.start_server(lambda _, writer: kept.append(writer), "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        with pytest.raises(TimeoutError, match="opening handshake"):
            await sockline.connect(f"ws://127.0.0.1:{port}", open_timeout=0.05)
        task = asyncio.create_task(sockline.connect(f"ws://127.0.0.1:{port}").__aenter__())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        for writer in kept:
            writer.close()
        silent.close()
        with pytest.raises(ConnectionRefusedError):
            await sockline.connect(f"ws://127.0.0.1:{port}")
        with pytest.raises(OSError):
            await sockline.connect("ws://no-such-host.invalid")

    run(main())


def test_a_dead_peer_is_noticed(run: Run) -> None:
    async def ignore(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from websockets.server import ServerProtocol

        protocol = ServerProtocol()
        while not (events := protocol.events_received()):
            protocol.receive_data(await reader.read(4096))
        protocol.send_response(protocol.accept(events[0]))
        for data in protocol.data_to_send():
            writer.write(data)
        await reader.read(-1)
        writer.close()

    async def main() -> None:
        silent = await asyncio.start_server(ignore, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        url = f"ws://127.0.0.1:{port}"
        async with sockline.connect(url, ping_interval=0.05, ping_timeout=0.05) as connection:
            with pytest.raises(sockline.ConnectionClosedError) as caught:
                await connection.recv()
            assert isinstance(caught.value.__cause__, TimeoutError)
            assert connection.close_code == 1006
        async with sockline.connect(url, close_timeout=0.05) as connection:
            await connection.close()
            assert connection.close_code == 1006
        silent.close()

    run(main())


# A text message "Hello", and a frame with a reserved bit set.
HELLO = bytes.fromhex("81 05 48 65 6c 6c 6f")
BREACH = bytes.fromhex("b1 05 48 65 6c 6c 6f")
CLOSE_CODE_1002 = bytes.fromhex("03 ea")


def masked(frame: bytes) -> bytes:
    """A frame as a client sends it, with a mask that changes nothing."""
    return bytes([frame[0], 0x80 | frame[1]]) + bytes(4) + frame[2:]


def test_a_server_answers_what_came_together_with_the_end(run: Run) -> None:
    async def main() -> None:
        async with our_server(compression=None) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
            writer.write(
                b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            writer.write(masked(HELLO) * 3 + masked(BREACH))
            assert await reader.readexactly(21) == HELLO * 3
            opcode, _, *code = await reader.readexactly(4)
            assert (opcode, bytes(code)) == (0x88, CLOSE_CODE_1002)
            writer.close()

    run(main())


def test_a_client_answers_what_came_together_with_the_end_and_the_handshake(run: Run) -> None:
    async def main() -> None:
        answers: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.readuntil(b"\r\n\r\n")
            key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + HELLO * 3 + BREACH
            )
            answers.set_result(await reader.readexactly(3 * (len(HELLO) + 4) + 8))
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(sockline.ConnectionClosedError):
                async with sockline.connect(f"ws://127.0.0.1:{port}", proxy=None) as connection:
                    async for message in connection:
                        await connection.send(message)
            opcodes = [0x81, 0x81, 0x81, 0x88]
            frames = await answers
            assert [frames[at] for at in (0, 11, 22, 33)] == opcodes

    run(main())


def test_a_message_that_is_there_ends_the_first_step(run: Run) -> None:
    """As the exception says so to whoever steps the awaitable by hand, and as the interpreter takes it without one."""

    async def main() -> None:
        async with our_server() as url, sockline.connect(url) as connection:
            for message in ("text", b"bytes", "", b"", "text", b"bytes"):
                await connection.send(message)
            await (await connection.ping())
            with pytest.raises(StopIteration) as done:
                connection.recv().send(None)
            assert done.value.value == "text"
            with pytest.raises(StopIteration) as done:
                next(connection.recv().__await__())
            assert done.value.value == b"bytes"
            assert [await connection.recv(), await connection.recv()] == ["", b""]
            assert [part async for part in connection.recv_streaming()] == ["text"]
            waiting = connection.recv()
            assert await waiting == b"bytes"
            with pytest.raises(RuntimeError):
                await waiting

    run(main())


def test_a_turn_serves_what_comes_while_it_serves_several() -> None:
    order: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def hear(ws: sockline.WebSocket, message: Any) -> None:
            order.append(message)
            if len(order) == 2:
                loop.call_soon(order.append, "next turn")
                os.write(descriptors[2], frame("c"))

        server = sockline.WebSocketServer("127.0.0.1", onmessage=hear)
        async with contextlib.AsyncExitStack() as stack:
            descriptors = []
            for _ in range(3):
                client = await stack.enter_async_context(foreign_connect(f"ws://127.0.0.1:{server.port}", proxy=None))
                await (await client.ping())
                descriptors.append(client.transport.get_extra_info("socket").fileno())
            os.write(descriptors[0], frame("a"))
            os.write(descriptors[1], frame("b"))
            while len(order) < 4:
                await asyncio.sleep(0)
        server.close()

    def frame(text: str) -> bytes:
        return bytes([0x81, 0x81, 0, 0, 0, 0]) + text.encode()

    asyncio.run(main())
    assert sorted(order[:2]) == ["a", "b"]
    assert order[2:] == ["c", "next turn"]
