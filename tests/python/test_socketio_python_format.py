"""Clusters of python-socketio's servers and ours, which speak its format over Redis."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import queue
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis as redis_py
import socketio as foreign
from conftest import Run
from io_peers import WAIT, Recorder, foreign_client, foreign_io, our_io, until
from redis_server import RedisServer, redis_server
from test_socketio_redis import listened_to
from test_socketio_threads import connected, serving

from sockline import socketio
from sockline.socketio.exceptions import TimeoutError

FORMAT: Any = "python-socketio"


@pytest.fixture(scope="module")
def shared_redis() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def channel(request: pytest.FixtureRequest) -> str:
    """Each test is a cluster of its own."""
    return str(request.node.name)


def server_of(library: Any, manager: Any) -> Any:
    """Either library's, whose clients enter `room`."""
    sio = library.AsyncServer(client_manager=manager, namespaces=["/", "/chat"])

    @sio.event  # type: ignore[untyped-decorator]
    async def connect(sid: str, environ: Any) -> None:
        await sio.enter_room(sid, "room")

    sio.on("echo", echo)
    sio.on("echo", echo, namespace="/chat")
    return sio


async def echo(sid: str, *values: Any) -> Any:
    return values


class Scene:
    """A server of ours and one of python-socketio's, with a client on each."""

    ours: socketio.AsyncServer
    theirs: foreign.AsyncServer
    here: foreign.AsyncClient
    """At ours."""
    there: foreign.AsyncClient
    manager: socketio.AsyncRedisManager

    async def until_there_are(self, servers: int) -> None:
        """Nobody tells when Redis has confirmed a subscription."""
        async with asyncio.timeout(WAIT):
            while await self.ours.server_count() != servers:
                await asyncio.sleep(0.005)


async def until_gone(client: foreign.AsyncClient) -> None:
    await until(lambda: "/" not in client.namespaces)


@asynccontextmanager
async def closing(manager: foreign.AsyncRedisManager) -> AsyncIterator[None]:
    """Closes what it leaves to the garbage collector."""
    try:
        yield
    finally:
        if listening := getattr(manager, "thread", None):  # not if it only writes
            listening.cancel()
            await asyncio.wait([listening])
        for connected in (manager.pubsub, manager.redis):
            if connected is not None:
                await connected.aclose()


@asynccontextmanager
async def scene(redis: RedisServer, channel: str, **options: Any) -> AsyncIterator[Scene]:
    made = Scene()
    made.manager = socketio.AsyncRedisManager(redis.url, channel, format=FORMAT, **options)
    made.ours = server_of(socketio, made.manager)
    theirs = foreign.AsyncRedisManager(redis.url, channel)
    made.theirs = server_of(foreign, theirs)
    async with (
        closing(theirs),
        our_io(made.ours) as here,
        foreign_io(made.theirs) as there,
        foreign_client(here, namespaces=["/", "/chat"]) as made.here,
        foreign_client(there, namespaces=["/", "/chat"]) as made.there,
    ):
        for client in (made.here, made.there):
            assert await client.call("echo", 1) == 1
        await made.until_there_are(2)
        yield made


@pytest.mark.parametrize("ours_emits", [True, False], ids=["from-ours", "from-theirs"])
def test_events_reach_the_clients_of_both(run: Run, shared_redis: RedisServer, channel: str, ours_emits: bool) -> None:
    async def main() -> None:
        async with scene(shared_redis, channel) as on:
            sio, near, far = (on.ours, on.here, on.there) if ours_emits else (on.theirs, on.there, on.here)
            sid, other = near.get_sid(), far.get_sid()
            await sio.emit("all", ("a", b"\0\1", None, {"b": [b"", 1.5]}))
            await sio.emit("room", {"a": "\u00fc"}, room="room", skip_sid=sid)
            await sio.emit("rooms", [1, 2], room=["none", "room", other])
            await sio.emit("no value", room="room")
            await sio.emit("nobody", 1, room="none")
            await sio.emit("skipped", 1, skip_sid=[sid, other])
            await sio.emit("chat", b"c", namespace="/chat")
            await sio.emit("one", to=other)
            everybody = [("all", "a", b"\0\1", None, {"b": [b"", 1.5]}), ("rooms", [1, 2]), ("no value",), ("chat", b"c")]
            far_away = [everybody[0], ("room", {"a": "\u00fc"}), *everybody[1:], ("one",)]
            assert [await far.recorder.next() for _ in far_away] == far_away
            assert [await near.recorder.next() for _ in everybody] == everybody
            await sio.emit("mine", ignore_queue=True)
            assert await near.recorder.next() == ("mine",)
            await sio.emit("last")
            assert await far.recorder.next() == ("last",) and await near.recorder.next() == ("last",)

    run(main())


