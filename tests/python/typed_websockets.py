"""A program for websockets' types, which is read by mypy and not run: test_types.py."""
from __future__ import annotations

import asyncio
import http
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Generator, Sequence
from typing import Any

import websockets
from websockets import Data, Headers, HeadersLike, LoggerLike, Origin, Request, Response, StatusLike, Subprotocol, State
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.client import process_exception
from websockets.asyncio.connection import Connection
from websockets.asyncio.router import Router, route, unix_route
from websockets.asyncio.server import Server, ServerConnection, basic_auth, broadcast, serve, unix_serve
from websockets.datastructures import MultipleValuesError
from websockets.exceptions import (
    ConcurrencyError, ConnectionClosed, ConnectionClosedError, ConnectionClosedOK, InvalidHandshake, InvalidHeader, InvalidMessage,
    InvalidOrigin, InvalidProxy, InvalidProxyMessage, InvalidProxyStatus, InvalidState, InvalidStatus, InvalidUpgrade, InvalidURI,
    NegotiationError, PayloadTooBig, ProtocolError, ProxyError, SecurityError, WebSocketException,
)
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory
from websockets.frames import Close, CloseCode
from websockets.typing import BytesLike, DataLike


class Mine(ClientConnection):
    count: int = 0


class MyServer(ServerConnection):
    user: str | None = None


async def echo(ws: ServerConnection) -> None:
    async for message in ws:
        if isinstance(message, str):
            await ws.send(message.upper())
        else:
            await ws.send(bytes(message))


async def handler(ws: ServerConnection) -> None:
    request: Request | None = ws.request
    assert request is not None
    path: str = request.path
    headers: Headers = request.headers
    first: str | None = headers.get("X")
    every: list[str] = headers.get_all("Cookie")
    text: str = await ws.recv(decode=True)
    raw: bytes = await ws.recv(decode=False)
    data: str | bytes = await ws.recv()
    async for part in ws.recv_streaming():
        piece: str | bytes = part
    async for part1 in ws.recv_streaming(decode=True):
        piece1: str = part1
    async for part2 in ws.recv_streaming(decode=False):
        piece2: bytes = part2
    pong: Awaitable[float] = await ws.ping()
    latency: float = await pong
    await ws.ping("x")
    await ws.ping(b"x")
    await ws.pong()
    await ws.pong(b"x")
    await ws.send(["a", "b"])
    await ws.send([b"a", bytearray(b"b"), memoryview(b"c")])
    await ws.send(parts())
    await ws.send(b"text", text=True)
    await ws.close(CloseCode.GOING_AWAY, "bye")
    await ws.close(1000)
    code: int | None = ws.close_code
    reason: str | None = ws.close_reason
    protocol: Subprotocol | None = ws.subprotocol
    state: State = ws.state
    where: Any = ws.remote_address
    lat: float = ws.latency
    server: Server = ws.server
    name: str = ws.username
    log: LoggerLike = ws.logger
    response: Response = ws.respond(http.HTTPStatus.OK, "x")
    response = ws.respond(200, "x")
    await ws.wait_closed()
    print(path, first, every, text, raw, data, latency, code, reason, protocol, state, where, lat, server, name, log, response, str(ws.id))


async def parts() -> AsyncIterator[str]:
    yield "a"


def process_request(ws: ServerConnection, request: Request) -> Response | None:
    if request.path == "/healthz":
        return ws.respond(http.HTTPStatus.OK, "OK\n")
    return None


async def aprocess_request(ws: ServerConnection, request: Request) -> Response | None:
    return None


def process_response(ws: ServerConnection, request: Request, response: Response) -> Response | None:
    response.headers["X"] = "y"
    status: int = response.status_code
    phrase: str = response.reason_phrase
    body: BytesLike = response.body
    print(status, phrase, body)
    return response


async def aprocess_response(ws: ServerConnection, request: Request, response: Response) -> Response | None:
    return None


