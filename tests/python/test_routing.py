"""Routes, logins and what is below a connection, on `sockline` and `websockets` alike: the same story has to come out."""

from __future__ import annotations

import asyncio
import importlib
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import websockets
import websockets.asyncio.router
from conftest import Run
from werkzeug.routing import Map, Rule

import sockline

BOTH = pytest.mark.parametrize("lib", [websockets, sockline], ids=lambda lib: lib.__name__)


async def rules(connection: Any, **arguments: Any) -> None:
    await connection.send(repr(arguments))


def url_map() -> Map:
    return Map(
        [
            Rule("/channel/<int:number>", endpoint=rules),
            Rule("/moved", redirect_to="channel/7"),
            Rule("/strict/", endpoint=rules),
        ]
    )


def port_of(server: Any) -> int:
    port: int = list(server.sockets)[0].getsockname()[1]
    return port


async def heard(uri: str, **options: Any) -> Any:
    async with websockets.connect(uri, proxy=None, **options) as connection:
        return await connection.recv()


async def refused(uri: str, **options: Any) -> Any:
    """The response in place of a connection."""
    with pytest.raises(websockets.InvalidStatus) as raised:
        await websockets.connect(uri, proxy=None, process_exception=lambda error: error, **options)
    return raised.value.response


@BOTH
def test_handlers_are_found_by_path(lib: ModuleType, run: Run) -> None:
    async def main() -> None:
        async with lib.route(url_map(), "127.0.0.1", 0) as server:
            uri = f"ws://127.0.0.1:{port_of(server)}"
            assert await heard(f"{uri}/channel/42?x=1") == "{'number': 42}"
            assert await heard(f"{uri}/moved") == "{'number': 7}"
            assert await heard(f"{uri}/strict") == "{}"
            response = await refused(f"{uri}/elsewhere")
            assert (response.status_code, response.body) == (404, b"Not Found")

    run(main())


@BOTH
def test_redirects_lead_where_the_server_is_seen(lib: ModuleType, run: Run) -> None:
    async def main() -> None:
        seen = {"server_name": "example.com", "ssl": True}
        async with lib.route(url_map(), "127.0.0.1", 0, **seen) as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
            writer.write(
                b"GET /strict HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith("http/1.1 302 ") and "location: wss://example.com/strict/\r\n" in head
            writer.close()

    run(main())


@BOTH
@pytest.mark.parametrize("is_coroutine", [False, True])
def test_process_request_is_asked_before_the_routes(lib: ModuleType, is_coroutine: bool, run: Run) -> None:
    def plain(connection: Any, request: Any) -> Any:
        return connection.respond(403, "No") if "forbidden" in request.path else None

    async def coroutine(connection: Any, request: Any) -> Any:
        return plain(connection, request)

    async def main() -> None:
        asked = coroutine if is_coroutine else plain
        async with lib.route(url_map(), "127.0.0.1", 0, process_request=asked) as server:
            uri = f"ws://127.0.0.1:{port_of(server)}"
            assert (await refused(f"{uri}/channel/1?forbidden")).status_code == 403
            assert await heard(f"{uri}/channel/1") == "{'number': 1}"

    run(main())


@BOTH
def test_a_router_of_ones_own_over_a_unix_socket(lib: ModuleType, tmp_path: Path, run: Run) -> None:
    router = importlib.import_module(f"{lib.__name__}.asyncio.router")

    class Polite(router.Router):  # type: ignore[misc, name-defined]
        def not_found(self, connection: Any) -> Any:
            return connection.respond(404, "Sorry")

    async def main() -> None:
        path = str(tmp_path / "socket")
        async with lib.unix_route(url_map(), path, create_router=Polite):
            async with websockets.unix_connect(path, "ws://localhost/channel/3") as connection:
                assert await connection.recv() == "{'number': 3}"
            with pytest.raises(websockets.InvalidStatus) as raised:
                await websockets.unix_connect(path, "ws://localhost/elsewhere")
            assert raised.value.response.body == b"Sorry"

    run(main())


@BOTH
@pytest.mark.parametrize("how", ["pair", "several", "function", "coroutine"])
def test_logins(lib: ModuleType, how: str, run: Run) -> None:
    async def coroutine(username: str, password: str) -> bool:
        return (username, password) == ("hello", "iloveyou")

    options: dict[str, Any] = {
        "pair": {"credentials": ("hello", "iloveyou")},
        "several": {"credentials": [("other", "word"), ("hello", "iloveyou")]},
        "function": {"check_credentials": lambda *pair: pair == ("hello", "iloveyou")},
        "coroutine": {"check_credentials": coroutine},
    }[how]

    async def tell(connection: Any) -> None:
        await connection.send(connection.username)

    async def main() -> None:
        auth = lib.basic_auth(realm='the "realm"', **options)
        async with lib.serve(tell, "127.0.0.1", 0, process_request=auth) as server:
            port = port_of(server)
            assert await heard(f"ws://hello:iloveyou@127.0.0.1:{port}") == "hello"
            for who, text in [("", b"Missing credentials\n"), ("hello:wrong@", b"Invalid credentials\n")]:
                response = await refused(f"ws://{who}127.0.0.1:{port}")
                assert (response.status_code, response.body) == (401, text)
                assert response.headers["WWW-Authenticate"] == 'Basic realm="the \\"realm\\"", charset="UTF-8"'
            response = await refused(f"ws://127.0.0.1:{port}", additional_headers={"Authorization": "Digest x"})
            assert response.body == b"Unsupported credentials\n"

    run(main())


@BOTH
def test_wrong_credentials_are_refused_at_once(lib: ModuleType) -> None:
    for wrong in ({}, {"credentials": ("a", "b"), "check_credentials": print}):
        with pytest.raises(ValueError, match="provide either credentials or check_credentials"):
            lib.basic_auth(**wrong)
    for credentials in ("abc", 1, [("a", 1)], ("a",)):
        with pytest.raises(TypeError, match="invalid credentials argument"):
            lib.basic_auth(credentials=credentials)


@BOTH
def test_what_is_below_a_connection(lib: ModuleType, run: Run) -> None:
    async def main() -> None:
        async with lib.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0) as server:
            connection = await lib.connect(f"ws://127.0.0.1:{port_of(server)}", proxy=None)
            transport, protocol = connection.transport, connection.protocol
            assert transport.get_extra_info("peername") == connection.remote_address
            assert transport.get_extra_info("sockname") == connection.local_address
            assert transport.get_extra_info("nothing", 5) == 5
            assert not transport.is_closing() and transport.get_write_buffer_size() == 0
            assert (protocol.state, protocol.id, protocol.subprotocol) == (lib.State.OPEN, connection.id, None)
            transport.abort()
            await connection.wait_closed()
            assert transport.is_closing()
            assert (protocol.state, protocol.close_code, protocol.close_reason) == (lib.State.CLOSED, 1006, "")

    run(main())


