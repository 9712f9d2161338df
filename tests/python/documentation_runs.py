"""Runs blocks of documentation in threads, as their readers would, and keeps what is seen of them."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

SECONDS = 15


@dataclass
class Entry:
    """What a block needs to run, and what it has to show with its own package, so that nothing happening is no success."""

    shows: tuple[str, ...] = ()
    prologue: str = ""
    edits: tuple[tuple[str, str], ...] = ()
    epilogue: str = ""
    ends: str = ""
    """For what never ends: what ends it, ``cancel`` or an expression."""
    more: dict[str, Any] = field(default_factory=dict)
    """For those who play the other side."""


def edited(entry: Entry, code: str) -> str:
    for old, new in entry.edits:
        assert old in code, f"it no longer says {old!r}"
        code = code.replace(old, new)
    return f"{entry.prologue}\n{code}\n{entry.epilogue}\n"


def swapped(code: str, theirs: str, ours: str) -> str:
    """The one thing that changes."""
    code = re.sub(rf"^(\s*)import {theirs}$", rf"\1import {ours} as {theirs}", code, flags=re.MULTILINE)
    return re.sub(rf"\bfrom {theirs}\b", f"from {ours}", code)


class Running:
    """A program in a thread of its own, with an event loop that it may await on, or not."""

    def __init__(self, code: str, names: dict[str, Any]) -> None:
        self.printed: list[str] = []
        self.thrown: BaseException | None = None
        self.names = {"print": self._print, "asyncio": asyncio, "__name__": "__main__", **names}
        self._code = compile(code, "<documentation>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _print(self, *values: Any) -> None:
        self.printed.append(" ".join(map(str, values)))

    def _run(self) -> None:
        try:
            if self._code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(self._main())
            else:
                exec(self._code, self.names)
        except BaseException as error:  # whatever a program ends with is to be compared
            self.thrown = error

    async def _main(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        await eval(self._code, self.names)

    def end(self, how: str) -> None:
        """From another thread: when it never ends by itself."""
        if not how:
            return
        job: Callable[[], Any] = lambda: eval(how, self.names)  # noqa: E731
        if how == "cancel":
            assert self._task
            job = self._task.cancel
        if self._loop:
            self._loop.call_soon_threadsafe(job)
        else:
            job()

    async def join(self) -> None:
        await asyncio.to_thread(self.thread.join, SECONDS)
        if self.thread.is_alive():
            where = traceback.format_stack(sys._current_frames()[self.thread.ident or 0])
            raise AssertionError(f"it has not ended; printed: {self.printed}; it is at\n{''.join(where[-4:])}")
