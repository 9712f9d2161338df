"""``server.manager``: what programs read of python-socketio's client manager."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._base_server import BaseServer

__all__ = ["Manager"]


class Manager:
    """Looks up who is connected. The engine keeps the list itself."""

    def __init__(self, server: BaseServer | None) -> None:
        self.server: Any = server

    @property
    def _native(self) -> Any:
        return None if self.server is None else self.server._native

    def get_namespaces(self) -> list[str]:
        """The namespaces that there are."""
        native = self._native
        return [] if native is None else native.namespaces()

    def get_participants(self, namespace: str, room: str | Sequence[str] | None) -> Iterator[tuple[str, str]]:
        """The sids in a room, or in any of several, each with the id of its Engine.IO session."""
        native = self._native
        if native is None:
            return
        for sid in native.participants(namespace, list(room) if isinstance(room, Sequence) and not isinstance(room, str) else room, None):
            session = native.session_id(namespace, sid)
            if session is not None:
                yield sid, session

    def get_rooms(self, sid: str, namespace: str) -> list[str]:
        """The rooms that a client is in."""
        return [] if self.server is None else self.server.rooms(sid, namespace)

    def is_connected(self, sid: str, namespace: str) -> bool:
        """Whether a client is connected to a namespace."""
        native = self._native
        return native is not None and native.is_connected(namespace, sid)

    def eio_sid_from_sid(self, sid: str, namespace: str) -> str | None:
        """The id of a client's Engine.IO session."""
        native = self._native
        return None if native is None else native.session_id(namespace, sid)
