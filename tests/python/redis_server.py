"""A redis-server of the tests' own."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator


class RedisServer:
    """On a port of its own; may be stopped and started again."""

    def __init__(self, *settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._folder = tempfile.mkdtemp(prefix="sockline-redis-")
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it can be connected to."""
        places = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder]
        self._process = subprocess.Popen(
            ["redis-server", *places, "--save", "", "--appendonly", "no", *self._settings],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if "Ready to accept connections" in line:
                return
        raise RuntimeError("".join(lines))

    async def until_so_many_listen(self, count: int, channel: str, command: str = "NUMSUB") -> None:
        """A subscription takes its time. The command is SHARDNUMSUB for a sharded channel."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        found = -1
        while found != count:
            writer.write(f"PUBSUB {command} {channel}\r\n".encode())
            await reader.readuntil(b":")
            found = int(await reader.readline())
        writer.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def redis_server(*settings: str) -> Iterator[RedisServer]:
    server = RedisServer(*settings)
    try:
        yield server
    finally:
        server.end()
