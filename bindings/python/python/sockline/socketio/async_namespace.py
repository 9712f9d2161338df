"""Namespaces as classes, for asyncio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from ._base_namespace import BaseClientNamespace, BaseServerNamespace
from ._handlers import is_coroutine

__all__ = ["AsyncClientNamespace", "AsyncNamespace"]


class AsyncNamespace(BaseServerNamespace):
    """A namespace of an AsyncServer's: its methods ``on_…`` handle the events, which may be coroutine functions."""

    def is_asyncio_based(self) -> bool:
        """Whether it is for asyncio."""
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event; overridden, decides itself what is called."""
        result = self._call_method(event, args)
        return await result if is_coroutine(result) else result

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
        *,
        volatile: bool = False,
        compress: bool = True,
    ) -> None:
        """As the server's, for this namespace."""
        await self.server.emit(
            event, data, to, room, skip_sid, namespace or self.namespace, callback, ignore_queue,
            volatile=volatile, compress=compress,
        )

    async def send(
        self,
        data: Any,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> None:
        """As the server's, for this namespace."""
        await self.server.send(data, to, room, skip_sid, namespace or self.namespace, callback, ignore_queue)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = None,
        ignore_queue: bool = False,
    ) -> Any:
        """As the server's, for this namespace."""
        return await self.server.call(event, data, to, sid, namespace or self.namespace, timeout, ignore_queue)

    async def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        await self.server.enter_room(sid, room, namespace or self.namespace)

    async def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        await self.server.leave_room(sid, room, namespace or self.namespace)

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        await self.server.close_room(room, namespace or self.namespace)

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """As the server's, for this namespace."""
        return await self.server.get_session(sid, namespace or self.namespace)  # type: ignore[no-any-return]

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        await self.server.save_session(sid, session, namespace or self.namespace)

    async def disconnect(self, sid: str, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        await self.server.disconnect(sid, namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> AbstractAsyncContextManager[dict[str, Any]]:
        """As the server's, for this namespace."""
        return self.server.session(sid, namespace or self.namespace)  # type: ignore[no-any-return]


class AsyncClientNamespace(BaseClientNamespace):
    """A namespace of an AsyncClient's: its methods ``on_…`` handle the events, which may be coroutine functions."""

    def is_asyncio_based(self) -> bool:
        """Whether it is for asyncio."""
        return True

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event; overridden, decides itself what is called."""
        result = self._call_method(event, args)
        return await result if is_coroutine(result) else result

    async def emit(
        self,
        event: str,
        data: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        *,
        volatile: bool = False,
    ) -> None:
        """As the client's, for this namespace."""
        await self.client.emit(event, data, namespace or self.namespace, callback, volatile=volatile)

    async def send(
        self,
        data: Any,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> None:
        """As the client's, for this namespace."""
        await self.client.send(data, namespace or self.namespace, callback)

    async def call(
        self,
        event: str,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """As the client's, for this namespace."""
        return await self.client.call(event, data, namespace or self.namespace, timeout)

    async def disconnect(self) -> None:
        """As the client's."""
        await self.client.disconnect()
