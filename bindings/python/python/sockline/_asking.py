"""What the engine asks the application while a client connects: for a connection, or for the addresses of a name."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ._sockets import check_stream, connected_descriptor
from ._workers import run_in_a_thread
from .exceptions import SocklineError
from .typing import Dial, Lookup

if TYPE_CHECKING:
    from . import _native

__all__ = ["Asking", "asking", "check_asking"]


def check_asking(
    dial: Dial | None, lookup: Lookup | None, proxy: str | bool | None = None, **others: object
) -> None:
    """Raises :exc:`TypeError` for what can't be called, and :exc:`ValueError` for a proxy's URL or ``others`` beside ``dial``: they
    say how a connection is made, and that is its affair.
    """
    for name, function in (("dial", dial), ("lookup", lookup)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be callable or None, not {type(function).__name__}")
    if dial is None:
        return
    others |= {"lookup": lookup, "proxy": proxy if isinstance(proxy, str) else None}
    for name, value in others.items():
        if value is not None:
            raise ValueError(f"{name} and dial can not be specified at the same time")


def asking(dial: Dial | None, lookup: Lookup | None, loop: asyncio.AbstractEventLoop | None) -> Asking | None:
    """Who is asked, if anybody is."""
    return None if dial is None and lookup is None else Asking(dial, lookup, loop)


class Asking:
    """Asks the application, for one connection or one client. The engine calls it on the thread that turns its driver, and
    has a weak reference to it.

    A function is called in a thread where it may wait, a coroutine function in a task of ``loop``; both in a copy of the
    context in which this was made.
    """

    def __init__(self, dial: Dial | None, lookup: Lookup | None, loop: asyncio.AbstractEventLoop | None) -> None:
        self.dials = dial is not None
        self.looks_up = lookup is not None
        self._functions = dial, lookup
        self._loop = loop
        self._context = contextvars.copy_context()
        self._error: Exception | None = None
        """What was raised when the latest question was asked."""
        self._tasks: set[asyncio.Task[None]] = set()

    def explain(self, error: SocklineError, shown: Exception | None = None) -> None:
        """If an error comes of what the application has raised, that is the cause of what it is shown as."""
        if error.code in ("SOCKLINE_ERR_CONNECT_FAILED", "SOCKLINE_ERR_NAME_NOT_RESOLVED"):
            self.explain_failure(error if shown is None else shown)

    def explain_failure(self, shown: Exception) -> None:
        """The same for what is known to be a failure to connect."""
        if self._error is not None:
            shown.__cause__ = self._error

    def give_up(self) -> None:
        """Nobody wants an answer any more: tasks are cancelled. On the loop's thread."""
        for task in list(self._tasks):
            task.cancel()

    # What the engine asks

    def _dial(self, question: _native.Dialing) -> None:
        self._ask(_Asked(self._functions[0], (question.host, question.port), question, _give_socket))

    def _look_up(self, question: _native.LookingUp) -> None:
        self._ask(_Asked(self._functions[1], (question.host,), question, _give_addresses))

    def _ask(self, asked: _Asked) -> None:
        self._error = None
        context = self._context.copy()
        if self._loop is None:
            run_in_a_thread(context.run, self._answer, asked)
            return
        task = self._loop.create_task(self._answer_in_task(asked), context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _answer(self, asked: _Asked) -> None:
        """In a thread."""
        coming = self._call(asked)
        if coming is not None:
            if inspect.iscoroutine(coming):
                coming.close()
            self._fail(asked, TypeError(f"{asked.function!r} is asynchronous, and there is no asyncio loop here"))

    async def _answer_in_task(self, asked: _Asked) -> None:
        try:
            if inspect.iscoroutinefunction(asked.function):
                coming: Awaitable[Any] | None = asked.function(*asked.arguments)
            else:
                coming = await asyncio.to_thread(self._call, asked)
            if coming is not None:
                asked.give(asked.question, await coming)
        except Exception as error:
            self._fail(asked, error)

    def _call(self, asked: _Asked) -> Awaitable[Any] | None:
        """Calls a function and gives what it returns, also if nobody waits any more; what is to be awaited is returned."""
        try:
            made = asked.function(*asked.arguments)
            if inspect.isawaitable(made):
                return made
            asked.give(asked.question, made)
        except Exception as error:
            self._fail(asked, error)
        return None

    def _fail(self, asked: _Asked, error: Exception) -> None:
        self._error = error
        asked.question.failed(str(error) or type(error).__name__)


class _Asked:
    """A question and who answers it."""

    __slots__ = ("arguments", "function", "give", "question")

    def __init__(self, function: Any, arguments: tuple[Any, ...], question: Any, give: Callable[[Any, Any], None]) -> None:
        self.function = function
        self.arguments = arguments
        self.question = question
        self.give = give


def _give_socket(question: _native.Dialing, made: Any) -> None:
    if not isinstance(made, socket.socket):
        raise TypeError(f"dial must return a connected socket.socket, not {type(made).__name__}")
    check_stream(made)
    made.getpeername()  # raises what says that it is not connected
    question.connected(connected_descriptor(made))


def _give_addresses(question: _native.LookingUp, found: Any) -> None:
    if isinstance(found, str | bytes):
        raise TypeError(f"lookup must return a list of addresses, not {type(found).__name__}")
    question.found([str(address) for address in found])
