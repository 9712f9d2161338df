"""Connections that the application makes, and addresses that it looks up: in each face of a WebSocket client."""

from __future__ import annotations

import asyncio
import contextvars
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

import pytest
import websockets.sync.server
from conftest import Run, echo, foreign_server
from sync_peers import echo as sync_echo
from sync_peers import serving, url_of
from test_reconnecting import SOON
from test_tls import Authority

import sockline
import sockline.sync.client

WAIT = 20
NAME = "no.such.host.invalid"

where: contextvars.ContextVar[str] = contextvars.ContextVar("where", default="nowhere")


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


def named(url: str, scheme: str = "ws") -> str:
    """The same server by a name that nobody knows."""
    return f"{scheme}://{NAME}:{port_of(url)}/"


class Dialer:
    """Connects to this machine, whatever is asked for, and remembers what was."""

    def __init__(self, port: int | None = None) -> None:
        self.port = port
        self.asked: list[tuple[str, int]] = []
        self.threads: list[threading.Thread] = []
        self.places: list[str] = []
        self.sockets: list[socket.socket] = []

    def __call__(self, host: str, port: int) -> socket.socket:
        self.asked.append((host, port))
        self.threads.append(threading.current_thread())
        self.places.append(where.get())
        self.sockets.append(socket.create_connection(("127.0.0.1", self.port or port)))
        return self.sockets[-1]

    async def later(self, host: str, port: int) -> socket.socket:
        await asyncio.sleep(0)
        return self(host, port)


KINDS = pytest.mark.parametrize("kind", ["function", "coroutine function", "returns a coroutine"])


def of_kind(dialer: Dialer, kind: str) -> Any:
    return {"function": dialer, "coroutine function": dialer.later}.get(kind, lambda *asked: dialer.later(*asked))


@KINDS
def test_coroutines_speak_over_what_was_connected(run: Run, kind: str) -> None:
    async def main() -> None:
        where.set("here")
        dialer = Dialer()
        async with foreign_server() as url:
            async with sockline.connect(named(url), dial=of_kind(dialer, kind)) as connection:
                await connection.send("hello")
                assert await connection.recv() == "hello"
                assert connection.remote_address == ("127.0.0.1", port_of(url))
        assert dialer.asked == [(NAME, port_of(url))] and dialer.places == ["here"]
        assert dialer.sockets[0].fileno() == -1  # it was taken over
        # Where it may wait: not where the loop runs, unless it is a coroutine.
        assert (dialer.threads[0] is threading.main_thread()) == (kind != "function")

    run(main())


def test_the_engine_does_tls_on_it(run: Run) -> None:
    authority = Authority()

    async def main() -> None:
        dialer = Dialer()
        async with foreign_server(ssl=authority.foreign(ssl.Purpose.CLIENT_AUTH)) as url:
            tls = authority.client(server_name="localhost")
            async with sockline.connect(named(url, "wss"), ssl=tls, dial=dialer) as connection:
                await connection.send("secret")
                assert await connection.recv() == "secret"
                assert connection.tls_info is not None

    run(main())


def test_it_is_asked_again_for_redirects_and_for_each_return(run: Run) -> None:
    def elsewhere(connection: Any, request: Any) -> Any:
        if request.path == "/":
            response = connection.respond(302, "elsewhere\n")
            response.headers["Location"] = "ws://other.invalid:7/there"
            return response
        return None

    async def main() -> None:
        async with foreign_server(process_request=elsewhere) as url:
            dialer = Dialer(port_of(url))
            rounds = 0
            async for connection in sockline.connect(named(url), dial=dialer.later, reconnect_delays=lambda: iter([0.0] * 9)):
                await connection.send("hello")
                assert await connection.recv() == "hello"
                await connection.close()
                rounds += 1
                if rounds == 2:
                    break
        assert dialer.asked == [(NAME, port_of(url)), ("other.invalid", 7)] * 2

    run(main())


class Unable(Exception):
    pass


def unable(host: str, port: int) -> socket.socket:
    raise Unable("not today")


async def unable_later(host: str, port: int) -> socket.socket:
    raise Unable