@pytest.mark.parametrize("ours_asks", [True, False], ids=["by-ours", "by-theirs"])
def test_clients_of_the_other_server_answer(run: Run, shared_redis: RedisServer, channel: str, ours_asks: bool) -> None:
    async def main() -> None:
        async with scene(shared_redis, channel) as on:
            sio, near, far = (on.ours, on.here, on.there) if ours_asks else (on.theirs, on.there, on.here)
            other, answers = far.get_sid(), Recorder()
            assert await sio.call("ask", {"a": [1, None]}, to=other) == {"a": [1, None]}
            assert await sio.call("ask", (1, "two"), to=other) == (1, "two")
            await sio.emit("ask", b"!", to=near.get_sid(), callback=answers.note)
            assert await answers.next() == (b"!",)
            await sio.emit("ask", 2, to=other, callback=answers.note)
            assert await answers.next() == (2,)
            await sio.enter_room(other, "of one")
            await sio.emit("ask", 3, room="of one", callback=answers.note)
            assert await answers.next() == (3,)
            await sio.emit("ask", 4, namespace="/chat", to=far.get_sid("/chat"), callback=answers.note)
            assert await answers.next() == (4,)

            @far.on("silence")  # type: ignore[untyped-decorator]
            async def silence(value: Any) -> None:
                await asyncio.sleep(WAIT)

            with pytest.raises(TimeoutError if ours_asks else foreign.exceptions.TimeoutError):
                await sio.call("silence", 1, to=other, timeout=0.1)

    run(main())


@pytest.mark.parametrize("ours_orders", [True, False], ids=["by-ours", "by-theirs"])
def test_clients_of_the_other_server_go_where_they_are_told(
    run: Run, shared_redis: RedisServer, channel: str, ours_orders: bool
) -> None:
    async def main() -> None:
        async with scene(shared_redis, channel) as on:
            sio, far = (on.ours, on.there) if ours_orders else (on.theirs, on.here)
            far_away = on.theirs if ours_orders else on.ours
            other = far.get_sid()
            await sio.enter_room(other, "far")
            await sio.emit("in", room="far")
            assert await far.recorder.next() == ("in",)
            assert set(far_away.rooms(other)) - {None} == {other, "far", "room"}
            await sio.leave_room(other, "far")
            await sio.emit("out", room="far")
            await sio.close_room("room")
            await sio.emit("nobody", room="room")
            await sio.emit("end")
            assert await far.recorder.next() == ("end",)
            await sio.disconnect(other)
            await until_gone(far)
            assert "/chat" in far.namespaces
            await sio.disconnect("nobody")

    run(main())


def test_what_the_format_can_not_say(run: Run, shared_redis: RedisServer, channel: str) -> None:
    async def main() -> None:
        logger, errors = listened_to()
        async with scene(shared_redis, channel, logger=logger) as on:
            found = await on.ours.fetch_sockets()
            assert [one.sid for one in found] == [on.here.get_sid()] and found.missing == 1
            assert (await on.ours.fetch_sockets(ignore_queue=True)).missing == 0
            assert await on.ours.server_count() == 2
            for say in (on.ours.server_side_emit, on.ours.server_side_call, on.manager.server_side_emit):
                with pytest.raises(NotImplementedError, match="from server to server"):
                    await say("x")
            assert errors == []
            # What a client answers with bytes can't be told; its asker waits in vain.
            with pytest.raises(foreign.exceptions.TimeoutError):
                await on.theirs.call("ask", b"1", to=on.here.get_sid(), timeout=0.2)
            await until(lambda: any("binary data" in line for line in errors))

    run(main())


def test_pickled_messages_are_not_read(run: Run, shared_redis: RedisServer, channel: str) -> None:
    async def main() -> None:
        logger, errors = listened_to()
        async with scene(shared_redis, channel, logger=logger) as on:
            message = {"method": "emit", "event": "x", "data": [1], "namespace": "/", "host_id": "old"}
            with redis_py.Redis(port=shared_redis.port) as client:
                client.publish(channel, pickle.dumps(message))
                client.publish(channel, pickle.dumps(message))
            await on.theirs.emit("end")
            assert await on.here.recorder.next() == ("end",)
            assert len(errors) == 1 and "python-socketio 5.14" in errors[0]

    run(main())


