"""Servers of one cluster over Redis: ours, and an official one in Node; and programs without a server."""

from __future__ import annotations

import asyncio
import logging
import queue
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import Run
from io_peers import WAIT, Recorder, foreign_client, node_server, our_io, until
from redis_server import RedisServer, redis_server
from test_socketio_threads import connected, serving

from sockline import socketio
from sockline.socketio.exceptions import ConnectionLostError, TimeoutError


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


class Node:
    """One of our servers, whose clients enter `room`."""

    def __init__(self, url: str, **options: Any) -> None:
        self.is_connected = asyncio.Event()
        self.is_lost = asyncio.Event()
        self.said = Recorder()
        self.manager = socketio.AsyncRedisManager(
            url, on_connected=self.is_connected.set, on_disconnected=lambda why: self.is_lost.set(), **options
        )
        self.sio = socketio.AsyncServer(client_manager=self.manager, namespaces=["/", "/chat"])
        self.sio.on("connect", self._connect)
        self.sio.on("echo", lambda sid, *values: values)
        self.sio.on_server_side_emit("said", self.said.note)
        self.sio.on_server_side_emit("asked", self._asked)

    async def _connect(self, sid: str, environ: Any) -> None:
        await self.sio.enter_room(sid, "room")

    async def _asked(self, value: Any) -> Any:
        return ["python", value]


@asynccontextmanager
async def node(redis: RedisServer, **options: Any) -> AsyncIterator[tuple[Node, str]]:
    """And its URL."""
    made = Node(redis.url, **options)
    async with our_io(made.sio) as url:
        await asyncio.wait_for(made.is_connected.wait(), WAIT)
        yield made, url


@pytest.fixture
def key(request: pytest.FixtureRequest) -> str:
    """Each test is a cluster of its own."""
    return str(request.node.name)


@pytest.mark.parametrize("mode", ["classic", "sharded", "streams"])
def test_events_reach_the_clients_of_the_other_server(run: Run, shared_redis: RedisServer, key: str, mode: Any) -> None:
    async def main() -> None:
        async with (
            node(shared_redis, key=key, stream_name=key, mode=mode) as (one, first),
            node(shared_redis, key=key, stream_name=key, mode=mode) as (two, second),
            foreign_client(first, namespaces=["/", "/chat"]) as here,
            foreign_client(second, namespaces=["/", "/chat"]) as there,
        ):
            await until_there_are(2, one, two)
            sid, other = here.get_sid(), there.get_sid()
            for client in (here, there):
                assert await client.call("echo", 1) == 1
            await one.sio.emit("all", ("a", b"\0\1"))
            await one.sio.emit("room", {"a": 1}, room="room", skip_sid=sid)
            await one.sio.emit("chat", "c", namespace="/chat")
            await one.sio.emit("one", to=other)
            assert [await there.recorder.next() for _ in range(4)] == [
                ("all", "a", b"\0\1"),
                ("room", {"a": 1}),
                ("chat", "c"),
                ("one",),
            ]
            assert [await here.recorder.next() for _ in range(2)] == [("all", "a", b"\0\1"), ("chat", "c")]
            await one.sio.emit("mine", ignore_queue=True)
            assert await here.recorder.next() == ("mine",)
            await one.sio.emit("last")
            assert await there.recorder.next() == ("last",)
            assert await here.recorder.next() == ("last",)

    run(main())


