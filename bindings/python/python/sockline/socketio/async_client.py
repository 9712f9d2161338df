"""The client for asyncio."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from .. import _native
from .._drivers import running_driver
from ._base_client import BaseClient, error_arguments
from ._comeback import AsyncComeback
from ._connection import AsyncConnection
from ._engine import AsyncClientEngine
from ._handlers import PLAIN, is_coroutine
from ._interrupts import unwatch, watch
from ._running import Runners, report
from ._waiting import AsyncAnswer
from .exceptions import ConnectionError

__all__ = ["AsyncClient"]


class AsyncClient(BaseClient):
    """A Socket.IO client for asyncio.

    The arguments, and what handlers get, are those of ``socketio.AsyncClient``. Handlers are functions or coroutine
    functions; the former are called straight from the engine. All is to be called on the loop's thread. With
    ``handle_sigint``, on the main thread, it is disconnected by Ctrl-C before that goes on its way.

    Of ``http_session`` count the headers, the cookies, a name and a password, the proxy, and whom TLS trusts. In place of
    ``websocket_extra_options``: ``tls`` (a :class:`sockline.ClientTLS`), ``proxy``, ``proxy_tls``, ``cookies``, ``tcp``, ``max_size``, ``websocket_compression``, ``high_water_mark`` and ``hard_limit`` as in :class:`sockline.WebSocket`;
    and ``max_attachments`` of an event that comes.

    What python-socketio does not have, either: ``send_buffer``, so many bytes of events wait while a lost connection is made
    again, in place of :exc:`BadNamespaceError`. ``retries`` with ``ack_timeout``: events leave one after the other, each when the
    server has acknowledged the one before, and are sent again after so many seconds, so many times, also over the next
    connection. ``ack_timeout`` alone: answers are waited for no longer. ``upgrade``, ``remember_upgrade`` and
    ``try_all_transports`` as in the official client. ``dial`` and ``lookup`` as in :class:`sockline.connect`: make each connection that the
    client needs, also for polling and each time that it comes back, or look names up, in the library's place; what they raise is
    the ``__cause__`` of :exc:`ConnectionError`.
    """

    def _set_up(self) -> None:
        self._runners = Runners()
        self._run = self._runners.run
        self._comeback = AsyncComeback(self._reconnect)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: AsyncConnection | None = None
        """The last one, or the attempt at one."""
        self._attempts = asyncio.Lock()
        """Held by who connects: one at a time."""
        self._settled = asyncio.Event()
        self.eio = AsyncClientEngine(self)
        """Messages of Engine.IO."""
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
        if self.handle_sigint:
            self._loop = asyncio.get_running_loop()
            watch(self)
        try:
            await self._connect(wait, retry)
        finally:
            if not self.connected:
                unwatch(self)

    async def _connect(self, wait: bool, retry: bool) -> None:
        async with self._attempts:
            await self._end_what_is_left()
            try:
                connection = await self._open()
            except ConnectionError as error:
                failure = error
            else:
                await self._establish(connection, wait)
                return
        for namespace in self.connection_namespaces:
            await self._trigger_and_wait("connect_error", namespace, failure.args[0])
        if retry:
            await self._retry()
            if self.connected:
                return
        raise failure

    async def _end_what_is_left(self) -> None:
        """Waits for the end of a connection that has no namespaces any more. Raises :exc:`ConnectionError` if it has."""
        if self.connected:
            raise ConnectionError("Already connected")
        await self.disconnect()

    async def _open(self) -> AsyncConnection:
        """Makes the connection. Raises :exc:`ConnectionError`."""
        url = await _value(self.connection_url)
        headers = await _value(self.connection_headers)
        self._settled.clear()
        try:
            native = self._prepare(running_driver(), url, headers or {})
        except ValueError as error:
            raise ConnectionError(str(error)) from error
        connection = self._connection = AsyncConnection()
        native.open(self.connection_namespaces)
        try:
            await connection.wait_until_made()
        except asyncio.CancelledError:
            native.close()
            raise
        return connection

    async def _establish(self, connection: AsyncConnection, wait: bool) -> None:
        """Says that it is connected. Raises :exc:`ConnectionError` if it isn't any more, or where it was to be."""
        if wait:
            await self._wait_for_namespaces()
        error = self._what_is_missing(wait)
        if error is None:
            self.connected = True
            self._is_away = False
            return
        connection.is_unwanted = True
        await self.disconnect()
        raise error

    async def _wait_for_namespaces(self) -> None:
        try:
            while not self._all_are_settled():
                self._settled.clear()
                async with asyncio.timeout(self._wait_timeout):
                    await self._settled.wait()
        except TimeoutError:
            pass

    async def wait(self) -> None:
        """Waits until the connection has ended and is not coming back."""
        while True:
            connection = self._connection
            if connection is not None:
                await connection.gone.wait()
            await self._comeback.wait()
            if connection is self._connection:
                return

    async def emit(
        self,
        event: str,
        data: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        *,
        volatile: bool = False,
    ) -> None:
        """Sends an event at once, then waits until there is room for more. A tuple is several arguments.

        ``callback`` gets what the server answers. With ``volatile`` the event is dropped if it would have to wait. Raises
        :exc:`BadNamespaceError` where it isn't connected.
        """
        if not self._emit(event, data, namespace or "/", callback, volatile):
            await self._wait_for_room()

    async def _wait_for_room(self) -> None:
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
        connection = self._connection
        if self._is_open and self._native is not None and connection is not None:
            self._is_leaving = True
            self._native.close()
            await connection.gone.wait()

    async def shutdown(self) -> None:
        """Disconnects, or gives up coming back."""
        if self.connected:
            await self.disconnect()
            return
        self._give_up()
        await self._comeback.wait()

    def _leave_at_once(self) -> None:
        """On any thread, when a signal has come."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._give_up()
        if self._is_open and self._native is not None:
            self._is_leaving = True
            self._native.close()

    def _give_up(self) -> None:
        """The connection is not to come back, whether it is on its way or about to be."""
        if self._connection is not None:
            self._connection.is_unwanted = True
        self._stay_away()
        self._comeback.abort()
        if self._comeback.is_running and self._native is not None:
            self._native.close()  # the attempt that is being made

    def start_background_task(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """Starts a task."""
        return asyncio.ensure_future(target(*args, **kwargs))

    async def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)

    # Coming back

    async def _retry(self) -> None:
        """Goes on until it is connected, or has given up."""
        self._comeback.ask()
        try:
            await self._comeback.wait()
        except asyncio.CancelledError:
            self._comeback.abort()
            raise

    async def _reconnect(self, is_aborted: asyncio.Event) -> None:
        if self.connected:
            return  # by somebody else meanwhile
        for delay in self._delays():
            self.logger.info("Connection failed, new attempt in %.2f seconds", delay)
            if await _is_set(is_aborted, delay):
                break
            if not await self._connect_again():
                continue
            self.logger.info("Reconnection successful")
            if is_aborted.is_set():
                await self.disconnect()
            return
        else:
            self.logger.info("Maximum reconnection attempts reached, giving up")
        if is_aborted.is_set():
            self.logger.info("Reconnect task aborted")
        self._stay_away()
        unwatch(self)
        for namespace in self.connection_namespaces:
            await self._trigger_and_wait("__disconnect_final", namespace)

    async def _connect_again(self) -> bool:
        """An attempt; says whether it is connected. What functions for URL and headers raise is reported."""
        try:
            await self._connect(wait=True, retry=False)
        except ConnectionError:
            return self.connected
        except Exception as error:
            report(error, None)
            return False
        return True

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
        if not self._is_current(native) or self._connection is None:
            return
        self._is_open = True
        self.sid = native.engine_id()
        self._connection.succeed()

    def _packet_told(self, result: Any) -> None:
        if is_coroutine(result):
            self._run(result)

    def _failed(self, native: _native.IoClient, message: str) -> None:
        if self._is_current(native) and self._connection is not None:
            self._connection.fail(self._failure(message))

    def _lost(self, native: _native.IoClient, reason: str) -> None:
        connection = self._connection
        if not self._is_current(native) or not self._is_open or connection is None:
            return
        comes_back = self._note_loss(reason)
        farewells = self._farewells
        self._has_room.set()
        self._settled.set()
        # Not before all that the engine has to say of this end has been said.
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: self._run(self._say_goodbye(connection, farewells, comes_back)))

    async def _say_goodbye(
        self, connection: AsyncConnection, farewells: dict[str, str], comes_back: bool
    ) -> None:
        for namespace, reason in list(farewells.items()):
            await self._trigger_and_wait("disconnect", namespace, reason)
            if not comes_back:
                await self._trigger_and_wait("__disconnect_final", namespace)
        if comes_back:
            self._comeback.ask()
            if connection.is_unwanted:
                self._comeback.abort()
        elif connection is self._connection:
            unwatch(self)
        connection.gone.set()

    def _asked_for_auth(self, question: _native.IoAuth) -> None:
        self._run(self._answer_auth(question))

    async def _answer_auth(self, question: _native.IoAuth) -> None:
        auth = await _value(self.connection_auth)
        question.answer(self._codec.encode_json([auth])[0] if auth else b"")

    def _connected(self, namespace: str, sid: str) -> None:
        self.logger.info("Namespace %s is connected", namespace)
        self.namespaces[namespace] = sid
        self._run(self._welcome(namespace))

    async def _welcome(self, namespace: str) -> None:
        await self._trigger_and_wait("connect", namespace)
        self._settled.set()

    def _refused(self, namespace: str, message: str, data: Any) -> None:
        self.logger.info("Namespace %s is refused: %s", namespace, message)
        self.namespaces.pop(namespace, None)
        self._run(self._say_refused(namespace, error_arguments(message, data)))

    async def _say_refused(self, namespace: str, refusal: tuple[Any, ...]) -> None:
        await self._trigger_and_wait("connect_error", namespace, *refusal)
        self.failed_namespaces.append(namespace)
        self._settled.set()

    def _event(self, namespace: str, data: list[Any], ack: _native.IoAck | None) -> None:
        # What `_handle` does for most events, without its calls.
        of_namespace = self.handlers.get(namespace)
        handler = None if of_namespace is None else of_namespace.get(data[0])
        if handler is None or data[0] in self.reserved_events or self._takes(logging.INFO):
            result = self._handle(namespace, data)
        else:
            result = handler(*data[1:])
        if type(result) not in PLAIN and is_coroutine(result):
            self._run(result, None if ack is None else functools.partial(self._answer, ack))
        elif ack is not None:
            self._answer(ack, result)

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        result = callback(*answer)
        if is_coroutine(result):
            self._run(result)

    def _disconnected(self, namespace: str) -> None:
        if self._note_expulsion(namespace):
            self._run(self._put_out(self._connection, namespace))

    async def _put_out(self, connection: AsyncConnection | None, namespace: str) -> None:
        await self._trigger_and_wait("disconnect", namespace, self.reason.SERVER_DISCONNECT)
        await self._trigger_and_wait("__disconnect_final", namespace)
        if connection is self._connection and self._is_leaving and self._native is not None:
            self._native.close()

    def _drained(self) -> None:
        self._has_room.set()


async def _value(given: Any) -> Any:
    """What was given, or what the function that was given says now."""
    if not callable(given):
        return given
    value = given()
    return await value if is_coroutine(value) else value


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    """Waits for an event at most so long; says whether it is set."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    return event.is_set()
