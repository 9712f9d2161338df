"""sockline's asyncio face on both sides of the interop tests: probe.py server PORT [PATIENCE_MS], probe.py client URL SCENARIO

What the paths and the scenarios are is in README.md.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import command
import sockline
from command import CONNECTIONS, FRAGMENTED_TEXT, LISTENERS, MAX_SIZE, PADDING, SIZES, SOON, Failure, pattern

GREETING = "hello before you asked"
COMPRESSION: Literal["deflate"] | None = "deflate" if command.COMPRESSES else None


# The server


async def serve(port: int, patience: float | None) -> None:
    patient: dict[str, Any] = {}
    if patience is not None:
        patient = {"ping_interval": patience, "ping_timeout": patience, "close_timeout": patience}
    async with sockline.serve(
        handle,
        port=port,
        max_size=MAX_SIZE,
        compression=COMPRESSION,
        ssl=command.server_tls(),
        process_request=process_request,
        select_subprotocol=select_subprotocol,
        adapter=command.ADAPTER,
        **patient,
    ) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


async def handle(ws: sockline.ServerConnection) -> None:
    path, query = split(ws)
    try:
        await ROUTES[path](ws, query)
        await ws.wait_closed()
    except sockline.ConnectionClosed:
        pass  # clients may go as they like


async def echo(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    async for message in ws:
        await ws.send(message)


async def connection(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    await ws.recv()
    await ws.send(command.reply(ws))


async def close(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    await ws.close(int(query.get("code", 1000)), query.get("reason", ""))


async def ping(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    await (await ws.ping("are you there"))
    await ws.send("pong ok")


async def sizes(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    for size in SIZES:
        await ws.send(pattern(size))


async def greet(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    await ws.send(GREETING)
    await echo(ws, query)


async def broadcast(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    async for message in ws:
        sockline.broadcast(ws.server.connections, message)


async def topics(ws: sockline.ServerConnection, query: dict[str, str]) -> None:
    ws.subscribe("news/#")
    await ws.send("subscribed")
    async for message in ws:
        if isinstance(message, str) and message.startswith("all "):
            ws.server.publish("news/all", message)
        else:
            ws.publish("news/said", message)


ROUTES: dict[str, Callable[[sockline.ServerConnection, dict[str, str]], Awaitable[None]]] = {
    "/echo": echo,
    "/connection": connection,
    "/close": close,
    "/ping": ping,
    "/sizes": sizes,
    "/greet": greet,
    "/subprotocol-ok": echo,
    "/broadcast": broadcast,
    "/topics": topics,
}


def process_request(ws: sockline.ServerConnection, request: sockline.Request) -> sockline.Response | None:
    path, query = split(ws)
    if path in ROUTES:
        return None
    status = int(query.get("status", 403)) if path == "/refuse" else 404
    response = ws.respond(status, f"refused with {status}\n")
    response.headers["X-Reason"] = "interop"
    return response


def select_subprotocol(ws: sockline.ServerConnection, offered: list[str]) -> str | None:
    return offered[-1] if offered and split(ws)[0] == "/subprotocol-ok" else None


def split(ws: sockline.ServerConnection) -> tuple[str, dict[str, str]]:
    assert ws.request is not None
    url = urlsplit(ws.request.path)
    return url.path, {name: values[0] for name, values in parse_qs(url.query).items()}


# The client's scenarios


async def client_echo(url: str) -> None:
    ws = await connect(url)
    for message in ["hello", "", "κόσμε €😀\0", pattern(64), b""]:
        await expect_echo(ws, message)
    await finish(ws)


async def client_connection(url: str) -> dict[str, Any]:
    ws = await connect(url)
    await ws.send(PADDING)
    server = json.loads(await ws.recv())
    await finish(ws)
    return {**command.state(ws), "server": server}


async def client_sizes(url: str) -> None:
    ws = await connect(url)
    for size in SIZES:
        await expect_echo(ws, pattern(size))
        await expect_echo(ws, "x" * size)
    await finish(ws)


async def client_receive(url: str) -> None:
    ws = await connect(url)
    for size in SIZES:
        expect(await ws.recv(), pattern(size))
    await finish(ws)


async def client_fragments(url: str) -> None:
    ws = await connect(url)
    expect(await ws.recv(), FRAGMENTED_TEXT)
    expect(await ws.recv(), pattern(100_000))
    await finish(ws)


async def client_ping(url: str) -> None:
    ws = await connect(url)
    for payload in ["", "are you there", "x" * 125]:
        round_trip = await (await ws.ping(payload))  # resolves with the pong that carries the same
        if not 0 < round_trip < command.TIMEOUT:
            raise Failure(f"the round trip took {round_trip} seconds")
    await finish(ws)


async def client_pinged(url: str) -> None:
    ws = await connect(url)
    expect(await ws.recv(), "pong ok")
    await finish(ws)


async def client_greet(url: str) -> None:
    ws = await connect(url)
    expect(await ws.recv(), GREETING)
    await expect_echo(ws, "hello yourself")
    await finish(ws)


async def client_close(url: str) -> None:
    ws = await connect(url)
    await ws.close(4001, "the client is done")
    expect(ws.close_code, 4001)


async def client_server_close(url: str) -> None:
    ws = await connect(url)
    error = await end_of(ws)
    expect((error.rcvd, error.rcvd_then_sent), (sockline.Close(4321, "enough"), True))


async def client_refuse(url: str) -> dict[str, int]:
    try:
        await connect(url)
    except sockline.InvalidStatus as error:
        return {"status": error.response.status_code}
    raise Failure("was not refused")


async def client_subprotocol(url: str) -> None:
    try:
        await connect(url)
    except sockline.InvalidHandshake as error:
        if "chat.v2" in str(error):
            return
        raise
    raise Failure("a subprotocol was taken that had not been offered")


async def client_subprotocol_ok(url: str) -> None:
    ws = await connect(url)
    expect(ws.subprotocol, "chat.v3")
    await finish(ws)


async def client_stall(url: str) -> None:
    ws = await connect(url, ping_interval=SOON, ping_timeout=SOON)
    error = await end_of(ws)
    expect((error.rcvd, type(error.__cause__)), (None, TimeoutError))


async def client_half(url: str) -> None:
    ws = await connect(url)
    error = await end_of(ws)
    expect((error.rcvd, ws.close_code), (None, 1006))


async def client_silent_close(url: str) -> None:
    ws = await connect(url, close_timeout=SOON)
    await ws.close()
    expect(ws.close_code, 1006)


async def client_connections(url: str) -> None:
    peers = await asyncio.gather(*(connect(url) for _ in range(CONNECTIONS)))
    await asyncio.gather(*(expect_echo(ws, f"connection {i}") for i, ws in enumerate(peers)))
    await asyncio.gather(*(finish(ws) for ws in peers))


async def client_broadcast(url: str) -> None:
    peers = [await connect(url) for _ in range(LISTENERS)]
    for i, ws in enumerate(peers):
        await ws.send(f"to all from {i}")
        for listener in peers:
            expect(await listener.recv(), f"to all from {i}")
    await asyncio.gather(*(finish(ws) for ws in peers))


SCENARIOS = {
    "echo": client_echo,
    "connection": client_connection,
    "sizes": client_sizes,
    "receive": client_receive,
    "fragments": client_fragments,
    "ping": client_ping,
    "pinged": client_pinged,
    "greet": client_greet,
    "close": client_close,
    "server-close": client_server_close,
    "refuse": client_refuse,
    "subprotocol": client_subprotocol,
    "subprotocol-ok": client_subprotocol_ok,
    "stall": client_stall,
    "half": client_half,
    "kill": client_half,
    "silent-close": client_silent_close,
    "connections": client_connections,
    "broadcast": client_broadcast,
}


# Steps

# As users of websockets say it; the callback face has the library's own way.
TRUST = ssl.create_default_context(cafile=command.AUTHORITY)


async def connect(url: str, **options: Any) -> sockline.ClientConnection:
    if url.startswith("wss:"):
        options["ssl"] = TRUST
    return await sockline.connect(
        url,
        max_size=MAX_SIZE,
        subprotocols=["chat.v1", "chat.v3"],
        open_timeout=command.TIMEOUT,
        compression=COMPRESSION,
        proxy=command.PROXY,
        **options,
    )


async def expect_echo(ws: sockline.ClientConnection, message: str | bytes) -> None:
    await ws.send(message)
    expect(await ws.recv(), message)


async def finish(ws: sockline.ClientConnection) -> None:
    await ws.close(1000, "finished")
    expect(ws.close_code, 1000)


async def end_of(ws: sockline.ClientConnection) -> sockline.ConnectionClosed:
    """How the connection ends, which is to be without another message."""
    try:
        message = await ws.recv()
    except sockline.ConnectionClosed as error:
        return error
    raise Failure(f"got {command.describe(message)}, not the end")


def expect(found: object, wanted: object) -> None:
    command.expect(found, wanted)


def run_scenario(name: str, url: str) -> dict[str, Any] | None:
    return asyncio.run(asyncio.wait_for(SCENARIOS[name](url), command.TIMEOUT))


if __name__ == "__main__":
    sys.exit(command.main("python", SCENARIOS, run_scenario, lambda *to: asyncio.run(serve(*to))))
