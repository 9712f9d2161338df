"""nginx in front of several servers, as the examples have it."""

import re
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from processes import Process
from programs import EXAMPLES

sys.path.append(str(EXAMPLES / "nginx"))

from cluster import configure, free_port  # noqa: E402

ATTEMPTS = 10  # to find a port that nobody takes before nginx does
LINE = re.compile(r'\S+ (\d+) "(\S+) \S+ \S+" sid=(\S+) upstream=(.+) \S+')


class Served(NamedTuple):
    """A request that was answered."""

    status: int
    sid: str
    upstream: str
    """The address of the server that has answered."""


class Nginx(Process):
    """Balances, by `STICKY.conf` of the examples, over these ports; takes connections when this is made."""

    def __init__(self, sticky: str, servers: Sequence[int], edit: Callable[[str], str] = str) -> None:
        self._place = tempfile.TemporaryDirectory()
        self.folder = Path(self._place.name)
        for attempt in range(ATTEMPTS):
            self.port = free_port()
            command = configure(self.folder, sticky, f"127.0.0.1:{self.port}", list(servers))
            chosen = self.folder / "sticky.conf"
            chosen.write_text(edit(chosen.read_text()))
            super().__init__(["sh", "-c", 'exec "$@" 2>&1', "sh", *command])
            try:
                while "start worker process " not in self.line():
                    pass
                return
            except AssertionError:
                self.stop()
                if attempt + 1 == ATTEMPTS:
                    raise

    def url(self, target: str = "", host: str = "127.0.0.1", scheme: str = "ws") -> str:
        return f"{scheme}://{host}:{self.port}{target}"

    def served(self) -> list[Served]:
        """The requests of sessions that were answered so far; WebSockets only when they have ended."""
        lines = (self.folder / "access.log").read_text().splitlines()
        found = [match for match in map(LINE.fullmatch, lines) if match]
        assert len(found) == len(lines), lines
        return [Served(int(match[1]), match[3], match[4].split(", ")[-1]) for match in found if match[3] != "-"]

    def quit(self) -> None:
        """Ends it, and its workers with it, in good order."""
        self.send_signal(signal.SIGQUIT)
        self.wait()

    def stop(self) -> None:
        if self.running:
            self.send_signal(signal.SIGTERM)  # it takes its workers with it then
            self.wait()
        super().stop()
