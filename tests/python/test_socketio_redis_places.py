"""Where Redis can be, and who may use it: TLS, sockets of the file system, users, databases, sentinels, clusters."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from io_peers import WAIT, Recorder
from redis_server import RedisServer, cli, free_port, redis_cluster, redis_sentinel, redis_server
from test_socketio_redis import listened_to
from test_socketio_threads import connected, serving

from sockline import socketio


@asynccontextmanager
async def node(url: str, **options: Any) -> AsyncIterator[tuple[socketio.AsyncServer, Recorder]]:
    """A server without a client that hears what others say, once it is connected to Redis."""
    is_connected, said = asyncio.Event(), Recorder()
    manager = socketio.AsyncRedisManager(url, on_connected=is_connected.set, **options)
    sio = socketio.AsyncServer(client_manager=manager)
    sio.on_server_side_emit("said", said.note)
    async with sio.listen("127.0.0.1", 0):
        await asyncio.wait_for(is_connected.wait(), WAIT)
        yield sio, said


def is_well(url: str, **options: Any) -> None:
    """Two servers hear each other there, and a program without a server."""

    async def main() -> None:
        async with node(url, **options) as (one, heard_by_one), node(url, **options) as (two, heard_by_two):
            async with asyncio.timeout(WAIT):
                while await one.server_count() != 2 or await two.server_count() != 2:
                    pass
            await one.server_side_emit("said", 1)
            assert await heard_by_two.next() == (1,)
            if options.get("mode", "classic") == "classic":
                logger, errors = listened_to()
                sender = socketio.AsyncRedisManager(url, write_only=True, logger=logger, **options)
                await sender.server_side_emit("said", 2)
                assert errors == [] and await heard_by_one.next() == (2,)
                await sender.close()

    asyncio.run(main())


def is_refused(url: str, part: str, **options: Any) -> None:
    """It never gets a connection, for this reason, which tells no password."""
    logger, errors = listened_to()
    sender = socketio.RedisManager(url, write_only=True, logger=logger, **options)
    sender.emit("a", 1)
    sender.close()
    assert any(part in line for line in errors), errors
    assert not any("geheim" in line for line in errors)


@dataclass
class Certificates:
    ca: Path
    settings: list[str]
    """Of a server that shows them, and asks for none."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("redis-tls")
    authority = trustme.CA()
    identity = authority.issue_cert("localhost")
    names = {name: folder / f"{name}.pem" for name in ("ca", "certificate", "key")}
    authority.cert_pem.write_to_path(str(names["ca"]))
    identity.cert_chain_pems[0].write_to_path(str(names["certificate"]))
    identity.private_key_pem.write_to_path(str(names["key"]))
    files = [f"tls-cert-file {names['certificate']}", f"tls-key-file {names['key']}", f"tls-ca-cert-file {names['ca']}"]
    return Certificates(names["ca"], [*files, "tls-auth-clients no"])


def arguments(lines: list[str]) -> list[str]:
    """Lines of a file as arguments of a command line."""
    pairs = [line.split(" ", 1) for line in lines]
    return [part for name, value in pairs for part in (f"--{name}", value)]


def test_tls_with_an_authority_of_ones_own(certificates: Certificates) -> None:
    port = free_port()
    with redis_server("--tls-port", str(port), *arguments(certificates.settings)):
        url = f"rediss://localhost:{port}/0"
        is_well(url, ca_file=certificates.ca)
        is_well(url, redis_options={"ssl_ca_certs": str(certificates.ca)}, format="official", mode="sharded")
        is_well(f"{url}?ssl_cert_reqs=none")
        is_refused(url, "certificate")


