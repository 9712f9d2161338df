"""The server for programs with threads."""

from __future__ import annotations

import builtins
import collections
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self

from .. import _native
from .._callbacks import UpgradeRequest, WebSocketServer
from .._drivers import is_driver_thread, thread_driver
from .._workers import report, run_in_a_thread, start_thread
from . import _wsgi
from ._base_server import BaseServer, Key
from ._cluster import ClusterMethods
from ._engine import ServerEngine
from ._handlers import NOT_HANDLED
from ._server_core import answer_request, begin_session
from ._waiting import ThreadAnswer
from .exceptions import ConnectionRefusedError

__all__ = ["Listener", "Server"]

_Waiting = collections.deque[tuple[list[Any], _native.IoAck | None]]


class Listener(WebSocketServer):
    """Where a :class:`Server` listens; its address is :attr:`port` and :attr:`address`."""

    _driver = staticmethod(thread_driver)

    def __init__(self, *args: Any, **options: Any) -> None:
        self._is_closed = threading.Event()
        options.setdefault("onupgrade", _there_is_nothing_else)
        super().__init__(*args, **options)

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is closed; says whether it is."""
        return self._is_closed.wait(timeout)

    def serve_forever(self) -> None:
        """Waits until it is closed; an exception, such as Ctrl-C's, closes it."""
        try:
            self.wait()
        finally:
            self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
        self.wait(10)

    def _server_closed(self) -> None:
        self._is_closed.set()
        super()._server_closed()


