"""Topics that several servers share over Redis."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from conftest import Run
from redis_server import RedisServer, redis_server

import sockline
from sockline import socketio

WAIT = 20
Client = websockets.ClientConnection


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Each test is a cluster of its own."""
    return str(request.node.name).replace("[", "-").replace("]", "")


async def subscribing(connection: sockline.ServerConnection) -> None:
    connection.subscribe("news/#")
    await connection.send("subscribed")
    async for message in connection:
        connection.publish("news/said", message)


@asynccontextmanager
async def node(**options: Any) -> AsyncIterator[tuple[sockline.Server, Client]]:
    """A server of coroutines, and a subscriber."""
    async with sockline.serve(subscribing, "127.0.0.1", 0, **options) as server:
        async with websockets.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}") as client:
            assert await client.recv() == "subscribed"
            yield server, client


@asynccontextmanager
async def callback_node(**options: Any) -> AsyncIterator[tuple[sockline.WebSocketServer, Client]]:
    """The same with callbacks."""

    def onopen(ws: sockline.WebSocket) -> None:
        ws.subscribe("news/#")
        ws.send("subscribed")

    closed = asyncio.Event()
    server = sockline.WebSocketServer(
        "127.0.0.1",
        onopen=onopen,
        onmessage=lambda ws, message: ws.publish("news/said", message),
        onclosed=lambda server: closed.set(),
        **options,
    )
    async with websockets.connect(f"ws://127.0.0.1:{server.port}") as client:
        assert await client.recv() == "subscribed"
        yield server, client
    server.close(1001)
    await closed.wait()


async def hear(message: str | bytes, *clients: Client) -> None:
    assert [await client.recv() for client in clients] == [message] * len(clients)


@pytest.mark.parametrize("threads", [0, 2])
def test_subscribers_of_all_servers_get_it_once(run: Run, shared_redis: RedisServer, threads: int) -> None:
    async def main() -> None:
        async with (
            node(adapter=shared_redis.url, threads=threads) as (one, first),
            node(adapter=shared_redis.url) as (two, second),
            callback_node(adapter=shared_redis.url, threads=threads) as (three, third),
        ):
            await shared_redis.until_so_many_listen(3, "socket.io-topics")
            one.publish("news/today", "of one")
            await hear("of one", first, second, third)
            two.publish("weather", "to nobody")
            two.publish("news", b"\0\xff")
            await hear(b"\0\xff", first, second, third)
            three.publish("news", b"text", text=True)
            await hear("text", first, second, third)
            one.broadcast("for one alone")
            await hear("for one alone", first)
            await second.send("said by two")
            await hear("said by two", first, third)
            await third.send(b"said by three")
            await hear(b"said by three", first, second)
            # Whatever has come twice has come before this.
            one.publish("news", "end")
            await hear("end", first, second, third)
        await shared_redis.until_so_many_listen(0, "socket.io-topics")

    run(main())


@pytest.mark.parametrize("mode", ["classic", "sharded", "streams"])
def test_managers_have_further_options_and_publish(run: Run, shared_redis: RedisServer, key: str, mode: Any) -> None:
    async def main() -> None:
        connected = asyncio.Event()
        options: dict[str, Any] = {"key": key, "mode": mode}
        told = socketio.AsyncRedisManager(shared_redis.url, on_connected=connected.set, **options)
        sender = socketio.AsyncRedisManager(shared_redis.url, write_only=True, **options)
        command = "SHARDNUMSUB" if mode == "sharded" else "NUMSUB"
        async with (
            node(adapter=told) as (_, first),
            callback_node(adapter=socketio.RedisManager(shared_redis.url, **options)) as (_, second),
        ):
            await connected.wait()
            assert told.connected
            await shared_redis.until_so_many_listen(2, f"{key}-topics", command)
            await sender.publish("news/x", "of nobody's server")
            await hear("of nobody's server", first, second)
            await told.publish("news/x", b"of a server's manager")
            await hear(b"of a server's manager", first, second)
            for topic, message, code in [
                ("news/+", "x", "SOCKLINE_ERR_TOPIC"),
                ("", "x", "SOCKLINE_ERR_TOPIC"),
            ]:
                with pytest.raises(sockline.SocklineError) as caught:
                    await sender.publish(topic, message)
                assert caught.value.code == code
            with pytest.raises(TypeError):
                await sender.publish("news", 7)  # type: ignore[arg-type]
            await sender.close()
            await told.close()

    run(main())


