"""What a server says to the others of its cluster, and hears of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar, overload

from ._codec import arguments
from ._handlers import NOT_HANDLED
from ._names import names
from ._server_core import ServerCore
from ._waiting import Answer, AsyncAnswer, ThreadAnswer

if TYPE_CHECKING:
    from .. import _native
    from ._redis_manager import BaseRedisManager

__all__ = ["Answers", "AsyncClusterMethods", "ClusterCore", "ClusterMethods", "SocketInfo"]

_T = TypeVar("_T")
_H = TypeVar("_H", bound=Callable[..., Any])

A_DAY = 86_400.0
"""In place of no limit: nobody tells that a client of another server has gone."""


class Answers(list[_T], Generic[_T]):
    """What the servers have answered; so many as ``missing`` have not in time."""

    missing = 0


class SocketInfo(NamedTuple):
    """A client, which may be another server's."""

    sid: str
    rooms: list[str]
    handshake: dict[str, Any]
    """As the official server has it: ``headers``, ``address``, ``query``, ``auth`` and so on."""
    data: Any
    """What an official server's application keeps of it."""


class ClusterCore(ServerCore):
    """Without a cluster nobody else is there."""

    _redis: BaseRedisManager | None = None

    def _set_up_cluster(self, manager: BaseRedisManager | None) -> None:
        self._redis = manager
        self._questions: dict[int, Answer] = {}
        self._server_handlers: dict[tuple[str, str], Callable[..., Any]] = {}
        if manager is not None:
            manager.set_server(self)  # type: ignore[arg-type]
            self._cluster = manager._cluster, manager

    def _start(self, driver: _native.Driver) -> _native.IoServer:
        native = super()._start(driver)
        if self._redis is not None:
            native.open_namespaces(self._own_namespaces())
        return native

    def _own_namespaces(self) -> list[str]:
        """Those of which it is known that there may be clients."""
        listed = [self.namespaces] if isinstance(self.namespaces, str) else self.namespaces
        known = {*listed, *self.handlers, *self.namespace_handlers, *(namespace for namespace, _ in self._server_handlers)}
        return sorted(known - {"*"})

    def _has_handlers_in(self, namespace: str) -> None:
        if self._redis is not None and self._native is not None and namespace != "*":
            self._native.open_namespaces([namespace])

    @overload
    def on_server_side_emit(self, event: str, handler: None = None, namespace: str | None = None) -> Callable[[_H], _H]: ...

    @overload
    def on_server_side_emit(self, event: str, handler: _H, namespace: str | None = None) -> _H: ...

    def on_server_side_emit(self, event: str, handler: Any = None, namespace: str | None = None) -> Any:
        """Sets the handler of what other servers say by ``server_side_emit``, or is a decorator for it. What it returns is
        its answer, if one is asked for.
        """
        place = namespace or "/"

        def set_handler(handler: _H) -> _H:
            self._server_handlers[place, event] = handler
            self._has_handlers_in(place)
            return handler

        return set_handler if handler is None else set_handler(handler)

    # What the engine tells

    def _server_event(self, namespace: str, data: list[Any], ack: _native.IoAck | None) -> None:
        handler = self._server_handlers.get((namespace, data[0]))
        if handler is not None:
            self._handle_server_event(handler, data[1:], ack)

    def _handle_server_event(self, handler: Callable[..., Any], values: list[Any], ack: _native.IoAck | None) -> None:
        raise NotImplementedError

    def _answer_server(self, ack: _native.IoAck | None, result: Any) -> None:
        """An answer is one value."""
        if ack is not None and result is not NOT_HANDLED:
            ack.send(*self._codec.encode([result]))

    def _broadcast_acked(self, token: int, responses: list[list[Any]], timed_out: bool) -> None:
        """All answers to a broadcast have come, or those that came in time."""
        kept = self._callbacks.pop(token, None)
        if kept is None:
            return
        callback = kept[1]
        if not isinstance(callback, Answer):
            for response in responses:
                self._call_back(callback, response)
        elif timed_out and not responses:
            callback.expire()
        else:
            callback.settle(responses[0] if responses else None)

    def _answered(self, token: int, value: Any, missing: int) -> None:
        question = self._questions.pop(token, None)
        if question is None:
            return
        if isinstance(value, list):
            value = Answers(value)
            value.missing = missing
        question.settle([value])

    def _not_answered(self, token: int, why: str | None) -> None:
        """Why not: ``None`` if this server has ended."""
        if why is not None:
            self._redis_says(why)
        question = self._questions.pop(token, None)
        if question is not None:
            question.settle(None)

    def _redis_says(self, why: str) -> None:
        if self._redis is not None:
            self._redis._redis_failed(why)
        else:
            self.logger.error("%s", why)

    def _closed(self) -> None:
        super()._closed()
        self._nobody_answers()

    def _forget_all(self) -> None:
        super()._forget_all()
        self._nobody_answers()

    def _nobody_answers(self) -> None:
        questions, self._questions = self._questions, {}
        for question in questions.values():
            question.settle(None)

    # Sending

    def _emit_elsewhere(
        self,
        namespace: str,
        rooms: str | list[str] | None,
        skipped: list[str] | None,
        array: bytes,
        attachments: list[bytes],
        callback: Callable[..., Any],
        seconds: float | None,
    ) -> bool:
        """Sends an event to clients of other servers, whose answers are wanted."""
        if self._redis is None or self._native is None:
            return False
        if not isinstance(callback, Answer):
            seconds = self._redis.callback_timeout
        token = next(self._tokens)
        self._callbacks[token] = ((namespace, ""), callback)
        if self._native.emit_with_acks(namespace, rooms, skipped, array, attachments, token, A_DAY if seconds is None else seconds):
            return True
        self._callbacks.pop(token, None)
        return False

    def _fetch(self, answer: Answer, room: Any, skip: Any, namespace: str | None, local: bool) -> None:
        self._ask_servers(
            answer, lambda native, token: native.fetch_sockets(namespace or "/", names(room), names(skip), local, token)
        )

    def _count_servers(self, answer: Answer, namespace: str | None) -> None:
        self._ask_servers(answer, lambda native, token: native.server_count(namespace or "/", token))

    def _call_servers(self, answer: Answer, event: str, data: Any, namespace: str | None) -> None:
        self._check_servers_speak()
        array, attachments = self._codec.encode(arguments(data))
        self._ask_servers(
            answer, lambda native, token: native.server_side_emit(namespace or "/", event, array, attachments, token)
        )

    def _check_servers_speak(self) -> None:
        if self._redis is not None:
            self._redis._check_servers_speak()

    def _tell_servers(self, event: str, data: Any, namespace: str | None) -> None:
        self._check_servers_speak()
        array, attachments = self._codec.encode(arguments(data))
        if self._native is not None:
            self._native.server_side_emit(namespace or "/", event, array, attachments)

    def _ask_servers(self, answer: Answer, ask: Callable[[_native.IoServer, int], bool]) -> None:
        token = next(self._tokens)
        self._questions[token] = answer
        is_asked = False
        try:
            is_asked = self._native is not None and ask(self._native, token)
        finally:
            if not is_asked:
                self._questions.pop(token, None)
        if not is_asked:
            answer.settle([Answers()])