def no_socket(host: str, port: int) -> Any:
    return 3


def not_connected(host: str, port: int) -> Any:
    return socket.socket()


def datagrams(host: str, port: int) -> Any:
    return socket.socket(type=socket.SOCK_DGRAM)


def of_ssl(host: str, port: int) -> Any:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_socket(socket.socket(), server_hostname="x")


FAILING = pytest.mark.parametrize(
    ("dial", "cause", "words"),
    [
        (unable, Unable, "not today"),
        (no_socket, TypeError, "dial must return a connected socket.socket, not int"),
        (not_connected, OSError, "not connected"),
        (datagrams, ValueError, "A Stream Socket was expected"),
        (of_ssl, TypeError, "SSLSocket"),
    ],
)


@FAILING
def test_what_it_raises_is_the_cause(run: Run, dial: Any, cause: type[Exception], words: str) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match=f"could not connect to h:1: .*{words}") as raised:
            await sockline.connect("ws://h:1", dial=dial)
        assert type(raised.value.__cause__) is cause

    run(main())


def test_what_coroutine_functions_raise_is_the_cause(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="could not connect to h: Unable") as raised:
            await sockline.connect("ws://h", dial=unable_later)
        assert type(raised.value.__cause__) is Unable

    run(main())


def test_a_server_that_refuses_is_not_the_applications_failure(run: Run) -> None:
    async def main() -> None:
        attempts = iter([unable, Dialer()])
        async with foreign_server(process_request=lambda connection, request: connection.respond(404, "no\n")) as url:
            connecting = sockline.connect(named(url), dial=lambda host, port: next(attempts)(host, port))
            with pytest.raises(OSError) as raised:
                await connecting
            assert type(raised.value.__cause__) is Unable
            with pytest.raises(sockline.InvalidStatus) as refused:
                await connecting
            assert refused.value.__cause__ is None

    run(main())


def test_a_coroutine_that_nobody_waits_for_any_more_is_cancelled(run: Run) -> None:
    async def main() -> None:
        ended: asyncio.Queue[str] = asyncio.Queue()
        begun = asyncio.Event()

        async def never(host: str, port: int) -> socket.socket:
            begun.set()
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                ended.put_nowait("ended")
            raise AssertionError

        with pytest.raises(TimeoutError):
            await sockline.connect("ws://h", dial=never, open_timeout=0.05)
        assert await asyncio.wait_for(ended.get(), WAIT) == "ended"
        begun.clear()
        connecting = asyncio.create_task(sockline.connect("ws://h", dial=never)._connect())
        await asyncio.wait_for(begun.wait(), WAIT)
        connecting.cancel()
        assert await asyncio.wait_for(ended.get(), WAIT) == "ended"

    run(main())


def test_a_connection_that_comes_too_late_is_closed(run: Run) -> None:
    async def main() -> None:
        asked, goes_on = threading.Event(), threading.Event()

        def late(host: str, port: int) -> socket.socket:
            asked.set()
            assert goes_on.wait(WAIT)
            return socket.create_connection(listener.getsockname())

        with socket.create_server(("127.0.0.1", 0)) as listener:
            with pytest.raises(TimeoutError):
                await sockline.connect("ws://h", dial=late, open_timeout=0.05)
            assert asked.is_set()
            goes_on.set()
            accepted = await asyncio.to_thread(listener.accept)
            with accepted[0] as peer:
                assert await asyncio.to_thread(peer.recv, 1) == b""

    run(main())


def test_what_else_says_where_to_connect_is_refused() -> None:
    dialer = Dialer()
    for wrong in ({"host": "h"}, {"port": 1}, {"local_addr": ("127.0.0.1", 0)}, {"family": socket.AF_INET}, {"proxy": "http://h"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} and dial can not be"):
            sockline.connect("ws://h", dial=dialer, **wrong)
    for wrong in ({"address": ("h", 1)}, {"source_address": ("127.0.0.1", 0)}, {"lookup": lambda host: []}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} and dial can not be"):
            sockline.sync.client.connect("ws://h", dial=dialer, **wrong)
    for wrong in ({"connect_to": ("h", 1)}, {"local_address": ("127.0.0.1", 0)}, {"proxy": "http://h"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))} and dial can not be"):
            sockline.WebSocket("ws://h", dial=dialer, **wrong)
    with pytest.raises(ValueError, match="sock and dial can not be"), socket.socket() as sock:
        sockline.connect("ws://h", dial=dialer, sock=sock)
    with pytest.raises(ValueError, match="unix and dial can not be"):
        sockline.unix_connect("/nowhere", dial=dialer)
    for name in ("dial", "lookup"):
        with pytest.raises(TypeError, match=f"{name} must be callable or None, not int"):
            sockline.connect("ws://h", **{name: 1})
    assert dialer.asked == []


