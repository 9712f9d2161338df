"""What servers offer beyond connections: topics, limits, an end in good order, and numbers."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
from typing import Any

import pytest
import websockets
from conftest import Run, our_server

import sockline

WAIT = 20


def test_what_is_published_reaches_the_subscribers(run: Run) -> None:
    def command(ws: sockline.WebSocket, message: sockline.Data) -> None:
        verb, _, rest = str(message).partition(" ")
        if verb == "subscribe":
            ws.subscribe(rest)
        elif verb == "unsubscribe":
            ws.unsubscribe(rest)
        else:
            topic, _, text = rest.partition(" ")
            ws.publish(topic, text, include_self=verb == "all")
        ws.send("done")

    async def main() -> None:
        server = sockline.WebSocketServer("127.0.0.1", onmessage=command)
        url = f"ws://127.0.0.1:{server.port}"

        async def ask(client: Any, message: str) -> None:
            await client.send(message)
            while await client.recv() != "done":
                pass

        async with websockets.connect(url) as first, websockets.connect(url) as second:
            await ask(first, "subscribe news/+/sport")
            await ask(second, "subscribe news/#")
            server.publish("news/today/sport", "both")
            assert await first.recv() == await second.recv() == "both"
            server.publish("news/today", b"one")
            assert await second.recv() == b"one"
            await second.send("others news/a/sport not to me")
            assert await second.recv() == "done"
            assert await first.recv() == "not to me"
            await second.send("all news/a/sport to me too")
            assert sorted([await second.recv(), await second.recv()]) == ["done", "to me too"]
            assert await first.recv() == "to me too"
            await ask(first, "unsubscribe news/+/sport")
            server.publish("news/a/sport", "second only")
            assert await second.recv() == "second only"
            await ask(first, "subscribe last")
            server.publish("last", "x")
            assert await first.recv() == "x"
        with pytest.raises(sockline.SocklineError) as caught:
            server.publish("with/+/wildcard", "x")
        assert caught.value.code == "SOCKLINE_ERR_TOPIC"
        server.close()

    run(main())


def test_handlers_can_subscribe(run: Run) -> None:
    async def handler(connection: sockline.ServerConnection) -> None:
        connection.subscribe("room")
        async for message in connection:
            connection.publish("room", message, include_self=True)

    async def main() -> None:
        async with our_server(handler) as url:
            async with websockets.connect(url) as first, websockets.connect(url) as second:
                for client in (first, second):
                    await client.send("hello")
                    assert await client.recv() == "hello"
                assert await first.recv() == "hello"

    run(main())


def test_limits_are_kept(run: Run) -> None:
    async def main() -> None:
        async with our_server(max_connections=2) as url:
            async with websockets.connect(url), sockline.connect(url):
                # The answer comes before the request, which trips the client of websockets.
                with pytest.raises(sockline.InvalidStatus) as caught:
                    await sockline.connect(url)
                assert caught.value.response.status_code == 503
                assert "Retry-After" in caught.value.response.headers
        async with our_server(max_connections_per_address=1) as url:
            async with sockline.connect(url), sockline.connect(url, local_addr=("127.0.0.2", 0)):
                with pytest.raises(sockline.InvalidStatus):
                    await sockline.connect(url)
        with pytest.raises(ValueError, match="max_connections"):
            async with our_server(max_connections=0):
                pass
        server = sockline.WebSocketServer("127.0.0.1", origins=["https://good.example"])
        url = f"ws://127.0.0.1:{server.port}"
        await (await websockets.connect(url, origin="https://good.example")).close()  # type: ignore[arg-type]
        await (await websockets.connect(url)).close()
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url, origin="https://evil.example")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
        server.close()

    run(main())


def test_a_server_goes_in_good_order(run: Run) -> None:
    """What was sent before arrives, new clients find nobody, and handlers are waited for."""
    ended: list[Any] = []

    async def handler(connection: sockline.ServerConnection) -> None:
        try:
            await connection.send("x" * 3_000_000)
            await connection.recv()
        finally:
            ended.append(connection.close_code)

    async def main() -> None:
        for threads in (0, 2):
            server = await sockline.serve(handler, "127.0.0.1", 0, threads=threads, compression=None)
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            client = await websockets.connect(url, max_size=None)
            while not server.connections:
                await asyncio.sleep(0)
            draining = asyncio.create_task(server.drain(2))
            await asyncio.sleep(0)
            assert not server.is_serving()
            assert len(await client.recv()) == 3_000_000
            with pytest.raises(websockets.ConnectionClosedOK) as closed:
                await client.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
            await asyncio.wait_for(draining, WAIT)
            with pytest.raises(OSError):
                await websockets.connect(url)

    run(main())
    assert len(ended) == 2


def test_the_callback_face_drains(run: Run) -> None:
    async def main() -> None:
        closed = asyncio.Event()
        server = sockline.WebSocketServer("127.0.0.1", onclosed=lambda server: closed.set())
        async with websockets.connect(f"ws://127.0.0.1:{server.port}") as client:
            server.drain(0.1)
            with pytest.raises(websockets.ConnectionClosedOK):
                await client.recv()
        await asyncio.wait_for(closed.wait(), WAIT)
        server.drain(1)

    run(main())


def has_io_uring() -> bool:
    """Whether the system has what is needed to send to many at once, asked of it directly."""
    parameters = (ctypes.c_uint32 * 30)()
    descriptor = ctypes.CDLL(None).syscall(425, 1, parameters)
    if descriptor < 0:
        return False
    os.close(descriptor)
    return bool(parameters[5] & 1 << 11)


TO_MANY = """
import asyncio
import sockline

