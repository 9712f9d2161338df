"""One connection of a client's, from the attempt to make it until the last of its handlers has ended."""

from __future__ import annotations

import asyncio
import threading

__all__ = ["AsyncConnection", "Connection"]


class Connection:
    """Any thread may use it."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        """It has ended, and all handlers have been told; or it was never made."""
        self.is_unwanted = False
        """Whether it is not to be made again when it is lost."""
        self._outcome = threading.Event()
        self._error: Exception | None = None

    def succeed(self) -> None:
        """It is made."""
        self._outcome.set()

    def fail(self, error: Exception) -> None:
        """It will not be made."""
        if not self._outcome.is_set():
            self._error = error
            self.gone.set()
            self._outcome.set()

    def wait_until_made(self) -> None:
        """Raises what it has failed with."""
        self._outcome.wait()
        if self._error is not None:
            raise self._error


class AsyncConnection:
    """The same for one event loop's thread."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.is_unwanted = False
        self._outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def succeed(self) -> None:
        """It is made."""
        if not self._outcome.done():
            self._outcome.set_result(None)

    def fail(self, error: Exception) -> None:
        """It will not be made."""
        if not self._outcome.done():
            self.gone.set()
            self._outcome.set_exception(error)

    async def wait_until_made(self) -> None:
        """Raises what it has failed with."""
        await self._outcome
