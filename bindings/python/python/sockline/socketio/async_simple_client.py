"""The client whose events are received, for asyncio."""

from __future__ import annotations

import asyncio
import builtins
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from .async_client import AsyncClient
from .exceptions import DisconnectedError, SocketIOError, TimeoutError

__all__ = ["AsyncSimpleClient"]


class AsyncSimpleClient:
    """A Socket.IO client without handlers: events wait until :meth:`receive`. The arguments are those of
    :class:`AsyncClient`.
    """

    client_class = AsyncClient

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.client_args = args
        self.client_kwargs = kwargs
        self.client: AsyncClient | None = None
        self.namespace = "/"
        self.connected_event = asyncio.Event()
        self.connected = False
        self.input_event = asyncio.Event()
        self.input_buffer: list[list[Any]] = []

    async def connect(
        self,
        url: str | Callable[[], Any],
        headers: Mapping[str, str] | Callable[[], Any] = {},
        auth: Any = None,
        transports: str | Sequence[str] | None = None,
        namespace: str = "/",
        socketio_path: str = "socket.io",
        wait_timeout: float = 5,
    ) -> None:
        """Connects, as :meth:`AsyncClient.connect` does. Raises :exc:`ConnectionError`."""
        if self.connected:
            raise RuntimeError("Already connected")
        self.namespace = namespace
        self.input_buffer = []
        self.input_event.clear()
        self.client = self.client_class(*self.client_args, **self.client_kwargs)
        self.client.on("connect", self._connected, namespace)
        self.client.on("disconnect", self._disconnected, namespace)
        self.client.on("__disconnect_final", self._disconnected_for_good, namespace)
        self.client.on("*", self._received, namespace)
        await self.client.connect(
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

    async def emit(self, event: str, data: Any = None) -> None:
        """Sends an event; while the connection is being made again, waits for that.

        Raises :exc:`DisconnectedError` when it is lost for good.
        """
        while True:
            try:
                return await (await self._client()).emit(event, data, namespace=self.namespace)
            except DisconnectedError:
                raise
            except SocketIOError:
                pass

    async def call(self, event: str, data: Any = None, timeout: float | None = 60) -> Any:
        """Sends an event and waits for the answer.

        Raises :exc:`TimeoutError` if none comes in time, :exc:`DisconnectedError` when the connection is lost for good.
        """
        while True:
            try:
                return await (await self._client()).call(event, data, namespace=self.namespace, timeout=timeout)
            except (DisconnectedError, TimeoutError):
                raise
            except SocketIOError:
                pass

    async def receive(self, timeout: float | None = None) -> list[Any]:
        """The next event: its name, then its arguments.

        Raises :exc:`TimeoutError` if none comes in time, :exc:`DisconnectedError` when the connection is lost for good.
        """
        try:
            async with asyncio.timeout(timeout):
                while not self.input_buffer:
                    await self.connected_event.wait()
                    if not self.connected:
                        raise DisconnectedError()
                    await self.input_event.wait()
                    self.input_event.clear()
        except builtins.TimeoutError:
            raise TimeoutError() from None
        return self.input_buffer.pop(0)

    async def disconnect(self) -> None:
        """Disconnects."""
        if self.connected and self.client is not None:
            await self.client.disconnect()
            self.client = None
            self.connected = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.disconnect()

    async def _client(self) -> AsyncClient:
        """The client, once it is connected."""
        await self.connected_event.wait()
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