@pytest.mark.parametrize("library", [socketio, foreign], ids=["ours", "theirs"])
def test_a_program_without_a_server_sends(run: Run, shared_redis: RedisServer, channel: str, library: Any) -> None:
    options = {"format": FORMAT} if library is socketio else {}

    async def main() -> None:
        sender = library.AsyncRedisManager(shared_redis.url, channel, write_only=True, **options)
        async with scene(shared_redis, channel) as on:
            sid, other = on.here.get_sid(), on.there.get_sid()
            await sender.emit("all", {"a": [b"1"]})
            await sender.emit("chat", ("a", None), namespace="/chat")
            await sender.emit("not you", 1, skip_sid=[sid, other])
            await sender.emit("room", 1, room=["room", "none"])
            for client in (sid, other):
                await sender.enter_room(client, "/", "more")
            await sender.emit("more", 1, to="more")
            for client in (sid, other):
                await sender.leave_room(client, "/", "more")
            await sender.emit("left", 1, to="more")
            await sender.close_room("room")
            await sender.emit("closed", 1, room="room")
            await sender.emit("end", 1)
            expected = [("all", {"a": [b"1"]}), ("chat", "a", None), ("room", 1), ("more", 1), ("end", 1)]
            for client in (on.here, on.there):
                assert [await client.recorder.next() for _ in expected] == expected
            with pytest.raises(RuntimeError, match="Callbacks"):
                await sender.emit("a", 1, callback=print)
            if library is foreign:
                async with closing(sender):
                    return  # it can't disconnect anybody
            for client in (on.here, on.there):
                await sender.disconnect(client.get_sid(), "/")
                await until_gone(client)
            await sender.close()

    run(main())


def test_redis_restarts(run: Run, channel: str) -> None:
    async def main() -> None:
        with redis_server() as redis:
            async with scene(redis, channel) as on:
                redis.kill()
                await until(lambda: not on.manager.connected)
                await on.ours.emit("meanwhile", room="room")
                assert await on.here.recorder.next() == ("meanwhile",)
                redis.start()
                await until(lambda: on.manager.connected)
                await on.until_there_are(2)
                await on.ours.emit("from ours", 1, room="room")
                await on.theirs.emit("from theirs", 2, room="room")
                for client in (on.here, on.there):
                    assert {await client.recorder.next() for _ in "12"} == {("from ours", 1), ("from theirs", 2)}
                assert await on.ours.call("ask", 3, to=on.there.get_sid()) == 3
                assert await on.theirs.call("ask", 4, to=on.here.get_sid()) == 4

    run(main())


class ThreadedServer(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def foreign_threads(sio: foreign.Server) -> Iterator[str]:
    """The URL of a server of python-socketio's with threads, which has polling only."""
    app = foreign.WSGIApp(sio)
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, ThreadedServer, Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        sio.shutdown()
        server.shutdown()
        thread.join()


def test_threads(shared_redis: RedisServer, channel: str) -> None:
    def prepared(sio: Any) -> Any:
        sio.on("connect", lambda sid, environ: sio.enter_room(sid, "room"))
        sio.on("echo", lambda sid, *values: values)
        sio.on("still there", lambda sid: None)
        return sio

    manager = socketio.RedisManager(shared_redis.url, channel, format=FORMAT)
    ours = prepared(socketio.Server(client_manager=manager))
    theirs = prepared(
        foreign.Server(client_manager=foreign.RedisManager(shared_redis.url, channel), async_mode="threading")
    )
    senders = [
        socketio.RedisManager(shared_redis.url, channel, write_only=True, format=FORMAT),
        foreign.RedisManager(shared_redis.url, channel, write_only=True),
    ]
    with serving(ours) as first, foreign_threads(theirs) as second:
        with connected(socketio.Client, first) as here, connected(socketio.Client, second, transports=["polling"]) as there:
            for client in (here, there):
                client.on("ask", lambda *values: values)
                assert client.call("echo", 1) == 1
            while ours.server_count() != 2:
                pass
            for sio, near, far in ((ours, here, there), (theirs, there, here)):
                sid, answers = far.get_sid(), queue.Queue[Any]()
                sio.emit("hello", ("a", b"1"), room="room", skip_sid=near.get_sid())
                assert far.heard.get(timeout=WAIT) == ("hello", "a", b"1")
                assert sio.call("ask", {"a": 2}, to=sid) == {"a": 2}
                sio.enter_room(sid, "more")
                sio.emit("ask", 3, room="more", callback=answers.put)
                assert answers.get(timeout=WAIT) == 3
                sio.leave_room(sid, "more")
                sio.emit("no more", 1, room="more")
                sio.close_room("more")
            for sender in senders:
                sender.emit("from outside", b"1", room="room")
                for client in (here, there):
                    assert client.heard.get(timeout=WAIT) == ("from outside", b"1")
            ours.disconnect(there.get_sid())
            there.wait()
            theirs.disconnect(here.get_sid())
            here.wait()
    senders[0].close()


def test_what_is_wrong_is_refused() -> None:
    for options in ({"mode": "streams"}, {"key": "k"}):
        with pytest.raises(ValueError, match="no mode and no key"):
            socketio.RedisManager(format=FORMAT, **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'official' or 'python-socketio'"):
        socketio.AsyncRedisManager(format="another")  # type: ignore[arg-type]