def _sockets(found: Answers[Any]) -> Answers[SocketInfo]:
    sockets = Answers(SocketInfo(*one) for one in found)
    sockets.missing = found.missing
    return sockets


class ClusterMethods(ClusterCore):
    """For programs with threads."""

    def fetch_sockets(
        self, room: Any = None, skip_sid: Any = None, namespace: str | None = None, ignore_queue: bool = False
    ) -> Answers[SocketInfo]:
        """Who is there, or in a room or in several, on all servers of the cluster; with ``ignore_queue`` on this one alone.
        ``missing`` of the result says how many servers have not answered in time.

        Raises :exc:`ConnectionLostError` if nobody can be asked.
        """
        answer = ThreadAnswer()
        self._fetch(answer, room, skip_sid, namespace, ignore_queue)
        return _sockets(answer.get(None))

    def server_side_emit(self, event: str, data: Any = None, namespace: str | None = None) -> None:
        """Has the applications of the cluster's other servers hear an event: :meth:`on_server_side_emit`, or ``io.on`` of an
        official server. A tuple is several arguments.
        """
        self._tell_servers(event, data, namespace)

    def server_side_call(self, event: str, data: Any = None, namespace: str | None = None) -> Answers[Any]:
        """The same, and waits for an answer of each. ``missing`` of the result says how many have not answered within the
        manager's ``requests_timeout``.

        Raises :exc:`ConnectionLostError` if nobody can be asked.
        """
        answer = ThreadAnswer()
        self._call_servers(answer, event, data, namespace)
        return answer.get(None)  # type: ignore[no-any-return]

    def server_count(self, namespace: str | None = None) -> int:
        """How many servers the cluster has, this one included.

        Raises :exc:`ConnectionLostError` if nobody can be asked.
        """
        answer = ThreadAnswer()
        self._count_servers(answer, namespace)
        return answer.get(None) or 0


class AsyncClusterMethods(ClusterCore):
    """For asyncio."""

    async def fetch_sockets(
        self, room: Any = None, skip_sid: Any = None, namespace: str | None = None, ignore_queue: bool = False
    ) -> Answers[SocketInfo]:
        """Who is there, or in a room or in several, on all servers of the cluster; with ``ignore_queue`` on this one alone.
        ``missing`` of the result says how many servers have not answered in time.

        Raises :exc:`ConnectionLostError` if nobody can be asked.
        """
        answer = AsyncAnswer()
        self._fetch(answer, room, skip_sid, namespace, ignore_queue)
        return _sockets(await answer.get(None))

    async def server_side_emit(self, event: str, data: Any = None, namespace: str | None = None) -> None:
        """Has the applications of the cluster's other servers hear an event: :meth:`on_server_side_emit`, or ``io.on`` of an
        official server. A tuple is several arguments.
        """
        self._tell_servers(event, data, namespace)

    async def server_side_call(self, event: str, data: Any = None, namespace: str | None = None) -> Answers[Any]:
        """The same, and waits for an answer of each. ``missing`` of the result says how many have not answered within the
        manager's ``requests_timeout``.

        Raises :exc:`ConnectionLostError` if nobody can be asked.
        """
        answer = AsyncAnswer()
        self._call_servers(answer, event, data, namespace)
        return await answer.get(None)  # type: ignore[no-any-return]

    async def server_count(self, namespace: str | None = None) -> int:
        """How many servers the cluster has, this one included.

        Raises :exc:`ConnectionLostError` if nobody can be asked.
        """
        answer = AsyncAnswer()
        self._count_servers(answer, namespace)
        return await answer.get(None) or 0