def test_a_socket_io_server_lends_its_connection(run: Run, shared_redis: RedisServer, key: str) -> None:
    async def main() -> None:
        times_connected = []
        manager = socketio.AsyncRedisManager(shared_redis.url, key=key, on_connected=lambda: times_connected.append(1))
        sio = socketio.AsyncServer(client_manager=manager)
        async with (
            node(adapter=manager, socketio=sio) as (one, first),
            node(adapter=socketio.AsyncRedisManager(shared_redis.url, key=key)) as (two, second),
        ):
            await shared_redis.until_so_many_listen(2, f"{key}-topics")
            one.publish("news", "a")
            await hear("a", first, second)
            two.publish("news", "b")
            await hear("b", first, second)
            await manager.publish("news", "c")
            await hear("c", first, second)
            while not times_connected:
                await asyncio.sleep(0)
            assert times_connected == [1]

    run(main())


def test_servers_go_on_alone_while_redis_is_away(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main(redis: RedisServer) -> None:
        connected, lost = asyncio.Queue[None](), asyncio.Event()
        manager = socketio.AsyncRedisManager(
            redis.url, on_connected=lambda: connected.put_nowait(None), on_disconnected=lambda why: lost.set()
        )
        logger = logging.getLogger("of this server")
        async with node(adapter=manager) as (one, first), node(adapter=redis.url, logger=logger) as (_, second):
            await connected.get()
            await redis.until_so_many_listen(2, "socket.io-topics")
            redis.kill()
            await lost.wait()
            one.publish("news", "alone")
            await hear("alone", first)
            redis.start()
            await connected.get()
            await redis.until_so_many_listen(2, "socket.io-topics")
            one.publish("news", "again")
            await hear("again", first, second)
        lines = {record.name for record in caplog.records if "Redis can't be reached" in record.message}
        assert lines >= {"of this server", "sockline.socketio.redis"}

    with redis_server() as redis:
        run(main(redis))


def test_callbacks_without_asyncio(shared_redis: RedisServer, key: str) -> None:
    closed, heard = threading.Event(), threading.Event()

    def onopen(ws: sockline.WebSocket) -> None:
        ws.subscribe("#")
        ws.send("subscribed")

    def manager() -> socketio.RedisManager:
        return socketio.RedisManager(shared_redis.url, key=key, on_connected=heard.set)

    server = sockline.WebSocketServer(
        "127.0.0.1", adapter=manager(), onopen=onopen, onclosed=lambda server: closed.set()
    )

    async def main() -> None:
        async with websockets.connect(f"ws://127.0.0.1:{server.port}") as client:
            assert await client.recv() == "subscribed"
            await shared_redis.until_so_many_listen(1, f"{key}-topics")
            sender = socketio.RedisManager(shared_redis.url, key=key, write_only=True)
            await asyncio.to_thread(sender.publish, "t", "hello")
            assert await client.recv() == "hello"
            sender.close()
        server.close(1001)

    asyncio.run(main())
    assert closed.wait(WAIT) and heard.wait(WAIT)


def test_what_can_t_be_is_refused(run: Run, shared_redis: RedisServer) -> None:
    async def main() -> None:
        for adapter, error in [("http://localhost", ValueError), ("nonsense", ValueError), (7, TypeError)]:
            with pytest.raises(error):
                await sockline.serve(subscribing, "127.0.0.1", 0, adapter=adapter)  # type: ignore[arg-type]
            with pytest.raises(error):
                sockline.WebSocketServer("127.0.0.1", adapter=adapter)  # type: ignore[arg-type]
        with pytest.raises(NotImplementedError):
            sockline.WebSocketServer("127.0.0.1", adapter=socketio.RedisManager(shared_redis.url, write_only=True))

    run(main())
