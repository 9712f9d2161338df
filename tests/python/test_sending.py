"""What becomes of messages: completions, deadlines, slow peers, fragments."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from conftest import Run, foreign_server

import sockline

WAIT = 20
CHUNK = b"x" * 100_000


@asynccontextmanager
async def deaf_server() -> AsyncIterator[str]:
    """Shakes hands, and reads nothing after that."""

    async def deaf(connection: Any) -> None:
        connection.transport.pause_reading()
        await connection.wait_closed()

    async with foreign_server(deaf, max_size=None, compression=None, close_timeout=0.05) as url:
        yield url


async def opened(url: str, **options: Any) -> sockline.WebSocket:
    event = asyncio.Event()
    tcp = sockline.TcpOptions(send_buffer=10_000)
    ws = sockline.WebSocket(url, tcp=tcp, onopen=lambda ws: event.set(), **options)
    await event.wait()
    return ws


def fill(ws: sockline.WebSocket, beyond: int) -> None:
    while ws.buffered_amount <= beyond:
        ws.send(CHUNK)


def test_each_message_tells_what_became_of_it(run: Run) -> None:
    outcomes: list[Any] = []

    async def main() -> None:
        async with deaf_server() as url:
            ws = await opened(url, onclose=lambda *_: (outcomes.append("close"), closed.set()))
            closed = asyncio.Event()

            def note(name: str, event: asyncio.Event | None = None) -> Any:
                def onsent(sent: sockline.WebSocket, outcome: str) -> None:
                    assert sent is ws
                    outcomes.append((name, outcome))
                    if event is not None:
                        event.set()

                return onsent

            ws.send("first", onsent=note("first"))
            fill(ws, 1_000_000)
            expired = asyncio.Event()
            ws.send("late", deadline=0.01, onsent=note("late", expired))
            ws.send("last", onsent=note("last"))
            await asyncio.wait_for(expired.wait(), WAIT)
            with pytest.raises(TypeError):
                ws.send(1, onsent=note("never"))  # type: ignore[arg-type]
            ws.terminate()
            await asyncio.wait_for(closed.wait(), WAIT)
            with pytest.raises(sockline.SocklineError):
                ws.send("too late", onsent=note("never"))

    run(main())
    assert outcomes == [("first", "taken"), ("late", "expired"), ("last", "failed"), "close"]


@pytest.mark.parametrize("policy", ["error", "drop_newest", "drop_oldest", "close"])
def test_a_slow_peer_meets_the_policy(run: Run, policy: Any) -> None:
    outcomes: list[str] = []
    ended: list[Any] = []

    async def main() -> None:
        async with deaf_server() as url:
            closed = asyncio.Event()
            ws = await opened(
                url,
                high_water_mark=100_000,
                hard_limit=1_000_000,
                slow_consumer=policy,
                close_timeout=0.05,
                onerror=lambda ws, error: ended.append(error.code),
                onclose=lambda *_: closed.set(),
            )
            fill(ws, 500_000)
            ws.send("droppable", onsent=lambda ws, outcome: outcomes.append(outcome))
            fill(ws, 1_000_000)
            match policy:
                case "error":
                    with pytest.raises(sockline.SocklineError) as caught:
                        ws.send("over")
                    assert caught.value.code == "SOCKLINE_ERR_OUTBOX_FULL"
                case "drop_newest":
                    assert ws.send("over") is None
                case "drop_oldest":
                    assert ws.send(CHUNK) is False
                    while not outcomes:
                        ws.send(CHUNK)
                        await asyncio.sleep(0)
                case "close":
                    ws.send("over")
                    await asyncio.wait_for(closed.wait(), WAIT)
            if not closed.is_set():
                ws.terminate()
                await asyncio.wait_for(closed.wait(), WAIT)

    run(main())
    assert outcomes == (["dropped"] if policy in ("drop_oldest", "close") else ["failed"])
    assert ended == (["SOCKLINE_ERR_OUTBOX_FULL"] if policy == "close" else [])


def test_other_threads_hear_too(run: Run) -> None:
    done = threading.Event()
    outcomes: list[Any] = []

    def onsent(ws: sockline.WebSocket, outcome: str) -> None:
        outcomes.append((outcome, threading.current_thread().name))
        done.set()

    server = sockline.WebSocketServer("127.0.0.1")
    is_open = threading.Event()
    ws = sockline.WebSocket(f"ws://127.0.0.1:{server.port}", onopen=lambda ws: is_open.set())
    assert is_open.wait(WAIT)
    ws.send("x", onsent=onsent)
    assert done.wait(WAIT)
    assert outcomes == [("taken", "sockline")]
    ws.close()
    server.close()


def test_options_that_can_not_be_are_refused(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="slow_consumer"):
            sockline.WebSocket("ws://localhost", slow_consumer="wait")  # type: ignore[arg-type]
        async with foreign_server() as url:
            ws = await opened(url)
            with pytest.raises(ValueError, match="deadline"):
                ws.send("x", deadline=-1)
            ws.close()

    run(main())