async def main():
    server = sockline.WebSocketServer("127.0.0.1")
    clients = [await sockline.connect(f"ws://127.0.0.1:{server.port}") for _ in range(10)]
    server.broadcast("to all")
    assert [await client.recv() for client in clients] == ["to all"] * 10
    print(server.metrics().batched_sends)

asyncio.run(main())
"""


@pytest.mark.parametrize(("setting", "least"), [("10", 10), ("11", 0), ("off", 0)])
def test_a_broadcast_leaves_together_where_there_is_io_uring(setting: str, least: int) -> None:
    env = {**os.environ, "SOCKLINE_SEND_BATCH": setting}
    done = subprocess.run([sys.executable, "-c", TO_MANY], env=env, capture_output=True, text=True, check=True, timeout=WAIT)
    assert int(done.stdout) == (least if has_io_uring() else 0)


def test_what_happens_is_counted(run: Run) -> None:
    async def main() -> None:
        server = sockline.WebSocketServer(
            "127.0.0.1", max_connections=3, metrics_path="/metrics", onmessage=lambda ws, message: ws.send(message)
        )
        url = f"ws://127.0.0.1:{server.port}"
        async with sockline.connect(url) as client:
            for _ in range(5):
                await client.send("x" * 100)
                await client.recv()
            await (await client.ping())
            counted = client.metrics()
            assert counted is not None
            assert (counted.messages_in, counted.messages_out, counted.dropped, counted.buffered) == (5, 5, 0, 0)
            assert counted.frames_out == 6 and counted.frames_in == 6
            assert counted.bytes_in > 500 and counted.bytes_out > 500
            assert counted.latency is not None and client.latency == counted.latency
            sums = server.metrics()
            assert (sums.connections, sums.accepted, sums.messages_in, sums.messages_out) == (1, 1, 5, 5)
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = (await reader.read()).decode()
            writer.close()
            assert "version=0.0.4" in answer and "\nsockline_messages_received_total 5\n" in answer
            assert "\nsockline_messages_received_total 5\n" in server.metrics_text()
        await client.wait_closed()
        assert client.metrics() is None
        server.close()

    run(main())
