"""Servers of one cluster that forward requests to each other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from conftest import Run
from io_peers import WAIT, Recorder, our_io
from redis_server import RedisServer, redis_server

from sockline import socketio


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class Node:
    """A server, and what it has heard."""

    def __init__(self, manager: socketio.AsyncRedisManager) -> None:
        self.sio = socketio.AsyncServer(client_manager=manager, forward_requests=True, cors_allowed_origins="https://a")
        self.heard = Recorder()
        self.url = ""

        @self.sio.event
        async def connect(sid: str, environ: dict[str, Any]) -> None:
            self.heard.note("connect", sid, environ["REMOTE_ADDR"])

        @self.sio.event
        async def disconnect(sid: str, reason: str) -> None:
            self.heard.note("disconnect", reason)

        @self.sio.event
        async def echo(sid: str, *values: Any) -> Any:
            return values

    @property
    def target(self) -> str:
        return f"{self.url}/socket.io/?EIO=4&transport=polling"


@asynccontextmanager
async def node(redis: RedisServer, **options: Any) -> AsyncIterator[Node]:
    connected = asyncio.Event()
    made = Node(socketio.AsyncRedisManager(redis.url, on_connected=connected.set, **options))
    async with our_io(made.sio) as made.url:
        await asyncio.wait_for(connected.wait(), WAIT)
        yield made


async def get(http: aiohttp.ClientSession, node: Node, sid: str) -> str:
    async with http.get(f"{node.target}&sid={sid}") as answer:
        return await answer.text()


async def post(http: aiohttp.ClientSession, node: Node, sid: str, body: str) -> None:
    async with http.post(f"{node.target}&sid={sid}", data=body, headers={"Origin": "https://a"}) as answer:
        assert (await answer.text(), answer.headers["Access-Control-Allow-Origin"]) == ("ok", "https://a")


@pytest.mark.parametrize("mode", ["classic", "sharded", "streams"])
def test_a_client_polls_the_server_that_it_is_not_of(run: Run, redis: RedisServer, mode: str) -> None:
    async def main() -> None:
        options = {"mode": mode, "key": mode, "stream_name": mode}
        async with node(redis, **options) as one, node(redis, **options) as two, aiohttp.ClientSession() as http:
            for near, far in ((one, two), (two, one)):
                async with http.get(near.target) as answer:
                    sid = json.loads((await answer.text())[1:])["sid"]
                await post(http, far, sid, "40")
                assert (await get(http, far, sid)).startswith('40{"sid":"')
                _, socket, address = await near.heard.next()
                assert address == "127.0.0.1"
                for server in (far, near, far):
                    await post(http, server, sid, '420["echo","κόσμε"]')
                    assert await get(http, server, sid) == '430["κόσμε"]'
                    waiting = asyncio.create_task(get(http, server, sid))
                    await near.sio.emit("later", b"\1\2", to=socket)
                    assert await waiting == '451-["later",{"_placeholder":true,"num":0}]\x1ebAQI='
                await post(http, far, sid, "1")
                assert await near.heard.next() == ("disconnect", "transport close")
                assert json.loads(await get(http, far, sid)) == {"code": 1, "message": "Session ID unknown"}
            assert one.heard.is_empty() and two.heard.is_empty()

    run(main())


def test_a_server_needs_others_to_forward_to() -> None:
    with pytest.raises(ValueError, match="forward_requests needs a client_manager"):
        socketio.AsyncServer(forward_requests=True)
    with pytest.raises(ValueError, match="forward_requests needs a client_manager"):
        socketio.Server(forward_requests=True)
