"""What a message costs in Python, as ``bytes`` and as a memoryview: CPU time of the server's process, per message.

    python core/benches/python_views.py

where ``sockline`` can be imported. Each row is a length; its handler looks at the first byte and answers one byte ("taken"), or
sends the message back ("echo"). Both are measured in each round; the tables show the medians of the rounds, and of the
ratios within a round.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import sockline

LENGTHS = (64, 1 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 60_000, 64 << 10, 256 << 10, 1 << 20)
WINDOW = 4
"""So many messages are under way, or so many bytes."""
WINDOW_BYTES = 1 << 20


def serve(pipe: Connection, views_from: int | None, echo: bool) -> None:
    """The server's process: says its port, then its CPU time whenever it is asked."""

    def take(ws: sockline.WebSocket, message: Any) -> None:
        if message[0] == 7:
            ws.send(b"7")

    def send_back(ws: sockline.WebSocket, message: Any) -> None:
        ws.send(message)

    onmessage = send_back if echo else take
    server = sockline.WebSocketServer(
        "127.0.0.1", onmessage=onmessage, views_from=views_from, max_size=None, hard_limit=None
    )
    pipe.send(server.port)
    while pipe.recv():
        pipe.send(time.process_time())
    server.close()


class Row:
    """One server, and a client that keeps it busy."""

    def __init__(self, length: int, views_from: int | None, echo: bool) -> None:
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(other, views_from, echo))
        self.process.start()
        self.message = b"\7" * length
        self.window = max(1, min(WINDOW, WINDOW_BYTES // length))
        self.left = 0
        self.done = threading.Event()
        opened = threading.Event()
        url = f"ws://127.0.0.1:{self.pipe.recv()}"
        self.ws = sockline.WebSocket(
            url, onopen=lambda ws: opened.set(), onmessage=self.next, max_size=None, hard_limit=None, views_from=0
        )
        assert opened.wait(10)

    def next(self, ws: sockline.WebSocket, _: Any) -> None:
        self.left -= 1
        if self.left >= self.window:
            ws.send(self.message)
        elif self.left == 0:
            self.done.set()

    def cpu_time(self) -> float:
        self.pipe.send(True)
        return float(self.pipe.recv())

    def run(self, count: int) -> float:
        """Microseconds of CPU per message."""
        before = self.cpu_time()
        self.left = count
        self.done.clear()
        for _ in range(self.window):
            self.ws.send(self.message)
        assert self.done.wait(60)
        return (self.cpu_time() - before) / count * 1e6

    def end(self) -> None:
        self.pipe.send(False)
        self.ws.terminate()
        self.process.join()


def measure(length: int, echo: bool, rounds: int, megabytes: int) -> list[str]:
    """As bytes, as a view, and the ratio of both."""
    count = max(50, min(5_000, (megabytes << 20) // length))
    rows = [Row(length, None, echo), Row(length, 0, echo)]
    costs = [[row.run(count) for row in rows] for _ in range(rounds + 1)][1:]
    for row in rows:
        row.end()
    medians = [statistics.median(one) for one in zip(*costs)]
    ratio = statistics.median(view / copy for copy, view in costs)
    return [f"{medians[0]:.2f}", f"{medians[1]:.2f}", f"{ratio:.2f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--megabytes", type=int, default=50, help="at most so many per round")
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options = parser.parse_args()
    print("| length | taken: bytes | view | ratio | echo: bytes | view | ratio |")
    print("|---|---|---|---|---|---|---|")
    for length in options.lengths:
        cells = [cell for echo in (False, True) for cell in measure(length, echo, options.rounds, options.megabytes)]
        print(f"| {length} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
