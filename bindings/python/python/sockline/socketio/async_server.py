"""The server for asyncio."""

from __future__ import annotations

import asyncio
import builtins
import collections
import contextvars
import functools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from .. import _native
from .._drivers import running_driver
from ..asyncio.server import Server as Listener
from ..asyncio.server import ServerConnection, serve
from ..http11 import Request, Response
from . import _aiohttp, _asgi
from ._base_server import BaseServer, Key
from ._cluster import AsyncClusterMethods
from ._codec import JSONModule
from ._engine import AsyncServerEngine
from ._handlers import PLAIN, is_coroutine
from ._logs import known_levels
from ._redis_manager import BaseRedisManager
from ._running import Runners, report
from ._server_core import Direct, answer_request, begin_session
from ._waiting import AsyncAnswer
from .exceptions import ConnectionRefusedError

__all__ = ["AsyncServer"]

_Waiting = collections.deque[tuple[list[Any], _native.IoAck | None]]


class AsyncServer(AsyncClusterMethods, BaseServer):
    """A Socket.IO server for asyncio, on sockline's own listener: see :meth:`listen`.

    The arguments, and what handlers get, are those of ``socketio.AsyncServer``. Handlers are functions or coroutine
    functions; the former are called straight from the engine. With ``async_handlers`` off, a client's next event waits
    until the coroutine for the one before has ended. All is to be called on the loop's thread.

    Further arguments: ``connection_state_recovery`` (``True`` or a :class:`ConnectionStateRecovery`); ``serve_client`` (the
    folder of npm's ``socket.io-client/dist``, ``True`` for the one in ``node_modules``); ``allow_eio3`` for clients of Socket.IO 2;
    ``allow_request``, a function or coroutine function that gets the ``environ`` of a request which would begin a session, and
    lets it begin by ``True``, a text being told to who isn't let in, or a :class:`sockline.Response` being the whole answer, also to who
    asks for a WebSocket; ``generate_id``, a function or coroutine function without arguments that gives
    each session its id, which no other has and nobody can guess: 1 to 255 visible ASCII characters other than ``"`` and ``\\``, else
    the request is refused with 400; ``forward_requests``: with a ``client_manager``, requests of
    clients that poll may reach any server of the cluster, which forwards them to the one that has the client's session, if all
    servers have this; a client that asks another server for a WebSocket goes on polling; ``upgrade_timeout`` and
    ``connect_timeout`` in seconds; ``max_attachments`` of an event that comes;
    ``websocket_compression``; ``high_water_mark``, ``hard_limit`` and ``slow_consumer`` as in :class:`sockline.WebSocket`, for
    each client.
    """

    eio: AsyncServerEngine
    """Ids, messages and sessions of Engine.IO."""
    _engine_type = AsyncServerEngine
    _modes = ("asgi", "aiohttp")

    def __init__(
        self,
        client_manager: BaseRedisManager | None = None,
        logger: bool | logging.Logger = False,
        json: JSONModule | None = None,
        async_handlers: bool = True,
        namespaces: str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(
            client_manager, logger, json=json, async_handlers=async_handlers, namespaces=namespaces, **options
        )

    def _set_up(self) -> None:
        self._runners = Runners()
        self._run = self._runners.run
        self._busy: dict[Key, _Waiting] = {}
        """Without ``async_handlers``: what waits for a client's running coroutine."""
        self._goodbyes: dict[Key, asyncio.Future[None]] = {}
        self._drains: dict[Key, asyncio.Future[None]] = {}
        self._end: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def is_asyncio_based(self) -> bool:
        """Whether it belongs to an asyncio loop."""
        return True

    def listen(self, host: str | None = None, port: int = 0, **options: Any) -> Listener:
        """Listens: ``await sio.listen(host, port)``, or ``async with sio.listen(host, port) as listener``, which closes it
        at the end; ``await (await sio.listen(host, port)).serve_forever()`` serves until it is cancelled.

        ``options`` are those of :func:`sockline.serve`, ``ssl`` and ``static_folder`` among them. For WebSockets beside it on the same port, call that with
        ``socketio=sio`` in place of this. Raises :exc:`OSError` if it can't listen.
        """
        options.setdefault("process_request", _there_is_nothing_else)
        return serve(_nobody, host, port, socketio=self, **options)

    def attach(self, app: Any, socketio_path: str = "socket.io") -> None:
        """Serves as a part of an ``aiohttp.web.Application``. The frames of WebSockets are aiohttp's then; :meth:`listen` is faster.

        Raises ``NotImplementedError`` for applications of other frameworks.
        """
        if not any(kind.__module__.partition(".")[0] == "aiohttp" for kind in type(app).__mro__):
            raise NotImplementedError(NOT_AIOHTTP)
        _aiohttp.attach(self, app, f"/{socketio_path.strip('/')}/")

    async def emit(
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
        """Sends an event to a client, to a room, to several rooms, or to all. A tuple is several arguments.

        The order is that of the calls, from any number of tasks. ``callback`` gets what the client answers, each of them. ``volatile`` drops the event for
        clients that can't be written to right now; ``compress`` says whether it may be compressed. Neither with ``callback``.
        """
        self._emit(event, data, to or room, skip_sid, namespace or "/", callback, ignore_queue, flags=(volatile, compress))

    async def send(
        self,
        data: Any,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        callback: Callable[..., Any] | None = None,
        ignore_queue: bool = False,
    ) -> None:
        """Sends an event named ``message``."""
        await self.emit("message", data, to, room, skip_sid, namespace, callback, ignore_queue)

    async def call(
        self,
        event: str,
        data: Any = None,
        to: str | None = None,
        sid: str | None = None,
        namespace: str | None = None,
        timeout: float | None = 60,
        ignore_queue: bool = False,
    ) -> Any:
        """Sends an event to a client and waits for its answer.

        Raises :exc:`TimeoutError` if none comes in time, at once if the client is gone (:exc:`ConnectionLostError`).
        """
        if to is None and sid is None:
            raise ValueError("Cannot use call() to broadcast.")
        if not self.async_handlers:
            raise RuntimeError("Cannot use call() when async_handlers is False.")
        answer = AsyncAnswer()
        if not self._emit(event, data, to or sid, None, namespace or "/", answer, ignore_queue, timeout):
            answer.settle(None)
        return await answer.get(timeout)

    async def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Has a client enter a room. Raises ``ValueError`` for a client that isn't there."""
        self._enter(sid, room, namespace or "/")

    async def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Has a client leave a room."""
        self._leave(sid, room, namespace or "/")

    async def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Has all clients leave a room."""
        self._close_room(room, namespace or "/")

    async def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """What the application keeps of a client. Raises ``KeyError`` for a client that isn't there."""
        return self._session_of(sid, namespace or "/")

    async def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Keeps something of a client."""
        self._keep_session(sid, session, namespace or "/")

    def session(self, sid: str, namespace: str | None = None) -> AbstractAsyncContextManager[dict[str, Any]]:
        """``async with sio.session(sid) as session``: what is changed there is kept."""
        return self._session(sid, namespace or "/")

    @asynccontextmanager
    async def _session(self, sid: str, namespace: str) -> AsyncIterator[dict[str, Any]]:
        session = await self.get_session(sid, namespace)
        try:
            yield session
        finally:
            await self.save_session(sid, session, namespace)

    async def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """Disconnects a client, and waits until the handler of ``disconnect`` has ended."""
        key = (namespace or "/", sid)
        connecting = self._connecting_clients.get(key)
        if connecting is not None and not connecting.question.connected:
            connecting.is_refused = True
        elif self._native is not None and self._native.is_connected(*key):
            if key not in self._goodbyes:
                self._goodbyes[key] = asyncio.get_running_loop().create_future()
            goodbye = self._goodbyes[key]
            self._native.disconnect(*key, False)
            await asyncio.shield(goodbye)
        else:
            self._disconnect_elsewhere(*key, ignore_queue)

    async def drained(self, sid: str, namespace: str | None = None) -> None:
        """Waits while more than the high-water mark waits to be sent to a client, or until it has gone."""
        key = (namespace or "/", sid)
        if self._is_over_mark(*key):
            if key not in self._drains:
                self._drains[key] = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drains[key])

    async def shutdown(self) -> None:
        """Disconnects all clients. The listener goes on, until it is closed."""
        if self._native is not None:
            self._end = self._end or asyncio.get_running_loop().create_future()
            self._native.close()
            await asyncio.shield(self._end)

    async def handle_request(self, *args: Any, **kwargs: Any) -> Any:
        """Serves a request that another server has read: one of ASGI's by ``scope, receive, send``, as :class:`ASGIApp` does, or one of
        aiohttp's by itself, which is answered by what this returns.
        """
        if len(args) == 1:
            return await _aiohttp.serve_request(self, *args, **kwargs)
        await _asgi.serve(self, *args, **kwargs)
        return None

    def start_background_task(
        self, target: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any
    ) -> asyncio.Task[Any]:
        """Starts a task."""
        return asyncio.ensure_future(target(*args, **kwargs))

    async def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        await asyncio.sleep(seconds)

    # What the engine asks and tells

    def _start(self, driver: _native.Driver) -> _native.IoServer:
        native = super()._start(driver)
        self._loop = driver.host()
        return native

    def _at_home(self) -> tuple[_native.IoServer, Callable[..., Any]]:
        """The engine's server, and what calls something on its thread: for requests of any asyncio loop."""
        driver, native = running_driver(), self._native
        if native is None or native.is_over() or native.belongs_to(driver):
            return self._start(driver), _call
        assert self._loop is not None
        return native, self._loop.call_soon_threadsafe

    def _event(self, namespace: str, sid: str, data: list[Any], ack: _native.IoAck | None) -> None:
        if not self.async_handlers:
            waiting = self._busy.get((namespace, sid))
            if waiting is not None:
                waiting.append((data, ack))
                return
        result = self._handle(namespace, sid, data)
        if not self.async_handlers and is_coroutine(result):
            self._busy[namespace, sid] = collections.deque()
            self._run(self._finish_in_order(namespace, sid, result, ack))
        else:
            self._returned(result, ack)

    def _direct(self) -> Direct | None:
        levels = known_levels(self.logger) if self._codec.is_usual else None
        return None if levels is None else Direct(list(self.reserved_events), levels)

    def _returned(self, result: Any, ack: _native.IoAck | None) -> None:
        """A handler has returned something."""
        if type(result) not in PLAIN and is_coroutine(result):
            self._run(result, self._answering(ack))
        elif ack is not None:
            self._answer(ack, result)

    def _go_on(
        self,
        runner: Any,
        coroutine: Coroutine[Any, Any, Any],
        waiting: Any,
        context: contextvars.Context,
        ack: _native.IoAck | None,
    ) -> None:
        """A handler's coroutine waits for something after the first step, which the engine has made."""
        runner.take_over(coroutine, waiting, context, self._answering(ack))

    def _answering(self, ack: _native.IoAck | None) -> Callable[[Any], object] | None:
        return None if ack is None else functools.partial(self._answer, ack)

    async def _finish(self, result: Coroutine[Any, Any, Any], ack: _native.IoAck | None) -> None:
        outcome = await result
        if ack is not None:
            self._answer(ack, outcome)

    async def _finish_in_order(
        self, namespace: str, sid: str, result: Coroutine[Any, Any, Any], ack: _native.IoAck | None
    ) -> None:
        waiting = self._busy[namespace, sid]
        try:
            await self._finish(result, ack)
            while waiting:
                data, ack = waiting.popleft()
                later = self._handle(namespace, sid, data)
                if is_coroutine(later):
                    await self._finish(later, ack)
                elif ack is not None:
                    self._answer(ack, later)
        finally:
            del self._busy[namespace, sid]
            for data, ack in waiting:  # after an exception
                self._event(namespace, sid, data, ack)

    def _handle_server_event(self, handler: Callable[..., Any], values: list[Any], ack: _native.IoAck | None) -> None:
        result = handler(*values)
        if is_coroutine(result):
            self._run(result, functools.partial(self._answer_server, ack))
        else:
            self._answer_server(ack, result)

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        result = callback(*answer)
        if is_coroutine(result):
            self._run(result)

    def _ask_about_request(self, question: _native.IoRequest, request: dict[str, Any]) -> None:
        self._run(self._judge_request(question, request))

    async def _judge_request(self, question: _native.IoRequest, request: dict[str, Any]) -> None:
        try:
            allowed: Any = True if self._allow_request is None else self._allow_request(request)
            if is_coroutine(allowed):
                allowed = await allowed
            if allowed is not True:
                answer_request(question, allowed)
                return
        except Exception as error:
            report(error, None)
            question.deny(None)
            return
        if self._generate_id is None:
            question.allow()
            return
        try:
            generated = self._generate_id()
            if is_coroutine(generated):
                generated = await generated
            begin_session(question, generated)
        except Exception as error:
            report(error, None)
            question.deny_without_id()

    def _packet_told(self, result: Any) -> None:
        if is_coroutine(result):
            self._run(result)

    def _ask(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        self._run(self._ask_handler(namespace, sid, arguments))

    async def _ask_handler(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        self._verdict(namespace, sid, await self._refusal(namespace, arguments))

    async def _refusal(self, namespace: str, arguments: tuple[Any, ...]) -> dict[str, Any] | None:
        """What the handler of ``connect`` has against a client."""
        try:
            result = self._trigger("connect", namespace, arguments)
            if is_coroutine(result):
                result = await result
        except ConnectionRefusedError as refused:
            return refused.error_args
        except builtins.ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        except Exception as error:
            report(error, None)
            return ConnectionRefusedError().error_args
        return ConnectionRefusedError().error_args if result is False else None

    def _ask_afterwards(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        self._run(self._ask_handler_afterwards(namespace, sid, arguments))

    async def _ask_handler_afterwards(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        if await self._refusal(namespace, arguments) is not None and self._native is not None:
            self._native.disconnect(namespace, sid, False)

    def _say_goodbye(self, namespace: str, sid: str, reason: str) -> None:
        try:
            result = self._trigger("disconnect", namespace, (sid, reason))
        except BaseException:
            self._forget(namespace, sid)
            raise
        if is_coroutine(result):
            self._run(self._forget_after(result, namespace, sid))
        else:
            self._forget(namespace, sid)

    async def _forget_after(self, result: Coroutine[Any, Any, Any], namespace: str, sid: str) -> None:
        try:
            await result
        finally:
            self._forget(namespace, sid)

    def _forget(self, namespace: str, sid: str) -> None:
        super()._forget(namespace, sid)
        _settle(self._goodbyes.pop((namespace, sid), None))

    def _drained(self, namespace: str, sid: str) -> None:
        _settle(self._drains.pop((namespace, sid), None))

    def _closed(self) -> None:
        super()._closed()
        end, self._end = self._end, None
        _settle(end)

    def _forget_all(self) -> None:
        super()._forget_all()
        self._busy.clear()
        self._goodbyes.clear()
        self._drains.clear()


def _settle(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _call(function: Callable[..., Any], *arguments: Any) -> None:
    function(*arguments)


NOT_AIOHTTP = (
    "a server can be attached to an aiohttp.web.Application only. Sanic's applications are ASGI's: serve "
    "ASGIApp(sio, other_asgi_app=app); beside Tornado use listen(host, port), on another port"
)


async def _nobody(connection: ServerConnection) -> None:
    await connection.close(1008, "there is nothing here")


def _there_is_nothing_else(connection: ServerConnection, request: Request) -> Response | None:
    if "Upgrade" not in request.headers:
        return None  # there may be files
    return connection.respond(404, "There is no WebSocket here.\n")
