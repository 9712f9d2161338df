"""permessage-deflate, between us and websockets in both roles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import websockets
from conftest import ROLES, Run, foreign_server, our_server, pair
from websockets.extensions import permessage_deflate as foreign

import sockline
from sockline.extensions import permessage_deflate as ours

TEXT = "it compresses well, since it says the same again and again; " * 1000


class Relay:
    """Between a client and a server, to see how much they say."""

    def __init__(self, url: str) -> None:
        self.port = int(url.rpartition(":")[2])
        self.bytes = 0

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self.connect, "127.0.0.1", 0) as server:
            yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.gather(self.pass_on(reader, far_writer), self.pass_on(far_reader, writer))

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            self.bytes += len(data)
            writer.write(data)
        writer.close()


@ROLES
@pytest.mark.parametrize("compression", ["deflate", None])
def test_messages_are_compressed_unless_one_side_does_not_want_it(run: Run, role: str, compression: Any) -> None:
    server, connect, _ = pair(role)

    async def main() -> None:
        async with server() as direct:
            relay = Relay(direct)
            async with relay.listening() as url, connect(url, compression=compression) as connection:
                for message in (TEXT, TEXT.encode(), "short", ""):
                    await connection.send(message)
                    assert await connection.recv() == message
            if compression is None:
                assert relay.bytes > 4 * len(TEXT)
            else:
                assert relay.bytes < len(TEXT) // 10

    run(main())


def test_a_broadcast_is_compressed_once(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            async with (
                websockets.connect(url) as first,
                websockets.connect(url) as second,
                sockline.connect(url, compression=None) as own,
            ):
                while len(server.connections) < 3:
                    await asyncio.sleep(0)
                sockline.broadcast([*server.connections, own], TEXT)
                assert await first.recv() == await second.recv() == await own.recv() == TEXT
                metrics = [connection.metrics() for connection in server.connections]
                assert sum(one.compressed_from for one in metrics if one) == len(TEXT)
                with pytest.raises(UnicodeDecodeError):
                    sockline.broadcast(server.connections, b"no \xff text", text=True)

    run(main())


@ROLES
@pytest.mark.parametrize("takeover", [True, False])
@pytest.mark.parametrize("bits", [9, 15])
def test_parameters_are_negotiated(run: Run, role: str, takeover: bool, bits: int) -> None:
    server, connect, _ = pair(role)
    wanted: dict[str, Any] = {
        "server_no_context_takeover": not takeover,
        "client_no_context_takeover": not takeover,
        "server_max_window_bits": bits,
        "client_max_window_bits": bits,
    }
    factory = ours.ClientPerMessageDeflateFactory if connect is sockline.connect else foreign.ClientPerMessageDeflateFactory

    async def main() -> None:
        async with server() as url, connect(url, extensions=[factory(**wanted)]) as connection:
            if connect is sockline.connect:
                agreed = connection.extensions
            else:
                agreed = connection.response.headers["Sec-WebSocket-Extensions"]
            assert ("server_no_context_takeover" in agreed) is not takeover
            assert f"server_max_window_bits={min(bits, 12)}" in agreed
            for number in range(3):
                await connection.send(f"{number} {TEXT}")
                assert await connection.recv() == f"{number} {TEXT}"

    run(main())


def test_our_server_takes_parameters(run: Run) -> None:
    factory = ours.ServerPerMessageDeflateFactory(True, True, 10, 11, {"level": 1, "memLevel": 4})

    async def main() -> None:
        async with our_server(extensions=[factory]) as url, websockets.connect(url) as connection:
            agreed = connection.response.headers["Sec-WebSocket-Extensions"]
            assert agreed.split("; ") == [
                "permessage-deflate",
                "server_no_context_takeover",
                "client_no_context_takeover",
                "server_max_window_bits=10",
                "client_max_window_bits=11",
            ]
            await connection.send(TEXT)
            assert await connection.recv() == TEXT

    run(main())


def test_what_can_not_be_had_is_refused() -> None:
    with pytest.raises(ValueError, match="unsupported compression: gzip"):
        sockline.connect("ws://localhost", compression="gzip")  # type: ignore[arg-type]
    with pytest.raises(NotImplementedError):
        sockline.connect("ws://localhost", extensions=[object()])  # type: ignore[list-item]
    with pytest.raises(NotImplementedError, match="strategy"):
        ours.ClientPerMessageDeflateFactory(compress_settings={"strategy": 1})
    with pytest.raises(ValueError, match="between 9 and 15"):
        ours.ServerPerMessageDeflateFactory(server_max_window_bits=8)
    with pytest.raises(sockline.SocklineError, match="level"):
        sockline.WebSocket("ws://localhost", compression=sockline.Compression(level=10))


def test_inflating_stops_at_the_limit(run: Run) -> None:
    async def main() -> None:
        async with our_server(max_size=len(TEXT) - 1) as url, websockets.connect(url, max_size=None) as connection:
            await connection.send(TEXT)
            with pytest.raises(websockets.ConnectionClosedError) as caught:
                await connection.recv()
            assert caught.value.rcvd is not None and caught.value.rcvd.code == 1009
        async with foreign_server(max_size=None) as url:
            async with sockline.connect(url, max_size=len(TEXT) - 1) as ours:
                await ours.send(TEXT)
                with pytest.raises(sockline.ConnectionClosedError) as failed:
                    await ours.recv()
            assert failed.value.sent is not None and failed.value.sent.code == 1009

    run(main())


def test_the_callback_face_compresses_when_asked(run: Run) -> None:
    async def main() -> None:
        server = sockline.WebSocketServer(
            "127.0.0.1", compression=True, onmessage=lambda ws, message: ws.send(message)
        )
        url = f"ws://127.0.0.1:{server.port}"
        async with websockets.connect(url) as connection:
            agreed = connection.response.headers["Sec-WebSocket-Extensions"]
            assert agreed == "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
            await connection.send(TEXT)
            assert await connection.recv() == TEXT
        for compression, expected in ((None, ""), (True, agreed)):
            received = asyncio.get_running_loop().create_future()
            ws = sockline.WebSocket(
                url,
                compression=compression,
                onopen=lambda ws: ws.send(TEXT),
                onmessage=lambda ws, message: received.set_result((ws.extensions, message)),
            )
            assert await received == (expected, TEXT)
            ws.close()
        server.close()

    run(main())


def test_broadcasts_are_compressed_for_those_who_want_it(run: Run) -> None:
    async def main() -> None:
        async with sockline.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0) as server:
            direct = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            relay = Relay(direct)
            async with relay.listening() as url:
                async with websockets.connect(url) as first, websockets.connect(direct, compression=None) as second:
                    while len(server.connections) < 2:
                        await asyncio.sleep(0)
                    sockline.broadcast(server.connections, TEXT)
                    assert await first.recv() == await second.recv() == TEXT
            assert relay.bytes < len(TEXT) // 10

    run(main())


def test_each_message_may_choose(run: Run) -> None:
    async def main() -> None:
        async with our_server() as url, sockline.connect(url) as connection:
            for compress in (False, True):
                before = connection.metrics()
                await connection.send(TEXT, compress=compress)
                assert await connection.recv() == TEXT
                after = connection.metrics()
                assert before is not None and after is not None
                assert (after.bytes_out - before.bytes_out < len(TEXT)) is compress
            with pytest.raises(TypeError):
                await connection.send([TEXT], compress=True)

    run(main())
