"""The same with threads."""

from __future__ import annotations

import http
import threading
from collections.abc import Iterator, Sequence

from websockets import Headers, Origin, Request, Response, Subprotocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect, unix_connect
from websockets.sync.connection import Connection
from websockets.sync.router import route
from websockets.sync.server import Server, ServerConnection, basic_auth, broadcast, serve, unix_serve


class Mine(ClientConnection):
    pass


def parts() -> Iterator[bytes]:
    yield b"x"


def handler(ws: ServerConnection) -> None:
    for message in ws:
        data: str | bytes = message
        ws.send(data)
    text: str = ws.recv(timeout=1, decode=True)
    raw: bytes = ws.recv(decode=False)
    either: str | bytes = ws.recv()
    for part in ws.recv_streaming():
        piece: str | bytes = part
    for part1 in ws.recv_streaming(decode=True):
        piece1: str = part1
    ws.send(["a"])
    ws.send(parts())
    ws.send(b"x", text=True)
    pong: threading.Event = ws.ping("x", ack_on_close=True)
    pong.wait(1)
    ws.pong(b"")
    ws.close(CloseCode.NORMAL_CLOSURE, "x")
    code: int | None = ws.close_code
    print(text, raw, either, code, ws.latency, ws.id, ws.remote_address, ws.username, ws.subprotocol, ws.state, ws.close_reason)
    response: Response = ws.respond(200, "x")
    assert ws.request is not None
    print(ws.request.headers["Host"], response)


def process_request(ws: ServerConnection, request: Request) -> Response | None:
    return ws.respond(http.HTTPStatus.OK, "OK\n") if request.path == "/" else None


def process_response(ws: ServerConnection, request: Request, response: Response) -> Response | None:
    return None


def select(ws: ServerConnection, subprotocols: Sequence[Subprotocol]) -> Subprotocol | None:
    return None


def main() -> None:
    with serve(
        handler, "localhost", 0, origins=[Origin("x"), None], subprotocols=[Subprotocol("x")], select_subprotocol=select,
        process_request=process_request, process_response=process_response, server_header=None, compression=None, open_timeout=1,
        ping_interval=1, ping_timeout=1, close_timeout=1, max_size=1, max_queue=1,
    ) as server:
        one: Server = server
        print(one.socket.getsockname(), server.fileno())
        server.serve_forever()
        server.shutdown()
        broadcast(server.connections, "x")
    with unix_serve(handler, "/tmp/x", process_request=basic_auth("r", ("a", "b"))):
        pass
    with connect("ws://x", additional_headers=Headers({"a": "b"}), create_connection=Mine, open_timeout=1, proxy=None) as ws:
        ws.send("x")
        connection: Connection = ws
        try:
            print(ws.recv(1), connection)
        except TimeoutError:
            pass
        except ConnectionClosed as closed:
            print(closed.rcvd)
    with unix_connect("/tmp/x") as ws:
        pass


def routed() -> None:
    from werkzeug.routing import Map, Rule
    with route(Map([Rule("/", endpoint=handler)]), "localhost", 0) as server:
        server.serve_forever()


main()
