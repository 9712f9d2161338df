"""What there is of Engine.IO below: ``eio`` of servers and clients, and single packets."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from ._codec import Codec

if TYPE_CHECKING:
    from ._server_core import ServerCore
    from .async_client import AsyncClient
    from .client import Client

__all__ = [
    "AsyncClientEngine",
    "AsyncServerEngine",
    "ClientEngine",
    "EnginePacket",
    "ServerEngine",
    "engine_message",
]


class EnginePacket(NamedTuple):
    """A packet of Engine.IO."""

    outgoing: bool
    """Whether it is on its way out; else it has come."""
    kind: str
    """``"message"``, ``"ping"`` or ``"pong"``; of those that come also ``"close"``, ``"upgrade"`` and ``"noop"``."""
    data: str | bytes
    """What is in it; an empty text if it has nothing."""
    compress: bool
    """Whether it may be compressed on its way out; of one that has come it is true."""


def engine_message(data: Any, codec: Codec) -> Any:
    """A message as python-engineio makes it: dictionaries and lists are JSON. Raises ``TypeError`` for what else is no message."""
    if not isinstance(data, dict | list):
        return data
    array, attachments = codec.encode_json([data])
    if attachments:
        raise TypeError("a message of JSON can't have binary values in it")
    return array.strip()[1:-1].decode()


class _ServerEngine:
    """Ids and sessions of Engine.IO. A session has the id that ``sio.manager.eio_sid_from_sid(sid, namespace)`` tells."""

    def __init__(self, server: ServerCore, generate_id: Callable[[], Any] | None) -> None:
        self._server = server
        if generate_id is not None:
            self.generate_id = generate_id

    @property
    def generate_id(self) -> Callable[[], Any]:
        """What makes the ids of sessions, to be replaced by a function of the application's before the server begins: see the option
        ``generate_id`` of the servers.

        Raises ``ValueError`` with ``forward_requests``, ``TypeError`` for what can't be called, ``RuntimeError`` if it comes too late.
        """
        return self._server._generate_id or _generate_id

    @generate_id.setter
    def generate_id(self, function: Callable[[], Any]) -> None:
        self._server._choose_ids_by(function)

    def _send(self, sid: str, data: Any) -> None:
        native = self._server._native
        sent = None if native is None else native.send_to_session(sid, engine_message(data, self._server._codec))
        if sent is None:
            self._server.logger.warning("Cannot send to session %s: there is none", sid)

    def _disconnect(self, sid: str) -> None:
        if self._server._native is not None:
            self._server._native.close_session(sid)


class ServerEngine(_ServerEngine):
    """``eio`` of a :class:`Server`: what there is of python-engineio's server. Any thread."""

    def send(self, sid: str, data: Any) -> None:
        """Sends a message of Engine.IO to a session, as it is: between the packets of Socket.IO, which a client of that takes it for.
        ``str`` is text, what is like ``bytes`` binary; dictionaries and lists are sent as JSON. A session that is not there is logged.
        """
        self._send(sid, data)

    def disconnect(self, sid: str) -> None:
        """Closes a session, whatever its client has joined. What was sent before goes out first."""
        self._disconnect(sid)


class AsyncServerEngine(_ServerEngine):
    """``eio`` of an :class:`AsyncServer`: what there is of python-engineio's server."""

    async def send(self, sid: str, data: Any) -> None:
        """Sends a message of Engine.IO to a session, as it is: between the packets of Socket.IO, which a client of that takes it for.
        ``str`` is text, what is like ``bytes`` binary; dictionaries and lists are sent as JSON. A session that is not there is logged.
        """
        self._send(sid, data)

    async def disconnect(self, sid: str) -> None:
        """Closes a session, whatever its client has joined. What was sent before goes out first."""
        self._disconnect(sid)


class ClientEngine:
    """``eio`` of a :class:`Client`: what there is of python-engineio's client. Any thread."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def send(self, data: Any) -> None:
        """Sends a message of Engine.IO, as it is: between the packets of Socket.IO, which a server of that takes it for. ``str`` is
        text, what is like ``bytes`` binary; dictionaries and lists are sent as JSON. Then waits until there is room for more.

        Raises :exc:`DisconnectedError` without a connection.
        """
        self._client._send_and_wait(lambda: self._client._send_message(data))


class AsyncClientEngine:
    """``eio`` of an :class:`AsyncClient`: what there is of python-engineio's client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def send(self, data: Any) -> None:
        """Sends a message of Engine.IO, as it is: between the packets of Socket.IO, which a server of that takes it for. ``str`` is
        text, what is like ``bytes`` binary; dictionaries and lists are sent as JSON. Then waits until there is room for more.

        Raises :exc:`DisconnectedError` without a connection.
        """
        if not self._client._send_message(data):
            await self._client._wait_for_room()


def _generate_id() -> str:
    """As the engine makes them: 20 characters that nobody can guess."""
    return secrets.token_urlsafe(15)
