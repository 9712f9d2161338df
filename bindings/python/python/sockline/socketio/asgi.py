"""The server as an application of ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ._static import StaticFiles, find_file

__all__ = ["ASGIApp"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class ASGIApp:
    """An application of ASGI, for uvicorn and its like, that gives Socket.IO's requests to an :class:`AsyncServer`, and others to
    ``other_asgi_app``. Without one, other paths are not found.

    ``static_files`` maps paths to files or folders. ``socketio_path`` is where Socket.IO is, below the path at which this is
    mounted or with it; ``None``: everywhere. ``on_startup`` and ``on_shutdown`` are functions or coroutine functions; without
    them the lifespan is the other application's.

    The frames of WebSockets are the ASGI server's here. :meth:`AsyncServer.listen` is faster.
    """

    def __init__(
        self,
        socketio_server: Any,
        other_asgi_app: Callable[[Scope, Receive, Send], Awaitable[None]] | None = None,
        static_files: StaticFiles | None = None,
        socketio_path: str | None = "socket.io",
        on_startup: Callable[[], Any] | None = None,
        on_shutdown: Callable[[], Any] | None = None,
    ) -> None:
        self.engineio_server = socketio_server
        self.other_asgi_app = other_asgi_app
        self.engineio_path = None if socketio_path is None else _slashed(socketio_path)
        self.static_files = static_files or {}
        self.on_startup = on_startup
        self.on_shutdown = on_shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self.lifespan(scope, receive, send)
        elif kind in ("http", "websocket") and self._is_mine(scope):
            await self.engineio_server.handle_request(scope, receive, send)
        elif kind == "http" and (found := find_file(scope["path"], self.static_files)) is not None:
            await _respond(send, 200, found[1], found[0].read_bytes())
        elif self.other_asgi_app is not None:
            await self.other_asgi_app(scope, receive, send)
        else:
            await self.not_found(receive, send, kind)

    def _is_mine(self, scope: Scope) -> bool:
        if self.engineio_path is None:
            return True
        path: str = scope["path"]
        if f"{path}/".startswith(self.engineio_path):
            return True
        root = scope.get("root_path") or ""
        return bool(root) and f"{path}/".startswith(root + self.engineio_path)

    async def lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begins and ends with the ASGI server."""
        if self.other_asgi_app is not None and self.on_startup is None and self.on_shutdown is None:
            await self.other_asgi_app(scope, receive, send)
            return
        for phase, hook in (("startup", self.on_startup), ("shutdown", self.on_shutdown)):
            event = await receive()
            while event["type"] != f"lifespan.{phase}":
                event = await receive()
            try:
                result = hook() if hook is not None else None
                if isinstance(result, Awaitable):
                    await result
            except Exception as error:
                await send({"type": f"lifespan.{phase}.failed", "message": repr(error)})
                return
            await send({"type": f"lifespan.{phase}.complete"})

    async def not_found(self, receive: Receive, send: Send, kind: str = "http") -> None:
        """Answers with 404."""
        if kind == "websocket":
            await send({"type": "websocket.close"})  # 403, which is all that can be said to a WebSocket
        else:
            await _respond(send, 404, "text/plain", b"Not Found")


async def _respond(send: Send, status: int, media_type: str, body: bytes) -> None:
    headers = [(b"content-type", media_type.encode("latin-1")), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _slashed(path: str) -> str:
    path = path if path.startswith("/") else f"/{path}"
    return path if path.endswith("/") else f"{path}/"
