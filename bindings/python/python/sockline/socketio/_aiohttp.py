"""Requests and WebSockets that aiohttp has read: they are told as an ASGI server would tell them."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from ._asgi import serve

if TYPE_CHECKING:
    from .async_server import AsyncServer

__all__ = ["attach", "serve_request"]


def attach(sio: AsyncServer, app: Any, path: str) -> None:
    """Adds the routes."""

    async def handle(request: Any) -> Any:
        return await serve_request(sio, request)

    for method in ("GET", "POST", "OPTIONS"):
        app.router.add_route(method, path, handle)


async def serve_request(sio: AsyncServer, request: Any) -> Any:
    """Answers a request of aiohttp's."""
    is_websocket = request.headers.get("upgrade", "").lower() == "websocket"
    talk = _WebSocketTalk(sio, request) if is_websocket else _Talk(request)
    await serve(sio, talk.scope, talk.receive, talk.send, {"SERVER_SOFTWARE": "aiohttp", "aiohttp.request": request})
    return talk.response


class _Talk:
    """A request."""

    kind = "http"

    def __init__(self, request: Any) -> None:
        self._request = request
        self.response: Any = None
        peer = None if request.transport is None else request.transport.get_extra_info("peername")
        self.scope: dict[str, Any] = {
            "type": self.kind,
            "method": request.method,
            "scheme": request.scheme,
            "path": request.path,
            "raw_path": request.rel_url.raw_path.encode(),
            "query_string": request.rel_url.raw_query_string.encode(),
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
            "client": peer[:2] if isinstance(peer, tuple) else None,
        }
        self._is_read = False

    async def receive(self) -> MutableMapping[str, Any]:
        if self._is_read:
            await asyncio.get_running_loop().create_future()  # aiohttp tells by cancelling, if at all
        self._is_read = True
        return {"type": "http.request", "body": await self._request.read()}

    async def send(self, event: MutableMapping[str, Any]) -> None:
        from aiohttp import web

        if event["type"] == "http.response.start":
            headers = [(name.decode(), value.decode()) for name, value in event["headers"] if name != b"content-length"]
            self.response = web.Response(status=event["status"], headers=headers)
        else:
            self.response.body = event["body"]


class _WebSocketTalk(_Talk):
    """A WebSocket."""

    kind = "websocket"

    def __init__(self, sio: AsyncServer, request: Any) -> None:
        from aiohttp import web

        super().__init__(request)
        self.scope["extensions"] = {"websocket.http.response": {}}
        # The engine has a limit of its own, and says so with the same code.
        self._ws = web.WebSocketResponse(max_msg_size=sio._serving.max_http_buffer_size + 1)
        self.response = self._ws

    async def receive(self) -> MutableMapping[str, Any]:
        from aiohttp import WSMsgType

        if not self._is_read:
            self._is_read = True
            return {"type": "websocket.connect"}
        message = await self._ws.receive()
        if message.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": message.data}
        if message.type is WSMsgType.BINARY:
            return {"type": "websocket.receive", "bytes": message.data}
        return {"type": "websocket.disconnect"}

    async def send(self, event: MutableMapping[str, Any]) -> None:
        match event["type"]:
            case "websocket.send" if "text" in event:
                await self._ws.send_str(event["text"])
            case "websocket.send":
                await self._ws.send_bytes(event["bytes"])
            case "websocket.accept":
                for name, value in event["headers"]:
                    self._ws.headers.add(name.decode(), value.decode())
                await self._ws.prepare(self._request)
            case "websocket.close":
                await self._ws.close(code=event["code"])
            case other:
                await super().send({**event, "type": other.removeprefix("websocket.")})
