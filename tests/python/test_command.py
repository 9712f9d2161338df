"""``python -m sockline`` against websockets, and websockets against it."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import trustme
import websockets
from command_line import COMMAND, ENVIRONMENT, WAIT, line_of, run, started
from conftest import echo, foreign_server
from websockets.asyncio.client import connect as foreign_connect

MANUAL = Path(__file__).resolve().parents[2] / "docs/command.md"


@pytest.mark.parametrize("command", ["", "connect", "listen", "io", "bench"])
def test_the_manual_has_the_help(command: str) -> None:
    done = subprocess.run([*COMMAND, *command.split(), "--help"], capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0
    assert f"```text\n{done.stdout}```\n" in MANUAL.read_text()


def test_the_version_names_the_engine_and_its_features() -> None:
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 0
    assert done.stdout.startswith("sockline ")
    assert "engine:" in done.stdout and "TLS" in done.stdout


def test_the_script_is_the_module() -> None:
    entry = "import sys; sys.argv = ['sockline', 'connect']; from sockline.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", entry], capture_output=True, text=True, timeout=WAIT)
    assert done.returncode == 2
    assert "<URL>" in done.stderr


# ── connect ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _piped_lines_are_echoed() -> None:
    async with foreign_server() as url:
        done = await run("connect", url, typed="one\n/two\n\nthree")
        assert (done.code, done.out) == (0, "one\n/two\n\nthree\n")
        assert "\x1b" not in done.out + done.err
        assert "closed: 1000" in done.err
        quiet = await run("connect", "--quiet", url.removeprefix("ws://"), typed="one\n")
        assert (quiet.out, quiet.err) == ("one\n", "")


def test_piped_lines_are_echoed() -> None:
    asyncio.run(_piped_lines_are_echoed())


async def _the_request_has_what_was_asked_for() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        heard.put_nowait((connection.request.headers, connection.subprotocol))
        await echo(connection)

    async with foreign_server(note, subprotocols=["chat"]) as url:
        flags = ["-H", "X-One: 1", "-s", "other,chat", "--origin", "http://here", "--auth", "me:secret", "--compress"]
        done = await run("connect", url, *flags, "-x", "hi", "-v")
        headers, subprotocol = await heard.get()
        assert (headers["X-One"], headers["Origin"], subprotocol) == ("1", "http://here", "chat")
        assert headers["Authorization"] == "Basic bWU6c2VjcmV0"
        assert "permessage-deflate" in headers["Sec-WebSocket-Extensions"]
        assert (done.code, done.out) == (0, "hi\n")
        assert "chat, permessage-deflate" in done.err
        assert "TCP" in done.err and "upgrade" in done.err and "sec-websocket-accept" in done.err


def test_the_request_has_what_was_asked_for() -> None:
    asyncio.run(_the_request_has_what_was_asked_for())


async def _commands_ping_and_close() -> None:
    closed: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        try:
            await echo(connection)
        finally:
            closed.put_nowait((connection.close_code, connection.close_reason))

    async with foreign_server(note) as url:
        done = await run("connect", url, "-x", "/ping abc", "-x", "//slash", "-x", "/nonsense", "-x", "/close 1005")
        assert await closed.get() == (1000, "")
        assert (done.code, done.out) == (2, "/slash\n")
        assert "pong abc after" in done.err
        assert "1005" in done.err and "there is no command /nonsense" in done.err
        done = await run("connect", url, "-x", "/close 4001 good bye", "-x", "too late")
        assert await closed.get() == (4001, "good bye")
        assert (done.code, done.out) == (0, "")
        assert "closed: 4001 (the application's own): good bye" in done.err
        await run("connect", url, "--slash", typed="/close 4002\n")
        assert await closed.get() == (4002, "")


def test_commands_ping_and_close() -> None:
    asyncio.run(_commands_ping_and_close())


async def _binary_messages_are_hex_or_base64() -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        async for message in connection:
            heard.put_nowait(message)
            await connection.send(message)

    async with foreign_server(note) as url:
        done = await run("connect", url, "--binary", typed="00 01ff\nzz\n")
        assert await heard.get() == b"\x00\x01\xff"
        assert done.out == "0001ff\n"
        assert "not hex" in done.err and done.code == 2
        done = await run("connect", url, "--binary=base64", typed="AAH/\n")
        assert await heard.get() == b"\x00\x01\xff"
        assert done.out == "AAH/\n"


def test_binary_messages_are_hex_or_base64() -> None:
    asyncio.run(_binary_messages_are_hex_or_base64())


async def _json_is_laid_out() -> None:
    async with foreign_server() as url:
        text = '{"b":1.50,"a":[12345678901234567890]}'
        done = await run("connect", url, "--json", "-x", text, "-x", "no json")
        assert done.out == '{\n  "b": 1.50,\n  "a": [\n    12345678901234567890\n  ]\n}\nno json\n'


def test_json_is_laid_out() -> None:
    asyncio.run(_json_is_laid_out())


async def _the_servers_close_code_decides() -> None:
    async def close(connection: Any) -> None:
        code = int(connection.request.path.strip("/"))
        await connection.close(code, "because")

    async with foreign_server(close) as url:
        for code, exits in [(1000, 0), (1001, 0), (1011, 3), (4000, 3)]:
            done = await run("connect", f"{url}/{code}", "--wait", "forever")
            assert done.code == exits, code
            assert f"closed by the server: {code}" in done.err and "because" in done.err


def test_the_servers_close_code_decides() -> None:
    asyncio.run(_the_servers_close_code_decides())


async def _signals_close_in_good_order(which: signal.Signals) -> None:
    closed: asyncio.Queue[Any] = asyncio.Queue()

    async def note(connection: Any) -> None:
        await connection.send("hello")
        await connection.wait_closed()
        closed.put_nowait(connection.close_code)

    async with foreign_server(note) as url, started("connect", url) as process:
        assert await line_of(process.stdout) == "hello"
        process.send_signal(which)
        assert await asyncio.wait_for(process.wait(), WAIT) == 128 + which
        assert await closed.get() == 1000
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_signals_close_in_good_order(which: signal.Signals) -> None:
    asyncio.run(_signals_close_in_good_order(which))


async def _a_broken_pipe_is_silent() -> None:
    closed: asyncio.Queue[Any] = asyncio.Queue()

    async def flood(connection: Any) -> None:
        try:
            while True:
                await connection.send("x" * 1000)
                await asyncio.sleep(0)  # what comes is seen only if the loop has a turn
        except websockets.ConnectionClosed:
            closed.put_nowait(connection.close_code)

    async with foreign_server(flood) as url:
        command = " ".join([*COMMAND, "connect", "--quiet", "--wait", "forever", url, "< /dev/null"])
        pipe = f"set -o pipefail; {command} | head -n 1 | wc -c"
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", pipe, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        out, err = await asyncio.wait_for(process.communicate(), WAIT)
        assert (process.returncode, out.strip(), err) == (0, b"1001", b"")
        assert await closed.get() == 1000


def test_a_broken_pipe_is_silent() -> None:
    asyncio.run(_a_broken_pipe_is_silent())


async def _much_is_sent_and_shown_in_order() -> None:
    async with foreign_server() as url:
        typed = "".join(f"{number} {'x' * 1000}\n" for number in range(5000))
        done = await run("connect", url, "--quiet", typed=typed)
        assert (done.code, done.err) == (0, "")
        assert done.out == typed


def test_much_is_sent_and_shown_in_order() -> None:
    asyncio.run(_much_is_sent_and_shown_in_order())


async def _failures_say_what_and_why(unused_port: int) -> None:
    async def refuse(connection: Any, _request: Any) -> Any:
        return connection.respond(403, "not for you\n")

    async with foreign_server(process_request=refuse) as refusing:
        cases = [
            (["connect", f"ws://127.0.0.1:{unused_port}"], 1, "Connection refused"),
            (["connect", refusing], 1, "403"),
            (["connect", refusing], 1, "the server says: not for you"),
            (["connect", "ftp://localhost"], 2, "hint: a URL looks like"),
            (["connect", "ws://localhost:99999"], 2, "hint: a URL looks like ws://"),
            (["io", "ftp://localhost"], 2, "hint: a URL looks like http://"),
            (["listen", "http"], 2, "a port is a number from 0 to 65535"),
            (["connect", "h", "--ca", "/nonexistent"], 2, "can't read /nonexistent"),
            (["connect", "h", "-H", "nonsense"], 2, "a header has a colon"),
            (["connect"], 2, "<URL>"),
            (["bench", f"ws://127.0.0.1:{unused_port}"], 1, "Connection refused"),
            (["io", f"http://127.0.0.1:{unused_port}"], 1, "Connection refused"),
            (["listen", refusing.rpartition(":")[2], "--host", "127.0.0.1"], 1, "Address already in use"),
        ]
        outcomes = await asyncio.gather(*(run(*arguments) for arguments, _, _ in cases))
        for (arguments, code, text), done in zip(cases, outcomes, strict=True):
            assert done.code == code, (arguments, done)
            assert text in done.err, (arguments, done)
            assert done.err.startswith("error: ") and done.out == "", (arguments, done)


def test_failures_say_what_and_why(unused_port: int) -> None:
    asyncio.run(_failures_say_what_and_why(unused_port))


async def _tls_is_checked_and_shown(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    async with foreign_server(ssl=context) as url:
        url = url.replace("ws://127.0.0.1", "wss://localhost")
        distrusted = await run("connect", url, "-x", "hi")
        assert distrusted.code == 1
        assert "certificate" in distrusted.err and "--ca FILE" in distrusted.err
        trusted = await run("connect", url, "--ca", str(folder / "ca.pem"), "--tls", "-x", "hi")
        assert (trusted.code, trusted.out) == (0, "hi\n")
        for word in ["TLSv1.3", "TLS13_", "localhost", "trustme", "valid until", "SHA-256"]:
            assert word.replace("TLS13_", "TLS_") in trusted.err, trusted.err
        unchecked = await run("connect", url, "-k", "-x", "hi")
        assert (unchecked.code, unchecked.out) == (0, "hi\n")


def test_tls_is_checked_and_shown(tmp_path: Path) -> None:
    asyncio.run(_tls_is_checked_and_shown(tmp_path))


# ── listen ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _listening(process: asyncio.subprocess.Process) -> str:
    return (await line_of(process.stderr)).removeprefix("listening on ")


async def _what_comes_is_printed_and_what_is_typed_goes_to_all() -> None:
    async with started("listen", "0", "-s", "chat", "--path", "/here") as process:
        url = await _listening(process)
        async with (
            foreign_connect(url, subprotocols=["other", "chat"]) as one,  # type: ignore[list-item]
            foreign_connect(url) as two,
        ):
            assert (one.subprotocol, two.subprotocol) == ("chat", None)
            await one.send("from one")
            assert await line_of(process.stdout) == "from one"
            await two.send(b"\x00\xff")
            assert await line_of(process.stdout) == "00ff"
            assert process.stdin is not None
            process.stdin.write(b"to all\n")
            assert (await one.recv(), await two.recv()) == ("to all", "to all")
            process.send_signal(signal.SIGTERM)
            with pytest.raises(websockets.ConnectionClosed):
                await asyncio.wait_for(one.recv(), WAIT)
            assert one.close_code == 1001
        assert await asyncio.wait_for(process.wait(), WAIT) == 143
        with pytest.raises(OSError):
            await foreign_connect(url)


def test_what_comes_is_printed_and_what_is_typed_goes_to_all() -> None:
    asyncio.run(_what_comes_is_printed_and_what_is_typed_goes_to_all())


async def _another_path_is_refused() -> None:
    async with started("listen", "0", "--path", "/here") as process:
        url = await _listening(process)
        with pytest.raises(websockets.InvalidStatus):
            await foreign_connect(url.replace("/here", "/there"))


def test_another_path_is_refused() -> None:
    asyncio.run(_another_path_is_refused())


async def _echoes_come_back(folder: Path, flags: list[str]) -> None:
    authority = trustme.CA()
    identity = authority.issue_cert("localhost")
    identity.private_key_and_cert_chain_pem.write_to_path(str(folder / "both.pem"))
    file = str(folder / "both.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with started("listen", "0", "--echo", "--cert", file, "--key", file, *flags) as process:
        url = await _listening(process)
        assert url.startswith("wss://localhost:")
        async with foreign_connect(url, ssl=context) as connection:
            for message in ["text", b"\x00\x01", "y" * 100_000]:
                await connection.send(message)
                assert await connection.recv() == message
        if not flags:
            assert await line_of(process.stdout) == "text"


@pytest.mark.parametrize("flags", [[], ["--silent", "--compress"]], ids=["shown", "silent"])
def test_echoes_come_back_over_tls(tmp_path: Path, flags: list[str]) -> None:
    asyncio.run(_echoes_come_back(tmp_path, flags))


# ── bench ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _an_echo_server_is_measured() -> None:
    count = 0

    async def counted(connection: Any) -> None:
        nonlocal count
        async for message in connection:
            assert len(message) == 100
            count += 1
            await connection.send(message)

    async with foreign_server(counted) as url:
        flags = ["--connections", "3", "--size", "100", "--count", "1000", "--pipeline", "4"]
        done = await run("bench", url, *flags, "--json")
        assert (done.code, done.err) == (0, "")
        result = json.loads(done.out)
        assert (result["messages"], count) == (1000, 1000)
        assert result["messages_per_second"] == pytest.approx(1000 / result["seconds"])
        latency = result["latency_us"]
        order = [latency[name] for name in ["min", "p50", "p90", "p99", "p99.9", "max"]]
        assert order == sorted(order) and order[0] > 0
        people = await run("bench", url, *flags, "--binary", "--threads", "2")
        assert people.code == 0
        for word in ["messages/s", "p99.9", "CPU", "1,000 in", "█"]:
            assert word in people.out, people.out


def test_an_echo_server_is_measured() -> None:
    asyncio.run(_an_echo_server_is_measured())


async def _time_ends_a_measurement() -> None:
    async with foreign_server() as url:
        begin = time.monotonic()
        done = await run("bench", url, "--seconds", "0.3", "--json")
        assert 0.3 <= time.monotonic() - begin
        assert 0.2 < json.loads(done.out)["seconds"] < 5


def test_time_ends_a_measurement() -> None:
    asyncio.run(_time_ends_a_measurement())


async def _servers_that_do_not_echo_are_found_out() -> None:
    async def other(connection: Any) -> None:
        async for _ in connection:
            await connection.send("something else")

    async def mute(connection: Any) -> None:
        await connection.wait_closed()

    async def leave(connection: Any) -> None:
        await connection.recv()
        await connection.close(1011, "no more")

    async with foreign_server(other) as wrong, foreign_server(mute) as silent, foreign_server(leave) as leaving:
        done = await run("bench", wrong)
        assert done.code == 4
        assert "not an echo server" in done.err and "something else" in done.err
        done = await run("bench", silent, "--timeout", "0.2")
        assert done.code == 4 and "nothing came back" in done.err
        done = await run("bench", leaving)
        assert done.code == 3 and "1011 (internal error): no more" in done.err


def test_servers_that_do_not_echo_are_found_out() -> None:
    asyncio.run(_servers_that_do_not_echo_are_found_out())


async def _an_interrupted_measurement_says_what_it_has() -> None:
    begun = asyncio.Event()

    async def note(connection: Any) -> None:
        async for message in connection:
            begun.set()
            await connection.send(message)

    async with foreign_server(note) as url, started("bench", url, "--seconds", "60", "--json") as process:
        await asyncio.wait_for(begun.wait(), WAIT)
        process.send_signal(signal.SIGINT)
        result = json.loads(await line_of(process.stdout))
        assert not result["complete"] and result["messages"] > 0
        assert await asyncio.wait_for(process.wait(), WAIT) == 130


def test_an_interrupted_measurement_says_what_it_has() -> None:
    asyncio.run(_an_interrupted_measurement_says_what_it_has())
