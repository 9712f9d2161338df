"""Answers that ``call`` waits for."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from .._drivers import is_driver_thread
from .exceptions import ConnectionLostError, TimeoutError

__all__ = ["Answer", "AsyncAnswer", "ThreadAnswer"]


class Answer:
    """Takes the place of a callback."""

    def __call__(self, *args: Any) -> None:
        self.settle(list(args))

    def settle(self, answer: list[Any] | None) -> None:
        """The answer has come, or ``None``: it won't, because the connection is lost."""
        raise NotImplementedError

    def expire(self) -> None:
        """The answer won't come, because its time is up."""
        raise NotImplementedError


class AsyncAnswer(Answer):
    def __init__(self) -> None:
        self._future: asyncio.Future[list[Any] | None] = asyncio.get_running_loop().create_future()

    def settle(self, answer: list[Any] | None) -> None:
        if not self._future.done():
            self._future.set_result(answer)

    def expire(self) -> None:
        if not self._future.done():
            self._future.set_exception(TimeoutError())

    async def get(self, timeout: float | None) -> Any:
        try:
            async with asyncio.timeout(timeout):
                return _result(await self._future)
        except asyncio.TimeoutError:
            raise TimeoutError() from None


class ThreadAnswer(Answer):
    def __init__(self) -> None:
        self._event = threading.Event()
        self._answer: list[Any] | None = None
        self._has_expired = False

    def settle(self, answer: list[Any] | None) -> None:
        self._answer = answer
        self._event.set()

    def expire(self) -> None:
        self._has_expired = True
        self._event.set()

    def get(self, timeout: float | None) -> Any:
        if is_driver_thread():
            raise RuntimeError("an answer can't be waited for on the engine's own thread, which brings it")
        if not self._event.wait(timeout) or self._has_expired:
            raise TimeoutError()
        return _result(self._answer)


def _result(answer: list[Any] | None) -> Any:
    """What the peer has answered: nothing, one value, or a tuple of them."""
    if answer is None:
        raise ConnectionLostError()
    if len(answer) > 1:
        return tuple(answer)
    return answer[0] if answer else None
