"""The command ``sockline``, as people and programs start it from Python."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pexpect
import pyte

COMMAND = [sys.executable, "-m", "sockline"]
WAIT = 20
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and name != "NO_COLOR"},
    "TERM": "xterm-256color",
}


@dataclass
class Outcome:
    code: int
    out: str
    err: str


async def run(*arguments: str, typed: str = "") -> Outcome:
    """Runs the command to its end, with these lines in a pipe."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=ENVIRONMENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(typed.encode()), WAIT)
    assert b"Traceback" not in err and b"panicked" not in err, err.decode()
    return Outcome(process.returncode or 0, out.decode(), err.decode())


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The command as it runs; it is ended if it doesn't end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=ENVIRONMENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line_of(stream: asyncio.StreamReader | None) -> str:
    """The next line."""
    assert stream is not None
    return (await asyncio.wait_for(stream.readline(), WAIT)).decode().rstrip("\n")


class Terminal:
    """The command on a terminal of 100 columns, and what is seen there."""

    def __init__(self, *arguments: str, **environment: str) -> None:
        self.process: Any = pexpect.spawn(
            COMMAND[0],
            [*COMMAND[1:], *arguments],
            dimensions=(40, 100),
            env={**ENVIRONMENT, **environment},
            timeout=WAIT,
        )
        self.screen = pyte.Screen(100, 40)
        self.stream = pyte.ByteStream(self.screen)
        self.bytes = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.close(force=True)

    def shown(self) -> list[str]:
        """The lines on the screen, without what is empty at their end and below."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def _read(self) -> bool:
        try:
            data = self.process.read_nonblocking(65_536, timeout=WAIT)
        except pexpect.EOF:
            return False
        self.bytes += data
        self.stream.feed(data)
        return True

    async def until(self, line: str) -> None:
        """Waits until a line on the screen begins so."""
        while not any(shown.startswith(line) for shown in self.shown()):
            assert await asyncio.to_thread(self._read), f"it has ended without {line!r}:\n" + "\n".join(self.shown())

    def type(self, keys: str) -> None:
        self.process.send(keys)

    async def ended(self) -> int:
        """Waits for its end; the code that it has exited with."""
        while await asyncio.to_thread(self._read):
            pass
        await asyncio.to_thread(self.process.close)
        assert self.process.exitstatus is not None, f"ended by signal {self.process.signalstatus}"
        return int(self.process.exitstatus)
