"""Requests that a WSGI server has read, and WebSockets on the sockets that some of them show."""

from __future__ import annotations

import os
import queue
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .._drivers import thread_driver
from ._foreign import Told

if TYPE_CHECKING:
    from .server import Server

__all__ = ["Environ", "StartResponse", "serve"]

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

_UPGRADES = b'"upgrades":["websocket"]'


def serve(sio: Server, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Serves a request; its thread waits for the answer, as long as a client that polls may wait."""
    shown = _shown_socket(environ)
    if shown is not None and environ.get("HTTP_UPGRADE", "").lower() == "websocket":
        return _take_over(sio, environ, shown, start_response)
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > sio._serving.max_http_buffer_size:
        return _respond(start_response, 413, [], b"")
    body = environ["wsgi.input"].read(length) if length else b""
    begins = "sid=" not in environ.get("QUERY_STRING", "")
    note = sio._foreigners.add(environ) if begins else 0
    answered: queue.SimpleQueue[tuple[int, list[tuple[str, str]], bytes]] = queue.SimpleQueue()
    native = sio._start_for_wsgi()
    native.foreign_request(_told(environ, note), body, lambda *answer: answered.put(answer))
    status, headers, body = answered.get()
    if begins and status != 200:
        sio._foreigners.forget(note)
    elif begins and shown is None and "EIO=4" in environ.get("QUERY_STRING", ""):
        body = body.replace(_UPGRADES, b'"upgrades":[]', 1)
    return _respond(start_response, status, headers, body)


def _respond(
    start_response: StartResponse, status: int, headers: list[tuple[str, str]], body: bytes
) -> Iterable[bytes]:
    fields = [field for field in headers if field[0].lower() != "connection"]  # which is the server's (PEP 3333)
    start_response(f"{status} {_phrase(status)}", [*fields, ("Content-Length", str(len(body)))])
    return [body]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _shown_socket(environ: Environ) -> socket.socket | None:
    """The client's, if the server shows it. One with TLS has a state that can't be taken over."""
    shown = environ.get("werkzeug.socket") or environ.get("gunicorn.socket")
    return shown if type(shown) is socket.socket else None


def _take_over(sio: Server, environ: Environ, shown: socket.socket, start_response: StartResponse) -> Iterable[bytes]:
    """Has the engine go on with the client's connection."""
    # It is known by the server's own path there.
    begins = "sid=" not in environ.get("QUERY_STRING", "")
    _, _, headers, remote, secure, note = _told(environ, sio._foreigners.add(environ) if begins else 0)
    target = f"{sio._serving.path}/?{environ.get('QUERY_STRING', '')}"
    native = sio._start_for_wsgi()
    native.adopt(thread_driver(), shown.fileno(), ("GET", target, headers, remote, secure, note), b"")
    # Who has accepted the connection would shut it down. So that its descriptor is one of a connection that has ended, and
    # what it has to write, which is nothing to us, meets a broken pipe.
    ours, others = socket.socketpair()
    os.dup2(ours.fileno(), shown.fileno(), inheritable=False)
    ours.close()
    others.close()
    start_response("101 Switching Protocols", [])
    return []


def _told(environ: Environ, note: int) -> Told:
    path = quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"))
    query = environ.get("QUERY_STRING", "")
    headers = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    if kind := environ.get("CONTENT_TYPE"):
        headers.append((b"content-type", kind.encode("latin-1")))
    address, port = environ.get("REMOTE_ADDR", ""), environ.get("REMOTE_PORT", "0")
    return (
        environ["REQUEST_METHOD"],
        f"{path}?{query}" if query else path,
        headers,
        (address, int(port)) if address else None,
        environ.get("wsgi.url_scheme") == "https",
        note,
    )
