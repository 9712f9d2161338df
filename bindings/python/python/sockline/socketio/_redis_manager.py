"""What both managers of a cluster over Redis have in common."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from .. import _native
from ..typing import DataLike, PathLike
from ._codec import Codec, JSONModule, arguments
from ._logs import chosen_logger
from ._manager import Manager
from ._names import names
from ._redis_options import cluster

if TYPE_CHECKING:
    from .._options import Adapter
    from ._base_server import BaseServer

__all__ = ["BaseRedisManager"]

default_logger = logging.getLogger("sockline.socketio.redis")

CHANNEL = "socketio"
KEY = "socket.io"
PYTHON_SOCKETIO: Literal["python-socketio"] = "python-socketio"
"""Of the formats the one that is a mode of its own to the engine."""

Mode = Literal["classic", "sharded", "streams"]
Format = Literal["official", "python-socketio"]
SubscriptionMode = Literal["dynamic", "static", "dynamic-private"]


class BaseRedisManager(Manager):
    """The arguments, and how Redis does."""

    name = "redis"

    def __init__(
        self,
        url: str = "redis://localhost:6379/0",
        channel: str = CHANNEL,
        write_only: bool = False,
        logger: Any = None,
        json: JSONModule | None = None,
        redis_options: Mapping[str, Any] | None = None,
        *,
        format: Format = "official",
        mode: Mode = "classic",
        key: str | None = None,
        requests_timeout: float = 5,
        callback_timeout: float = 60,
        publish_on_specific_response_channel: bool = False,
        subscription_mode: SubscriptionMode = "dynamic",
        stream_name: str = "socket.io",
        stream_count: int = 1,
        max_len: int = 10_000,
        read_count: int = 100,
        session_key_prefix: str = "sio:session:",
        ca_file: PathLike | None = None,
        certificate_file: PathLike | None = None,
        key_file: PathLike | None = None,
        insecure: bool = False,
        command_timeout: float = 5,
        ping_interval: float = 2,
        max_queued: int = 64 * 2**20,
        sentinel_user: str | None = None,
        sentinel_password: str | None = None,
        sentinel_tls: bool = False,
        on_error: Callable[[str], object] | None = None,
        on_connected: Callable[[], object] | None = None,
        on_disconnected: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__(None)
        if format not in ("official", PYTHON_SOCKETIO):
            raise ValueError(f"format must be 'official' or {PYTHON_SOCKETIO!r}, not {format!r}")
        if format == PYTHON_SOCKETIO and (mode != "classic" or key is not None):
            raise ValueError(f"format {PYTHON_SOCKETIO!r} has no mode and no key, only a channel")
        self.redis_url = url
        self.redis_options = dict(redis_options or {})
        self.channel = channel
        self.write_only = write_only
        self.logger = None if logger is None else chosen_logger(logger, default_logger)
        self.connected = False
        """Whether Redis can be reached, as far as is known."""
        self.callback_timeout = callback_timeout
        self.on_error = on_error
        self.on_connected = on_connected
        self.on_disconnected = on_disconnected
        self._codec = Codec(json)
        self._cluster = cluster(
            url,
            channel,
            redis_options,
            {
                "mode": PYTHON_SOCKETIO if format == PYTHON_SOCKETIO else mode,
                "key": key or (KEY if channel == CHANNEL else channel),
                "channel": channel,
                "requests_timeout": requests_timeout,
                "publish_on_specific_response_channel": publish_on_specific_response_channel,
                "subscription_mode": subscription_mode,
                "stream_name": stream_name,
                "stream_count": stream_count,
                "max_len": max_len,
                "read_count": read_count,
                "session_key_prefix": session_key_prefix,
                "ca_file": ca_file,
                "certificate_file": certificate_file,
                "key_file": key_file,
                "insecure": insecure,
                "command_timeout": command_timeout,
                "ping_interval": ping_interval,
                "max_queued": max_queued,
                "sentinel_user": sentinel_user,
                "sentinel_password": sentinel_password,
                "sentinel_tls": sentinel_tls,
            },
        )
        self._emitter: _native.IoEmitter | None = None
        self._emitters_process = 0

    def is_asyncio_based(self) -> bool:
        """Whether it belongs to an asyncio loop."""
        return False

    def set_server(self, server: BaseServer) -> None:
        """Called by the server that it is given to."""
        if self.write_only:
            raise NotImplementedError("a write_only manager is for a program without a server")
        if self.is_asyncio_based() != server.is_asyncio_based():
            raise ValueError("AsyncServer takes AsyncRedisManager, Server takes RedisManager")
        self.server = server

    def _lend(self, driver: _native.Driver) -> Adapter:
        """For a listener: the connection of the Socket.IO server that has this manager, or else one of its own."""
        if self.write_only:
            raise NotImplementedError("a write_only manager is for a program without a server")
        return (self._cluster, self) if self.server is None else self.server._start(driver)

    def _driver(self) -> _native.Driver:
        raise NotImplementedError

    def _sender(self) -> _native.IoEmitter:
        """What sends events without a server."""
        if self._cluster.mode not in ("classic", PYTHON_SOCKETIO):
            raise NotImplementedError(f"without a server there is mode 'classic' only, not {self._cluster.mode!r}")
        return self._publisher()

    def _publisher(self) -> _native.IoEmitter:
        """Made when it is needed first, on each event loop anew."""
        driver = self._driver()
        if self._emitter is None or self._emitters_process != os.getpid() or not self._emitter.belongs_to(driver):
            self._emitter = _native.IoEmitter(driver, self, self._cluster)
            self._emitters_process = os.getpid()
        return self._emitter

    def _emit(self, event: str, data: Any, to: Any, skip: Any, namespace: str | None, callback: Any) -> None:
        if callback is not None:
            raise RuntimeError("Callbacks can only be issued from the context of a server.")
        array, attachments = self._codec.encode(arguments(data))
        self._sender().emit(namespace or "/", names(to), names(skip), event, array, attachments)

    def _check_servers_speak(self) -> None:
        if self._cluster.mode == PYTHON_SOCKETIO:
            raise NotImplementedError(f"format {PYTHON_SOCKETIO!r} has no events from server to server")

    def _say(self, event: str, data: Any, namespace: str | None) -> None:
        self._check_servers_speak()
        array, attachments = self._codec.encode(arguments(data))
        self._sender().server_side_emit(namespace or "/", event, array, attachments)

    def _publish(self, topic: str, message: DataLike, text: bool | None) -> None:
        if self.server is None:
            self._publisher().publish(topic, message, text)
        else:
            self.server._start(self._driver()).publish(topic, message, text)

    # What the engine tells

    def _get_logger(self) -> Any:
        if self.logger is not None:
            return self.logger
        return default_logger if self.server is None else self.server.logger

    def _redis_failed(self, why: str) -> None:
        self._get_logger().error("Redis: %s", why)
        if self.on_error is not None:
            self.on_error(why)

    def _redis_connected(self) -> None:
        self.connected = True
        self._get_logger().info("Redis is connected")
        if self.on_connected is not None:
            self.on_connected()

    def _redis_disconnected(self, why: str) -> None:
        self.connected = False
        self._get_logger().error("Redis can't be reached: %s", why)
        if self.on_disconnected is not None:
            self.on_disconnected(why)

    def _not_published(self, why: str | None) -> None:
        if why is not None:
            self._get_logger().error("Cannot publish to redis: %s", why)
