"""Requests that are no handshakes: `process_request` hears of them, and answers or leaves them to the server."""

from __future__ import annotations

import asyncio
import http.client
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import websockets
from conftest import Run, our_server

import sockline
from sockline import socketio

THREADS = pytest.mark.parametrize("threads", [0, 2])

Answer = tuple[int, str | None, bytes]


async def fetch(url: str, *requests: tuple[str, str]) -> list[Answer]:
    """The answers to requests over one connection: status, type and body."""

    def ask_all() -> list[Answer]:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        answers = []
        for method, target in requests:
            connection.request(method, target, headers={"X-Test": "1"})
            response = connection.getresponse()
            answers.append((response.status, response.headers["Content-Type"], response.read()))
        connection.close()
        return answers

    return await asyncio.to_thread(ask_all)


@THREADS
def test_process_request_answers_what_it_wants_and_the_server_the_rest(run: Run, threads: int, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("a file")
    seen: list[Any] = []

    def process(connection: Any, request: Any) -> Any:
        seen.append((request.method, request.path, request.headers.get("X-Test"), connection.remote_address[0]))
        if request.path.startswith("/health"):
            response = connection.respond(200, "fine\n")
            response.headers["Content-Length"] = "999"  # is none of its business
            return response
        return None

    async def main() -> None:
        options = {"static_folder": tmp_path, "metrics_path": "/metrics", "threads": threads}
        async with our_server(process_request=process, **options) as url:
            text = "text/plain; charset=utf-8"
            targets = [("GET", "/health?a=b"), ("HEAD", "/health"), ("GET", "/file.txt"), ("GET", "/no")]
            answers = await fetch(url, *targets)
            assert answers[:3] == [(200, text, b"fine\n"), (200, text, b""), (200, text, b"a file")]
            assert answers[3][0] == 404
            [metrics] = await fetch(url, ("GET", "/metrics"))
            assert metrics[2].startswith(b"# HELP")
            assert (await fetch(url, ("POST", "/file.txt")))[0][0] == 405
            async with websockets.connect(url + "/ws") as client:
                await client.send("x")
                assert await client.recv() == "x"
                targets.append(("GET", "/metrics"))
        expected = [(*target, "1", "127.0.0.1") for target in targets]
        assert seen == [*expected, ("GET", "/ws", None, "127.0.0.1")]

    run(main())


@THREADS
def test_coroutines_answer_later(run: Run, threads: int) -> None:
    answered = []

    async def process(connection: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        return connection.respond(200, request.path) if request.path != "/no" else None

    async def change(connection: Any, request: Any, response: Any) -> Any:
        await asyncio.sleep(0)
        answered.append((request.path, response.status_code))
        del response.headers["Content-Type"]
        response.headers["Content-Type"] = "text/x-changed"

    async def main() -> None:
        async with our_server(process_request=process, process_response=change, threads=threads) as url:
            assert await fetch(url, ("GET", "/a"), ("GET", "/b")) == [
                (200, "text/x-changed", b"/a"),
                (200, "text/x-changed", b"/b"),
            ]
            assert (await fetch(url, ("GET", "/no")))[0][0] == 426
        assert answered == [("/a", 200), ("/b", 200)]

    run(main())


def test_without_it_nothing_has_changed(run: Run) -> None:
    async def main() -> None:
        async with our_server() as url:
            assert (await fetch(url, ("GET", "/")))[0][0] == 426

    run(main())


def test_what_fails_answers_500(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    def fail(connection: Any, request: Any) -> Any:
        raise RuntimeError("on purpose")

    async def fail_later(connection: Any, request: Any) -> Any:
        raise RuntimeError("on purpose")

    async def main() -> None:
        for process in (fail, fail_later):
            async with our_server(process_request=process) as url:
                assert (await fetch(url, ("GET", "/")))[0][0] == 500
        assert [record.getMessage() for record in caplog.records].count("process_request failed") == 2

    run(main())


def test_a_client_that_goes_before_the_answer_hurts_nobody(run: Run) -> None:
    asked: list[asyncio.Future[None]] = []

    async def process(connection: Any, request: Any) -> Any:
        if request.path == "/slow":
            asked[0].set_result(None)
            await asked[1]
        return connection.respond(200, "ok\n")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        asked[:] = [loop.create_future(), loop.create_future()]
        async with our_server(process_request=process) as url:
            reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
            writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await asked[0]
            writer.transport.abort()
            assert (await fetch(url, ("GET", "/")))[0][2] == b"ok\n"
            asked[1].set_result(None)
            assert (await fetch(url, ("GET", "/")))[0][2] == b"ok\n"

    run(main())


def test_requests_of_socketio_are_its_own(run: Run) -> None:
    seen = []

    def process(connection: Any, request: Any) -> Any:
        seen.append(request.path)
        return connection.respond(200, "ours\n")

    async def main() -> None:
        sio = socketio.AsyncServer()
        async with our_server(process_request=process, socketio=sio) as url:
            answers = await fetch(url, ("GET", "/socket.io/?EIO=4&transport=polling"), ("GET", "/"))
            assert answers[0][2].startswith(b'0{"sid"')
            assert answers[1][2] == b"ours\n"
        assert seen == ["/"]

    run(main())


def test_socketio_alone_serves_files_and_refuses_websockets(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("a file")

    async def main() -> None:
        sio = socketio.AsyncServer()
        async with sio.listen("127.0.0.1", static_folder=tmp_path) as listener:
            host, port = listener.sockets[0].getsockname()
            url = f"ws://{host}:{port}"
            assert (await fetch(url, ("GET", "/file.txt")))[0][2] == b"a file"
            with pytest.raises(sockline.InvalidStatus) as caught:
                await sockline.connect(url)
            assert caught.value.response.status_code == 404

    run(main())