def test_rooms_are_entered_and_left_by_clients_of_the_other_server(run: Run, shared_redis: RedisServer, key: str) -> None:
    async def main() -> None:
        async with (
            node(shared_redis, key=key) as (one, first),
            node(shared_redis, key=key) as (two, second),
            foreign_client(first) as here,
            foreign_client(second) as there,
        ):
            await until_there_are(2, one, two)
            assert [await client.call("echo", 1) for client in (here, there)] == [1, 1]
            sid, other = here.get_sid(), there.get_sid()
            assert one.sio.manager is one.manager and not one.manager.is_connected(other, "/")
            await one.sio.enter_room(other, "far")
            await one.sio.emit("in", room="far")
            assert await there.recorder.next() == ("in",)
            assert sorted(two.sio.rooms(other)) == sorted([other, "far", "room"])
            await one.sio.leave_room(other, "far")
            await one.sio.emit("out", room="far")
            await one.sio.enter_room(sid, "near")
            found = await one.sio.fetch_sockets()
            assert found.missing == 0 and {found_sid: sorted(rooms) for found_sid, rooms, *_ in found} == {
                sid: sorted([sid, "room", "near"]),
                other: sorted([other, "room"]),
            }
            assert found[0].handshake["headers"] and found[0].data == {}
            assert [client.sid for client in await one.sio.fetch_sockets(skip_sid=sid)] == [other]
            assert [client.sid for client in await one.sio.fetch_sockets(ignore_queue=True)] == [sid]
            await one.sio.close_room("room")
            await one.sio.emit("nobody", room="room")
            await one.sio.emit("end")
            assert await there.recorder.next() == ("end",) and await here.recorder.next() == ("end",)
            assert await one.sio.server_count() == 2
            await one.sio.disconnect(other)
            await until(lambda: not there.connected)
            await one.sio.disconnect("nobody")

    run(main())


def test_clients_of_the_other_server_answer(run: Run, shared_redis: RedisServer, key: str) -> None:
    async def main() -> None:
        async with (
            node(shared_redis, key=key, callback_timeout=0.2) as (one, first),
            node(shared_redis, key=key) as (two, second),
            foreign_client(first),
            foreign_client(second) as there,
        ):
            await until_there_are(2, one, two)
            assert await there.call("echo", 1) == 1

            @there.on("silence")  # type: ignore[untyped-decorator]
            async def silence(value: Any) -> None:
                await asyncio.sleep(WAIT)

            other, answers = there.get_sid(), Recorder()
            assert await one.sio.call("ask", {"a": b"1"}, to=other) == {"a": b"1"}
            await one.sio.emit("ask", 2, room="room", callback=answers.note)
            assert [await answers.next(), await answers.next()] == [(2,), (2,)]
            with pytest.raises(ConnectionLostError):
                await one.sio.call("ask", 1, to="nobody")
            with pytest.raises(TimeoutError) as raised:
                await one.sio.call("silence", 1, to=other, timeout=0.1)
            assert type(raised.value) is TimeoutError
            await one.sio.emit("ask", 4, to=other, callback=answers.note, ignore_queue=True)
            await one.sio.emit("ask", 5, to=other, callback=answers.note)
            assert await answers.next() == (5,)

    run(main())


def test_servers_speak_to_each_other(run: Run, shared_redis: RedisServer, key: str) -> None:
    async def main() -> None:
        async with node(shared_redis, key=key, requests_timeout=0.3) as (one, _), node(shared_redis, key=key) as (two, _):
            await until_there_are(2, one, two)
            await one.sio.server_side_emit("said", (1, "a"))
            assert await two.said.next() == (1, "a")
            answers = await one.sio.server_side_call("asked", 2)
            assert answers == [["python", 2]] and answers.missing == 0
            assert one.said.is_empty()
            answers = await one.sio.server_side_call("nobody hears it")
            assert answers == [] and answers.missing == 1
            with pytest.raises(ValueError, match="reserved"):
                await one.sio.server_side_emit("connection")
            with pytest.raises(ValueError, match="reserved"):
                await one.sio.server_side_call("connection")

    run(main())


def test_who_waits_for_an_answer_hears_when_his_own_server_closes(run: Run, shared_redis: RedisServer, key: str) -> None:
    async def main() -> None:
        asked, is_over = Recorder(), asyncio.Event()

        async def never(*_: Any) -> None:
            asked.note()
            await is_over.wait()

        async with node(shared_redis, key=key) as (two, url), foreign_client(url) as client:
            two.sio.on_server_side_emit("never", never)
            client.on("never", never)
            async with node(shared_redis, key=key, requests_timeout=600) as (one, _):
                await until_there_are(2, one, two)
                of_servers = asyncio.create_task(one.sio.server_side_call("never"))
                of_clients = asyncio.create_task(one.sio.call("never", to=client.get_sid(), timeout=600))
                for _ in range(2):
                    await asked.next()
            answers = await asyncio.wait_for(of_servers, WAIT)
            assert answers == [] and answers.missing == 1
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(of_clients, WAIT)
            is_over.set()

    run(main())


