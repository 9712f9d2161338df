"""What servers offer beyond connections: topics, limits, an end in good order, and numbers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import websockets
from conftest import Run, our_server

import sockline

WAIT = 20


def test_what_is_published_reaches_the_subscribers(run: Run) -> None:
    def command(ws: sockline.WebSocket, message: sockline.Data) -> None:
        verb, _, rest = str(message).partition(" ")
        if verb == "subscribe":
            ws.subscribe(rest)
        elif verb == "unsubscribe":
            ws.unsubscribe(rest)
        else:
            topic, _, text = rest.partition(" ")
            ws.publish(topic, text, include_self=verb == "all")
        ws.send("done")

    async def main() -> None:
        server = sockline.WebSocketServer("127.0.0.1", onmessage=command)
        url = f"ws://127.0.0.1:{server.port}"

        async def ask(client: Any, message: str) -> None:
            await client.send(message)
            while await client.recv() != "done":
                pass

        async with websockets.connect(url) as first, websockets.connect(url) as second:
            await ask(first, "subscribe news/+/sport")
            await ask(second, "subscribe news/#")
            server.publish("news/today/sport", "both")
            assert await first.recv() == await second.recv() == "both"
            server.publish("news/today", b"one")
            assert await second.recv() == b"one"
            await second.send("others news/a/sport not to me")
            assert await second.recv() == "done"
            assert await first.recv() == "not to me"
            await second.send("all news/a/sport to me too")
            assert sorted([await second.recv(), await second.recv()]) == ["done", "to me too"]
            assert await first.recv() == "to me too"
            await ask(first, "unsubscribe news/+/sport")
            server.publish("news/a/sport", "second only")
            assert await second.recv() == "second only"
            await ask(first, "subscribe last")
            server.publish("last", "x")
            assert await first.recv() == "x"
        with pytest.raises(sockline.SocklineError) as caught:
            server.publish("with/+/wildcard", "x")
        assert caught.value.code == "SOCKLINE_ERR_TOPIC"
        server.close()

    run(main())


def test_handlers_can_subscribe(run: Run) -> None:
    async def handler(connection: sockline.ServerConnection) -> None:
        connection.subscribe("room")
        async for message in connection:
            connection.publish("room", message, include_self=True)

    async def main() -> None:
        async with our_server(handler) as url:
            async with websockets.connect(url) as first, websockets.connect(url) as second:
                for client in (first, second):
                    await client.send("hello")
                    assert await client.recv() == "hello"
                assert await first.recv() == "hello"

    run(main())


def test_limits_are_kept(run: Run) -> None:
    async def main() -> None:
        async with our_server(max_connections=2) as url:
            async with websockets.connect(url), sockline.connect(url):
                # The answer comes before the request, which trips the client of websockets.
                with pytest.raises(sockline.InvalidStatus) as caught:
                    await sockline.connect(url)
                assert caught.value.response.status_code == 503
                assert "Retry-After" in caught.value.response.headers
        async with our_server(max_connections_per_address=1) as url:
            async with sockline.connect(url), sockline.connect(url, local_addr=("127.0.0.2", 0)):
                with pytest.raises(sockline.InvalidStatus):
                    await sockline.connect(url)
        with pytest.raises(ValueError, match="max_connections"):
            async with our_server(max_connections=0):
                pass
        server = sockline.WebSocketServer("127.0.0.1", origins=["https://good.example"])
        url = f"ws://127.0.0.1:{server.port}"
        await (await websockets.connect(url, origin="https://good.example")).close()  # type: ignore[arg-type]
        await (await websockets.connect(url)).close()
        with pytest.raises(websockets.InvalidStatus) as refused:
            await websockets.connect(url, origin="https://evil.example")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403
        server.close()

    run(main())
