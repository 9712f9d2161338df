"""Clients under test. Each talks to a server of the load generator's, which is on the other core and lives as long; it
counts the messages, and reads the client's CPU clock as it reads a server's elsewhere."""

from __future__ import annotations

import json
import select
import subprocess
import time
from typing import Any

import servers
from report import Case
from servers import Row, Server, Unmeasured

KINDS = ("client", "io-client")
LOAD = servers.BIN / "load"
ANSWER_TIMEOUT = 30.0  # seconds that the load generator may take longer than it was told to measure


class Client(Server):
    """A running client, pinned to a core, with its server on the other. Use it as a context manager."""

    def __init__(self, row: Row, core: int, load_core: int, case: Case) -> None:
        port = servers.free_port()
        command = [
            "setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(load_core), str(LOAD), "serve",
            "--port", str(port),
            "--connections", str(case.connections),
            "--io", str(int(case.kind == "io-client")),
        ]  # fmt: skip
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.load = subprocess.Popen(command, text=True, bufsize=1, **pipes)
        try:
            self.answer(servers.START_TIMEOUT)  # it listens
            super().__init__(row, core, port, (str(case.connections), str(case.pipeline), str(case.size)))
        except BaseException:
            self.stop_load()
            raise

    def await_ready(self) -> None:
        """Until all its connections are open."""
        self.answer_for_client(servers.START_TIMEOUT)

    def measure(self, warm_up: float, seconds: float) -> dict[str, Any]:
        """Has messages go to and fro, and gives the figures of a slice. Before and after, the client waits for echoes."""
        assert self.load.stdin is not None
        try:
            self.load.stdin.write(f"measure {self.pid} {warm_up} {seconds}\n")
        except BrokenPipeError:
            pass  # what it has said tells why
        return self.answer_for_client(warm_up + seconds + ANSWER_TIMEOUT)

    def answer_for_client(self, timeout: float) -> dict[str, Any]:
        try:
            return self.answer(timeout, self.process)
        except Unmeasured as reason:
            raise Unmeasured(f"{reason}; the client: {self.last_words()}") from reason

    def answer(self, timeout: float, client: subprocess.Popen[bytes] | None = None) -> dict[str, Any]:
        """The next line of the load generator's, unless the client has ended."""
        assert self.load.stdout is not None
        deadline = time.monotonic() + timeout
        while not select.select([self.load.stdout], [], [], 0.1)[0]:
            if client is not None and client.poll() is not None:
                raise Unmeasured(f"failed: ended with status {client.returncode}")
            if time.monotonic() > deadline:
                raise Unmeasured(f"failed: nothing came for {timeout:.0f} s")
        line = self.load.stdout.readline()
        try:
            return dict(json.loads(line))
        except ValueError:
            raise Unmeasured(f"failed: {line.strip() or 'the load generator ended'}") from None

    def cpu_seconds(self) -> float:
        return super().cpu_seconds() + servers.cpu_seconds(self.load.pid)

    def stop(self) -> None:
        super().stop()
        self.stop_load()

    def stop_load(self) -> None:
        with self.load:
            self.load.kill()
