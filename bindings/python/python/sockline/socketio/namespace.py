"""Namespaces as classes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from ._base_namespace import BaseClientNamespace, BaseServerNamespace

__all__ = ["ClientNamespace", "Namespace"]


class Namespace(BaseServerNamespace):
    """A namespace of a Server's: its methods ``on_…`` handle the events."""

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event; overridden, decides itself what is called."""
        return self._call_method(event, args)

    def emit(
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
        self.server.emit(
            event, data, to, room, skip_sid, namespace or self.namespace, callback, ignore_queue,
            volatile=volatile, compress=compress,
        )

    def send(
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
        self.server.send(data, to, room, skip_sid, namespace or self.namespace, callback, ignore_queue)

    def call(
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
        return self.server.call(event, data, to, sid, namespace or self.namespace, timeout, ignore_queue)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        self.server.enter_room(sid, room, namespace or self.namespace)

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        self.server.leave_room(sid, room, namespace or self.namespace)

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        self.server.close_room(room, namespace or self.namespace)

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """As the server's, for this namespace."""
        return self.server.get_session(sid, namespace or self.namespace)  # type: ignore[no-any-return]

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        self.server.save_session(sid, session, namespace or self.namespace)

    def disconnect(self, sid: str, namespace: str | None = None) -> None:
        """As the server's, for this namespace."""
        self.server.disconnect(sid, namespace or self.namespace)

    def session(self, sid: str, namespace: str | None = None) -> AbstractContextManager[dict[str, Any]]:
        """As the server's, for this namespace."""
        return self.server.session(sid, namespace or self.namespace)  # type: ignore[no-any-return]


class ClientNamespace(BaseClientNamespace):
    """A namespace of a Client's: its methods ``on_…`` handle the events."""

    def trigger_event(self, event: str, *args: Any) -> Any:
        """Calls the method for an event; overridden, decides itself what is called."""
        return self._call_method(event, args)

    def emit(
        self,
        event: str,
        data: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        *,
        volatile: bool = False,
    ) -> None:
        """As the client's, for this namespace."""
        self.client.emit(event, data, namespace or self.namespace, callback, volatile=volatile)

    def send(
        self,
        data: Any,
        room: None = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> None:
        """As the client's, for this namespace."""
        self.client.send(data, namespace or self.namespace, callback)

    def call(
        self,
        event: str,
        data: Any = None,
        namespace: str | None = None,
        timeout: float | None = None,
    ) -> Any:
        """As the client's, for this namespace."""
        return self.client.call(event, data, namespace or self.namespace, timeout)

    def disconnect(self) -> None:
        """As the client's."""
        self.client.disconnect()
