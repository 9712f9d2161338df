"""The programs that the interop tests start: their lines are awaited, and nothing outlives its test."""

import queue
import re
import subprocess
import threading
import unittest
from collections.abc import Sequence
from pathlib import Path

TIMEOUT = 120.0  # seconds, for any single event; the programs are much faster unless something hangs

Command = Sequence[str | Path]


class Process:
    """A running program. `line()` awaits a line of its standard output, `wait()` its end."""

    def __init__(self, command: Command, cwd: Path | None = None) -> None:
        self.command = " ".join(str(word) for word in command)
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=cwd)
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors: list[str] = []
        self._readers = [threading.Thread(target=self._read_output), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def line(self) -> str:
        """The next line of the standard output, without its end. Fails if the program ends instead."""
        try:
            line = self._lines.get(timeout=TIMEOUT)
        except queue.Empty:
            raise AssertionError(f"no line within {TIMEOUT:.0f} s from: {self}") from None
        if line is None:
            self._lines.put(None)  # for whoever asks again
            raise AssertionError(f"ended without another line: {self}")
        return line

    def write(self, line: str) -> None:
        """A line for its standard input."""
        assert self._child.stdin
        self._child.stdin.write(line + "\n")
        self._child.stdin.flush()

    def end_input(self) -> None:
        """The end of its standard input."""
        assert self._child.stdin
        self._child.stdin.close()

    def send_signal(self, number: int) -> None:
        self._child.send_signal(number)

    def wait(self) -> int:
        """Awaits its end, and returns its exit status."""
        try:
            status = self._child.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not ended within {TIMEOUT:.0f} s: {self}") from None
        for reader in self._readers:
            reader.join()
        return status

    def rest(self) -> list[str]:
        """After its end: the lines that nobody has asked for."""
        return list(iter(self._lines.get_nowait, None))

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    @property
    def errors(self) -> str:
        """What it wrote to the standard error so far; all of it after its end."""
        return "".join(self._errors)

    def stop(self) -> None:
        """Kills it, if it still runs."""
        assert self._child.stdin and self._child.stdout and self._child.stderr
        self._child.kill()
        self.wait()
        for pipe in (self._child.stdin, self._child.stdout, self._child.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # a line that it never read

    def __str__(self) -> str:
        return f"{self.command}\n{self.errors}"

    def _read_output(self) -> None:
        assert self._child.stdout
        for line in self._child.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def _read_errors(self) -> None:
        assert self._child.stderr
        for line in self._child.stderr:
            self._errors.append(line)


class Server(Process):
    """A program that says in its first line on which port it listens, as `listening 3000` or `…localhost:3000…`."""

    def __init__(self, command: Command, cwd: Path | None = None) -> None:
        super().__init__(command, cwd)
        try:
            self.announcement = self.line()
            found = re.search(r"(?:listening |localhost:)(\d+)", self.announcement)
            assert found, f"no port in '{self.announcement}' of: {self}"
        except AssertionError:
            self.stop()
            raise
        self.port = int(found[1])

    def url(self, target: str = "", host: str = "127.0.0.1", scheme: str = "ws") -> str:
        return f"{scheme}://{host}:{self.port}{target}"

    def stop_quietly(self) -> None:
        """Kills it; fails if it had ended by itself, or complained."""
        was_running = self.running
        self.stop()
        assert was_running, f"ended during the tests: {self}"
        assert not self.errors, f"complained: {self}"


class ProcessTest(unittest.TestCase):
    """A test whose programs end with it."""

    def start(self, command: Command) -> Process:
        process = Process(command)
        self.addCleanup(process.stop)
        return process

    def serve(self, command: Command) -> Server:
        server = Server(command)
        self.addCleanup(server.stop_quietly)
        return server

    def run_to_end(self, command: Command, status: int = 0) -> Process:
        """Runs a program that needs no input, and wants this exit status."""
        process = self.start(command)
        process.end_input()
        self.assertEqual(process.wait(), status, str(process))
        return process


class ServerTest(ProcessTest):
    """Tests of one server, which runs for all of them."""

    command: Command

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server(cls.command)
        cls.addClassCleanup(cls.server.stop_quietly)
