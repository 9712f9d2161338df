"""What programs for websockets rely on at the edges: each test is told of websockets itself, too, which has to pass it."""

from __future__ import annotations

import asyncio
import http
import importlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets
from conftest import Run

import sockline


@pytest.fixture(params=[websockets, sockline], ids=["websockets", "sockline"])
def lib(request: pytest.FixtureRequest) -> Any:
    return request.param


def at(server: Any) -> str:
    return "ws://127.0.0.1:%d" % server.sockets[0].getsockname()[1]


async def wait(connection: Any) -> None:
    await connection.wait_closed()


async def refused(lib: Any, error: type[Exception], **options: Any) -> Any:
    """How a server with these options refuses."""
    async with lib.serve(wait, "127.0.0.1", 0, **options) as server:
        with pytest.raises(error) as raised:
            await lib.connect(at(server), proxy=None)
    return raised.value


@pytest.mark.parametrize("status", [200, 204, 302, 404, 503])
def test_process_request_may_answer_with_any_status(lib: Any, status: int) -> None:
    async def main() -> None:
        text = "" if status == 204 else "👌"
        error = await refused(lib, lib.InvalidStatus, process_request=lambda one, _: one.respond(status, text), server_header="Neo")
        assert (error.response.status_code, error.response.body.decode()) == (status, text)
        assert error.response.headers["Server"] == "Neo" and error.response.headers["Date"]

    asyncio.run(main())


def test_a_response_that_can_not_be_sent_is_answered_with_500() -> None:
    async def main() -> None:
        error = await refused(sockline, sockline.InvalidStatus, process_request=lambda one, _: sockline.Response(99, "?", sockline.Headers()))
        assert error.response.status_code == 500

    asyncio.run(main())


def test_a_transport_that_process_request_closes_gives_no_answer(lib: Any) -> None:
    async def main() -> None:
        error = await refused(lib, lib.InvalidMessage, process_request=lambda one, _: one.transport.close())
        assert isinstance(error.__cause__, EOFError)

    asyncio.run(main())


def test_process_response_sees_what_is_sent(lib: Any) -> None:
    async def main() -> None:
        seen: dict[str, str] = {}

        async def note(connection: Any, request: Any, response: Any) -> None:
            assert connection.response is response
            seen.update(response.headers)

        async with lib.serve(wait, "127.0.0.1", 0, process_response=note, subprotocols=["chat"], compression=None) as server:
            async with lib.connect(at(server), subprotocols=["chat"], proxy=None) as connection:
                got = {name.lower(): value for name, value in connection.response.headers.items()}
        assert {name.lower(): value for name, value in seen.items()} == got
        assert {"date", "upgrade", "connection", "sec-websocket-accept", "sec-websocket-protocol", "server"} == set(got)

    asyncio.run(main())


def test_a_server_may_take_its_address_before_it_serves(lib: Any) -> None:
    async def main() -> None:
        server = await lib.serve(wait, "127.0.0.1", 0, start_serving=False)
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await lib.connect(at(server), proxy=None)
        await server.start_serving()
        async with lib.connect(at(server), proxy=None):
            assert server.is_serving()
        server.close()
        await server.wait_closed()

    asyncio.run(main())


def test_at_a_unix_socket_too(lib: Any, tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "it")
        for _ in range(2):  # the second one finds what the first has left
            async with lib.unix_serve(wait, path, start_serving=False) as server:
                with pytest.raises(ConnectionRefusedError):
                    await lib.unix_connect(path)
                await server.start_serving()
                async with lib.unix_connect(path):
                    pass

    asyncio.run(main())


async def connected(lib: Any, use: Callable[[Any], Any], handler: Any = wait) -> None:
    async with lib.serve(handler, "127.0.0.1", 0) as server:
        await use(await lib.connect(at(server), proxy=None))


def test_a_message_that_is_given_up_in_its_middle_can_not_be_received(lib: Any, run: Run) -> None:
    async def send(connection: Any) -> None:
        async def parts() -> AsyncIterator[str]:
            yield "one"
            await connection.recv()
            yield "two"

        await connection.send(parts())
        await connection.wait_closed()

    async def use(connection: Any) -> None:
        async for _ in connection.recv_streaming():
            break
        await connection.send("go on")
        for again in (connection.recv_streaming().__anext__, connection.recv):
            with pytest.raises(lib.ConcurrencyError, match="already running recv or recv_streaming"):
                await again()
        await connection.close()

    run(connected(lib, use, send))


