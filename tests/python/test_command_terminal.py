"""``python -m sockline`` on a terminal, as it is seen there."""

from __future__ import annotations

import asyncio
import re
import termios
from typing import Any

import socketio as foreign
from command_line import Terminal, run
from conftest import foreign_server
from io_peers import foreign_io

COLOURS = re.compile(rb"\x1b\[[0-9;]*m")
UP, BACKSPACE, CONTROL_A, CONTROL_C, CONTROL_D, CONTROL_U = "\x1b[A", "\x7f", "\x01", "\x03", "\x04", "\x15"


async def _a_message_that_comes_leaves_the_typed_line_alone() -> None:
    connections: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        connections.put_nowait(connection)
        async for message in connection:
            await connection.send(f"you said {message}")

    async with foreign_server(note) as url:
        with Terminal("connect", url) as terminal:
            await terminal.until(">")
            terminal.type("helo" + BACKSPACE + "lo\r")
            await terminal.until("< you said hello")
            terminal.type("half ")
            await terminal.until("> half")
            await (await connections.get()).send("first\nsecond")
            await terminal.until("  second")
            terminal.type("typed")
            await terminal.until("> half typed")
            assert terminal.shown()[1:] == [
                "> hello",
                "< you said hello",
                "< first",
                "  second",
                "> half typed",
            ]
            terminal.type(CONTROL_A + "a \r")
            await terminal.until("< you said a half typed")
            terminal.type(UP + UP)
            await terminal.until("> hello")
            terminal.type(CONTROL_U + CONTROL_D)
            assert await terminal.ended() == 0
            assert terminal.shown()[-1] == "closed: 1000 (normal closure)"
            assert COLOURS.search(terminal.bytes)


def test_a_message_that_comes_leaves_the_typed_line_alone() -> None:
    asyncio.run(_a_message_that_comes_leaves_the_typed_line_alone())


async def _control_c_closes() -> None:
    closed: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        await connection.wait_closed()
        closed.put_nowait(connection.close_code)

    async with foreign_server(note) as url:
        with Terminal("connect", url, NO_COLOR="1") as terminal:
            await terminal.until(">")
            terminal.type("unfinished" + CONTROL_C)
            assert await terminal.ended() == 0
            assert await closed.get() == 1000
            assert not COLOURS.search(terminal.bytes)


def test_control_c_closes_and_colours_can_be_off() -> None:
    asyncio.run(_control_c_closes())


async def _the_terminal_is_given_back() -> None:
    connections: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        connections.put_nowait(connection)
        await connection.wait_closed()

    async with foreign_server(note) as url:
        with Terminal("connect", url) as terminal:
            before = termios.tcgetattr(terminal.process.child_fd)
            await terminal.until(">")
            assert termios.tcgetattr(terminal.process.child_fd) != before
            connection = await connections.get()
            await connection.send("last words")
            await connection.close(4000, "enough")
            await terminal.until("error: closed by the server: 4000")
            assert termios.tcgetattr(terminal.process.child_fd) == before
            assert await terminal.ended() == 3
            assert terminal.shown()[1:] == [
                "< last words",
                "error: closed by the server: 4000 (the application's own): enough",
            ]


def test_the_terminal_is_given_back_when_the_server_closes() -> None:
    asyncio.run(_the_terminal_is_given_back())


async def _a_peer_can_not_command_the_terminal() -> None:
    async def attack(connection: Any) -> None:
        await connection.send("\x1b[2Jgone\x1b]0;title\x07")
        await connection.send(b"\x00\x01ABC\x1b[2J")
        await connection.wait_closed()

    async with foreign_server(attack) as url:
        with Terminal("connect", url) as terminal:
            await terminal.until("< 00 01 41 42 43 1b 5b 32 4a |..ABC.[2J|")
            assert terminal.shown()[1] == "< ␛[2Jgone␛]0;title␇"
            terminal.type(CONTROL_D)
            assert await terminal.ended() == 0


def test_a_peer_can_not_command_the_terminal() -> None:
    asyncio.run(_a_peer_can_not_command_the_terminal())


async def _a_server_on_a_terminal_names_its_clients() -> None:
    with Terminal("listen", "0") as terminal:
        await terminal.until(">")
        url = terminal.shown()[0].removeprefix("listening on ")
        done = await run("connect", url, "-x", "hello")
        assert done.code == 0
        await terminal.until("#1 closed: 1000")
        assert terminal.shown()[1].startswith("#1 connected: from 127.0.0.1:")
        assert terminal.shown()[2] == "#1 < hello"
        terminal.type("anybody?\r/list\r")
        await terminal.until("0 connections")
        assert "error: nobody is connected" in terminal.shown()
        terminal.type(CONTROL_C)
        assert await terminal.ended() == 0


