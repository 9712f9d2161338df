"""Python websockets as a server: python websockets_server.py PORT

What each path does is in ../README.md; ws_server.js does the same.
"""

import asyncio
import json
import os
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

from fixtures import FRAGMENT, FRAGMENTED_TEXT, MAX_SIZE, PADDING, SIZES, agreed, allow_many_files, pattern
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response


async def main() -> None:
    allow_many_files()
    async with serve(
        handle,
        "127.0.0.1",
        int(sys.argv[1]),
        compression="deflate" if "PERMESSAGE_DEFLATE" in os.environ else None,
        max_size=MAX_SIZE,
        ping_interval=None,
        process_request=process_request,
        process_response=process_response,
        select_subprotocol=select_subprotocol,
        ssl=tls(),
        backlog=1024,  # the queue of the kernel has to hold 1,000 connections that come at once
    ) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await server.wait_closed()


def tls() -> ssl.SSLContext | None:
    if "TLS_KEY" not in os.environ:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.environ["TLS_CERTIFICATE"], os.environ["TLS_KEY"])
    return context


async def handle(ws: ServerConnection) -> None:
    path, query = split(ws.request)
    try:
        await ROUTES[path](ws, query)
        await ws.wait_closed()
    except ConnectionClosed:
        pass  # clients may go as they like


# Paths


async def echo(ws: ServerConnection, query: dict[str, str]) -> None:
    async for message in ws:
        await ws.send(message)


async def connection(ws: ServerConnection, query: dict[str, str]) -> None:
    await ws.recv()
    await ws.send(json.dumps({**agreed(ws), "padding": PADDING}))


async def close(ws: ServerConnection, query: dict[str, str]) -> None:
    await ws.close(int(query.get("code", 1000)), query.get("reason", ""))


async def ping(ws: ServerConnection, query: dict[str, str]) -> None:
    await (await ws.ping("are you there"))
    await ws.send("pong ok")


async def fragments(ws: ServerConnection, query: dict[str, str]) -> None:
    await ws.send(fragmented(ws, FRAGMENTED_TEXT.encode()), text=True)
    await ws.send(fragmented(ws, pattern(100_000)), text=False)


async def greet(ws: ServerConnection, query: dict[str, str]) -> None:
    await ws.send("hello before you asked")
    cork(ws, False)
    await echo(ws, query)


async def sizes(ws: ServerConnection, query: dict[str, str]) -> None:
    for size in SIZES:
        await ws.send(pattern(size))


async def stall(ws: ServerConnection, query: dict[str, str]) -> None:
    ws.transport.pause_reading()


async def kill(ws: ServerConnection, query: dict[str, str]) -> None:
    # The header announces 4,096 bytes, and 100 come.
    ws.transport.write(bytes([0x82, 126, 0x10, 0x00]) + pattern(100))
    ws.transport.abort()


async def half(ws: ServerConnection, query: dict[str, str]) -> None:
    ws.transport.set_protocol(Deaf(ws))
    ws.transport.write_eof()


async def silent_close(ws: ServerConnection, query: dict[str, str]) -> None:
    ws.transport.set_protocol(Deaf(ws))


ROUTES = {
    "/echo": echo,
    "/connection": connection,
    "/close": close,
    "/ping": ping,
    "/fragments": fragments,
    "/greet": greet,
    "/sizes": sizes,
    "/subprotocol": echo,
    "/subprotocol-ok": echo,
    "/stall": stall,
    "/kill": kill,
    "/half": half,
    "/silent-close": silent_close,
}


# The opening handshake


def process_request(ws: ServerConnection, request: Request) -> Response | None:
    path, query = split(request)
    if path == "/refuse":
        return refuse(ws, int(query.get("status", 403)))
    if path not in ROUTES:
        return refuse(ws, 404)
    if path == "/greet":
        cork(ws, True)
    return None


def process_response(ws: ServerConnection, request: Request, response: Response) -> None:
    # The library has no way to choose a subprotocol that was not offered.
    if split(request)[0] == "/subprotocol":
        response.headers["Sec-WebSocket-Protocol"] = "chat.v2"


def select_subprotocol(ws: ServerConnection, offered: list[str]) -> str | None:
    return offered[-1] if offered and split(ws.request)[0] == "/subprotocol-ok" else None


def refuse(ws: ServerConnection, status: int) -> Response:
    response = ws.respond(status, f"refused with {status}\n")
    response.headers["X-Reason"] = "interop"
    return response


def split(request: Request) -> tuple[str, dict[str, str]]:
    url = urlsplit(request.path)
    return url.path, {name: values[0] for name, values in parse_qs(url.query).items()}


# Below the library


async def fragmented(ws: ServerConnection, payload: bytes) -> AsyncIterator[bytes]:
    for count, start in enumerate(range(0, len(payload), FRAGMENT)):
        if count % 10 == 5:
            await ws.ping()  # with a payload of its own: the library wants pings in flight to differ
        yield payload[start : start + FRAGMENT]


def cork(ws: ServerConnection, on: bool) -> None:
    """Corked, the response and what is sent at once leave in one segment (Linux)."""
    ws.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, on)


class Deaf(asyncio.Protocol):
    """Reads what the client sends and throws it away, close frames included."""

    def __init__(self, ws: ServerConnection) -> None:
        self.ws = ws

    def connection_lost(self, exc: Exception | None) -> None:
        self.ws.connection_lost(exc)


asyncio.run(main())
