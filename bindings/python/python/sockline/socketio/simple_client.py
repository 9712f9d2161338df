"""The client whose events are received, for programs with threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from .client import Client
from .exceptions import DisconnectedError, SocketIOError, TimeoutError

__all__ = ["SimpleClient"]


class SimpleClient:
    """A Socket.IO client without handlers: events wait until :meth:`receive`. The arguments are those of :class:`Client`."""

    client_class = Client

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.client_args = args
        self.client_kwargs = kwargs
        self.client: Client | None = None
        self.namespace = "/"
        self.connected_event = threading.Event()
        self.connected = False
        self.input_event = threading.Event()
        self.input_buffer: list[list[Any]] = []

    def connect(
        self,
        url: str | Callable[[], str],
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = {},
        auth: Any = None,
        transports: str | Sequence[str] | None = None,
        namespace: str = "/",
        socketio_path: str = "socket.io",
        wait_timeout: float = 5,
    ) -> None:
        """Connects, as :meth:`Client.connect` does. Raises :exc:`ConnectionError`."""
        if self.connected:
            raise RuntimeError("Already connected")
        self.namespace = namespace
        self.input_buffer = []
        self.input_event.clear()
        self.client = self.client_class(*self.client_args, **self.client_kwargs)
        self.client._calls_inline = True  # what is called here never waits, and keeps events in order
        self.client.on("connect", self._connected, namespace)
        self.client.on("disconnect", self._disconnected, namespace)
        self.client.on("__disconnect_final", self._disconnected_for_good, namespace)
        self.client.on("*", self._received, namespace)
        self.client.connect(
            url,
            headers=headers,
            auth=auth,
            transports=transports,
            namespaces=[namespace],
            socketio_path=socketio_path,
            wait_timeout=wait_timeout,
        )

    @property
    def sid(self) -> str | None:
        """The id that the server has given this client; another one after each reconnection."""
        return self.client.get_sid(self.namespace) if self.client else None

    @property
    def transport(self) -> str:
        """``"polling"`` or ``"websocket"``."""
        return self.client.transport() or "" if self.client else ""

    def emit(self, event: str, data: Any = None) -> None:
        """Sends an event; while the connection is being made again, waits for that.

        Raises :exc:`DisconnectedError` when it is lost for good.
        """
        while True:
            try:
                return self._client().emit(event, data, namespace=self.namespace)
            except DisconnectedError:
                raise
            except SocketIOError:
                pass

    def call(self, event: str, data: Any = None, timeout: float | None = 60) -> Any:
        """Sends an event and waits for the answer.

        Raises :exc:`TimeoutError` if none comes in time, :exc:`DisconnectedError` when the connection is lost for good.
        """
        while True:
            try:
                return self._client().call(event, data, namespace=self.namespace, timeout=timeout)
            except (DisconnectedError, TimeoutError):
                raise
            except SocketIOError:
                pass

    def receive(self, timeout: float | None = None) -> list[Any]:
        """The next event: its name, then its arguments.

        Raises :exc:`TimeoutError` if none comes in time, :exc:`DisconnectedError` when the connection is lost for good.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not self.input_buffer:
            if not self.connected_event.wait(_left(until)):
                raise TimeoutError()
            if not self.connected:
                raise DisconnectedError()
            if not self.input_event.wait(_left(until)):
                raise TimeoutError()
            self.input_event.clear()
        return self.input_buffer.pop(0)

    def disconnect(self) -> None:
        """Disconnects."""
        if self.connected and self.client is not None:
            self.client.disconnect()
            self.client = None
            self.connected = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.disconnect()

    def _client(self) -> Client:
        """The client, once it is connected."""
        self.connected_event.wait()
        if not self.connected or self.client is None:
            raise DisconnectedError()
        return self.client

    def _connected(self) -> None:
        self.connected = True
        self.connected_event.set()

    def _disconnected(self) -> None:
        self.connected_event.clear()

    def _disconnected_for_good(self) -> None:
        self.connected = False
        self.connected_event.set()
        self.input_event.set()

    def _received(self, event: str, *arguments: Any) -> None:
        self.input_buffer.append([event, *arguments])
        self.input_event.set()


def _left(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic())
