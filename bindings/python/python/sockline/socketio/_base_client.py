"""What both clients have in common."""

from __future__ import annotations

import itertools
import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from .. import _native
from .._asking import Asking, asking, check_asking
from ..typing import Dial, Lookup
from ._codec import JSONModule, arguments, send_answer
from ._engine import EnginePacket, engine_message
from ._handlers import NOT_HANDLED, Handlers
from ._logs import chosen_logger, log_engine, takes_info
from ._options import Connecting, connecting, connecting_now
from ._packets import chosen_codec
from ._waiting import Answer
from .exceptions import BadNamespaceError, ConnectionError, DisconnectedError

__all__ = ["BaseClient"]

default_logger = logging.getLogger("sockline.socketio.client")

PacketHandler = Callable[[EnginePacket], Any]
_P = TypeVar("_P", bound=PacketHandler)


class BaseClient(Handlers):
    """Handlers, namespaces and what is sent. The engine calls it on the thread that turns it."""

    reserved_events = ["connect", "connect_error", "disconnect", "__disconnect_final"]

    class reason:
        """Why the connection was lost."""

        CLIENT_DISCONNECT = "client disconnect"
        SERVER_DISCONNECT = "server disconnect"
        TRANSPORT_ERROR = "transport error"

    def __init__(
        self,
        reconnection: bool = True,
        reconnection_attempts: int = 0,
        reconnection_delay: float = 1,
        reconnection_delay_max: float = 5,
        randomization_factor: float = 0.5,
        logger: bool | logging.Logger = False,
        serializer: str | Callable[..., Any] = "default",
        json: JSONModule | None = None,
        handle_sigint: bool = True,
        *,
        engineio_logger: Any = None,
        dial: Dial | None = None,
        lookup: Lookup | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.reconnection = reconnection
        self.reconnection_attempts = reconnection_attempts
        self.reconnection_delay = reconnection_delay
        self.reconnection_delay_max = reconnection_delay_max
        self.randomization_factor = randomization_factor
        self.handle_sigint = handle_sigint
        self.logger = chosen_logger(logger, default_logger)
        self._takes = takes_info(self.logger)
        log_engine(engineio_logger)
        self.connection_url: Any = None
        self.connection_headers: Any = None
        self.connection_auth: Any = None
        self.connection_transports: str | Sequence[str] | None = None
        self.connection_namespaces: list[str] = []
        self.socketio_path = "socket.io"
        self.sid: str | None = None
        """The id of the connection; each namespace has another one, see :meth:`get_sid`."""
        self.connected = False
        """Whether it is connected."""
        self.namespaces: dict[str, str] = {}
        """The namespaces that are connected, and their sids."""
        self.failed_namespaces: list[str] = []
        self._codec, msgpack = chosen_codec(serializer, json)
        if self._codec.packets is not None:
            self._codec.packets.logger = self.logger
        self._options: Connecting = connecting(msgpack=msgpack, packets=self._codec.packets, **options)
        check_asking(dial, lookup, self._options.opening.proxy)
        self._dial, self._lookup = dial, lookup
        self._asking: Asking | None = None
        """Belongs to the engine's client."""
        self._packet_handler: PacketHandler | None = None
        self._native: _native.IoClient | None = None
        self._made_for: tuple[Any, ...] | None = None
        self._is_open = False
        self._is_leaving = False
        self._keeps_events = self._options.send_buffer is not None
        self._is_away = False
        """Whether the connection was lost and is to be made again."""
        self._wait_timeout: float = 1
        self._farewells: dict[str, str] = {}
        """The namespaces that were lost with the last connection, with their reasons, for whoever tells them."""
        self._tokens = itertools.count(1)
        self._callbacks: dict[int, Callable[..., Any]] = {}
        self._set_up()

    def _set_up(self) -> None:
        """For subclasses: what else there is to keep."""

    def is_asyncio_based(self) -> bool:
        """Whether it belongs to an asyncio loop."""
        return False

    def register_namespace(self, namespace_handler: Any) -> None:
        """Has an object's ``on_…`` methods handle a namespace's events.

        Raises ``ValueError`` for an object of the wrong class.
        """
        from ._base_namespace import BaseClientNamespace

        if not isinstance(namespace_handler, BaseClientNamespace):
            raise ValueError("Not a namespace instance")
        if self.is_asyncio_based() != namespace_handler.is_asyncio_based():
            raise ValueError("Not a valid namespace class for this client")
        namespace_handler._set_client(self)
        self.namespace_handlers[namespace_handler.namespace] = namespace_handler

    @overload
    def on_packet(self, handler: _P) -> _P: ...

    @overload
    def on_packet(self, handler: None) -> None: ...

    def on_packet(self, handler: _P | None) -> _P | None:
        """Has a function called with each :class:`EnginePacket` of the connection that comes or is on its way: for watching, as a
        decorator, too; ``None`` for nobody. It costs a copy of each packet. It must not wait: of a :class:`Client` it is called on the
        engine's thread.
        """
        self._packet_handler = handler
        if self._native is not None:
            self._native.set_packet_events(handler is not None)
        return handler

    def get_sid(self, namespace: str | None = None) -> str | None:
        """The id that the server has given this client in a namespace; ``None`` where it isn't connected."""
        return self.namespaces.get(namespace or "/")

    def recovered(self, namespace: str | None = None) -> bool:
        """Whether the server has kept what it had of this client in a namespace through the latest loss, so that no event
        was missed.
        """
        return self._native is not None and self._native.recovered(namespace or "/")

    def transport(self) -> str | None:
        """``"polling"`` or ``"websocket"``; ``None`` without a connection."""
        return None if self._native is None else self._native.transport()

    @property
    def buffered_amount(self) -> int:
        """How many bytes wait to be sent."""
        return 0 if self._native is None else self._native.buffered_amount()

    # Connecting

    def _remember(
        self,
        url: Any,
        headers: Any,
        auth: Any,
        transports: str | Sequence[str] | None,
        namespaces: str | Sequence[str] | None,
        socketio_path: str,
        wait_timeout: float,
    ) -> None:
        """Keeps what it is to connect to, now and again."""
        if self.connected:
            raise ConnectionError("Already connected")
        self.connection_url = url
        self.connection_headers = headers
        self.connection_auth = auth
        self.connection_transports = transports
        self.socketio_path = socketio_path
        self.connection_namespaces = self._chosen_namespaces(namespaces)
        self._wait_timeout = wait_timeout

    def _chosen_namespaces(self, namespaces: str | Sequence[str] | None) -> list[str]:
        if namespaces is None:
            return sorted({*self.handlers, *self.namespace_handlers} - {"*"}) or ["/"]
        return [namespaces] if isinstance(namespaces, str) else list(namespaces)

    def _prepare(self, driver: _native.Driver, url: str, headers: Mapping[str, str]) -> _native.IoClient:
        """The engine's client, the same as long as it can be: it knows what it has missed meanwhile."""
        made_for = (url, dict(headers), self.connection_transports, self.socketio_path)
        self.namespaces = {}
        self.failed_namespaces = []
        self._is_leaving = False
        if self._native is not None and self._made_for == made_for and self._native.belongs_to(driver):
            return self._native
        options = connecting_now(self._options, headers, self.connection_transports, self.socketio_path)
        self._asking = asking(self._dial, self._lookup, driver.host())
        options = options._replace(opening=options.opening._replace(asking=self._asking))
        before, self._native = self._native, None
        if before is not None:
            before.close()
        native = _native.IoClient(driver, self, url, options, self._codec)
        native.set_packet_events(self._packet_handler is not None)
        self._native, self._made_for = native, made_for
        return native

    def _all_are_settled(self) -> bool:
        """Whether every namespace is connected or refused."""
        return len(self.namespaces) + len(set(self.failed_namespaces)) >= len(self.connection_namespaces)

    def _what_is_missing(self, wait: bool) -> ConnectionError | None:
        """What is wrong if the connection, and with ``wait`` that to a namespace, is not there."""
        if self._is_open and (not wait or set(self.namespaces) == set(self.connection_namespaces)):
            return None
        if self.failed_namespaces:
            names = ", ".join(self.failed_namespaces)
            return ConnectionError(f"One or more namespaces failed to connect: {names}")
        return ConnectionError("Unexpected connection error")

    def _delays(self) -> Iterator[float]:
        """How long to wait before each attempt to reconnect."""
        delay = self.reconnection_delay
        for attempt in itertools.count(1):
            if self.reconnection_attempts and attempt > self.reconnection_attempts:
                return
            jitter = self.randomization_factor * (2 * random.random() - 1)
            yield max(0.0, min(delay, self.reconnection_delay_max) + jitter)
            delay *= 2

    # Sending

    def _emit(
        self, event: str, data: Any, namespace: str, callback: Callable[..., Any] | None, volatile: bool = False
    ) -> bool:
        """Sends an event, or keeps it for the next connection; says whether there is room for more."""
        native = self._native
        if native is None or not (namespace in self.namespaces or self._is_kept(namespace)):
            raise BadNamespaceError(f"{namespace} is not a connected namespace.")
        if self._takes(logging.INFO):
            self.logger.info('Emitting event "%s" [%s]', event, namespace)
        array, attachments = self._codec.encode([event, *arguments(data)])
        if callback is None:
            return native.emit(namespace, array, attachments, None, volatile)
        token = next(self._tokens)
        self._callbacks[token] = callback
        try:
            return native.emit(namespace, array, attachments, token, volatile)
        except BaseException:
            self._callbacks.pop(token, None)
            raise

    def _send_message(self, data: Any) -> bool:
        """Sends a message of Engine.IO; says whether there is room for more."""
        sent = None if self._native is None else self._native.send_message(engine_message(data, self._codec))
        if sent is None:
            raise DisconnectedError("there is no connection")
        return sent

    def _is_kept(self, namespace: str) -> bool:
        """Whether an event waits for a connection that is made again."""
        return self._keeps_events and self._is_away and namespace in self.connection_namespaces

    def _stay_away(self) -> None:
        """It is not made again: what waits for it is dropped."""
        self._is_away = False
        if self._native is not None:
            self._native.drop_waiting()

    def _answer(self, ack: _native.IoAck, result: Any) -> None:
        """Sends what a handler has returned; without a handler, nothing with nothing in it."""
        send_answer(self._codec, ack, None if result is NOT_HANDLED else result)

    # What the engine asks and tells

    def _note_loss(self, reason: str) -> bool:
        """The connection has ended. Says whether it is to be made again; whoever is still connecting is told otherwise."""
        self.logger.info("The connection has ended: %s", reason)
        self._ask_no_more()
        was_connected = self.connected
        self._is_open = False
        self._farewells = dict.fromkeys(self.namespaces, reason) if was_connected else {}
        self.namespaces = {}
        self.connected = False
        self.sid = None
        is_lost = not self._is_leaving and reason == self.reason.TRANSPORT_ERROR
        comes_back = self.reconnection and was_connected and is_lost
        self._is_away = self._is_away or comes_back
        return comes_back

    def _note_expulsion(self, namespace: str) -> bool:
        """The server has put it out of a namespace. Says whether that is news: with the last one the connection ends,
        which may have been told before.
        """
        if namespace in self._farewells:
            self._farewells[namespace] = self.reason.SERVER_DISCONNECT
        if self.namespaces.pop(namespace, None) is None or not self.connected:
            return False
        if not self.namespaces:
            self.connected = False
            self._is_leaving = True
        return True

    def _failure(self, message: str) -> ConnectionError:
        """What an attempt has failed with, and because of what the application has raised, if it was asked."""
        failure = ConnectionError(message)
        if self._asking is not None:
            self._asking.explain_failure(failure)
        self._ask_no_more()
        return failure

    def _ask_no_more(self) -> None:
        if self._asking is not None:
            self._asking.give_up()

    def _packet(self, outgoing: bool, kind: str, data: str | bytes, compress: bool) -> None:
        """A packet has come, or is on its way."""
        if self._packet_handler is not None:
            self._packet_told(self._packet_handler(EnginePacket(outgoing, kind, data, compress)))

    def _packet_told(self, result: Any) -> None:
        """For subclasses: what a handler of packets has returned."""

    def _is_current(self, native: _native.IoClient) -> bool:
        return native is self._native

    def _opened(self, native: _native.IoClient) -> None:
        """There is a connection."""
        raise NotImplementedError

    def _failed(self, native: _native.IoClient, message: str) -> None:
        """There will be no connection."""
        raise NotImplementedError

    def _lost(self, native: _native.IoClient, reason: str) -> None:
        """The connection has ended."""
        raise NotImplementedError

    def _asked_for_auth(self, question: _native.IoAuth) -> None:
        """What does it say of itself?"""
        raise NotImplementedError

    def _connected(self, namespace: str, sid: str) -> None:
        """The server has taken it into a namespace."""
        raise NotImplementedError

    def _refused(self, namespace: str, message: str, data: Any) -> None:
        """The server has not."""
        raise NotImplementedError

    def _event(self, namespace: str, data: list[Any], ack: _native.IoAck | None) -> None:
        """An event has come: its name, then its arguments."""
        raise NotImplementedError

    def _disconnected(self, namespace: str) -> None:
        """The server has put it out of a namespace."""
        raise NotImplementedError

    def _handle(self, namespace: str, data: list[Any]) -> Any:
        """Calls the handler of an event, which may be a coroutine function."""
        event = data[0]
        if self._takes(logging.INFO):
            self.logger.info('Received event "%s" [%s]', event, namespace)
        if event in self.reserved_events:
            return NOT_HANDLED  # the server's word, not ours
        return self._trigger(event, namespace, tuple(data[1:]))

    def _acked(self, token: int, answer: list[Any] | None) -> None:
        """An answer has come; ``None``: it won't."""
        callback = self._callbacks.pop(token, None)
        if isinstance(callback, Answer):
            callback.settle(answer)
        elif callback is not None and answer is not None:
            self._call_back(callback, answer)

    def _timed_out(self, token: int) -> None:
        """No answer has come within ``ack_timeout``, however often the event was sent."""
        callback = self._callbacks.pop(token, None)
        if isinstance(callback, Answer):
            callback.expire()

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        raise NotImplementedError

    def _drained(self) -> None:
        """There is room again."""


def error_arguments(message: str, data: Any) -> tuple[Any, ...]:
    """What handlers of ``connect_error`` get of a server's refusal."""
    refusal: dict[str, Any] = {"message": message}
    if data is not None:
        refusal["data"] = data
    return (refusal,)