@BOTH
def test_deprecated_fields_of_exceptions(lib: ModuleType) -> None:
    for error, code, reason in [
        (lib.ConnectionClosedError(None, None), 1006, ""),
        (lib.ConnectionClosedOK(lib.frames.Close(1001, "away"), lib.frames.Close(1001, ""), True), 1001, "away"),
    ]:
        with pytest.warns(DeprecationWarning, match="code is deprecated"):
            assert error.code == code
        with pytest.warns(DeprecationWarning, match="reason is deprecated"):
            assert error.reason == reason


@BOTH
def test_a_message_that_is_too_big_says_the_limit(lib: ModuleType, run: Run) -> None:
    for arguments, text in [
        ((None, 10), "frame exceeds limit of 10 bytes"),
        ((12, 10), "frame with 12 bytes exceeds limit of 10 bytes"),
        ((7, 5, 5), "frame with 7 bytes after reading 5 bytes exceeds limit of 10 bytes"),
    ]:
        error = lib.exceptions.PayloadTooBig(*arguments)
        assert (str(error), error.max_size) == (text, 10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert str(lib.exceptions.PayloadTooBig("a text")) == "a text"

    async def main() -> None:
        async with websockets.serve(lambda ws: ws.send("x" * 100), "127.0.0.1", 0) as server:
            async with lib.connect(f"ws://127.0.0.1:{port_of(server)}", max_size=10, proxy=None) as connection:
                with pytest.raises(lib.ConnectionClosedError) as raised:
                    await connection.recv()
                assert raised.value.sent.code == 1009
                if lib is sockline:  # websockets doesn't say why there
                    assert isinstance(raised.value.__cause__, lib.exceptions.PayloadTooBig)
                    assert raised.value.__cause__.max_size == 10

    run(main())


def test_headers_are_spelt_as_most_spell_them(run: Run) -> None:
    """Programs make a `dict` of them."""

    async def main() -> None:
        spelt: list[str] = []

        def answer(connection: Any, request: Any) -> Any:
            spelt.extend(name for name, _ in request.headers.raw_items())
            return connection.respond(401, "") if request.path == "/refused" else None

        async with sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0, process_request=answer, subprotocols=["a"]) as server:
            uri = f"ws://127.0.0.1:{port_of(server)}"
            async with sockline.connect(uri, subprotocols=[sockline.Subprotocol("a")], additional_headers={"x-REQUEST-id": "1"}) as connection:
                assert connection.response is not None
                assert dict(connection.response.headers.raw_items())["Sec-WebSocket-Protocol"] == "a"
            assert {"Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "X-Request-Id", "User-Agent"} <= set(spelt)
            with pytest.raises(sockline.InvalidStatus) as raised:
                await sockline.connect(f"{uri}/refused")
            assert "Content-Type" in dict(raised.value.response.headers.raw_items())

    run(main())
