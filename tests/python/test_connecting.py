"""The ways to a server, and back to it."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets
from conftest import Run, echo, foreign_server, our_server

import sockline
import sockline.sync.client
from sockline.client import process_exception

WAIT = 20


def tcp_option(port: int, name: int) -> list[int]:
    """The option's value at each of this process's sockets that are connected to the port."""
    values = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(descriptor))) as copy:
                if copy.getpeername()[1] == port:
                    values.append(copy.getsockopt(socket.IPPROTO_TCP, name))
        except (OSError, IndexError):
            pass  # no socket, or one that is not connected
    return values


def test_a_client_chooses_its_own_address(run: Run) -> None:
    seen: list[Any] = []

    async def handler(connection: Any) -> None:
        seen.append(connection.remote_address[0])

    async def main() -> None:
        async with foreign_server(handler) as url, sockline.connect(url, local_addr=("127.0.0.9", 0)) as connection:
            assert connection.local_address is not None
            assert connection.local_address[0] == "127.0.0.9"
            await connection.wait_closed()
        with pytest.raises(ValueError, match="IP address"):
            await sockline.connect(url, local_addr=("localhost", 0))

    run(main())
    assert seen == ["127.0.0.9"]


def test_another_host_can_be_connected_to(run: Run) -> None:
    seen: list[str] = []

    async def note(connection: Any) -> None:
        seen.append(connection.request.headers["Host"])

    async def main() -> None:
        async with foreign_server(note) as url:
            port = int(url.rpartition(":")[2])
            for uri, options in (
                ("ws://far.example/", {"host": "127.0.0.1", "port": port}),
                (f"ws://far.example:{port}/", {"host": "localhost"}),
                ("ws://localhost:1/", {"port": port}),
            ):
                async with sockline.connect(uri, **options) as connection:  # type: ignore[arg-type]
                    await connection.wait_closed()
            closed = asyncio.Event()
            sockline.WebSocket(
                "ws://a.example", connect_to=("127.0.0.1", port), proxy=None, onclose=lambda *_: closed.set()
            )
            await closed.wait()
            assert seen == ["far.example", f"far.example:{port}", "localhost:1", "a.example"]

    run(main())


def test_the_response_and_the_timings_can_be_read(run: Run) -> None:
    def add_header(connection: Any, request: Any, response: Any) -> None:
        response.headers["X-Extra"] = "grüße"
        response.headers["Set-Cookie"] = "a=1"
        response.headers["Set-Cookie"] = "b=2"

    async def main() -> None:
        async with foreign_server(process_response=add_header) as url:
            async with sockline.connect(url.replace("127.0.0.1", "localhost")) as connection:
                assert connection.response is not None
                headers = connection.response.headers
                assert headers["X-Extra"] == "grüße"
                assert headers.get_all("set-cookie") == ["a=1", "b=2"]
                timings = connection.timings
                assert timings.proxy is None and timings.tls is None
                for step in (timings.dns, timings.tcp, timings.upgrade):
                    assert step is not None and 0 <= step < 10
            opened = asyncio.Event()
            ws = sockline.WebSocket(url, onopen=lambda ws: opened.set())
            await opened.wait()
            assert ws.response_headers["X-Extra"] == "grüße"
            assert ws.timings.dns is None and ws.timings.upgrade is not None
            ws.close()

    run(main())


def test_options_reach_the_sockets() -> None:
    async def main() -> None:
        tcp = sockline.TcpOptions(no_delay=False, keep_alive=77, user_timeout=5)
        async with foreign_server() as url:
            port = int(url.rpartition(":")[2])
            async with sockline.connect(url, tcp=tcp):
                assert tcp_option(port, socket.TCP_NODELAY) == [0]
                assert tcp_option(port, socket.TCP_KEEPIDLE) == [77]
                assert tcp_option(port, socket.TCP_USER_TIMEOUT) == [5000]
        async with our_server(tcp=tcp) as url, websockets.connect(url) as client:
            assert tcp_option(client.local_address[1], socket.TCP_KEEPIDLE) == [77]

    asyncio.run(main())


def test_unix_sockets_work_both_ways(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "a socket"

    async def main() -> None:
        async with sockline.unix_serve(echo, path), websockets.unix_connect(path) as connection:
            await connection.send("to ours")
            assert await connection.recv() == "to ours"
        async with websockets.unix_serve(echo, tmp_path / "theirs"):
            async with sockline.unix_connect(tmp_path / "theirs", "ws://host.example/target?query") as ours:
                await ours.send("to theirs")
                assert await ours.recv() == "to theirs"
                assert ours.request is not None and ours.request.path == "/target?query"
                assert ours.request.headers["Host"] == "host.example"

    run(main())


@pytest.mark.parametrize("package", [websockets, sockline], ids=["websockets", "sockline"])
def test_redirects_over_unix_sockets_stay_there(run: Run, tmp_path: Path, package: Any) -> None:
    path = tmp_path / "a socket"
    targets = {
        "/relative": "/there?x",
        "/absolute": "ws://localhost/there?x",
        "/loop": "/loop",
        "/other": "ws://other/",
        "/port": "ws://localhost:81/",
    }

    async def main() -> None:
        async with websockets.unix_serve(echo, path, process_request=redirect_to(targets)):
            for start in "/relative", "/absolute":
                async with package.unix_connect(path, f"ws://localhost{start}") as connection:
                    assert connection.request.path == "/there?x"
            for start in "/other", "/port":
                text = f"cannot follow cross-origin redirect to {targets[start]} with a Unix socket"
                with pytest.raises(ValueError, match=re.escape(text)):
                    await package.unix_connect(path, f"ws://localhost{start}")
            with pytest.raises(package.SecurityError, match="more than 10 redirects"):
                await package.unix_connect(path, "ws://localhost/loop")

    run(main())


def test_iteration_connects_again(run: Run) -> None:
    """Closed connections are followed by others at once, failed attempts after the delays; a fatal error ends it."""
    delays: list[float] = []
    answers = [101, 503, 500, 101, 503, 403]

    def answer(connection: Any, request: Any) -> Any:
        status = answers.pop(0)
        return None if status == 101 else connection.respond(status, "not now\n")

    def short() -> Iterator[float]:
        for delay in (0.01, 0.02, 0.03):
            delays.append(delay)
            yield delay

    async def main() -> None:
        rounds = 0
        async with foreign_server(process_request=answer) as url:
            with pytest.raises(sockline.InvalidStatus) as caught:
                async for connection in sockline.connect(url, reconnect_delays=short):  # type: ignore[arg-type]
                    rounds += 1
                    await connection.send("x")
                    await connection.recv()
        assert caught.value.response.status_code == 403
        assert rounds == 2

    run(main())
    assert delays == [0.01, 0.02, 0.01] and not answers


def test_a_server_that_hangs_up_is_asked_again(run: Run) -> None:
    async def main() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            for connect, names in ((sockline.connect, sockline), (websockets.connect, websockets)):
                with pytest.raises(names.InvalidMessage) as caught:  # type: ignore[attr-defined]
                    await connect(url)  # type: ignore[operator]
                assert isinstance(caught.value.__cause__, EOFError)
                assert process_exception(caught.value) is None or names is websockets

    run(main())


def test_the_program_says_what_is_fatal(run: Run) -> None:
    async def main() -> None:
        def refuse(connection: Any, request: Any) -> Any:
            return connection.respond(503, "no\n")

        def fatal(error: Exception) -> Exception:
            return LookupError(str(error))

        async with foreign_server(process_request=refuse) as url:
            with pytest.raises(LookupError, match="503"):
                async for _ in sockline.connect(url, process_exception=fatal):
                    raise AssertionError("it was refused")

    run(main())


def redirect_to(targets: dict[str, str]) -> Any:
    """For ``process_request``: answers some paths with the way to others."""

    def process(connection: Any, request: Any) -> Any:
        if request.path not in targets:
            return None
        response = connection.respond(302, "elsewhere\n")
        response.headers["Location"] = targets[request.path]
        response.headers["Set-Cookie"] = "visited=yes"
        return response

    return process


def test_the_request_can_be_read_as_it_was_sent(run: Run) -> None:
    """With the headers that it has in websockets, but for the one that differs each time."""

    async def main() -> None:
        async with foreign_server() as far, foreign_server(process_request=redirect_to({"/a": f"{far}/b?c"})) as url:
            requests = []
            for package in (websockets, sockline):
                options: Any = {"subprotocols": ["chat"], "origin": "http://o.example", "additional_headers": {"X-Mine": "yes"}}
                async with package.connect(url + "/a", user_agent_header="agent", **options) as connection:
                    request = connection.request
                    headers = dict(request.headers.raw_items())
                    assert len(base64.b64decode(headers.pop("Sec-WebSocket-Key"))) == 16
                    headers.pop("Cookie", None)  # from the redirect, which websockets forgets
                    headers["Sec-WebSocket-Extensions"] = sorted(headers["Sec-WebSocket-Extensions"].split("; "))
                    requests.append((request.path, headers))
            assert requests[1] == requests[0] and requests[0][0] == "/b?c" and headers["Host"] == far.removeprefix("ws://")

            def connect(path: str) -> list[str]:
                with sockline.sync.client.connect(url + path) as connection:
                    assert connection.request is not None
                    return [connection.request.path, connection.request.headers["Sec-WebSocket-Version"]]

            assert await asyncio.to_thread(connect, "/a") == ["/b?c", "13"]
            opened = asyncio.Event()
            ws = sockline.WebSocket(url, keep_request=True, onopen=lambda ws: opened.set())
            await opened.wait()
            assert ws.request_headers["Host"] == url.removeprefix("ws://")
            ws.close()

    run(main())


def test_redirects_are_followed_with_little_luggage(run: Run) -> None:
    seen: list[Any] = []

    async def note(connection: Any) -> None:
        headers = connection.request.headers
        seen.append((connection.request.path, headers.get("Authorization"), headers.get("X-Other")))

    async def main() -> None:
        async with foreign_server(note) as far:
            targets = {"/a": "/b?c", "/far": f"{far}/end", "/loop": "/loop"}
            async with foreign_server(note, process_request=redirect_to(targets)) as url:
                headers = {"Authorization": "secret", "X-Other": "kept"}
                for path in ("/a", "/far"):
                    async with sockline.connect(url + path, additional_headers=headers) as connection:
                        await connection.wait_closed()
                with pytest.raises(sockline.SecurityError, match="redirect"):
                    await sockline.connect(url + "/loop")
                with pytest.raises(sockline.InvalidStatus) as caught:
                    await sockline.connect(url + "/a", max_redirects=0)
                assert caught.value.response.status_code == 302
                opened = asyncio.Event()
                ws = sockline.WebSocket(
                    url + "/a", max_redirects=1, cookies={"a": "1"}, onopen=lambda ws: opened.set()
                )
                await opened.wait()
                ws.close()

    run(main())
    assert seen[:2] == [("/b?c", "secret", "kept"), ("/end", None, "kept")]


def test_a_refusal_has_its_headers_and_its_body(run: Run) -> None:
    body = "not today, " * 1000

    def refuse(connection: Any, request: Any) -> Any:
        response = connection.respond(402, body)
        response.headers["X-Price"] = "1 EUR"
        return response

    async def main() -> None:
        for server in (foreign_server, our_server):
            async with server(process_request=refuse) as url:
                with pytest.raises(sockline.InvalidStatus) as caught:
                    await sockline.connect(url)
                response = caught.value.response
                assert (response.status_code, response.reason_phrase) == (402, "Payment Required")
                assert response.headers["X-Price"] == "1 EUR"
                assert response.body == body.encode()
                failed = asyncio.get_running_loop().create_future()
                sockline.WebSocket(url, onerror=lambda ws, error: failed.set_result(error))
                error = await failed
                assert error.http_status == error.response.status_code == 402
                assert error.response.body == body.encode()

    run(main())


class Lines(logging.Handler):
    """Waits for a line that contains a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.levels: list[int] = []

    def emit(self, record: logging.LogRecord) -> None:
        if self.text in record.getMessage():
            self.levels.append(record.levelno)


@pytest.mark.parametrize("level", [logging.WARNING, logging.ERROR])
def test_the_engines_lines_go_to_logging(run: Run, level: int) -> None:
    lines = Lines("upgrade could not be accepted")

    def accept_elsewhere(request: sockline.UpgradeRequest) -> None:
        # Only the engine's thread finds out that this protocol was never offered.
        thread = threading.Thread(target=request.accept, args=("never-offered",))
        thread.start()
        thread.join()

    async def main() -> None:
        server = sockline.WebSocketServer("127.0.0.1", onupgrade=accept_elsewhere)
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"ws://127.0.0.1:{server.port}")
        server.close()

    logger = logging.getLogger("sockline")
    logger.addHandler(lines)
    before = logger.level
    logger.setLevel(level)
    try:
        run(main())
    finally:
        logger.setLevel(before)
        logger.removeHandler(lines)
    assert lines.levels == ([logging.WARNING] if level == logging.WARNING else [])
