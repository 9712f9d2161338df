"""A cluster over Redis, for programs with threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _native
from .._drivers import thread_driver
from ..typing import DataLike
from ._redis_manager import BaseRedisManager

__all__ = ["RedisManager"]


class RedisManager(BaseRedisManager):
    """Makes a :class:`Server` one of a cluster over Redis: ``Server(client_manager=RedisManager(url))``. With
    ``write_only``, and wherever there is no server, it sends to the clients of a cluster from a program of its own.

    The servers of a cluster are ours, or official ones of Node.js with ``@socket.io/redis-adapter``. Their ``key`` must be the same; it is ``"socket.io"``, as theirs, or a ``channel`` other than the default.
    So must be ``mode``: ``"classic"`` is their ``createAdapter``, ``"sharded"`` their ``createShardedAdapter``, ``"streams"`` that of
    ``@socket.io/redis-streams-adapter``. The options of these are those of the official packages, with seconds for milliseconds.

    With ``format="python-socketio"`` they are ours, or those and the managers of python-socketio (5.14 and newer; what older ones
    pickle is not read, which is logged) and of Flask-SocketIO (``channel="flask-socketio"``). Then ``channel`` is the channel's name, and there is no ``mode`` and no
    ``key``. That format tells less: of other servers' clients the first to answer is the only one that is heard, and
    without binary values; ``fetch_sockets`` finds this server's clients, and ``missing`` counts the other servers; ``server_side_emit`` and ``server_side_call`` raise
    ``NotImplementedError``.

    ``url`` begins with ``redis:``, ``rediss:`` (TLS), ``unix:``, ``redis+cluster:`` or ``redis+sentinel:``. ``redis_options`` are redis-py's: ``username``,
    ``password``, ``db``, ``ssl_ca_certs``, ``ssl_certfile``, ``ssl_keyfile``, ``ssl_cert_reqs``, ``socket_timeout`` and ``health_check_interval``;
    others raise ``NotImplementedError``. User and password of a ``redis+sentinel:`` are the master's; sentinels are asked with ``sentinel_user``,
    ``sentinel_password`` and ``sentinel_tls``, as arguments, in the URL's query, or with redis-py's names in ``redis_options["sentinel_kwargs"]``
    (``username``, ``password``, ``ssl``).

    What happens to Redis is logged by ``logger``, or the server's, and told to ``on_error`` and ``on_disconnected`` (with a text
    that says what) and ``on_connected``, on the thread of the engine. Meanwhile the server's own clients are served, and what is
    for others is lost, except in mode ``"streams"``. A callback of ``emit`` hears those of clients of other servers that answer
    within ``callback_timeout`` seconds, when all have answered.
    """

    def _driver(self) -> _native.Driver:
        return thread_driver()

    def emit(
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
        is lost, which is logged.
        """
        if self.server is not None:
            self.server.emit(event, data, to, room, skip_sid, namespace, callback, **kwargs)
            return
        self._emit(event, data, to or room, skip_sid, namespace, callback)
        self._flush()

    def server_side_emit(self, event: str, data: Any = None, namespace: str | None = None) -> None:
        """Has the applications of the servers hear an event."""
        if self.server is not None:
            self.server.server_side_emit(event, data, namespace)
            return
        self._say(event, data, namespace)
        self._flush()

    def publish(self, topic: str, message: DataLike, text: bool | None = None) -> None:
        """Sends a message to the subscribers of a topic at the cluster's plain WebSocket servers (``adapter`` of
        :func:`sockline.serve`), in whatever mode they are. ``str`` is sent as text unless ``text`` says otherwise. Without a server it waits as ``emit`` does.
        """
        self._publish(topic, message, text)
        if self.server is None:
            self._flush()

    def enter_room(self, sid: str, namespace: str | None, room: Any, eio_sid: str | None = None) -> None:
        """Has a client enter a room."""
        if self.server is not None:
            self.server.enter_room(sid, room, namespace)
            return
        self._sender().join(namespace or "/", sid, str(room))
        self._flush()

    def leave_room(self, sid: str, namespace: str | None, room: Any) -> None:
        """Has a client leave a room."""
        if self.server is not None:
            self.server.leave_room(sid, room, namespace)
            return
        self._sender().leave(namespace or "/", sid, str(room))
        self._flush()

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Has all clients leave a room."""
        if self.server is not None:
            self.server.close_room(room, namespace)
            return
        self._sender().leave(namespace or "/", str(room), str(room))
        self._flush()

    def disconnect(self, sid: str, namespace: str | None = None, **kwargs: Any) -> None:
        """Disconnects a client."""
        if self.server is not None:
            self.server.disconnect(sid, namespace, **kwargs)
            return
        self._sender().disconnect(namespace or "/", sid)
        self._flush()

    def can_disconnect(self, sid: str, namespace: str) -> bool:
        """Whether it can disconnect a client: of this server at once, of others it tries."""
        return self.is_connected(sid, namespace)

    def close(self) -> None:
        """Ends the connection of a manager without a server, when what was sent has left."""
        emitter, self._emitter = self._emitter, None
        if emitter is not None:
            emitter.close()

    def _flush(self) -> None:
        if self._emitter is not None:
            self._not_published(self._emitter.flush_and_wait())
