"""What a server keeps of its clients, and what the engine asks and tells it."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar, overload

from .. import _native
from .._answering import answer_of
from ..http11 import Response
from ._codec import Codec, send_answer
from ._engine import EnginePacket
from ._foreign import Foreigners
from ._handlers import NOT_HANDLED, Handlers
from ._options import Serving
from ._origins import Allowed, is_allowed
from ._redis_options import Cluster
from ._waiting import Answer
from .exceptions import ConnectionRefusedError

__all__ = ["Direct", "Key", "Rooms", "ServerCore", "answer_request", "begin_session"]

Rooms = str | Sequence[str] | None
Key = tuple[str, str]
"""A namespace and a sid."""

PacketHandler = Callable[[str, EnginePacket], Any]
_P = TypeVar("_P", bound=PacketHandler)

_OURS = 3
"""References to an ``environ`` that nobody has kept: ours, the local variable's and the argument's."""


class Direct(NamedTuple):
    """What has the engine call the handlers of usual events without asking: those for which nothing is to be logged or awaited."""

    reserved_events: list[str]
    log_levels: dict[int, bool]
    """See :func:`known_levels`."""


class ServerCore(Handlers):
    """The engine calls it on the thread that turns it."""

    reserved_events = ["connect", "disconnect"]
    _cluster: tuple[Cluster, object] | None = None
    """And the manager that hears of it."""
    logger: logging.Logger
    _takes: Callable[[int], bool]

    def __init__(
        self,
        serving: Serving,
        codec: Codec,
        allowed_origins: Allowed,
        namespaces: str | Sequence[str],
        always_connect: bool,
        allow_request: Callable[[dict[str, Any]], Any] | None = None,
    ) -> None:
        super().__init__()
        self._allow_request = allow_request
        self._serving = serving
        self._codec = codec
        self._allowed_origins = allowed_origins
        self.namespaces = namespaces
        self.always_connect = always_connect
        self._generate_id: Callable[[], Any] | None = None
        self._packet_handler: PacketHandler | None = None
        self._native: _native.IoServer | None = None
        self._foreigners = Foreigners()
        self._listeners = 0
        self._admin: tuple[Any, ...] | None = None
        self._tokens = itertools.count(1)
        self._callbacks: dict[int, tuple[Key, Callable[..., Any]]] = {}
        """Who waits for an answer."""
        self._connecting_clients: dict[Key, _Connecting] = {}
        self._leaving_clients: dict[Key, list[str]] = {}
        """Those whose ``disconnect`` handler runs, and their rooms."""
        self._sessions: dict[Key, dict[str, Any]] = {}
        self._environs: dict[Key, dict[str, Any]] = {}
        self._away: dict[Key, tuple[float, dict[str, Any]]] = {}
        """The sessions of clients that may be recovered, until when; the earliest first."""

    def _start(self, driver: _native.Driver) -> _native.IoServer:
        """The engine's server, for a listener that this driver turns."""
        if self._native is not None and self._native.belongs_to(driver):
            return self._native
        if self._native is not None and not self._native.is_over():
            raise RuntimeError("this server is listening on another event loop already")
        self._forget_all()
        self._listeners = 0
        native = _native.IoServer(driver, self, self._serving, self._codec, self._direct(), self._cluster)
        if self._admin is not None:
            native.enable_admin(*self._admin)
        native.set_packet_events(self._packet_handler is not None)
        self._native = native
        self._foreigners.has_session = native.has_session
        return native

    def _direct(self) -> Direct | None:
        """For a server whose handlers the engine may call."""
        return None

    def _listener_opened(self) -> None:
        self._listeners += 1

    def _listener_closed(self) -> None:
        """With the last listener the clients go."""
        self._listeners -= 1
        if self._listeners == 0 and self._native is not None:
            self._native.close()

    def _forget_all(self) -> None:
        """What is left of clients of an event loop that has ended."""
        self._callbacks.clear()
        self._away.clear()
        for kept in self._of_clients():
            kept.clear()

    def _accepts(self, namespace: str) -> bool:
        """Whether there is such a namespace."""
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or self.namespaces == "*"
            or namespace in self.namespaces
        )

    def _requested(self, question: _native.IoRequest) -> None:
        """May a session begin?"""
        handshake = question.handshake()
        if handshake is None:
            return  # it is answered
        request = self._foreigners.environ(*handshake)
        if not is_allowed(self._allowed_origins, request):
            question.deny("Not an accepted origin.")
        elif self._allow_request is None and self._generate_id is None:
            question.allow()
        else:
            self._ask_about_request(question, request)

    def _ask_about_request(self, question: _native.IoRequest, request: dict[str, Any]) -> None:
        """Has ``allow_request`` say, and ``generate_id``."""
        raise NotImplementedError

    def _choose_ids_by(self, generate_id: Callable[[], Any]) -> None:
        if not callable(generate_id):
            raise TypeError(f"generate_id must be callable, not {type(generate_id).__name__}")
        if self._serving.forward_requests:
            raise ValueError("generate_id can't be had with forward_requests: there the ids say whose sessions they are")
        if self._native is not None and not self._serving.ask_request:
            raise RuntimeError("generate_id comes too late: the server has begun")
        self._generate_id = generate_id
        self._serving = self._serving._replace(ask_request=True)

    @overload
    def on_packet(self, handler: _P) -> _P: ...

    @overload
    def on_packet(self, handler: None) -> None: ...

    def on_packet(self, handler: _P | None) -> _P | None:
        """Has a function called with each :class:`EnginePacket` that comes or is on its way: for watching, as a decorator, too; ``None``
        for nobody. It gets the id of the Engine.IO session first (``sio.manager.eio_sid_from_sid`` tells a client's). It costs a copy of
        each packet that is sent. It must not wait: of a :class:`Server` it is called on the engine's thread.
        """
        self._packet_handler = handler
        if self._native is not None:
            self._native.set_packet_events(handler is not None)
        return handler

    def _packet(self, session: str, outgoing: bool, kind: str, data: str | bytes, compress: bool) -> None:
        """A packet has come, or is on its way."""
        if self._packet_handler is not None:
            self._packet_told(self._packet_handler(session, EnginePacket(outgoing, kind, data, compress)))

    def _packet_told(self, result: Any) -> None:
        """For subclasses: what a handler of packets has returned."""

    def _connecting(self, question: _native.IoQuestion) -> None:
        """May a client connect to a namespace?"""
        namespace, sid = question.namespace, question.sid
        if not self._accepts(namespace):
            question.deny("Unable to connect", None)
        elif self.always_connect or not self._is_heard("connect", namespace):
            question.allow()
        else:
            self._connecting_clients[namespace, sid] = _Connecting(question)
            arguments = self._connect_arguments(namespace, sid, question.auth(), question.handshake())
            self._ask(namespace, sid, arguments)

    def _ask(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        """Has the handler of ``connect`` say."""
        raise NotImplementedError

    def _connect_arguments(self, namespace: str, sid: str, auth: Any, handshake: Any) -> tuple[Any, ...]:
        kept = self._environs.get((namespace, sid))
        if kept is None:
            kept = self._environs[namespace, sid] = self._foreigners.environ(*handshake)
        return sid, kept, auth or None

    def _verdict(self, namespace: str, sid: str, refusal: dict[str, Any] | None) -> None:
        """The handler of ``connect`` has said yes, or no and why."""
        connecting = self._connecting_clients.get((namespace, sid))
        if connecting is None:
            return  # the client has gone
        if connecting.is_refused and refusal is None:
            refusal = ConnectionRefusedError().error_args
        if refusal is None:
            connecting.question.allow()
            return
        self._forget(namespace, sid)
        data = self._codec.encode_json([refusal["data"]])[0] if "data" in refusal else None
        connecting.question.deny(refusal["message"], data)

    def _connected(self, namespace: str, sid: str) -> None:
        """A client is connected, and was told."""
        assert self._native is not None
        self.logger.info("%s is connected [%s]", sid, namespace)
        connecting = self._connecting_clients.pop((namespace, sid), None)
        if self._foreigners:
            self._note_session(namespace, sid)
        self._drop_environ(namespace, sid)
        if self._away and self._native.recovered(namespace, sid):
            self._come_back(namespace, sid)
        if connecting is not None:
            self._send_held(namespace, sid, connecting)
        elif self.always_connect and self._is_heard("connect", namespace):
            handshake = self._native.handshake(namespace, sid)
            if handshake is not None:
                auth = self._native.auth(namespace, sid)
                self._ask_afterwards(namespace, sid, self._connect_arguments(namespace, sid, auth, handshake))

    def _note_session(self, namespace: str, sid: str) -> None:
        """Which session belongs to a request that another server has read."""
        assert self._native is not None
        handshake, session = self._native.handshake(namespace, sid), self._native.session_id(namespace, sid)
        if handshake is not None and session is not None:
            self._foreigners.joined(handshake[4], session)

    def _drop_environ(self, namespace: str, sid: str) -> None:
        """Makes the request's ``environ``, 4 KB of them, again when it is asked for, if the handler of ``connect`` has neither
        kept nor changed it.
        """
        kept = self._environs.get((namespace, sid))
        if kept is None or sys.getrefcount(kept) > _OURS:
            return
        assert self._native is not None
        handshake = self._native.handshake(namespace, sid)
        if handshake is not None:
            again = self._foreigners.environ(*handshake)
            again["wsgi.input"] = kept.get("wsgi.input")
            if kept == again:
                del self._environs[namespace, sid]

    def _send_held(self, namespace: str, sid: str, connecting: _Connecting) -> None:
        assert self._native is not None
        for array, attachments, callback in connecting.held:
            if callback is not None:
                self._emit_with_callback(namespace, sid, array, attachments, callback)
            else:
                self._native.emit(namespace, sid, None, array, attachments)

    def _ask_afterwards(self, namespace: str, sid: str, arguments: tuple[Any, ...]) -> None:
        """With ``always_connect``: the handler hears of a client that is connected already."""
        raise NotImplementedError

    def _abandoned(self, namespace: str, sid: str) -> None:
        """A client that was asked for will not be connected."""
        self._forget(namespace, sid)

    def _event(self, namespace: str, sid: str, data: list[Any], ack: _native.IoAck | None) -> None:
        """An event has come: its name, then its arguments."""
        raise NotImplementedError

    def _handle(self, namespace: str, sid: str, data: list[Any]) -> Any:
        """Calls the handler of an event, which may be a coroutine function."""
        event = data[0]
        if self._takes(logging.INFO):
            self.logger.info('received event "%s" from %s [%s]', event, sid, namespace)
        if event in self.reserved_events:
            return NOT_HANDLED  # the client's word, not ours
        of_namespace = self.handlers.get(namespace)
        handler = None if of_namespace is None else of_namespace.get(event)
        if handler is None:
            return self._trigger(event, namespace, (sid, *data[1:]))
        data[0] = sid
        return handler(*data)

    def _acked(self, token: int, answer: list[Any] | None) -> None:
        """An answer has come; ``None``: it won't."""
        kept = self._callbacks.pop(token, None)
        if kept is None:
            return
        callback = kept[1]
        if isinstance(callback, Answer):
            callback.settle(answer)
        elif answer is not None:
            self._call_back(callback, answer)

    def _call_back(self, callback: Callable[..., Any], answer: list[Any]) -> None:
        raise NotImplementedError

    def _leaving(self, namespace: str, sid: str, rooms: list[str], reason: str, may_come_back: bool) -> None:
        """A client is disconnected; what is known of it is forgotten when the handler has returned."""
        key = (namespace, sid)
        self.logger.info("%s is disconnected: %s [%s]", sid, reason, namespace)
        self._connecting_clients.pop(key, None)
        self._drained(namespace, sid)
        if may_come_back and self._serving.recovery is not None and key in self._sessions:
            self._keep_away(key, self._serving.recovery.max_disconnection_duration)
        if not self._is_heard("disconnect", namespace):
            self._forget(namespace, sid)
            return
        self._leaving_clients[key] = rooms
        self._say_goodbye(namespace, sid, reason)

    def _is_over_mark(self, namespace: str, sid: str) -> bool:
        mark = self._serving.limits.high_water_mark
        return self._native is not None and self._native.buffered_amount(namespace, sid) > mark

    def _drained(self, namespace: str, sid: str) -> None:
        """There is room again, or the client is gone."""
        raise NotImplementedError

    def _say_goodbye(self, namespace: str, sid: str, reason: str) -> None:
        """Has the handler of ``disconnect`` called, then :meth:`_forget`."""
        raise NotImplementedError

    def _keep_away(self, key: Key, seconds: float) -> None:
        """Keeps the session of a client that may be recovered."""
        now = time.monotonic()
        for other, (until, _) in list(self._away.items()):
            if until > now:
                break  # and so is what came later
            del self._away[other]
        self._away[key] = (now + seconds, self._sessions[key])

    def _come_back(self, namespace: str, sid: str) -> None:
        """A client was recovered."""
        _, session = self._away.pop((namespace, sid), (0.0, None))
        if session is not None:
            self._sessions.setdefault((namespace, sid), session)

    def _forget(self, namespace: str, sid: str) -> None:
        for kept in self._of_clients():
            kept.pop((namespace, sid), None)

    def _of_clients(self) -> tuple[dict[Key, Any], ...]:
        return self._connecting_clients, self._leaving_clients, self._sessions, self._environs

    def _closed(self) -> None:
        """The engine's server has ended, after the last of its clients."""
        self._native = None
        self._callbacks.clear()
        self._away.clear()

    # Sending

    def _emit_with_callback(
        self, namespace: str, sid: str, array: bytes, attachments: list[bytes], callback: Callable[..., Any]
    ) -> bool:
        assert self._native is not None
        token = next(self._tokens)
        self._callbacks[token] = ((namespace, sid), callback)
        if self._native.emit_to(namespace, sid, array, attachments, token):
            return True
        self._callbacks.pop(token, None)
        return False

    def _answer(self, ack: _native.IoAck, result: Any) -> None:
        """Sends what a handler has returned."""
        if result is not NOT_HANDLED:
            send_answer(self._codec, ack, result)


def answer_request(question: _native.IoRequest, allowed: Any) -> None:
    """Who isn't let in is told a text, or is answered by a response. Raises ``ValueError`` for one that is none."""
    if isinstance(allowed, Response):
        question.respond(*answer_of(allowed))
    else:
        question.deny(allowed if isinstance(allowed, str) else None)


def begin_session(question: _native.IoRequest, generated: Any) -> None:
    """Lets a session begin under an id of the application's. Raises ``TypeError`` for what is none."""
    if not isinstance(generated, str):
        raise TypeError(f"generate_id must return a str, not {type(generated).__name__}")
    question.allow(generated)


class _Connecting:
    """A client whose ``connect`` handler runs: what it is sent meanwhile is kept, as python-socketio sends it."""

    __slots__ = ("held", "is_refused", "question", "rooms")

    def __init__(self, question: _native.IoQuestion) -> None:
        self.question = question
        self.rooms: list[str] = []
        self.held: list[tuple[bytes, list[bytes], Callable[..., Any] | None]] = []
        self.is_refused = False

    def is_reached(self, sid: str, rooms: Rooms, skipped: Rooms) -> bool:
        if self.question.connected:
            return False  # by now the engine reaches it
        mine = {sid, *self.rooms}
        if skipped is not None and not mine.isdisjoint([skipped] if isinstance(skipped, str) else skipped):
            return False
        return rooms is None or not mine.isdisjoint([rooms] if isinstance(rooms, str) else rooms)
