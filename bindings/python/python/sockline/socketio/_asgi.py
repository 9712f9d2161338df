"""Requests and WebSockets that an ASGI server has read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from .. import _native
from ._foreign import Told
from .asgi import Receive, Scope, Send

if TYPE_CHECKING:
    from .async_server import AsyncServer

__all__ = ["serve"]


async def serve(sio: AsyncServer, scope: Scope, receive: Receive, send: Send, extras: dict[str, Any] | None = None) -> None:
    """Serves a request; ``extras`` are for the ``environ``."""
    if scope["type"] == "websocket":
        await _WebSocket(sio, scope, receive, send).run(extras or {})
    else:
        await _serve_http(sio, scope, receive, send, extras or {})


async def _serve_http(sio: AsyncServer, scope: Scope, receive: Receive, send: Send, extras: dict[str, Any]) -> None:
    body = await _body(receive, sio._serving.max_http_buffer_size)
    if body is None:
        return
    if len(body) > sio._serving.max_http_buffer_size:
        await _respond(send, 413, [("connection", "close")], b"")
        return
    # An answer with a session is only given to who has none yet.
    note = 0 if b"sid=" in scope["query_string"] else sio._foreigners.add(_extras(scope, receive, send, extras))
    exchange = _Exchange(sio, _told(scope, note), body)
    answer = None
    try:
        answer = await exchange.answer(receive if scope["method"] == "GET" else None)
    finally:
        if note and (answer is None or answer[0] != 200):
            sio._foreigners.forget(note)
    if answer is not None:
        await _respond(send, *answer)


async def _respond(send: Send, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*_encoded(headers), (b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive, limit: int) -> bytes | None:
    """What is sent, up to a little over the limit; ``None`` if the client goes."""
    event = await receive()
    body: bytes = event.get("body", b"")
    while event["type"] == "http.request" and event.get("more_body") and len(body) <= limit:
        event = await receive()
        body += event.get("body", b"")
    return body if event["type"] == "http.request" else None


class _Exchange:
    """A request that the engine has, and whose answer is awaited."""

    def __init__(self, sio: AsyncServer, told: Told, body: bytes) -> None:
        self._loop = asyncio.get_running_loop()
        self._answered: asyncio.Future[tuple[int, list[tuple[str, str]], bytes] | None] = self._loop.create_future()
        self._native, self._call = sio._at_home()
        self._number = 0
        self._call(self._begin, told, body)

    async def answer(self, receive: Receive | None) -> tuple[int, list[tuple[str, str]], bytes] | None:
        """The answer; ``None`` if the client goes before, as ``receive`` says."""
        watching = None if receive is None else self._loop.create_task(self._watch(receive))
        try:
            return await self._answered
        finally:
            if watching is not None:
                watching.cancel()
            if self._answered.cancelled() or self._answered.result() is None:
                self._call(self._cut)

    def _begin(self, told: Told, body: bytes) -> None:
        self._number = self._native.foreign_request(told, body, self._respond)

    def _cut(self) -> None:
        self._native.foreign_cut(self._number)

    def _respond(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        answer = (status, headers, body)
        if asyncio._get_running_loop() is self._loop:
            self._settle(answer)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._settle, answer)

    def _settle(self, answer: tuple[int, list[tuple[str, str]], bytes] | None) -> None:
        if not self._answered.done():
            self._answered.set_result(answer)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._settle(None)


class _WebSocket:
    """A WebSocket whose frames are the ASGI server's."""

    def __init__(self, sio: AsyncServer, scope: Scope, receive: Receive, send: Send) -> None:
        self._sio, self._scope, self._receive, self._send = sio, scope, receive, send
        self._loop = asyncio.get_running_loop()
        self._runners = sio._runners
        self._is_opened: asyncio.Future[bool] = self._loop.create_future()
        self._native: _native.IoForeign | None = None
        self._is_sending = False
        self._is_lost = False

    async def run(self, extras: dict[str, Any]) -> None:
        if (await self._receive())["type"] != "websocket.connect":
            return
        sio = self._sio
        native, call = sio._at_home()
        note = sio._foreigners.add(_extras(self._scope, self._receive, self._send, extras))
        try:
            call(self._begin, native, _told(self._scope, note))
            if await self._is_opened:
                await self._read()
        finally:
            if self._native is not None:
                _outside_of_the_task(self._loop, self._native.closed)
            sio._foreigners.forget(note)

    def _begin(self, native: _native.IoServer, told: Told) -> None:
        self._native = native.foreign_websocket(told, self._wake)

    async def _read(self) -> None:
        assert self._native is not None
        receive, received = self._receive, self._native.received
        while (event := await receive())["type"] == "websocket.receive":
            text = event.get("text")
            _outside_of_the_task(self._loop, received, event["bytes"] if text is None else text)

    def _wake(self) -> None:
        """There is something to send; called by the engine's thread."""
        if self._is_sending:
            return  # whoever sends takes that, too
        if asyncio._get_running_loop() is self._loop:
            self._runners.run(self._flush())
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    async def _flush(self) -> None:
        if self._is_sending or self._is_lost:
            return
        native, send = self._native, self._send
        assert native is not None
        self._is_sending = True
        try:
            while items := native.take():
                for item in items:
                    if type(item) is str:
                        await send({"type": "websocket.send", "text": item})
                    elif type(item) is bytes:
                        await send({"type": "websocket.send", "bytes": item})
                    else:
                        await self._act(*item)
                native.sent()
        except Exception as error:
            # The client has gone, as is said to who reads; servers raise what they like.
            self._is_lost = True
            self._sio.logger.debug("a WebSocket takes nothing any more: %r", error)
            self._decide(False)
        finally:
            self._is_sending = False

    async def _act(self, what: str, *how: Any) -> None:
        if what == "accept":
            await self._send({"type": "websocket.accept", "headers": _encoded(how[0])})
            self._decide(True)
        elif what == "close":
            await self._send({"type": "websocket.close", "code": how[0] or 1000})
        else:
            await self._refuse(*how)
            self._decide(False)

    async def _refuse(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        if "websocket.http.response" not in (self._scope.get("extensions") or {}):
            await self._send({"type": "websocket.close", "reason": body.decode("utf-8", "replace")})
            return
        fields = [*_encoded(headers), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "websocket.http.response.start", "status": status, "headers": fields})
        await self._send({"type": "websocket.http.response.body", "body": body})

    def _decide(self, is_opened: bool) -> None:
        if not self._is_opened.done():
            self._is_opened.set_result(is_opened)