def select(ws: ServerConnection, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
    return subprotocols[0] if subprotocols else None


def delays() -> Generator[float]:
    while True:
        yield 1.0


def on_error(error: Exception) -> Exception | None:
    return process_exception(error)


async def check(name: str, password: str) -> bool:
    return name == password


async def main() -> None:
    headers: HeadersLike = {"A": "b"}
    async with serve(
        handler, "localhost", 0, origins=[Origin("http://x"), re.compile("http://.*"), None], subprotocols=[Subprotocol("chat")],
        select_subprotocol=select, process_request=process_request, process_response=process_response, compression=None,
        server_header=None, open_timeout=1, ping_interval=None, ping_timeout=None, close_timeout=None, max_size=None, max_queue=(16, 4),
        write_limit=(32768, None), logger=logging.getLogger("x"), create_connection=MyServer, reuse_port=True,
        extensions=[ServerPerMessageDeflateFactory(server_no_context_takeover=True)],
    ) as server:
        connections: set[ServerConnection] = server.connections
        broadcast(connections, "x")
        broadcast(connections, b"x", raise_exceptions=True, text=True)
        for sock in server.sockets:
            print(sock.getsockname())
        server.close(close_connections=False, code=CloseCode.SERVICE_RESTART, reason="x")
        await server.wait_closed()
        server.get_loop()
        server.is_serving()
        await server.start_serving()
        await server.serve_forever()
    serving = await serve(echo, None, 8000, process_request=aprocess_request, process_response=aprocess_response)
    serving.close()
    async with serve(echo, "", 8000, process_request=basic_auth("realm", ("a", "b"))):
        pass
    async with serve(echo, "127.0.0.1", 8000, process_request=basic_auth(realm="r", check_credentials=check)):
        pass
    async with unix_serve(echo, "/tmp/x"):
        pass
    async with connect(
        "ws://localhost", origin=Origin("http://x"), subprotocols=[Subprotocol("chat")], additional_headers=headers, user_agent_header="x",
        compression="deflate", proxy=None, process_exception=on_error, open_timeout=1, ping_interval=1, ping_timeout=1, close_timeout=1,
        reconnect_delays=delays, max_size=1, max_queue=None, write_limit=1, create_connection=Mine, server_hostname="x",
        extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=True)], logger=logging.LoggerAdapter(logging.getLogger(), {}),
    ) as ws:
        client: ClientConnection = ws
        assert ws.response is not None
        print(ws.response.status_code, client)
    async with connect("ws://localhost", max_size=(2**20, 2**16), proxy=True) as ws:
        pass
    ws = await connect("wss://localhost", ssl=ssl.create_default_context())
    async for ws in connect("ws://localhost"):
        try:
            await ws.send("x")
        except ConnectionClosed as closed:
            received: Close | None = closed.rcvd
            sent: Close | None = closed.sent
            order: bool | None = closed.rcvd_then_sent
            if received is not None:
                number: int = received.code
                why: str = received.reason
                print(number, why, sent, order)
            continue
    async with unix_connect("/tmp/x", "ws://localhost/x"):
        pass
    try:
        await websockets.connect("ws://x")
    except InvalidStatus as status:
        print(status.response.status_code, status.response.headers.get("x"))
    except InvalidURI as uri:
        print(uri.uri, uri.msg)
    except InvalidHeader as header:
        print(header.name, header.value)
    except InvalidProxyStatus as refused:
        print(refused.response)
    except PayloadTooBig as big:
        print(big.size, big.max_size, big.current_size)
    except (ConcurrencyError, ConnectionClosedError, ConnectionClosedOK, InvalidMessage, InvalidOrigin, InvalidProxy, InvalidProxyMessage,
            InvalidState, InvalidUpgrade, NegotiationError, ProtocolError, ProxyError, SecurityError, MultipleValuesError, WebSocketException):
        pass


def generic(connection: Connection, message: DataLike, data: Data, status: StatusLike) -> None:
    print(connection.local_address, message, data, status)


async def routed() -> None:
    from werkzeug.routing import Map, Rule
    urls = Map([Rule("/", endpoint=echo)])
    async with route(urls, "localhost", 0) as server:
        await server.serve_forever()
    async with unix_route(urls, "/tmp/x"):
        pass


asyncio.run(main())