# Threads


def test_threads_speak_over_what_was_connected() -> None:
    with serving(websockets.sync.server.serve(sync_echo, "127.0.0.1", 0)) as server:
        url, dialer = url_of(server), Dialer()
        with sockline.sync.client.connect(named(url), dial=dialer) as connection:
            connection.send("hello")
            assert connection.recv() == "hello"
        assert dialer.asked == [(NAME, port_of(url))]
        assert dialer.threads[0] is not threading.main_thread() and dialer.threads[0].name == "sockline-handler"
        assert dialer.sockets[0].fileno() == -1


def test_threads_are_told_what_was_raised() -> None:
    with pytest.raises(OSError, match="could not connect to h: not today") as raised:
        sockline.sync.client.connect("ws://h", dial=unable)
    assert type(raised.value.__cause__) is Unable
    with pytest.raises(OSError, match="there is no asyncio loop here") as raised:
        sockline.sync.client.connect("ws://h", dial=unable_later)
    assert type(raised.value.__cause__) is TypeError


# Callbacks


def callbacks() -> tuple[list[Any], threading.Event, dict[str, Any]]:
    """What happens, its end, and the handlers that note it."""
    heard: list[Any] = []
    closed = threading.Event()

    def close(ws: Any, code: int, reason: str, was_clean: bool) -> None:
        heard.append((code, was_clean))
        closed.set()

    return heard, closed, {"onerror": lambda ws, error: heard.append(error), "onclose": close}


def test_callbacks_are_told_what_was_raised() -> None:
    heard, closed, handlers = callbacks()
    sockline.WebSocket("ws://h", dial=unable, **handlers)
    assert closed.wait(WAIT)
    error, end = heard
    assert isinstance(error, sockline.SocklineError) and error.code == "SOCKLINE_ERR_CONNECT_FAILED"
    assert type(error.__cause__) is Unable and end == (1006, False)


@KINDS
def test_callbacks_come_back_over_what_is_connected_again(run: Run, kind: str) -> None:
    """The first connection is lost, the second can't be made, the third is the last."""

    async def main() -> None:
        visits: list[Any] = []

        async def visited(connection: Any) -> None:
            visits.append(connection)
            if len(visits) == 1:
                connection.transport.abort()
            else:
                await connection.close(1000, "enough")

        closed = asyncio.Event()
        reasons: list[Any] = []
        dialer = Dialer()
        dialing = of_kind(dialer, kind)

        def dial(host: str, port: int) -> Any:
            if len(dialer.asked) == 1 and len(reasons) == 1:
                raise Unable
            return dialing(host, port)

        async with foreign_server(visited) as url:
            ws = sockline.WebSocket(
                named(url),
                dial=dial,
                reconnect=SOON,
                onreconnecting=lambda ws, event: reasons.append(event.error and type(event.error.__cause__)),
                onclose=lambda ws, *how: (reasons.append(how), closed.set()),
            )
            await asyncio.wait_for(closed.wait(), WAIT)
            assert ws.url == named(url)
        assert len(visits) == 2 and dialer.asked == [(NAME, port_of(url))] * 2
        assert reasons[1:] == [Unable, (1000, "enough", True)]

    run(main())


def test_a_dialer_goes_with_its_connection(run: Run) -> None:
    import gc
    import weakref

    async def main() -> weakref.ref[Any]:
        dialer = Dialer()
        async with foreign_server() as url:
            async with sockline.connect(named(url), dial=dialer) as connection:
                await connection.send("hello")
                assert await connection.recv() == "hello"
        return weakref.ref(dialer)

    gone = run(main())
    gc.collect()
    assert gone() is None


