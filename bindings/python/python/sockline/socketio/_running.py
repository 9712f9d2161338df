"""Coroutines of handlers, run from the engine's thread: their first step at once, the others by a task."""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

__all__ = ["Runners", "report"]

Then = Callable[[Any], object]
"""Is given what a handler has returned."""


class Runners:
    """Starts coroutines as tasks do, but without a task of its own for one that ends before it waits for anything.

    The first step is made at once, in a copy of the context, with an idle task as the current one. If the coroutine ends
    in it, the task stays idle. If not, that task goes on with it, and is its own until the end: what took it for the
    current task, such as ``asyncio.timeout``, has taken the right one.
    """

    def __init__(self) -> None:
        self._idle: list[_Runner] = []
        self._busy: set[_Runner] = set()

    def run(self, coroutine: Coroutine[Any, Any, Any], then: Then | None = None) -> None:
        """Runs it; what it raises goes to the loop's exception handler."""
        loop = asyncio.get_running_loop()
        if asyncio.current_task(loop) is not None:
            _Runner(loop, self).take_over(coroutine, None, contextvars.copy_context(), then)
            return
        runner = self.spare(loop)
        context = contextvars.copy_context()
        asyncio._enter_task(loop, runner.task)
        try:
            waiting = context.run(coroutine.send, None)
        except StopIteration as done:
            self._idle.append(runner)
            result = done.value
        except asyncio.CancelledError:
            self._idle.append(runner)
            return
        except Exception as error:
            self._idle.append(runner)
            report(error, None)
            return
        else:
            runner.take_over(coroutine, waiting, context, then)
            return
        finally:
            asyncio._leave_task(loop, runner.task)
        if then is not None:
            then(result)


    def spare(self, loop: asyncio.AbstractEventLoop) -> _Runner:
        """One that has nothing to do."""
        runner = self._idle.pop() if self._idle else _Runner(loop, self)
        if runner.loop is not loop or runner.task.cancelling() or runner.task.done():
            runner = _Runner(loop, self)
        return runner


class _Runner:
    """A task that waits for a coroutine to go on with."""

    __slots__ = ("_context", "_coroutine", "_runners", "_then", "_waiting", "_wake", "loop", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop, runners: Runners) -> None:
        self.loop = loop
        self._runners = runners
        self._wake: asyncio.Future[None] = loop.create_future()
        self._coroutine: Coroutine[Any, Any, Any] | None = None
        self.task: asyncio.Task[None] = loop.create_task(self._run())
        # Nothing is lost with an idle one, so the end of a loop that is just closed is no news.
        self.task._log_destroy_pending = False  # type: ignore[attr-defined]

    def take_over(
        self, coroutine: Coroutine[Any, Any, Any], waiting: Any, context: contextvars.Context, then: Then | None
    ) -> None:
        """Goes on with a coroutine that waits for something."""
        self._coroutine, self._waiting, self._context, self._then = coroutine, waiting, context, then
        self.task._log_destroy_pending = True  # type: ignore[attr-defined]
        self._runners._busy.add(self)
        if not self._wake.done():
            self._wake.set_result(None)

    async def _run(self) -> None:
        error: BaseException | None = None
        try:
            await self._wake
        except asyncio.CancelledError as cancelled:
            if self._coroutine is None:
                raise
            error = cancelled  # meant for the coroutine
        try:
            result = await self._go_on(error)
            if self._then is not None:
                self._then(result)
        except asyncio.CancelledError:
            raise
        except Exception as raised:
            report(raised, self.task)
        finally:
            self._runners._busy.discard(self)

    @types.coroutine
    def _go_on(self, error: BaseException | None) -> Generator[Any, Any, Any]:
        """Steps the coroutine in its own context, as ``yield from`` would in this one."""
        coroutine = self._coroutine
        assert coroutine is not None
        waiting = self._waiting
        while True:
            if error is None:
                try:
                    yield waiting
                except BaseException as raised:
                    error = raised
            try:
                if error is None:
                    waiting = self._context.run(coroutine.send, None)
                else:
                    waiting = self._context.run(coroutine.throw, error)
            except StopIteration as done:
                return done.value
            error = None


def report(error: BaseException, task: asyncio.Task[Any] | None) -> None:
    """As asyncio reports an exception that nobody has waited for."""
    context: dict[str, Any] = {"message": "Exception in a handler of sockline.socketio", "exception": error}
    if task is not None:
        context["task"] = task
    asyncio.get_running_loop().call_exception_handler(context)
