"""The client for asyncio."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from .. import _native
from .._drivers import running_driver
from ._base_client import BaseClient, error_arguments
from ._handlers import is_coroutine
from ._running import Runners, report
from ._waiting import AsyncAnswer
from .exceptions import ConnectionError

__all__ = ["AsyncClient"]


class AsyncClient(BaseClient):
    """A Socket.IO client for asyncio.

    The arguments, and what handlers get, are those of ``socketio.AsyncClient``. Handlers are functions or coroutine
    functions; the former are called straight from the engine. All is to be called on the loop's thread.

    Of ``http_session`` count the headers, the cookies, and whom TLS trusts. In place of ``websocket_extra_options``: ``tls`` (a :class:`sockline.ClientTLS`), ``proxy``, ``proxy_tls``,
    ``cookies``, ``tcp``, ``max_size``, ``websocket_compression``, ``high_water_mark`` and ``hard_limit`` as in :class:`sockline.WebSocket`;
    and ``max_attachments`` of an event that comes.
    """

    def _set_up(self) -> None:
        self._runners = Runners()
        self._run = self._runners.run
        self._reconnect_task: asyncio.Task[None] | None = None
        self._opening: asyncio.Future[None] | None = None
        self._settled = asyncio.Event()
        self._is_gone = asyncio.Event()
        self._is_gone.set()
        self._has_room = asyncio.Event()
        self._has_room.set()

    def is_asyncio_based(self) -> bool:
        """Whether it belongs to an asyncio loop."""
        return True

    async def connect(
        self,
        url: str | Callable[[], Any],
        headers: Mapping[str, str] | Callable[[], Any] = {},
        auth: Any = None,
        transports: str | Sequence[str] | None = None,
        namespaces: str | Sequence[str] | None = None,
        socketio_path: str = "socket.io",
        wait: bool = True,
        wait_timeout: float = 1,
        retry: bool = False,
    ) -> None:
        """Connects, and comes back when the connection is lost.

        ``url``, ``headers`` and ``auth`` may be functions or coroutine functions, which are asked for each attempt.
        ``namespaces`` of ``None`` are those that there are handlers for. With ``wait`` it waits until they are connected,
        each step ``wait_timeout`` seconds at most. With ``retry`` a first attempt that fails is followed by others.

        Raises :exc:`ConnectionError`.
        """
        self._remember(url, headers, auth, transports, namespaces, socketio_path, wait_timeout)
        await self._connect(wait, retry)

    async def _connect(self, wait: bool, retry: bool) -> None:
        try:
            await self._open()
        except ConnectionError as error:
            for namespace in self.connection_namespaces:
                await self._trigger_and_wait("connect_error", namespace, error.args[0])
            if retry:
                await self._reconnect()
                if self._is_open:
                    return
            raise
        if wait:
            await self._wait_for_namespaces()
        self.connected = self._is_open

    async def _open(self) -> None:
        """Makes the connection. Raises :exc:`ConnectionError`."""
        url = await _value(self.connection_url)
        headers = await _value(self.connection_headers)
        self._settled.clear()
        try:
            native = self._prepare(running_driver(), url, headers or {})
        except ValueError as error:
            raise ConnectionError(str(error)) from error
        opening = self._opening = asyncio.get_running_loop().create_future()
        native.open(self.connection_namespaces)
        try:
            await opening
        except asyncio.CancelledError:
            native.close()
            raise

    async def _wait_for_namespaces(self) -> None:
        try:
            while not self._all_are_settled():
                self._settled.clear()
                async with asyncio.timeout(self._wait_timeout):
                    await self._settled.wait()
        except TimeoutError:
            pass
        error = self._check_namespaces()
        if error is not None:
            await self.disconnect()
            raise error

    async def wait(self) -> None:
        """Waits until the connection has ended and is not coming back."""
        while True:
            await self._is_gone.wait()
            task = self._reconnect_task
            if task is not None:
                await asyncio.wait([task])
            if not self._is_open:
                return

    async def emit(
        self,
        event: str,
        data: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
    ) -> None:
        """Sends an event at once, then waits until there is room for more. A tuple is several arguments.

        ``callback`` gets what the server answers. Raises :exc:`BadNamespaceError` where it isn't connected.
        """
        if not self._emit(event, data, namespace or "/", callback):
            self._has_room.clear()
            await self._has_room.wait()

    async def send(
        self, data: Any, namespace: str | None = None, callback: Callable[..., Any] | None = None
    ) -> None:
        """Sends an event named ``message``."""
        await self.emit("message", data, namespace, callback)

    async def call(
        self, event: str, data: Any = None, namespace: str | None = None, timeout: float | None = 60
    ) -> Any:
        """Sends an event and waits for the answer.

        Raises :exc:`TimeoutError` if none comes in time, at once if the connection is lost (:exc:`ConnectionLostError`).
        """
        answer = AsyncAnswer()
        self._emit(event, data, namespace or "/", answer)
        return await answer.get(timeout)

    async def disconnect(self) -> None:
        """Disconnects, and waits until the handlers of ``disconnect`` have ended."""
        if self._is_open and self._native is not None:
            self._is_leaving = True
            self._native.close()
            await self._is_gone.wait()

    async def shutdown(self) -> None:
        """Disconnects, or gives up coming back."""
        task = self._reconnect_task
        if self.connected:
            await self.disconnect()
        elif task is not None:
            task.cancel()
            await asyncio.wait([task])

    def start_background_task(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """Starts a task."""
        return asyncio.ensure_future(target(*args, **kwargs))

    async def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)

    # Coming back

    async def _reconnect(self) -> None:
        try:
            for delay in self._delays():
                self.logger.info("Connection failed, new attempt in %.2f seconds", delay)
                await asyncio.sleep(delay)
                try:
                    await self._connect(wait=True, retry=False)
                except ConnectionError:
                    continue
                self.logger.info("Reconnection successful")
                return
            self.logger.info("Maximum reconnection attempts reached, giving up")
        except asyncio.CancelledError:
            self.logger.info("Reconnect task aborted")
            if self._native is not None:
                self._native.close()
        for namespace in self.connection_namespaces:
            await self._trigger_and_wait("__disconnect_final", namespace)

    def _reconnect_ended(self, task: asyncio.Task[None]) -> None:
        self._reconnect_task = None

    # Handlers

    async def _trigger_and_wait(self, event: str, namespace: str, *arguments: Any) -> Any:
        """Calls a handler; what it raises is reported."""
        try:
            result = self._trigger(event, namespace, arguments)
            return await result if is_coroutine(result) else result
        except Exception as error:
            report(error, None)
            return None

    # What the engine asks and tells

    def _opened(self, native: _native.IoClient) -> None:
        if not self._is_current(native):
            return
        self._is_open = True
        self._is_gone.clear()
        self.sid = native.engine_id()
        if self._opening is not None and not self._opening.done():
            self._opening.set_result(None)

    def _failed(self, native: _native.IoClient, message: str) -> None:
        if self._is_current(native) and self._opening is not None and not self._opening.done():
            self._opening.set_exception(ConnectionError(message))

    def _lost(self, native: _native.IoClient, reason: str) -> None:
        if not self._is_current(native) or not self._is_open:
            return
        comes_back = self._note_loss(reason)
        self._has_room.set()
        self._settled.set()
        # Not before all that the engine has to say of this end has been said.
        asyncio.get_running_loop().call_soon(lambda: self._run(self._say_goodbye(comes_back)))

    async def _say_goodbye(self, comes_back: bool) -> None:
        farewells, self._farewells = self._farewells, {}
        for namespace, reason in farewells.items():
            await self._trigger_and_wait("disconnect", namespace, reason)
            if not comes_back:
                await self._trigger_and_wait("__disconnect_final", namespace)
        if comes_back and self._reconnect_task is None and not self._is_open:
            self._reconnect_task = asyncio.get_running_loop().create_task(self._reconnect())
            self._reconnect_task.add_done_callback(self._reconnect_ended)
        self._is_gone.set()

    def _asked_for_auth(self, question: _native.IoAuth) -> None:
        self._run(self._answer_auth(question))

    async def _answer_auth(self, question: _native.IoAuth) -> None:
        auth = await _value(self.connection_auth)
        question.answer(self._codec.encode([auth])[0] if auth else b"")

    def _connected(self, namespace: str, sid: str) -> None:
        self.namespaces[namespace] = sid
        self._run(self._welcome(namespace))

    async def _welcome(self, namespace: str) -> None:
        await self._trigger_and_wait("connect", namespace)
        self._settled.set()

    def _refused(self, namespace: str, message: str, data: Any) -> None:
        self.namespaces.pop(namespace, None)
        self._run(self._say_refused(namespace, error_arguments(message, data)))

    async def _say_refused(self, namespace: str, refusal: tuple[Any, ...]) -> None:
        await self._trigger_and_wait("connect_error", namespace, *refusal)
        self.failed_namespaces.append(namespace)
        self._settled.set()

    def _event(self, namespace: str, data: list[Any], ack: _native.IoAck | None) -> None:
        result = self._handle(namespace, data)
        if is_coroutine(result):
            self._run(result, None if ack is None else functools.partial(self._answer, ack))
        elif ack is not None:
            self._answer(ack, result)

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        result = callback(*answer)
        if is_coroutine(result):
            self._run(result)

    def _disconnected(self, namespace: str) -> None:
        if self._note_expulsion(namespace):
            self._run(self._put_out(namespace))

    async def _put_out(self, namespace: str) -> None:
        await self._trigger_and_wait("disconnect", namespace, self.reason.SERVER_DISCONNECT)
        await self._trigger_and_wait("__disconnect_final", namespace)
        if self._is_leaving and self._native is not None:
            self._native.close()

    def _drained(self) -> None:
        self._has_room.set()


async def _value(given: Any) -> Any:
    """What was given, or what the function that was given says now."""
    if not callable(given):
        return given
    value = given()
    return await value if is_coroutine(value) else value