class Server(ClusterMethods, BaseServer):
    """A Socket.IO server for programs with threads, on sockline's own listener: see :meth:`listen`.

    The arguments, and what handlers get, are those of ``socketio.Server``; further ones are explained at
    :class:`AsyncServer`. Each handler is called in a thread of its own kind, where it may wait; with ``async_handlers`` off, a
    client's handlers are called one after the other. Methods may be called on any thread.
    """

    eio: ServerEngine
    """Ids, messages and sessions of Engine.IO."""
    _engine_type = ServerEngine

    def _set_up(self) -> None:
        self._lock = threading.Lock()
        self._busy: dict[Key, _Waiting] = {}
        """Without ``async_handlers``: what waits for a client's running handler."""
        self._goodbyes: dict[Key, threading.Event] = {}
        self._drains: dict[Key, threading.Event] = {}
        self._end = threading.Event()

    def listen(self, host: str | None = None, port: int = 0, **options: Any) -> Listener:
        """Listens, and serves on a thread of sockline's: ``with sio.listen(host, port) as listener``, or
        ``sio.listen(host, port).serve_forever()``.

        ``options`` are those of :class:`sockline.WebSocketServer`, ``tls`` and ``static_folder`` among them, and ``onupgrade`` and
        the others for WebSockets beside it on the same port. Raises :exc:`OSError` if it can't listen.
        """
        return Listener(host, port, socketio=self, **options)

    def emit(
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

        ``callback`` gets what the client answers, each of them. ``volatile`` drops the event for
        clients that can't be written to right now; ``compress`` says whether it may be compressed. Neither with ``callback``.
        """
        self._emit(event, data, to or room, skip_sid, namespace or "/", callback, ignore_queue, flags=(volatile, compress))

    def send(
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
        self.emit("message", data, to, room, skip_sid, namespace, callback, ignore_queue)

    def call(
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
        answer = ThreadAnswer()
        if not self._emit(event, data, to or sid, None, namespace or "/", answer, ignore_queue, timeout):
            answer.settle(None)
        return answer.get(timeout)

    def enter_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Has a client enter a room. Raises ``ValueError`` for a client that isn't there."""
        self._enter(sid, room, namespace or "/")

    def leave_room(self, sid: str, room: Any, namespace: str | None = None) -> None:
        """Has a client leave a room."""
        self._leave(sid, room, namespace or "/")

    def close_room(self, room: Any, namespace: str | None = None) -> None:
        """Has all clients leave a room."""
        self._close_room(room, namespace or "/")

    def get_session(self, sid: str, namespace: str | None = None) -> dict[str, Any]:
        """What the application keeps of a client. Raises ``KeyError`` for a client that isn't there."""
        return self._session_of(sid, namespace or "/")

    def save_session(self, sid: str, session: dict[str, Any], namespace: str | None = None) -> None:
        """Keeps something of a client."""
        self._keep_session(sid, session, namespace or "/")

    def session(self, sid: str, namespace: str | None = None) -> AbstractContextManager[dict[str, Any]]:
        """``with sio.session(sid) as session``: what is changed there is kept."""
        return self._session(sid, namespace or "/")

    @contextmanager
    def _session(self, sid: str, namespace: str) -> Iterator[dict[str, Any]]:
        session = self.get_session(sid, namespace)
        try:
            yield session
        finally:
            self.save_session(sid, session, namespace)

    def disconnect(self, sid: str, namespace: str | None = None, ignore_queue: bool = False) -> None:
        """Disconnects a client, and waits until the handler of ``disconnect`` has ended."""
        key = (namespace or "/", sid)
        connecting = self._connecting_clients.get(key)
        if connecting is not None and not connecting.question.connected:
            connecting.is_refused = True
        elif self._native is not None and self._native.is_connected(*key):
            with self._lock:
                goodbye = self._goodbyes.setdefault(key, threading.Event())
            if not self._native.disconnect(*key, False):
                goodbye.set()  # it has gone by itself meanwhile
            if not is_driver_thread():
                goodbye.wait()
        else:
            self._disconnect_elsewhere(*key, ignore_queue)

    def drained(self, sid: str, namespace: str | None = None, timeout: float | None = None) -> bool:
        """Waits while more than the high-water mark waits to be sent to a client, or until it has gone. Says whether
        that was so in time.
        """
        key = (namespace or "/", sid)
        drained = self._drains.setdefault(key, threading.Event())
        if not self._is_over_mark(*key):
            self._drained(*key)
        return drained.wait(timeout)

    def shutdown(self) -> None:
        """Disconnects all clients. The listener goes on, until it is closed."""
        if self._native is not None:
            self._end.clear()
            self._native.close()
            if not is_driver_thread():
                self._end.wait()

    def handle_request(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serves a request that a WSGI server has read, as :class:`WSGIApp` does."""
        return _wsgi.serve(self, environ, start_response)

    def _start_for_wsgi(self) -> _native.IoServer:
        """The engine's server, for any thread."""
        with self._lock:
            return self._start(thread_driver())

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Starts a thread, which does not keep the interpreter from ending."""
        return start_thread(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        threading.Event().wait(seconds)

    # What the engine asks and tells, on its thread

    def _event(self, namespace: str, sid: str, data: list[Any], ack: _native.IoAck | None) -> None:
        if self.async_handlers:
            run_in_a_thread(self._handle_and_answer, namespace, sid, data, ack)
            return
        with self._lock:
            waiting = self._busy.get((namespace, sid))
            if waiting is not None:
                waiting.append((data, ack))
                return
            waiting = self._busy[namespace, sid] = collections.deque([(data, ack)])
        run_in_a_thread(self._handle_in_order, namespace, sid, waiting)

    def _handle_and_answer(self, namespace: str, sid: str, data: list[Any], ack: _native.IoAck | None) -> None:
        result = self._handle(namespace, sid, data)
        if ack is not None and result is not NOT_HANDLED:
            self._answer(ack, result)

    def _handle_in_order(self, namespace: str, sid: str, waiting: _Waiting) -> None:
        while True:
            with self._lock:
                if not waiting:
                    del self._busy[namespace, sid]
                    return
                data, ack = waiting.popleft()
            try:
                self._handle_and_answer(namespace, sid, data, ack)
            except BaseException:
                report(sys.exc_info())

    def _handle_server_event(self, handler: Callable[..., Any], values: list[Any], ack: _native.IoAck | None) -> None:
        run_in_a_thread(lambda: self._answer_server(ack, handler(*values)))

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        run_in_a_thread(callback, *answer)

    def _ask_about_request(self, question: _native.IoRequest, request: dict[str, Any]) -> None:
        run_in_a_thread(self._judge_request, question, request)

    def _judge_request(self, question: _native.IoRequest, request: dict[str, Any]) -> None:
        try:
            allowed = True if self._allow_request is None else self._allow_request(request)
            if allowed is not True:
                answer_request(question, allowed)
                return
        except Exception:
            report(sys.exc_info())
            question.deny(None)
            return
        if self._generate_id is None:
            question.allow()
            return
        try:
            begin_session(question, self._generate_id())
        except Exception:
            report(sys.exc_info())
            question.deny_without_id()

    def _ask(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        run_in_a_thread(lambda: self._verdict(namespace, sid, self._refusal(namespace, arguments)))

    def _refusal(self, namespace: str, arguments: tuple[Any, ...]) -> dict[str, Any] | None:
        """What the handler of ``connect`` has against a client."""
        try:
            result = self._trigger("connect", namespace, arguments)
        except ConnectionRefusedError as refused:
            return refused.error_args
        except builtins.ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        except Exception:
            report(sys.exc_info())
            return ConnectionRefusedError().error_args
        return ConnectionRefusedError().error_args if result is False else None

    def _ask_afterwards(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        run_in_a_thread(self._ask_handler_afterwards, namespace, sid, arguments)

    def _ask_handler_afterwards(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        if self._refusal(namespace, arguments) is not None and self._native is not None:
            self._native.disconnect(namespace, sid, False)

    def _say_goodbye(self, namespace: str, sid: str, reason: str) -> None:
        run_in_a_thread(self._trigger_goodbye, namespace, sid, reason)

    def _trigger_goodbye(self, namespace: str, sid: str, reason: str) -> None:
        try:
            self._trigger("disconnect", namespace, (sid, reason))
        finally:
            self._forget(namespace, sid)

    def _forget(self, namespace: str, sid: str) -> None:
        super()._forget(namespace, sid)
        with self._lock:
            goodbye = self._goodbyes.pop((namespace, sid), None)
        if goodbye is not None:
            goodbye.set()

    def _drained(self, namespace: str, sid: str) -> None:
        drained = self._drains.pop((namespace, sid), None)
        if drained is not None:
            drained.set()

    def _closed(self) -> None:
        super()._closed()
        self._end.set()

    def _forget_all(self) -> None:
        super()._forget_all()
        for waiting in (self._goodbyes, self._drains):
            for event in list(waiting.values()):
                event.set()
            waiting.clear()


def _there_is_nothing_else(request: UpgradeRequest) -> None:
    request.refuse(404, "There is no WebSocket here.\n")
