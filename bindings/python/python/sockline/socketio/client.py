"""The client for programs with threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import _native
from .._drivers import is_driver_thread, post_to_thread, thread_driver
from .._workers import report, run_in_a_thread, start_thread
from ._base_client import BaseClient, error_arguments
from ._comeback import Comeback
from ._connection import Connection
from ._engine import ClientEngine
from ._interrupts import watch
from ._waiting import ThreadAnswer
from .exceptions import ConnectionError

__all__ = ["Client"]


class Client(BaseClient):
    """A Socket.IO client for programs with threads.

    The arguments, and what handlers get, are those of ``socketio.Client``; further ones are explained at
    :class:`AsyncClient`. Each handler is called in a thread where it may wait. Methods may be called on any thread.

    With ``handle_sigint``, and made on the main thread, it is disconnected by Ctrl-C before that goes on its way.
    """

    _calls_inline = False
    """Whether handlers are called on the engine's thread, one after the other; they must not wait then."""

    def _set_up(self) -> None:
        self._comeback = Comeback(self._reconnect)
        self._connection: Connection | None = None
        """The last one, or the attempt at one."""
        self._attempts = threading.Lock()
        """Held by who connects: one at a time."""
        self._state = threading.Lock()
        """Of what the engine's thread and those who connect both write: ``connected``, ``namespaces``, ``_is_open``."""
        self._settled = threading.Event()
        self._room = threading.Condition()
        self.eio = ClientEngine(self)
        """Messages of Engine.IO."""
        self._times_drained = 0
        if self.handle_sigint:
            watch(self)

    def connect(
        self,
        url: str | Callable[[], str],
        headers: Mapping[str, str] | Callable[[], Mapping[str, str]] = {},
        auth: Any = None,
        transports: str | Sequence[str] | None = None,
        namespaces: str | Sequence[str] | None = None,
        socketio_path: str = "socket.io",
        wait: bool = True,
        wait_timeout: float = 1,
        retry: bool = False,
    ) -> None:
        """Connects, and comes back when the connection is lost.

        ``url``, ``headers`` and ``auth`` may be functions, which are asked for each attempt. ``namespaces`` of ``None`` are those
        that there are handlers for. With ``wait`` it waits until they are connected, each step ``wait_timeout`` seconds at
        most. With ``retry`` a first attempt that fails is followed by others.

        Raises :exc:`ConnectionError`.
        """
        self._remember(url, headers, auth, transports, namespaces, socketio_path, wait_timeout)
        self._connect(wait, retry)

    def _connect(self, wait: bool, retry: bool) -> None:
        with self._attempts:
            self._end_what_is_left()
            try:
                connection = self._open()
            except ConnectionError as error:
                failure = error
            else:
                self._establish(connection, wait)
                return
        for namespace in self.connection_namespaces:
            self._trigger_and_report("connect_error", namespace, failure.args[0])
        if retry:
            self._retry()
            if self.connected:
                return
        raise failure

    def _end_what_is_left(self) -> None:
        """Waits for the end of a connection that has no namespaces any more. Raises :exc:`ConnectionError` if it has."""
        if self.connected:
            raise ConnectionError("Already connected")
        self.disconnect()

    def _open(self) -> Connection:
        """Makes the connection. Raises :exc:`ConnectionError`."""
        url = _value(self.connection_url)
        headers = _value(self.connection_headers)
        self._settled.clear()
        try:
            native = self._prepare(thread_driver(), url, headers or {})
        except ValueError as error:
            raise ConnectionError(str(error)) from error
        connection = self._connection = Connection()
        native.open(self.connection_namespaces)
        try:
            connection.wait_until_made()
        except KeyboardInterrupt:
            native.close()
            raise
        return connection

    def _establish(self, connection: Connection, wait: bool) -> None:
        """Says that it is connected. Raises :exc:`ConnectionError` if it isn't any more, or where it was to be."""
        if wait:
            self._wait_for_namespaces()
        with self._state:
            error = self._what_is_missing(wait)
            if error is None:
                self.connected = True
                self._is_away = False
                return
            connection.is_unwanted = True
        self.disconnect()
        raise error

    def _wait_for_namespaces(self) -> None:
        while not self._all_are_settled():
            if not self._settled.wait(self._wait_timeout):
                break
            self._settled.clear()

    def wait(self) -> None:
        """Waits until the connection has ended and is not coming back."""
        while True:
            connection = self._connection
            if connection is not None:
                connection.gone.wait()
            self._comeback.wait()
            if connection is self._connection:
                return

    def emit(
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
        self._send_and_wait(lambda: self._emit(event, data, namespace or "/", callback, volatile))

    def _send_and_wait(self, send: Callable[[], bool]) -> None:
        """Sends something, then waits until there is room for more."""
        times_drained = self._times_drained
        if not send() and not is_driver_thread():
            with self._room:
                self._room.wait_for(lambda: self._times_drained != times_drained)

    def send(self, data: Any, namespace: str | None = None, callback: Callable[..., Any] | None = None) -> None:
        """Sends an event named ``message``."""
        self.emit("message", data, namespace, callback)

    def call(
        self, event: str, data: Any = None, namespace: str | None = None, timeout: float | None = 60
    ) -> Any:
        """Sends an event and waits for the answer.

        Raises :exc:`TimeoutError` if none comes in time, at once if the connection is lost (:exc:`ConnectionLostError`).
        """
        answer = ThreadAnswer()
        self._emit(event, data, namespace or "/", answer)
        return answer.get(timeout)

    def disconnect(self) -> None:
        """Disconnects, and waits until the handlers of ``disconnect`` have ended."""
        connection = self._connection
        if self._is_open and self._native is not None and connection is not None:
            self._is_leaving = True
            self._native.close()
            if not is_driver_thread():
                connection.gone.wait()

    def shutdown(self) -> None:
        """Disconnects, or gives up coming back."""
        if self.connected:
            self.disconnect()
            return
        self._give_up()
        if not is_driver_thread():
            self._comeback.wait()

    def _leave_at_once(self) -> None:
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

    def start_background_task(self, target: Callable[..., Any], *args: Any, **kwargs: Any) -> threading.Thread:
        """Starts a thread, which does not keep the interpreter from ending."""
        return start_thread(target, *args, **kwargs)

    def sleep(self, seconds: float = 0) -> None:
        """Sleeps."""
        threading.Event().wait(seconds)

    # Coming back

    def _retry(self) -> None:
        """Goes on until it is connected, or has given up."""
        self._comeback.ask()
        try:
            self._comeback.wait()
        except BaseException:
            self._comeback.abort()
            raise

    def _reconnect(self, is_aborted: threading.Event) -> None:
        if self.connected:
            return  # by somebody else meanwhile
        for delay in self._delays():
            self.logger.info("Connection failed, new attempt in %.2f seconds", delay)
            if is_aborted.wait(delay):
                break
            if not self._connect_again():
                continue
            self.logger.info("Reconnection successful")
            if is_aborted.is_set():
                self.disconnect()
            return
        else:
            self.logger.info("Maximum reconnection attempts reached, giving up")
        if is_aborted.is_set():
            self.logger.info("Reconnect task aborted")
        self._stay_away()
        for namespace in self.connection_namespaces:
            self._trigger_and_report("__disconnect_final", namespace)

    def _connect_again(self) -> bool:
        """An attempt; says whether it is connected. What functions for URL and headers raise is reported."""
        try:
            self._connect(wait=True, retry=False)
        except ConnectionError:
            return self.connected
        except Exception:
            report(sys.exc_info())
            return False
        return True

    # Handlers

    def _trigger_and_report(self, event: str, namespace: str, *arguments: Any) -> None:
        """Calls a handler; what it raises is reported."""
        try:
            self._trigger(event, namespace, arguments)
        except Exception:
            report(sys.exc_info())

    def _run(self, call: Callable[..., Any], *arguments: Any) -> None:
        if self._calls_inline:
            call(*arguments)
        else:
            run_in_a_thread(call, *arguments)

    # What the engine asks and tells, on its thread

    def _opened(self, native: _native.IoClient) -> None:
        if not self._is_current(native) or self._connection is None:
            return
        self._is_open = True
        self.sid = native.engine_id()
        self._connection.succeed()

    def _failed(self, native: _native.IoClient, message: str) -> None:
        if self._is_current(native) and self._connection is not None:
            self._connection.fail(self._failure(message))

    def _lost(self, native: _native.IoClient, reason: str) -> None:
        connection = self._connection
        with self._state:
            if not self._is_current(native) or not self._is_open or connection is None:
                return
            comes_back = self._note_loss(reason)
            farewells = self._farewells
        self._drained()
        self._settled.set()
        # Not before all that the engine has to say of this end has been said.
        post_to_thread(lambda: self._run(self._say_goodbye, connection, farewells, comes_back))

    def _say_goodbye(self, connection: Connection, farewells: dict[str, str], comes_back: bool) -> None:
        for namespace, reason in list(farewells.items()):
            self._trigger_and_report("disconnect", namespace, reason)
            if not comes_back:
                self._trigger_and_report("__disconnect_final", namespace)
        if comes_back:
            self._comeback.ask()
            if connection.is_unwanted:
                self._comeback.abort()
        connection.gone.set()

    def _asked_for_auth(self, question: _native.IoAuth) -> None:
        self._run(self._answer_auth, question)

    def _answer_auth(self, question: _native.IoAuth) -> None:
        auth = _value(self.connection_auth)
        question.answer(self._codec.encode_json([auth])[0] if auth else b"")

    def _connected(self, namespace: str, sid: str) -> None:
        self.logger.info("Namespace %s is connected", namespace)
        self.namespaces[namespace] = sid
        self._run(self._welcome, namespace)

    def _welcome(self, namespace: str) -> None:
        self._trigger_and_report("connect", namespace)
        self._settled.set()

    def _refused(self, namespace: str, message: str, data: Any) -> None:
        self.logger.info("Namespace %s is refused: %s", namespace, message)
        self.namespaces.pop(namespace, None)
        self._run(self._say_refused, namespace, error_arguments(message, data))

    def _say_refused(self, namespace: str, refusal: tuple[Any, ...]) -> None:
        self._trigger_and_report("connect_error", namespace, *refusal)
        self.failed_namespaces.append(namespace)
        self._settled.set()

    def _event(self, namespace: str, data: list[Any], ack: _native.IoAck | None) -> None:
        self._run(self._handle_and_answer, namespace, data, ack)

    def _handle_and_answer(self, namespace: str, data: list[Any], ack: _native.IoAck | None) -> None:
        result = self._handle(namespace, data)
        if ack is not None:
            self._answer(ack, result)

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        self._run(callback, *answer)

    def _disconnected(self, namespace: str) -> None:
        with self._state:
            is_news = self._note_expulsion(namespace)
        if is_news:
            self._run(self._put_out, self._connection, namespace)

    def _put_out(self, connection: Connection, namespace: str) -> None:
        self._trigger_and_report("disconnect", namespace, self.reason.SERVER_DISCONNECT)
        self._trigger_and_report("__disconnect_final", namespace)
        if connection is self._connection and self._is_leaving and self._native is not None:
            self._native.close()

    def _drained(self) -> None:
        with self._room:
            self._times_drained += 1
            self._room.notify_all()


def _value(given: Any) -> Any:
    """What was given, or what the function that was given says now."""
    return given() if callable(given) else given