async def until_there_are(servers: int, *nodes: Node) -> None:
    """Servers are there when Redis has confirmed their subscriptions, which nobody is told of."""
    async with asyncio.timeout(WAIT):
        for one in nodes:
            for namespace in ("/", "/chat"):
                while await one.sio.server_count(namespace) != servers:
                    pass


def test_without_a_cluster_there_is_nobody_else(run: Run) -> None:
    async def main() -> None:
        sio = socketio.AsyncServer()
        assert await sio.fetch_sockets() == [] and await sio.server_side_call("a") == []
        async with our_io(sio) as url, foreign_client(url) as client:
            assert [found.sid for found in await sio.fetch_sockets()] == [client.get_sid()]
            assert await sio.server_count() == 1
            assert await sio.fetch_sockets(namespace="/none") == []
            await sio.server_side_emit("a")

    run(main())


def test_one_with_the_official_server(run: Run, shared_redis: RedisServer) -> None:
    async def main() -> None:
        async with (
            node(shared_redis) as (one, first),
            node_server(redis=shared_redis.url) as (second, peer),
            foreign_client(first) as here,
            foreign_client(second) as there,
        ):
            assert await here.call("echo", 1) == 1
            other = there.get_sid()
            assert (await there.recorder.next())[0] == "welcome"
            await until_there_are(2, one)
            await one.sio.emit("from ours", b"1", room="room")
            assert await there.recorder.next() == ("from ours", b"1")
            assert await here.recorder.next() == ("from ours", b"1")
            await peer.send("emit", "from theirs", b"2")
            assert await here.recorder.next() == ("from theirs", b"2")
            assert await there.recorder.next() == ("from theirs", b"2")
            assert await one.sio.call("ask", 3, to=other) == 3
            assert {found.sid for found in await one.sio.fetch_sockets()} == {here.get_sid(), other}
            await peer.send("sids")
            assert set((await peer.expect("sids"))[0]) == {here.get_sid(), other}
            await one.sio.server_side_emit("said", (1, {"a": 2}))
            assert await peer.expect("said") == [[1, {"a": 2}]]
            assert await one.sio.server_side_call("asked", 4) == [["node", 4]]
            await peer.send("say", "said", 5)
            assert await one.said.next() == (5,)
            await peer.send("ask_servers", "asked", 6)
            assert await peer.expect("answers") == [[["python", 6]]]
            await one.sio.disconnect(other)
            assert (await peer.expect("disconnect"))[1] == "server namespace disconnect"

    run(main())


def test_a_program_without_a_server_sends(run: Run, shared_redis: RedisServer, key: str) -> None:
    async def main() -> None:
        sender = socketio.AsyncRedisManager(shared_redis.url, key, write_only=True)
        async with node(shared_redis, key=key) as (one, url), foreign_client(url, namespaces=["/", "/chat"]) as client:
            await until_there_are(1, one)
            assert await client.call("echo", 1) == 1
            sid = client.get_sid()
            await sender.emit("all", {"a": [b"1"]})
            await sender.emit("chat", ("a", None), namespace="/chat")
            await sender.emit("not you", 1, skip_sid=sid)
            await sender.emit("you", None, room=sid)
            await sender.enter_room(sid, "/", "more")
            await sender.emit("more", 1, room=["more", "none"])
            await sender.leave_room(sid, "/", "more")
            await sender.emit("left", 1, to="more")
            await sender.close_room("room")
            await sender.emit("closed", 1, room="room")
            await sender.server_side_emit("said", 7)
            await sender.emit("end", 1)
            heard = [await client.recorder.next() for _ in range(5)]
            assert heard == [("all", {"a": [b"1"]}), ("chat", "a", None), ("you",), ("more", 1), ("end", 1)]
            assert await one.said.next() == (7,) and one.sio.rooms(sid) == [sid]
            with pytest.raises(RuntimeError, match="Callbacks"):
                await sender.emit("a", 1, callback=print)
            with pytest.raises(ValueError, match="reserved"):
                await sender.emit("connect", 1)
            await sender.disconnect(sid, "/")
            await until(lambda: "/" not in client.namespaces)
        await sender.close()

    run(main())