# Names


def looked_up(*addresses: Any) -> tuple[list[str], Callable[[str], Any], Callable[[str], Any]]:
    """What was asked for, and a function and a coroutine function that say these addresses."""
    asked: list[str] = []

    def lookup(host: str) -> Any:
        asked.append(host)
        return addresses

    async def lookup_later(host: str) -> Any:
        await asyncio.sleep(0)
        return lookup(host)

    return asked, lookup, lookup_later


@pytest.mark.parametrize("is_coroutine", [False, True])
def test_coroutines_look_names_up(run: Run, is_coroutine: bool) -> None:
    async def main() -> None:
        # Nobody listens at the first address.
        asked, plain, later = looked_up(ipaddress.ip_address("127.0.0.9"), "127.0.0.1")
        async with foreign_server() as url:
            async with sockline.connect(named(url), lookup=later if is_coroutine else plain, proxy=None) as connection:
                await connection.send("hello")
                assert await connection.recv() == "hello"
                assert connection.remote_address == ("127.0.0.1", port_of(url))
                assert connection.timings.dns is not None
            async with sockline.connect(url, lookup=plain, proxy=None):
                pass  # an address is not looked up
        assert asked == [NAME]

    run(main())


def unknown(host: str) -> Any:
    raise Unable("nobody knows")


async def unknown_later(host: str) -> Any:
    raise Unable("nobody knows")


@pytest.mark.parametrize(
    ("lookup", "cause", "words"),
    [
        (unknown, Unable, "nobody knows"),
        (unknown_later, Unable, "nobody knows"),
        (lambda host: "127.0.0.1", TypeError, "lookup must return a list of addresses, not str"),
        (lambda host: ["localhost"], ValueError, "lookup must return IP addresses, not .localhost."),
        (lambda host: None, TypeError, "NoneType"),
    ],
)
def test_what_a_lookup_raises_is_the_cause(run: Run, lookup: Any, cause: type[Exception], words: str) -> None:
    async def main() -> None:
        with pytest.raises(socket.gaierror, match=words) as raised:
            await sockline.connect(f"ws://{NAME}", lookup=lookup, proxy=None)
        assert type(raised.value.__cause__) is cause

    run(main())


def test_threads_and_callbacks_look_names_up() -> None:
    asked, lookup, later = looked_up("127.0.0.1")
    with serving(websockets.sync.server.serve(sync_echo, "127.0.0.1", 0)) as server:
        url = url_of(server)
        with sockline.sync.client.connect(named(url), lookup=lookup, proxy=None) as connection:
            connection.send("hello")
            assert connection.recv() == "hello"
        opened = threading.Event()
        ws = sockline.WebSocket(named(url), lookup=lookup, proxy=None, onopen=lambda ws: opened.set())
        assert opened.wait(WAIT)
        ws.close()
    assert asked == [NAME, NAME]
    heard, closed, handlers = callbacks()
    sockline.WebSocket(f"ws://{NAME}", lookup=later, proxy=None, **handlers)
    assert closed.wait(WAIT)
    assert type(heard[0].__cause__) is TypeError and heard[0].code == "SOCKLINE_ERR_NAME_NOT_RESOLVED"


def test_a_loop_that_ends_leaves_nobody_waiting(run: Run) -> None:
    """Its questions are let go of: of the resolver's threads, of which there are few, none is kept."""

    async def hang(host: str) -> Any:
        await asyncio.get_running_loop().create_future()

    async def leave() -> None:
        for _ in range(20):
            task = asyncio.ensure_future(sockline.connect(f"ws://{NAME}", lookup=hang, proxy=None)._connect())
            await asyncio.sleep(0)
            del task

    async def main() -> None:
        asked, lookup, _ = looked_up("127.0.0.1")
        async with foreign_server(echo) as url:
            async with sockline.connect(named(url), lookup=lookup, proxy=None) as connection:
                await connection.send("hello")
                assert await connection.recv() == "hello"

    for _ in range(10):
        run(leave())
    run(main())