def test_a_socket_of_the_file_system(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with redis_server("--unixsocket", str(path)):
        is_well(f"unix://{path}")
        is_well(f"unix://{path}?db=1", mode="streams")
        is_refused("unix:///nowhere/redis.sock", "can't be connected to")


@contextlib.contextmanager
def with_users() -> Iterator[RedisServer]:
    with redis_server() as server:
        cli(server, "ACL", "SETUSER", "node", "on", ">geheim", "~*", "&*", "+@all")
        cli(server, "ACL", "SETUSER", "default", "off")
        yield server


def test_users_and_their_passwords() -> None:
    with with_users() as server:
        place = f"127.0.0.1:{server.port}"
        is_well(f"redis://node:geheim@{place}/0")
        is_well(f"redis://{place}", redis_options={"username": "node", "password": "geheim"})
        is_refused(f"redis://nobody:geheim@{place}", "refused user and password")
        is_refused(f"redis://{place}", "wants a password")


def test_databases() -> None:
    with redis_server() as server:
        for url, options in ((f"{server.url[:-2]}/3", {}), (server.url[:-2], {"db": 4})):
            database = str(options.get("db", 3))
            name = f"stream{database}"
            is_well(url, redis_options=options, mode="streams", stream_name=name)
            # Of what servers say to each other only events for clients are in a stream.
            asyncio.run(emit_once(url, redis_options=options, mode="streams", stream_name=name))
            assert cli(server, "-n", database, "XLEN", name) == "1\n"
            assert cli(server, "EXISTS", name) == "0\n"
        is_refused(f"{server.url[:-2]}/99", "DB index is out of range")


async def emit_once(url: str, **options: Any) -> None:
    async with node(url, **options) as (sio, _):
        await sio.emit("x")
        await sio.server_count()  # is asked behind it


def test_sentinels() -> None:
    with redis_server() as master, redis_sentinel(master) as sentinel:
        dead, place = free_port(), f"127.0.0.1:{sentinel.port}"
        is_well(f"redis+sentinel://127.0.0.1:{dead},{place}/0/main")
        is_well(f"redis+sentinel://{place}/main/1", mode="sharded")
        is_refused(f"redis+sentinel://{place}/0/other", 'knows no master of the name "other"')


def test_sentinels_with_passwords(certificates: Certificates) -> None:
    port = free_port()
    lines = ["requirepass geheim", "user asker on >geheim2 ~* &* +@all", "sentinel auth-pass main of-it", f"tls-port {port}"]
    with (
        redis_server("--requirepass", "of-it") as master,
        redis_sentinel(master, *lines, *certificates.settings) as sentinel,
    ):
        url = f"redis+sentinel://:of-it@127.0.0.1:{sentinel.port}/0/main"
        is_well(url, sentinel_password="geheim")
        is_well(f"{url}?sentinel_username=asker&sentinel_password=geheim2", sentinel_password="wrong")
        kwargs = {"username": "asker", "password": "geheim2"}
        is_well(url, redis_options={"sentinel_kwargs": kwargs})
        secure = f"redis+sentinel://:of-it@localhost:{port}/0/main"
        is_well(secure, sentinel_password="geheim", sentinel_tls=True, ca_file=certificates.ca)
        is_well(f"{secure}?sentinel_tls=1", redis_options={"sentinel_kwargs": {"password": "geheim"}, "ssl_cert_reqs": "none"})
        is_refused(url, "wants a password")
        is_refused(url, "refused user and password", sentinel_password="another-geheim")
        is_refused(secure, "certificate", sentinel_password="geheim", sentinel_tls=True)
    with pytest.raises(NotImplementedError, match="socket_timeout"):
        socketio.RedisManager(url, redis_options={"sentinel_kwargs": {"socket_timeout": 1}})


def test_a_redis_cluster() -> None:
    with redis_cluster() as nodes:
        places = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        for mode in ("classic", "sharded"):
            is_well(f"redis+cluster://{places}", mode=mode)
        is_well(f"redis+cluster://127.0.0.1:{nodes[1].port}", mode="streams")


def test_threads_reach_a_server_behind_sentinels_and_tls(certificates: Certificates) -> None:
    port = free_port()
    with (
        redis_server("--tls-port", str(port), *arguments(certificates.settings)) as master,
        redis_sentinel(master) as sentinel,
    ):
        urls: list[tuple[str, dict[str, Any]]] = [
            (f"rediss://localhost:{port}", {"ca_file": certificates.ca}),
            (f"redis+sentinel://127.0.0.1:{sentinel.port}/0/main", {}),
        ]
        servers = [socketio.Server(client_manager=socketio.RedisManager(url, **options)) for url, options in urls]
        for sio in servers:
            sio.on("echo", lambda sid, value: value)
            sio.on("still there", lambda sid: None)
        with serving(servers[0]) as first, serving(servers[1]), connected(socketio.Client, first) as client:
            assert client.call("echo", 1) == 1
            while servers[0].server_count() != 2:
                pass
            servers[1].emit("hello", b"1")
            assert client.heard.get(timeout=WAIT) == ("hello", b"1")