def test_threads(shared_redis: RedisServer, key: str) -> None:
    def server(said: Any) -> socketio.Server:
        sio = socketio.Server(client_manager=socketio.RedisManager(shared_redis.url, key=key))
        sio.on("connect", lambda sid, environ: sio.enter_room(sid, "room"))
        sio.on("echo", lambda sid, value: value)
        sio.on("still there", lambda sid: None)
        sio.on_server_side_emit("said", said)
        return sio

    said: queue.Queue[Any] = queue.Queue()
    one, two = server(said.put), server(lambda value: ["heard", value])
    sender = socketio.RedisManager(shared_redis.url, key=key, write_only=True)
    with serving(one) as first, serving(two) as second:
        with connected(socketio.Client, first) as here, connected(socketio.Client, second) as there:
            for client in (here, there):
                client.on("ask", lambda *values: values)
                assert client.call("echo", 1) == 1
            while one.server_count() != 2 or two.server_count() != 2:
                pass
            other = there.get_sid()
            one.emit("hello", 1, room="room", skip_sid=here.get_sid())
            assert there.heard.get(timeout=WAIT) == ("hello", 1)
            sender.emit("from outside", b"1", to=other)
            assert there.heard.get(timeout=WAIT) == ("from outside", b"1")
            assert one.call("ask", 2, to=other) == 2
            assert {found.sid for found in one.fetch_sockets()} == {here.get_sid(), other}
            assert one.server_side_call("said", 3) == [["heard", 3]] and one.server_count() == 2
            two.server_side_emit("said", 4)
            assert said.get(timeout=WAIT) == 4
            sender.server_side_emit("said", 5)
            assert said.get(timeout=WAIT) == 5
            sender.enter_room(other, "/", "more")
            one.emit("more", 1, room="more")
            assert there.heard.get(timeout=WAIT) == ("more", 1)
            sender.close_room("more")
            one.emit("no more", 1, room="more")
            one.emit("end", 1, to=other)
            assert there.heard.get(timeout=WAIT) == ("end", 1)
            one.disconnect(other)
            there.wait()
    sender.close()


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR:
            self.errors.append(record.getMessage())


def listened_to() -> tuple[logging.Logger, list[str]]:
    logger, lines = logging.Logger("mine"), Lines()
    logger.addHandler(lines)
    return logger, lines.errors


def test_without_redis_a_servers_own_clients_are_served(run: Run) -> None:
    async def main() -> None:
        logger, errors = listened_to()
        with redis_server() as redis:
            async with (
                node(redis, logger=logger, on_error=lambda why: hooked.append(why)) as (one, first),
                node(redis) as (two, second),
                foreign_client(first) as here,
                foreign_client(second) as there,
            ):
                assert [await client.call("echo", 1) for client in (here, there)] == [1, 1]
                redis.kill()
                for lost in (one.is_lost, two.is_lost):
                    await asyncio.wait_for(lost.wait(), WAIT)
                assert not one.manager.connected
                one.is_connected.clear(), two.is_connected.clear()
                await one.sio.emit("meanwhile", 1, room="room")
                assert await here.recorder.next() == ("meanwhile", 1)
                assert [found.sid for found in await one.sio.fetch_sockets(ignore_queue=True)] == [here.get_sid()]
                redis.start()
                for back in (one.is_connected, two.is_connected):
                    await asyncio.wait_for(back.wait(), WAIT)
                assert one.manager.connected
                await one.sio.emit("again", 2, room="room")
                assert await there.recorder.next() == ("again", 2)
                assert await here.recorder.next() == ("again", 2)
            assert any("can't be reached" in line for line in errors)
            assert hooked and any("dropped" in why for why in hooked)

    hooked: list[str] = []
    run(main())


