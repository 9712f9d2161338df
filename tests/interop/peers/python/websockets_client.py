"""Python websockets as a client of an echo server: python websockets_client.py URL SCENARIO

The scenarios are in ../README.md; ws_client.js has the same.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator

from fixtures import (
    CONNECTIONS,
    FRAGMENT,
    FRAGMENTED_TEXT,
    MAX_SIZE,
    PADDING,
    SIZES,
    agreed,
    allow_many_files,
    pattern,
)
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websockets_connect
from websockets.exceptions import ConnectionClosed

TIMEOUT = 120.0  # seconds, for a whole scenario


class Failure(Exception):
    """The server did not do what the scenario expects."""


def main() -> int:
    url, scenario = (sys.argv[1:] + ["", ""])[:2]
    if scenario not in SCENARIOS:
        names = ", ".join(SCENARIOS)
        print(f"usage: python websockets_client.py URL SCENARIO, which is one of {names}", file=sys.stderr)
        return 2
    allow_many_files()
    try:
        result = asyncio.run(asyncio.wait_for(SCENARIOS[scenario](url), TIMEOUT))
    except Exception as error:
        print(f"websockets {scenario}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    print(json.dumps({"peer": "websockets", "scenario": scenario, **result}))
    return 0


# Scenarios


async def echo(url: str) -> dict:
    messages = ["hello", "", "κόσμε €😀\0", pattern(64), b""]
    ws = await connect(url)
    for message in messages:
        await expect_echo(ws, message)
    await finish(ws)
    return {"messages": len(messages)}


async def connection(url: str) -> dict:
    ws = await connect(url)
    await ws.send(PADDING)
    server = json.loads(await ws.recv())
    result = {**agreed(ws), "server": server}
    await finish(ws)
    return result


async def sizes(url: str) -> dict:
    ws = await connect(url)
    for size in SIZES:
        await expect_echo(ws, pattern(size))
        await expect_echo(ws, "x" * size)
    await finish(ws)
    return {"sizes": SIZES}


async def fragments(url: str) -> dict:
    ws = await connect(url)
    await echo_fragments(ws, FRAGMENTED_TEXT.encode(), text=True)
    await echo_fragments(ws, pattern(100_000), text=False)
    await finish(ws)
    return {"fragment": FRAGMENT}


async def ping(url: str) -> dict:
    ws = await connect(url)
    payloads = ["", "are you there", "x" * 125]
    for payload in payloads:
        # Resolves with the pong that carries the same payload.
        await (await ws.ping(payload))
    await finish(ws)
    return {"pings": len(payloads)}


async def close(url: str) -> dict:
    ws = await connect(url)
    await ws.close(4001, "the client is done")
    return expect_closed(ws, 4001)


async def connections(url: str) -> dict:
    ws_list = await asyncio.gather(*(connect(url) for _ in range(CONNECTIONS)))
    await asyncio.gather(*(expect_echo(ws, f"connection {i}") for i, ws in enumerate(ws_list)))
    await asyncio.gather(*(finish(ws) for ws in ws_list))
    return {"connections": CONNECTIONS}


async def server_close(url: str) -> dict:
    ws = await connect(url)
    try:
        message = await ws.recv()
    except ConnectionClosed:
        return expect_closed(ws, 1000)
    raise Failure(f"got {describe(message)}, not a close")


SCENARIOS = {
    "echo": echo,
    "connection": connection,
    "sizes": sizes,
    "close": close,
    "connections": connections,
    "server-close": server_close,
    "fragments": fragments,
    "ping": ping,
}


# Steps


async def connect(url: str) -> ClientConnection:
    # No proxy of the environment stands between a test and its peer.
    return await websockets_connect(url, max_size=MAX_SIZE, proxy=None, open_timeout=TIMEOUT)


async def expect_echo(ws: ClientConnection, message: str | bytes) -> None:
    await ws.send(message)
    reply = await ws.recv()
    if reply != message:
        raise Failure(f"sent {describe(message)}, got {describe(reply)}")


async def echo_fragments(ws: ClientConnection, payload: bytes, *, text: bool) -> None:
    """Sends one message in fragments, an empty one among them and pings between, and awaits its echo."""
    await ws.send(fragmented(ws, payload), text=text)
    reply = await ws.recv(decode=False)
    if reply != payload:
        raise Failure(f"sent {len(payload)} bytes in fragments, got {len(reply)}")


async def fragmented(ws: ClientConnection, payload: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(payload), FRAGMENT):
        yield payload[start : start + FRAGMENT]
        if start == 5 * FRAGMENT:
            yield b""
            await ws.ping()  # with a payload of its own: the library wants pings in flight to differ


async def finish(ws: ClientConnection) -> None:
    await ws.close(1000, "finished")
    expect_closed(ws, 1000)


def expect_closed(ws: ClientConnection, code: int) -> dict:
    # The code of the close frame that came: 1006 stands for none.
    received = ws.protocol.close_rcvd
    if received is None or received.code != code:
        raise Failure(f"closed with {received or 'no close frame'}, not {code}")
    return {"code": received.code, "reason": received.reason}


def describe(message: str | bytes) -> str:
    return f"{len(message)} characters of text" if isinstance(message, str) else f"{len(message)} bytes"


if __name__ == "__main__":
    sys.exit(main())
