"""A cluster over Redis, for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from .. import _native
from .._drivers import running_driver
from ..typing import DataLike
from ._redis_manager import BaseRedisManager

__all__ = ["AsyncRedisManager"]


class AsyncRedisManager(BaseRedisManager):
    """Makes an :class:`AsyncServer` one of a cluster over Redis: ``AsyncServer(client_manager=AsyncRedisManager(url))``.

    All is as explained at :class:`RedisManager`, with coroutines; ``on_error`` and the others are called on the loop's thread.
    """

    name = "aioredis"

    def is_asyncio_based(self) -> bool:
        """Whether it belongs to an asyncio loop."""
        return True

    def _driver(self) -> _native.Driver:
        return running_driver()

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str | None = None,
        room: Any = None,
        skip_sid: Any = None,
        callback: Callable[..., Any] | None = None,
        to: Any = None,
        **kwargs: Any,
    ) -> None:
        """Sends an event, as the server does. Without a server it waits until Redis has it; if that can't be reached, it
        is lost, which is logged. The order is that of the calls.
        """
        if self.server is not None:
            await self.server.emit(event, data, to, room, skip_sid, namespace, callback, **kwargs)
            return
        self._emit(event, data, to or room, skip_sid, namespace, callback)
        await self._flush()

    async def server_side_emit(self, event: str, data: Any = None, namespace: str | None = None) -> None:
        """Has the applications of the servers hear an event."""
        if self.server is not None:
            await self.server.server_side_emit(event, data, namespace)
            return
        self._say(event, data, namespace)
        await self._flush()

    async def publish(self, topic: str, message: DataLike, text: bool | None = None) -> None:
        """Sends a message to the subscribers of a topic at the cluster's plain WebSocket servers (``adapter`` of
        :func:`sockline.serve`), in whatever mode they are. ``str`` is sent as text unless ``text`` says otherwise. Without a server it waits as ``emit`` does.
        """
        self._publish(topic, message, text)
        if self.server is None:
            await self._flush()

    async def enter_room(self, sid: str, namespace: str | None, room: Any, eio_sid: str | None = None) -> None:
        """Has a client enter a room."""
        if self.server is not None:
            await self.server.enter_room(sid, room, namespace)
            return
        self._sender().join(namespace or "/", sid, str(room))
        await self._flush()

    async def leave_room(self, sid: str, namespace: str | None, room: Any) -> None:
        """Has a client leave a room."""
        if self.server is not None:
            await self.server.leave_room(sid, room, namespace)
            return
        self._sender().leave(namespace or "/", sid, str(room))
        await self._flush()

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Has all clients leave a room."""
        if self.server is not None:
            await self.server.close_room(room, namespace)
            return
        self._sender().leave(namespace or "/", str(room), str(room))
        await self._flush()

    async def disconnect(self, sid: str, namespace: str | None, **kwargs: Any) -> None:
        """Disconnects a client."""
        if self.server is not None:
            await self.server.disconnect(sid, namespace, **kwargs)
            return
        self._sender().disconnect(namespace or "/", sid)
        await self._flush()

    async def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Whether it can disconnect a client: of this server at once, of others it tries."""
        return self.is_connected(sid, namespace)

    async def close(self) -> None:
        """Ends the connection of a manager without a server, when what was sent has left."""
        emitter, self._emitter = self._emitter, None
        if emitter is not None:
            emitter.close()

    async def _flush(self) -> None:
        assert self._emitter is not None
        arrived: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._emitter.flush(lambda why: None if arrived.done() else arrived.set_result(why))
        self._not_published(await arrived)
