"""Sockets that are given to servers and clients, and what arguments of asyncio's and socket's say of those that are made."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
import websockets.sync.client
from conftest import Run, echo

import sockline
import sockline.sync.client
import sockline.sync.server


def bound(family: int = socket.AF_INET, host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(family)
    sock.bind((host, 0))
    return sock


def refuses(address: Any) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(address) != 0


async def say(uri: str, **options: Any) -> None:
    """A foreign client."""
    async with websockets.connect(uri, proxy=None, **options) as connection:
        await connection.send("hello")
        assert await connection.recv() == "hello"


@pytest.mark.parametrize("threads", [0, 2])
def test_serves_on_a_socket_and_closes_it(threads: int, run: Run) -> None:
    async def main() -> None:
        sock = bound()
        address = sock.getsockname()
        async with sockline.serve(echo, sock=sock, threads=threads) as server:
            assert server.sockets == (sock,)
            await say(f"ws://127.0.0.1:{address[1]}")
        assert sock.fileno() == -1 and server.sockets == ()
        assert refuses(address)

    run(main())


def test_serves_on_a_unix_socket_and_leaves_its_path(tmp_path: Path, run: Run) -> None:
    async def main() -> None:
        path = str(tmp_path / "socket")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        async with sockline.unix_serve(echo, sock=sock):
            async with websockets.unix_connect(path) as connection:
                await connection.send("hello")
                assert await connection.recv() == "hello"
        assert (tmp_path / "socket").exists()

    run(main())


def test_serves_at_several_hosts_on_one_port(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(echo, ["127.0.0.1", "127.0.0.2", "127.0.0.1"], 0) as server:
            hosts, ports = zip(*(sock.getsockname() for sock in server.sockets))
            assert hosts == ("127.0.0.1", "127.0.0.2") and len(set(ports)) == 1
            for host in hosts:
                await say(f"ws://{host}:{ports[0]}")

    run(main())


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
def test_serves_for_one_family(family: int, host: str, run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(echo, None, 0, family=family) as server:
            (sock,) = server.sockets
            assert sock.getsockname()[0] == host
            assert isinstance(sock, socket.socket) and sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)

    run(main())


def test_sockets_are_as_asked_for(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(echo, "127.0.0.1", 0, reuse_address=False, keep_alive=True) as server:
            (sock,) = server.sockets
            assert isinstance(sock, socket.socket)
            assert not sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)

    run(main())


@pytest.mark.parametrize("more", [{}, {"keep_alive": True}], ids=["engine", "here"])
def test_servers_share_a_port_if_all_say_so(more: dict[str, Any], run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(echo, "127.0.0.1", 0, reuse_port=True, **more) as server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(OSError):
                await sockline.serve(echo, "127.0.0.1", port, **more)
            async with sockline.serve(echo, "127.0.0.1", port, reuse_port=True, **more):
                await say(f"ws://127.0.0.1:{port}")

    run(main())


def test_a_socket_comes_alone_and_is_a_stream(run: Run) -> None:
    async def main() -> None:
        with bound() as sock, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            for wrong in ({"host": "localhost"}, {"port": 1}, {"unix_path": "/nowhere"}):
                with pytest.raises(ValueError, match="can not be specified"):
                    sockline.serve(echo, sock=sock, **wrong)
            with pytest.raises(ValueError, match="Stream Socket"):
                sockline.serve(echo, sock=datagrams)
            with pytest.raises(ValueError, match="can not be specified"):
                sockline.connect("ws://localhost", sock=sock, host="localhost")
            with pytest.raises(ValueError, match="Stream Socket"):
                sockline.connect("ws://localhost", sock=datagrams)
            with ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(sock.dup(), server_hostname="x") as wrapped:
                with pytest.raises(TypeError, match="SSLSocket"):
                    sockline.connect("wss://localhost", sock=wrapped)

    run(main())


def test_connects_over_a_socket(run: Run) -> None:
    async def main() -> None:
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            sock = socket.create_connection(address)
            mine = sock.getsockname()
            # Nobody looks this name up, nor asks a proxy for it.
            connecting = sockline.connect("ws://no.such.host.invalid/", sock=sock, proxy="http://127.0.0.1:1")
            async with connecting as connection:
                assert connection.local_address == mine
                await connection.send("hello")
                assert await connection.recv() == "hello"
            with pytest.raises(ValueError, match="used for a connection before"):
                await connecting

    run(main())


def test_a_client_with_callbacks_connects_over_a_socket(run: Run) -> None:
    async def main() -> None:
        async with websockets.serve(echo, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            sock = socket.create_connection(address)
            mine = sock.getsockname()
            for name, wrong in (
                ("connect_to", ("h", 1)),
                ("local_address", ("127.0.0.1", 0)),
                ("lookup", lambda host: []),
                ("reconnect", True),
                ("dial", lambda host, port: None),
            ):
                with pytest.raises(ValueError, match="can not be specified at the same time"):
                    sockline.WebSocket("ws://localhost/", sock=sock, **{name: wrong})
            assert sock.fileno() >= 0
            heard = asyncio.get_running_loop().create_future()
            ws = sockline.WebSocket(
                "ws://no.such.host.invalid/",
                sock=sock,
                proxy="http://127.0.0.1:1",
                onopen=lambda ws: ws.send("hello"),
                onmessage=lambda ws, message: heard.set_result((message, ws.local_address)),
            )
            assert await heard == ("hello", mine)
            assert sock.fileno() == -1
            ws.close()
            with pytest.raises(ValueError, match="used for a connection before"):
                sockline.WebSocket("ws://localhost/", sock=sock)

    run(main())


@pytest.mark.parametrize("url, open_timeout", [("ws://localhost/", -1), ("nonsense", 10)])
def test_a_socket_of_which_nothing_comes_is_closed(url: str, open_timeout: float) -> None:
    theirs, ours = socket.socketpair()
    with theirs:
        theirs.settimeout(10)
        with pytest.raises((ValueError, sockline.SocklineError)):
            sockline.WebSocket(url, sock=ours, open_timeout=open_timeout)
        assert theirs.recv(1) == b""


def test_one_end_of_a_pair_will_do(run: Run) -> None:
    async def main() -> None:
        theirs, ours = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        connecting = asyncio.ensure_future(asyncio.wait_for(_connected("ws://pair/", ours), 10))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET / HTTP/1.1\r\nHost: pair\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(ValueError, match="cannot follow redirect to ws://pair/other with a preexisting socket"):
            await connecting
        assert await reader.read() == b""
        writer.close()

    run(main())


async def _connected(uri: str, sock: socket.socket) -> sockline.ClientConnection:
    return await sockline.connect(uri, sock=sock)


def test_connects_to_one_family(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(echo, ["127.0.0.1", "::1"], 0) as server:
            port = server.sockets[0].getsockname()[1]
            for family, host, other in [(socket.AF_INET, "127.0.0.1", "[::1]"), (socket.AF_INET6, "::1", "127.0.0.1")]:
                async with sockline.connect("ws://localhost", host=host, port=port, family=family) as connection:
                    assert connection.remote_address == (host, port)
                with pytest.raises(OSError, match="can't be reached"):
                    await sockline.connect(f"ws://{other}:{port}", family=family)
            with pytest.raises(ValueError, match="family"):
                sockline.connect("ws://localhost", family=socket.AF_UNIX)

    run(main())


@pytest.mark.parametrize(
    "argument",
    [{"happy_eyeballs_delay": 1.0}, {"interleave": 3}, {"all_errors": True}, {"flags": 1}, {"ssl_handshake_timeout": 1.0}],
    ids=lambda argument: next(iter(argument)),
)
def test_what_is_the_engines_is_refused(argument: dict[str, Any]) -> None:
    with pytest.raises(NotImplementedError, match=next(iter(argument))):
        sockline.connect("ws://localhost", **argument)


# Threads


@contextlib.contextmanager
def serving(*where: Any, **options: Any) -> Iterator[sockline.sync.server.Server]:
    def handler(connection: Any) -> None:
        for message in connection:
            connection.send(message)

    with sockline.sync.server.serve(handler, *where, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
    thread.join(20)
    assert not thread.is_alive()


def say_with_threads(address: Any, uri: str = "ws://localhost/") -> None:
    sock = socket.create_connection(address)
    with websockets.sync.client.connect(uri, sock=sock) as connection:
        connection.send("hello")
        assert connection.recv(timeout=10) == "hello"


def test_threads_serve_on_a_socket_and_close_it() -> None:
    sock = bound()
    address = sock.getsockname()
    with serving(sock=sock) as server:
        assert server.socket is sock and server.fileno() == sock.fileno()
        say_with_threads(address)
    assert sock.fileno() == -1 and refuses(address)
    with bound() as other, pytest.raises(ValueError, match="host is incompatible with sock"):
        sockline.sync.server.serve(print, "localhost", sock=other)


def test_threads_serve_on_sockets_that_are_made_as_asked_for() -> None:
    with serving("127.0.0.1", 0, reuse_port=True, backlog=5) as server:
        address = server.socket.getsockname()
        with serving("127.0.0.1", address[1], reuse_port=True):
            say_with_threads(address)
    with serving("", 0, family=socket.AF_INET6, dualstack_ipv6=True) as server:
        port = server.socket.getsockname()[1]
        say_with_threads(("127.0.0.1", port))
        say_with_threads(("::1", port))


def test_threads_connect_over_a_socket() -> None:
    with serving("127.0.0.1", 0) as server:
        sock = socket.create_connection(server.socket.getsockname())
        mine = sock.getsockname()
        with sockline.sync.client.connect("ws://no.such.host.invalid/", sock=sock) as connection:
            assert connection.local_address == mine
            connection.send("hello")
            assert connection.recv(timeout=10) == "hello"
    with bound() as other, pytest.raises(ValueError, match="can not be specified"):
        sockline.sync.client.connect("ws://localhost", sock=other, address=("localhost", 1))