def test_two_readers_at_once_are_told_what_they_called(lib: Any, run: Run) -> None:
    async def use(connection: Any) -> None:
        first = asyncio.create_task(connection.recv())
        await asyncio.sleep(0)
        with pytest.raises(lib.ConcurrencyError, match="cannot call recv_streaming while another coroutine"):
            await connection.recv_streaming().__anext__()
        with pytest.raises(lib.ConcurrencyError, match="cannot call recv while another coroutine"):
            await connection.recv()
        await connection.close()
        with pytest.raises(lib.ConnectionClosedOK):
            await first

    run(connected(lib, use))


def test_who_closes_in_the_midst_of_a_message_says_so(lib: Any, run: Run) -> None:
    async def use(connection: Any) -> None:
        begun = asyncio.Event()

        async def parts() -> AsyncIterator[str]:
            yield "one"
            begun.set()
            await asyncio.Event().wait()

        sending = asyncio.create_task(connection.send(parts()))
        await begun.wait()
        module = importlib.import_module(f"{lib.__name__}.asyncio.server")
        with pytest.raises(ExceptionGroup) as raised:
            module.broadcast([connection], "x", raise_exceptions=True)
        assert [type(one) for one in raised.value.exceptions] == [lib.ConcurrencyError]
        assert str(raised.value.exceptions[0]) == "sending a fragmented message"
        await connection.close()
        sending.cancel()
        with pytest.raises(lib.ConnectionClosedError) as closed:
            await connection.recv()
        assert closed.value.sent.code == 1011 and closed.value.sent.reason == "close during fragmented message"

    run(connected(lib, use))


WRONG: list[tuple[Callable[[Any], Any], str, str]] = [
    (lambda lib: lib.connect("ws://localhost:1", compression=False), "ValueError", "unsupported compression"),
    (lambda lib: lib.serve(wait, "127.0.0.1", 0, compression=False), "ValueError", "unsupported compression"),
    (lambda lib: lib.connect("http://localhost:1"), "InvalidURI", "scheme"),
    (lambda lib: lib.connect("ws://localhost:1", proxy="http://localhost:1", proxy_ssl=True), "ValueError", "proxy_ssl argument is incompatible"),
    (lambda lib: lib.unix_connect(), "ValueError", "no path and sock were specified"),
    (lambda lib: lib.unix_serve(wait), "ValueError", "path was not specified"),
]


@pytest.mark.parametrize(("call", "error", "text"), WRONG)
def test_what_makes_no_sense_is_refused(lib: Any, call: Callable[[Any], Any], error: str, text: str) -> None:
    async def main() -> None:
        await call(lib)

    with pytest.raises(getattr(lib, error, ValueError), match=text):
        asyncio.run(main())


def test_a_server_that_speaks_something_else(lib: Any) -> None:
    async def mail(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 smtp.invalid ESMTP Postfix\r\n")
        await reader.read()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(mail, "127.0.0.1", 0) as server:
            with pytest.raises(lib.InvalidMessage, match="did not receive a valid HTTP response") as raised:
                await lib.connect(at(server), proxy=None)
            assert isinstance(raised.value.__cause__, ValueError)

    asyncio.run(main())


def test_a_redirect_elsewhere_is_not_for_an_explicit_host(lib: Any) -> None:
    def redirect(connection: Any, request: Any) -> Any:
        response = connection.respond(http.HTTPStatus.FOUND, "")
        response.headers["Location"] = "ws://other.invalid/"
        return response

    async def main() -> None:
        async with lib.serve(wait, "127.0.0.1", 0, process_request=redirect) as server:
            host, port = server.sockets[0].getsockname()
            with pytest.raises(ValueError, match="cannot follow cross-origin redirect"):
                await lib.connect("ws://overridden.invalid/", host=host, port=port, proxy=None)

    asyncio.run(main())