def test_what_does_not_arrive_is_logged(run: Run, unused_port: int) -> None:
    url = f"redis://127.0.0.1:{unused_port}"

    async def main() -> None:
        logger, errors = listened_to()
        sender = socketio.AsyncRedisManager(url, write_only=True, logger=logger)
        await sender.emit("a", 1)
        assert any(line.startswith("Cannot publish to redis: ") for line in errors)

    run(main())
    logger, errors = listened_to()
    sender = socketio.RedisManager(url, write_only=True, logger=logger)
    sender.emit("a", 1)
    assert any(line.startswith("Cannot publish to redis: ") for line in errors)


def test_passwords_are_those_of_the_options(run: Run, key: str) -> None:
    with redis_server("--requirepass", "a secret&more") as redis:

        async def main() -> None:
            secret = {"password": "a secret&more", "db": 3, "socket_timeout": 2}
            logger, errors = listened_to()
            await socketio.AsyncRedisManager(redis.url, write_only=True, redis_options=secret, logger=logger).emit("a", 1)
            assert errors == []
            await socketio.AsyncRedisManager(redis.url, write_only=True, logger=logger).emit("a", 1)
            assert len(errors) > 0

        run(main())


URLS = [
    ("redis://", {}, "redis://localhost"),
    ("valkeys://:5/1", {"db": 2}, "rediss://localhost:5/1"),
    ("redis://h", {"username": "me", "password": "p w", "db": 2}, "redis://h?username=me&password=p%20w&db=2"),
    ("redis://a:b@h?db=3", {"password": "p", "db": 2}, "redis://a:b@h?db=3"),
    ("unix:///run/redis.sock?db=1", {"password": "p"}, "unix:///run/redis.sock?password=p&db=1"),
    ("redis+sentinel://u:p@a:1,b:2/3/mine", {}, "redis+sentinel://u:p@a:1,b:2/mine?db=3"),
    ("redis+sentinel://a:1/mine/3", {}, "redis+sentinel://a:1/mine?db=3"),
    ("redis+sentinel://a:1", {}, "redis+sentinel://a:1/socketio"),
    ("redis+cluster://a:1,b:2", {"password": "p"}, "redis+cluster://a:1,b:2?password=p"),
]


@pytest.mark.parametrize(("given", "options", "made"), URLS)
def test_urls_mean_what_they_mean_to_python_socketio(given: str, options: dict[str, Any], made: str) -> None:
    def parts(url: str) -> tuple[str, set[str]]:
        place, _, query = url.partition("?")
        return place, set(query.split("&"))

    assert parts(socketio.RedisManager(given, redis_options=options)._cluster.url) == parts(made)


def test_what_is_wrong_is_refused(run: Run, shared_redis: RedisServer) -> None:
    with pytest.raises(ValueError, match="scheme"):
        socketio.RedisManager("localhost")
    with pytest.raises(ValueError, match="format"):
        socketio.RedisManager(format="another")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="AsyncRedisManager"):
        socketio.AsyncServer(client_manager=socketio.RedisManager())
    with pytest.raises(NotImplementedError, match="classic"):
        socketio.RedisManager(shared_redis.url, mode="streams").emit("a", 1)
    with pytest.raises(ValueError, match="mode must be"):
        socketio.Server(client_manager=socketio.RedisManager(mode="none")).listen("127.0.0.1", 0)  # type: ignore[arg-type]
    tls = socketio.RedisManager("rediss://h?ssl_cert_reqs=none", redis_options={"ssl_ca_certs": "/ca", "ssl_check_hostname": False})
    assert tls._cluster.insecure and tls._cluster.ca_file == "/ca"
    with pytest.raises(NotImplementedError, match="ssl_check_hostname"):
        socketio.RedisManager("rediss://h", redis_options={"ssl_check_hostname": False})
