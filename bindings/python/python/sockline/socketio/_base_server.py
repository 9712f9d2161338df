"""What both servers have in common."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from ._base_namespace import BaseServerNamespace
from ._cluster import ClusterCore
from ._codec import JSONModule, arguments
from ._logs import chosen_logger, log_engine, takes_info
from ._manager import Manager
from ._names import names
from ._options import serving
from ._packets import chosen_codec
from ._redis_manager import BaseRedisManager
from ._server_core import Key, Rooms

__all__ = ["BaseServer", "Key"]

default_logger = logging.getLogger("sockline.socketio.server")


class BaseServer(ClusterCore):
    """Clients and what they are sent."""

    class reason:
        """Why a client was disconnected."""

        SERVER_DISCONNECT = "server disconnect"
        CLIENT_DISCONNECT = "client disconnect"
        PING_TIMEOUT = "ping timeout"
        TRANSPORT_CLOSE = "transport close"
        TRANSPORT_ERROR = "transport error"

    eio: Any
    _engine_type: Any

    _modes: tuple[str, ...] = ("threading",)
    """The values of ``async_mode`` that there are here, too; the first is the one that goes without saying."""

    def __init__(
        self,
        client_manager: BaseRedisManager | None = None,
        logger: bool | logging.Logger = False,
        serializer: str | Callable[..., Any] = "default",
        json: JSONModule | None = None,
        async_handlers: bool = True,
        always_connect: bool = False,
        namespaces: str | Sequence[str] | None = None,
        *,
        engineio_logger: Any = None,
        socketio_path: str = "socket.io",
        async_mode: str | None = None,
        allow_request: Callable[[dict[str, Any]], Any] | None = None,
        generate_id: Callable[[], Any] | None = None,
        **options: Any,
    ) -> None:
        if client_manager is not None and not isinstance(client_manager, BaseRedisManager):
            raise NotImplementedError("client managers can be RedisManager and AsyncRedisManager of sockline.socketio, no others")
        if async_mode not in (None, "sockline", *self._modes):
            known = " and ".join(map(repr, self._modes))
            raise NotImplementedError(f"async_mode can be {known}, not {async_mode!r}: what else there is goes through listen(host, port)")
        if options.get("forward_requests") and client_manager is None:
            raise ValueError("forward_requests needs a client_manager: the servers hear each other by Redis")
        codec, msgpack = chosen_codec(serializer, json)
        if codec.packets is not None and (client_manager is not None or options.get("connection_state_recovery")):
            raise NotImplementedError("a serializer of one's own can't be had with a client manager or connection_state_recovery")
        super().__init__(
            serving(
                socketio_path=socketio_path,
                msgpack=msgpack,
                packets=codec.packets,
                asks=allow_request is not None,
                **options,
            ),
            codec,
            options.get("cors_allowed_origins"),
            namespaces or ["/"],
            always_connect,
            allow_request,
        )
        self.logger = chosen_logger(logger, default_logger)
        self._takes = takes_info(self.logger)
        if codec.packets is not None:
            codec.packets.logger = self.logger
        log_engine(engineio_logger)
        self.async_handlers = async_handlers
        self.async_mode = async_mode or self._modes[0]
        self._set_up_cluster(client_manager)
        self.manager: Manager = client_manager or Manager(self)
        self._set_up()
        self.eio = self._engine_type(self, generate_id)

    def _set_up(self) -> None:
        """For subclasses: what else there is to keep."""

    def is_asyncio_based(self) -> bool:
        """Whether it belongs to an asyncio loop."""
        return False

    def register_namespace(self, namespace_handler: Any) -> None:
        """Has an object's ``on_…`` methods handle a namespace's events.

        Raises ``ValueError`` for an object of the wrong class.
        """
        if not isinstance(namespace_handler, BaseServerNamespace):
            raise ValueError("Not a namespace instance")
        if self.is_asyncio_based() != namespace_handler.is_asyncio_based():
            raise ValueError("Not a valid namespace class for this server")
        namespace_handler._set_server(self)
        self.namespace_handlers[namespace_handler.namespace] = namespace_handler

    def rooms(self, sid: str, namespace: str | None = None) -> list[str]:
        """The rooms that a client is in; one of them has its sid for a name."""
        key = (namespace or "/", sid)
        connecting = self._connecting_clients.get(key)
        if connecting is not None:
            return [sid, *connecting.rooms]
        if key in self._leaving_clients:
            return list(self._leaving_clients[key])
        return self._native.rooms(*key) if self._native is not None else []

    def transport(self, sid: str, namespace: str | None = None) -> str:
        """``"polling"`` or ``"websocket"``. Raises ``KeyError`` for a client that isn't there."""
        key = (namespace or "/", sid)
        connecting = self._connecting_clients.get(key)
        if connecting is not None:
            return connecting.question.transport
        transport = self._native.transport(*key) if self._native is not None else None
        if transport is None:
            raise KeyError("Session not found")
        return transport

    def get_environ(self, sid: str, namespace: str | None = None) -> dict[str, Any] | None:
        """The request that began the client's session, as WSGI's ``environ``; always the same dictionary."""
        key = (namespace or "/", sid)
        kept = self._environs.get(key)
        if kept is None and self._native is not None:
            handshake = self._native.handshake(*key)
            if handshake is not None:
                kept = self._environs[key] = self._foreigners.environ(*handshake)
        return kept

    def recovered(self, sid: str, namespace: str | None = None) -> bool:
        """Whether a client has come back to the state that it had before its connection was lost."""
        key = (namespace or "/", sid)
        connecting = self._connecting_clients.get(key)
        if connecting is not None:
            return connecting.question.recovered
        return self._native is not None and self._native.recovered(*key)

    def buffered_amount(self, sid: str, namespace: str | None = None) -> int:
        """How many bytes wait to be sent to this client; 0 for one that isn't there."""
        return self._native.buffered_amount(namespace or "/", sid) if self._native is not None else 0

    def metrics(self) -> dict[str, int]:
        """What the engine has counted: clients, sessions, sockets, events in and out, and so on."""
        return {} if self._native is None else self._native.metrics()

    def instrument(
        self,
        auth: Any = None,
        mode: str = "development",
        read_only: bool = False,
        server_id: str | None = None,
        namespace: str = "/admin",
        server_stats_interval: int = 2,
    ) -> None:
        """Opens a namespace for the `Socket.IO Admin UI <https://admin.socket.io>`_. In a cluster whose servers all have one it
        shows all of them.

        ``auth`` is a dictionary with ``username`` and ``password``, or with a ``password_hash`` of bcrypt's in its place;
        ``False`` for no authentication. With ``mode`` of ``"production"`` only sums are shown.

        Raises ``ValueError`` for an ``auth`` that can't be used, ``NotImplementedError`` for several names and for functions,
        and for another ``server_stats_interval``.
        """
        if server_stats_interval != 2:
            raise NotImplementedError("server_stats_interval must be 2 seconds")
        if mode not in ("development", "production"):
            raise ValueError("mode must be 'development' or 'production'")
        credentials = admin_credentials(auth)
        self._admin = (namespace, credentials, read_only, server_id or "", mode == "development")
        if self._native is not None:
            self._native.enable_admin(*self._admin)

    # Sending

    def _emit(
        self,
        event: str,
        data: Any,
        to: Any,
        skip: Any,
        namespace: str,
        callback: Callable[..., Any] | None,
        local: bool = False,
        seconds: float | None = None,
        flags: tuple[bool, bool] = (False, True),
    ) -> int | None:
        """Sends an event. With a callback, says to how many clients of this server it went, and adds one for the others.

        ``local``: to those of this server alone. Answers of others' are waited for so many seconds. ``flags``: whether it is
        volatile, and whether it may be compressed.
        """
        if self._takes(logging.INFO):
            self.logger.info('emitting event "%s" to %s [%s]', event, to or "all", namespace)
        array, attachments = self._codec.encode([event, *arguments(data)])
        rooms, skipped = names(to), names(skip)
        if self._connecting_clients:
            self._hold(namespace, rooms, skipped, array, attachments, callback)
        native = self._native
        if native is None:
            return 0
        if callback is None:
            native.emit(namespace, rooms, skipped, array, attachments, local, *flags)
            return None
        if isinstance(rooms, str) and not skipped:
            if self._emit_with_callback(namespace, rooms, array, attachments, callback):
                return 1
        reached = native.participants(namespace, rooms, skipped)
        count = sum(self._emit_with_callback(namespace, sid, array, attachments, callback) for sid in reached)
        if self._redis is not None and not local:
            others = [*([skipped] if isinstance(skipped, str) else skipped or ()), *reached]
            count += self._emit_elsewhere(namespace, rooms, others or None, array, attachments, callback, seconds)
        return count

    def _hold(
        self,
        namespace: str,
        rooms: Rooms,
        skipped: Rooms,
        array: bytes,
        attachments: list[bytes],
        callback: Callable[..., Any] | None,
    ) -> None:
        """Keeps an event for clients that are about to be connected."""
        for (of_namespace, sid), connecting in list(self._connecting_clients.items()):
            if of_namespace == namespace and connecting.is_reached(sid, rooms, skipped):
                connecting.held.append((array, attachments, callback))

    # Rooms, sessions

    def _enter(self, sid: str, room: Any, namespace: str) -> None:
        room = str(room)
        self.logger.info("%s is entering room %s [%s]", sid, room, namespace)
        connecting = self._connecting_clients.get((namespace, sid))
        if connecting is not None:
            connecting.rooms.append(room)
            connecting.question.join(room)
            return
        if self._native is not None and room != sid and self._native.is_connected(namespace, room):
            raise ValueError("cannot enter a sid room")
        if self._native is not None and self._native.join(namespace, sid, room):
            return
        if self._native is None or self._redis is None:
            raise ValueError("sid is not connected to requested namespace")
        self._native.join_anywhere(namespace, sid, room)

    def _leave(self, sid: str, room: Any, namespace: str) -> None:
        room = str(room)
        self.logger.info("%s is leaving room %s [%s]", sid, room, namespace)
        connecting = self._connecting_clients.get((namespace, sid))
        if connecting is not None and room in connecting.rooms:
            connecting.rooms.remove(room)
            connecting.question.leave(room)
        elif self._native is None:
            return
        elif self._redis is None or self._native.is_connected(namespace, sid):
            self._native.leave(namespace, sid, room)
        else:
            self._native.leave_anywhere(namespace, sid, room)

    def _close_room(self, room: Any, namespace: str) -> None:
        room = str(room)
        self.logger.info("room %s is closing [%s]", room, namespace)
        if self._native is not None:
            if self._native.is_connected(namespace, room):
                raise ValueError("cannot close a sid room")
            self._native.close_room(namespace, room)

    def _disconnect_elsewhere(self, namespace: str, sid: str, local: bool) -> None:
        """For a client that is not here."""
        if self._redis is not None and self._native is not None and not local:
            self._native.disconnect_anywhere(namespace, sid)

    def _session_of(self, sid: str, namespace: str) -> dict[str, Any]:
        self._check_is_there(sid, namespace)
        return self._sessions.setdefault((namespace, sid), {})

    def _keep_session(self, sid: str, session: dict[str, Any], namespace: str) -> None:
        self._check_is_there(sid, namespace)
        self._sessions[namespace, sid] = session

    def _check_is_there(self, sid: str, namespace: str) -> None:
        key = (namespace, sid)
        if key in self._connecting_clients or key in self._leaving_clients:
            return
        if self._native is None or not self._native.is_connected(namespace, sid):
            raise KeyError("Session not found")


def admin_credentials(auth: Any) -> tuple[str, str, bool] | None:
    """User name, password, and whether that is its hash; ``None`` for no authentication."""
    if auth is False:
        return None
    if callable(auth) or isinstance(auth, list):
        raise NotImplementedError("auth can't be a function or a list: one name and its password may log in")
    if isinstance(auth, dict) and isinstance(auth.get("username"), str):
        for name in ("password", "password_hash"):
            if isinstance(auth.get(name), str):
                return auth["username"], auth[name], name == "password_hash"
    raise ValueError("auth must be a dictionary with username and password, or False for no authentication")
