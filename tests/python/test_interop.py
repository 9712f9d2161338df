"""Both roles against websockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import websockets
from conftest import ROLES, Run, echo, foreign_server, our_server, pair
from websockets.utils import accept_key

import sockline

BOUNDARIES = [0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 16 << 20]


@ROLES
def test_messages_of_all_sizes_come_back(run: Run, role: str) -> None:
    server, connect, _ = pair(role)

    async def main() -> None:
        async with server(max_size=None) as url, connect(url, max_size=None, compression=None) as connection:
            for size in BOUNDARIES:
                for message in (bytes(range(256)) * (size // 256) + b"x" * (size % 256), "a" * size):
                    await connection.send(message)
                    assert await connection.recv() == message
            for text in ("", "Grüße, 世界 🎉", "\0"):
                await connection.send(text)
                assert await connection.recv() == text

    run(main())


@ROLES
def test_fragments_arrive_as_one_message(run: Run, role: str) -> None:
    server, connect, _ = pair(role)

    async def parts() -> Any:
        yield "grü"
        yield ""
        yield "ße"

    async def main() -> None:
        async with server() as url, connect(url) as connection:
            await connection.send([b"ab", b"", bytearray(b"c")])
            assert await connection.recv() == b"abc"
            await connection.send(parts())
            assert await connection.recv() == "grüße"

    run(main())


@ROLES
def test_bytes_can_be_sent_as_text_and_text_read_as_bytes(run: Run, role: str) -> None:
    server, connect, _ = pair(role)

    async def main() -> None:
        # Not compressed: the compressor of websockets can't take every memoryview.
        async with server() as url, connect(url, compression=None) as connection:
            await connection.send("é".encode(), text=True)
            assert await connection.recv() == "é"
            await connection.send("é", text=False)
            assert await connection.recv() == "é".encode()
            await connection.send(memoryview(b"abc")[::2])
            assert await connection.recv() == b"ac"
            await connection.send("é")
            assert await connection.recv(decode=False) == "é".encode()
            await connection.send("é".encode())
            assert await connection.recv(decode=True) == "é"

    run(main())


@ROLES
def test_pings_are_answered_with_their_payload(run: Run, role: str) -> None:
    server, connect, _ = pair(role)

    async def main() -> None:
        async with server() as url, connect(url) as connection:
            for payload in (None, "text", b"\0" * 125):
                latency = await (await connection.ping(payload))
                assert 0 <= latency < 10
            first, second = await connection.ping(b"1"), await connection.ping(b"2")
            await asyncio.gather(first, second)
            await connection.pong(b"unasked")
            await connection.send("still here")
            assert await connection.recv() == "still here"

    run(main())


@ROLES
def test_the_client_closes_with_a_code_and_a_reason(run: Run, role: str) -> None:
    server, connect, names = pair(role)
    ended: list[Any] = []

    async def handler(connection: Any) -> None:
        try:
            await connection.recv()
        except Exception as error:
            ended.append((type(error).__name__, str(error).partition(";")[0]))

    async def main() -> None:
        async with server(handler) as url:
            async with connect(url) as connection:
                await connection.close(4001, "grüße")
            assert connection.close_code == 4001
            with pytest.raises(names.ConnectionClosedError) as caught:
                await connection.recv()
            assert (caught.value.sent.code, caught.value.sent.reason) == (4001, "grüße")
            assert caught.value.rcvd_then_sent is False

    run(main())
    assert ended == [("ConnectionClosedError", "received 4001 (private use) grüße")]


@ROLES
def test_the_server_closes_with_a_code_and_a_reason(run: Run, role: str) -> None:
    server, connect, names = pair(role)

    async def handler(connection: Any) -> None:
        await connection.close(1012, "restarting")

    async def main() -> None:
        async with server(handler) as url, connect(url) as connection:
            with pytest.raises(names.ConnectionClosedError) as caught:
                await connection.recv()
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "restarting")
            assert (caught.value.sent.code, caught.value.sent.reason) == (1012, "restarting")
            assert caught.value.rcvd_then_sent is True
            with pytest.raises(names.ConnectionClosedError):
                await connection.send("too late")
            with pytest.raises(names.ConnectionClosedError):
                await connection.ping()

    run(main())


@ROLES
def test_iteration_ends_with_a_normal_close(run: Run, role: str) -> None:
    server, connect, names = pair(role)

    async def handler(connection: Any) -> None:
        await connection.send("one")
        await connection.send("two")

    async def main() -> None:
        async with server(handler) as url, connect(url) as connection:
            assert [message async for message in connection] == ["one", "two"]
            with pytest.raises(names.ConnectionClosedOK):
                await connection.recv()

    run(main())


@ROLES
def test_a_failing_handler_closes_with_1011(run: Run, role: str, caplog: pytest.LogCaptureFixture) -> None:
    server, connect, names = pair(role)

    async def handler(connection: Any) -> None:
        raise LookupError("on purpose")

    async def main() -> None:
        async with server(handler) as url, connect(url) as connection:
            with pytest.raises(names.ConnectionClosedError):
                async for _ in connection:
                    pass
            assert connection.close_code == 1011

    run(main())
    assert "connection handler failed" in caplog.text


@ROLES
def test_subprotocols_are_negotiated(run: Run, role: str) -> None:
    server, connect, names = pair(role)

    async def main() -> None:
        async with server(subprotocols=["v2", "v1"]) as url:
            async with connect(url, subprotocols=["v1", "v2", "v3"]) as connection:
                assert connection.subprotocol == "v2"
            with pytest.raises(names.InvalidStatus) as caught:
                await connect(url, subprotocols=["v9"])
            assert caught.value.response.status_code == 400

    run(main())


@pytest.mark.parametrize(
    ("offered", "chosen", "expected"),
    [(["a", "b"], "b", "b"), (None, None, None), (["a"], None, None), (["a"], "c", "NegotiationError"), (["a"], "A", "NegotiationError"), (None, "a", "NegotiationError")],
)
@pytest.mark.parametrize("ours", [True, False], ids=["ours", "websockets"])
def test_what_a_server_chooses_beyond_the_rules(run: Run, ours: bool, offered: Any, chosen: str | None, expected: str | None) -> None:
    connect: Any = sockline.connect if ours else websockets.connect

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line.split(": ")[1] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key:"))
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept_key(key)}"]
        lines += [f"Sec-WebSocket-Protocol: {chosen}"] if chosen else []
        writer.write("\r\n".join([*lines, "", ""]).encode() + bytes([0x88, 0]))
        await reader.read(100)  # the close frame, or the end
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            try:
                async with connect(url, subprotocols=offered) as connection:
                    seen = connection.subprotocol
            except (sockline.InvalidHandshake, websockets.InvalidHandshake) as error:
                seen = type(error).__name__
        assert seen == expected

    run(main())


@ROLES
def test_too_big_a_message_fails_with_1009(run: Run, role: str) -> None:
    server, connect, names = pair(role)

    async def main() -> None:
        async with server() as url, connect(url, max_size=1000, compression=None) as connection:
            await connection.send("x" * 1001)
            with pytest.raises(names.ConnectionClosedError) as caught:
                await connection.recv()
            assert caught.value.sent.code == 1009
            assert isinstance(caught.value.__cause__, names.exceptions.PayloadTooBig)

    run(main())


def test_a_client_sees_that_it_is_refused(run: Run) -> None:
    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(403, "no\n")

    async def main() -> None:
        for server in (our_server, foreign_server):
            async with server(process_request=refuse) as url:
                with pytest.raises(sockline.InvalidStatus) as caught:
                    await sockline.connect(url)
                assert caught.value.response.status_code == 403

    run(main())


def test_process_request_sees_the_request_and_answers(run: Run) -> None:
    seen: list[Any] = []

    async def process(connection: Any, request: Any) -> Any:
        await asyncio.sleep(0)
        seen.append((request.path, request.headers["X-Test"], connection.remote_address[0]))
        if request.path == "/teapot":
            response = connection.respond(418, "short and stout\n")
            response.headers["X-Reason"] = "tea"
            return response
        return None

    async def main() -> None:
        async with our_server(process_request=process) as url:
            async with websockets.connect(url + "/a?b=c", additional_headers={"X-Test": "1"}) as connection:
                await connection.send("x")
                assert await connection.recv() == "x"
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(url + "/teapot", additional_headers={"X-Test": "2"})
            response = caught.value.response
            assert (response.status_code, response.headers["X-Reason"]) == (418, "tea")
            assert response.body == b"short and stout\n"

    run(main())
    assert seen == [("/a?b=c", "1", "127.0.0.1"), ("/teapot", "2", "127.0.0.1")]


def test_origins_are_checked(run: Run) -> None:
    async def main() -> None:
        async with our_server(origins=["https://good.example", None]) as url:
            for origin in ("https://good.example", None):
                await (await websockets.connect(url, origin=origin)).close()
            with pytest.raises(websockets.InvalidStatus) as caught:
                await websockets.connect(url, origin="https://evil.example")
            assert caught.value.response.status_code == 403

    run(main())


def test_broadcast_reaches_all(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            clients = [await websockets.connect(url) for _ in range(20)]
            while len(server.connections) < 20:
                await asyncio.sleep(0)
            sockline.broadcast(server.connections, "to all")
            assert await asyncio.gather(*(client.recv() for client in clients)) == ["to all"] * 20
            server.broadcast(b"to all")
            assert await asyncio.gather(*(client.recv() for client in clients)) == [b"to all"] * 20
            await asyncio.gather(*(client.close() for client in clients))

    run(main())


def test_a_thousand_connections_at_once(run: Run) -> None:
    async def main() -> None:
        async with our_server(echo) as url:
            clients = await asyncio.gather(*(sockline.connect(url, open_timeout=50) for _ in range(1000)))
            for number, client in enumerate(clients):
                await client.send(str(number))
            echoes = await asyncio.gather(*(client.recv() for client in clients))
            assert echoes == [str(number) for number in range(1000)]
            await asyncio.gather(*(client.close() for client in clients))

    run(main())