def test_a_server_on_a_terminal_names_its_clients() -> None:
    asyncio.run(_a_server_on_a_terminal_names_its_clients())


async def _a_measurement_shows_how_far_it_is() -> None:
    async with foreign_server() as url:
        with Terminal("bench", url, "--seconds", "1") as terminal:
            await terminal.until("  latency")
            assert await terminal.ended() == 0
            assert b"messages/s" in terminal.bytes.partition(b"all echoes right")[0]
            assert not any("messages/s" in line and "%" in line for line in terminal.shown())


def test_a_measurement_shows_how_far_it_is() -> None:
    asyncio.run(_a_measurement_shows_how_far_it_is())


async def _socket_io_on_a_terminal() -> None:
    sio = foreign.AsyncServer(async_mode="aiohttp")

    @sio.on("add")  # type: ignore[untyped-decorator]
    async def add(_sid: str, one: int, two: int) -> int:
        return one + two

    @sio.on("question")  # type: ignore[untyped-decorator]
    async def question(sid: str) -> None:
        answered: asyncio.Queue[Any] = asyncio.Queue()
        await sio.emit("what", {"a": 1}, to=sid, callback=lambda *values: answered.put_nowait(values))
        await sio.emit("answered", await answered.get(), to=sid)

    async with foreign_io(sio) as url:
        with Terminal("io", url) as terminal:
            await terminal.until(">")
            assert terminal.shown()[0].startswith("connected to / as ")
            terminal.type("emit add 1 2\r")
            await terminal.until("< answer to add: 3")
            terminal.type("emit question\r")
            await terminal.until('< what {"a":1}')
            terminal.type('ack "this" 2\r')
            await terminal.until('< answered "this",2')
            terminal.type("emit add one\r")
            await terminal.until("error: not JSON: one")
            terminal.type(CONTROL_D)
            assert await terminal.ended() == 0
            assert terminal.shown()[-1] == "disconnected"


def test_socket_io_on_a_terminal() -> None:
    asyncio.run(_socket_io_on_a_terminal())


# ── Socket.IO in pipes ───────────────────────────────────────────────────────────────────────────────────────────────


async def _socket_io_for_programs() -> None:
    sio = foreign.AsyncServer(async_mode="aiohttp", namespaces="*")
    left: asyncio.Queue[Any] = asyncio.Queue()

    @sio.on("connect", namespace="/admin")  # type: ignore[untyped-decorator]
    async def connect(_sid: str, _environ: Any, auth: Any) -> None:
        if auth != {"token": "abc"}:
            raise foreign.exceptions.ConnectionRefusedError("who are you?", {"code": 7})

    @sio.on("disconnect", namespace="/admin")  # type: ignore[untyped-decorator]
    async def disconnect(_sid: str, reason: str) -> None:
        left.put_nowait(reason)

    @sio.on("hello", namespace="/admin")  # type: ignore[untyped-decorator]
    async def hello(sid: str, name: str) -> Any:
        await sio.emit("greeting", ("good day", name), to=sid, namespace="/admin")
        await sio.emit("bytes", b"\x01\x02", to=sid, namespace="/admin")
        return {"said": name}

    async with foreign_io(sio) as url:
        for transports in ["polling", "websocket", "polling,websocket"]:
            flags = ["--auth", '{"token":"abc"}', "--transports", transports]
            done = await run("io", f"{url}/admin", *flags, "-x", 'emit hello "world"')
            assert done.code == 0, done
            assert sorted(done.out.splitlines()) == sorted(
                [
                    '["greeting","good day","world"]',
                    '{"event":["bytes",{"_placeholder":true,"num":0}],"attachments":["AQI="]}',
                    '{"ack":"hello","args":[{"said":"world"}]}',
                ]
            )
            assert await asyncio.wait_for(left.get(), 20) == sio.reason.CLIENT_DISCONNECT
        flags = ["--namespace", "admin", "--auth", '{"token":"abc"}', "--event", "greeting", "--no-ack", "--wait", "0.5"]
        only = await run("io", url, *flags, typed='emit hello "a"\n')
        assert only.out == '["greeting","good day","a"]\n'
        wrong = await run("io", url, "-n", "/other", "-x", "emitt a", "-x", "emit 1 one", "--no-ack")
        assert wrong.code == 2
        assert "there is no command emitt" in wrong.err and "not JSON: one" in wrong.err
        refused = await run("io", f"{url}/admin")
        assert refused.code == 1
        assert 'refused the connection: who are you? {"code":7}' in refused.err
        late = await run("io", f"{url}/other", "-x", "emit nobody", "--ack-timeout", "0.2")
        assert late.code == 3
        assert "no answer to nobody within 200 ms" in late.err


def test_socket_io_for_programs() -> None:
    asyncio.run(_socket_io_for_programs())
