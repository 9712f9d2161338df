"""Clients of the callback face that come back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import Run, foreign_server

import sockline

WAIT = 20
SOON = sockline.Reconnect(base_delay=0.001, max_delay=0.001)


def test_a_client_comes_back(run: Run) -> None:
    """The first connection is lost, the next attempt is refused, and the one after it goes elsewhere."""
    events: list[Any] = []
    heard: list[Any] = []
    closed: asyncio.Event

    async def lose(connection: Any) -> None:
        connection.transport.abort()

    async def note(connection: Any) -> None:
        heard.append((connection.request.path, connection.request.headers["Authorization"]))
        await connection.close(1000, "enough")

    def only_once(connection: Any, request: Any) -> Any:
        return connection.respond(503, "no\n") if events.count("open") == 1 else None

    async def main() -> None:
        nonlocal closed
        closed = asyncio.Event()
        async with foreign_server(note) as second, foreign_server(lose, process_request=only_once) as first:

            def ask(ws: sockline.WebSocket, attempt: sockline.Attempt) -> None:
                events.append(("attempt", attempt.number, attempt.headers["Authorization"]))
                if attempt.number == 2:
                    del attempt.headers["Authorization"]
                    attempt.headers["Authorization"] = "fresh"
                    attempt.url = second + "/elsewhere"

            def reconnecting(ws: sockline.WebSocket, event: sockline.Reconnecting) -> None:
                status = event.error.http_status if event.error else None
                events.append(("reconnecting", event.attempt, event.code, status, ws.ready_state))
                assert 0 <= event.delay <= 0.001

            sockline.WebSocket(
                first,
                headers={"Authorization": "old"},
                reconnect=SOON,
                onopen=lambda ws: events.append("open"),
                onreconnecting=reconnecting,
                onattempt=ask,
                onreconnected=lambda ws: events.append(("reconnected", ws.remote_address[1] == port)),
                onclose=lambda ws, code, reason, clean: (events.append((code, reason, clean)), closed.set()),
            )
            port = int(second.rpartition(":")[2])
            await asyncio.wait_for(closed.wait(), WAIT)

    run(main())
    assert events == [
        "open",
        ("reconnecting", 1, 1006, None, 0),
        ("attempt", 1, "old"),
        ("reconnecting", 2, 1006, 503, 0),
        ("attempt", 2, "old"),
        ("reconnected", True),
        (1000, "enough", True),
    ]
    assert heard == [("/elsewhere", "fresh")]


def test_what_is_sent_while_away_comes_first(run: Run) -> None:
    heard: list[Any] = []

    async def handler(connection: Any) -> None:
        if not heard:
            heard.append("lost")
            connection.transport.abort()
            return
        heard.extend([await connection.recv(), await connection.recv()])

    async def main() -> None:
        async with foreign_server(handler) as url:
            closed = asyncio.Event()
            sockline.WebSocket(
                url,
                reconnect=sockline.Reconnect(base_delay=0.001, outbox=1000),
                onreconnecting=lambda ws, event: ws.send("while away"),
                onreconnected=lambda ws: ws.send("back"),
                onclose=lambda *_: closed.set(),
            )
            await asyncio.wait_for(closed.wait(), WAIT)

    run(main())
    assert heard == ["lost", "while away", "back"]


def test_it_gives_up_when_told_to(run: Run) -> None:
    counts = {"attempts": 0}

    def refuse(connection: Any, request: Any) -> Any:
        counts["attempts"] += 1
        return connection.respond(500, "no\n")

    async def main() -> None:
        async with foreign_server(process_request=refuse) as url:
            error: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            reconnect = sockline.Reconnect(base_delay=0.001, max_attempts=3)
            sockline.WebSocket(url, reconnect=reconnect, onerror=lambda ws, failure: error.set_result(failure))
            assert (await asyncio.wait_for(error, WAIT)).http_status == 500
            closed = asyncio.Event()
            waiting = sockline.WebSocket(
                url,
                reconnect=sockline.Reconnect(base_delay=1000, max_delay=1000),
                onreconnecting=lambda ws, event: ws.close(),
                onclose=lambda *_: closed.set(),
            )
            await asyncio.wait_for(closed.wait(), WAIT)
            assert waiting.ready_state == waiting.CLOSED

    run(main())
    assert counts["attempts"] == 5


def test_a_bad_attempt_ends_it(run: Run) -> None:
    def spoil(ws: sockline.WebSocket, attempt: sockline.Attempt) -> None:
        attempt.url = "nowhere"

    async def main() -> None:
        async with foreign_server(process_request=lambda c, r: c.respond(500, "no\n")) as url:
            error: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            sockline.WebSocket(
                url, reconnect=SOON, onattempt=spoil, onerror=lambda ws, failure: error.set_result(failure)
            )
            assert (await asyncio.wait_for(error, WAIT)).code == "SOCKLINE_ERR_INVALID_URL"

    run(main())


@pytest.mark.parametrize("wrong", [{"base_delay": -1}, {"factor": 0.5}, {"max_delay": float("nan")}])
def test_what_can_not_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises((ValueError, sockline.SocklineError)):
        sockline.WebSocket("ws://localhost", reconnect=sockline.Reconnect(**wrong))  # type: ignore[arg-type]