def _outside_of_the_task(loop: asyncio.AbstractEventLoop, call: Callable[..., object], *arguments: Any) -> None:
    """Calls the engine, whose handlers are in tasks of their own, and not in this one."""
    task = asyncio.current_task(loop)
    if task is None:
        call(*arguments)
        return
    asyncio._leave_task(loop, task)
    try:
        call(*arguments)
    finally:
        asyncio._enter_task(loop, task)


def _told(scope: Scope, note: int) -> Told:
    raw: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    target = raw.partition(b"?")[0]
    if query := scope.get("query_string"):
        target += b"?" + query
    client = scope.get("client")
    return (
        scope.get("method", "GET"),
        target.decode("latin-1"),
        list(scope["headers"]),
        None if client is None or client[1] is None else (client[0], client[1]),
        scope.get("scheme") in ("https", "wss"),
        note,
    )


def _extras(scope: Scope, receive: Receive, send: Send, extras: dict[str, Any]) -> dict[str, Any]:
    """What ``environ`` has of ASGI's, as python-engineio has it."""
    query = scope.get("query_string", b"").decode("utf-8", "replace")
    made = {
        "SERVER_SOFTWARE": "asgi",
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": scope["path"],
        "RAW_URI": f"{scope['path']}?{query}" if query else scope["path"],
        "asgi.receive": receive,
        "asgi.send": send,
        "asgi.scope": scope,
        **extras,
    }
    forwarded = next((value for name, value in scope["headers"] if name == b"x-forwarded-proto"), None)
    if forwarded is not None:
        made["wsgi.url_scheme"] = forwarded.decode("latin-1")
    return made


def _encoded(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("utf-8")) for name, value in headers]
