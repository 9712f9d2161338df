"""A redis-server of the tests' own, sentinels, and a Redis Cluster."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

READY = ("Ready to accept connections", "Sentinel ID is")


def free_port() -> int:
    """Below those that systems give to outgoing connections, which could take it before it is listened on."""
    while True:
        port = random.randrange(11_000, 22_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class RedisServer:
    """On a port of its own; may be stopped and started again."""

    def __init__(self, *settings: str) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="sockline-redis-"))
        places = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        self._arguments = [*places, "--save", "", "--appendonly", "no", *settings]
        self._process: subprocess.Popen[str] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it can be connected to."""
        self._process = subprocess.Popen(
            ["redis-server", *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self._process.stdout is not None
        lines = []
        for line in self._process.stdout:
            lines.append(line)
            if any(ready in line for ready in READY):
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
        shutil.rmtree(self.folder, ignore_errors=True)


class Sentinel(RedisServer):
    """Watches a server under the name ``main``, with these lines more in its file."""

    def __init__(self, master: RedisServer, *lines: str) -> None:
        self._lines = [f"sentinel monitor main 127.0.0.1 {master.port} 1", *lines]
        super().__init__()

    def start(self) -> None:
        file = self.folder / "sentinel.conf"
        file.write_text("\n".join([f"port {self.port}", "bind 127.0.0.1", *self._lines]) + "\n")
        self._arguments = [str(file), "--sentinel"]
        super().start()


@contextlib.contextmanager
def redis_server(*settings: str) -> Iterator[RedisServer]:
    server = RedisServer(*settings)
    try:
        yield server
    finally:
        server.end()


@contextlib.contextmanager
def redis_sentinel(master: RedisServer, *lines: str) -> Iterator[Sentinel]:
    server = Sentinel(master, *lines)
    try:
        yield server
    finally:
        server.end()


@contextlib.contextmanager
def redis_cluster() -> Iterator[list[RedisServer]]:
    """Three masters that share the slots of one cluster."""
    with contextlib.ExitStack() as stack:
        own = ("--cluster-enabled", "yes", "--cluster-port")
        nodes = [stack.enter_context(redis_server(*own, str(free_port()))) for _ in range(3)]
        places = [f"127.0.0.1:{node.port}" for node in nodes]
        subprocess.run(["redis-cli", "--cluster", "create", *places, "--cluster-yes"], check=True, capture_output=True)
        for node in nodes:
            while "cluster_state:ok" not in cli(node, "CLUSTER", "INFO"):
                time.sleep(0.01)  # all have to agree on who has what
        yield nodes


def cli(server: RedisServer, *command: str) -> str:
    """What redis-cli answers."""
    done = subprocess.run(["redis-cli", "-p", str(server.port), *command], check=True, capture_output=True, text=True)
    return done.stdout
