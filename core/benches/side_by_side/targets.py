"""What sockline holds itself to: which row, against which others, at most how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import latency
from report import FLOOR, Costed, Estimate, Idle, Slice, costs, estimate, idle_of, ratio, table
from rows import NATIVE_PEERS

MIN_PAIRS = 15  # interleaved pairs that a ratio needs
LANGUAGES = {
    "sockline_rust": "Rust",
    "sockline_c": "C",
    "sockline_node": "Node",
    "sockline_python": "Python",
    "sockline_coroutine": "Python with coroutines",
    "sockline_c_two_loops": "C",
}
NATIVE_ROWS = ("sockline_rust", "sockline_c")
PYTHON_SOCKETIO = ("python_socketio", "python_socketio_uvicorn")  # which is faster depends on the case
PYTHON_SOCKETIO_COROUTINE = ("python_socketio_coroutine", "python_socketio_uvicorn_coroutine")


@dataclass(frozen=True)
class Target:
    """In `case`, `row` costs at most `limit` times what the cheapest of `against` costs, both compared within rounds.
    It holds when the lower end of the ratio's 95 % interval is at or below the limit. Without `against` the limit is
    in bytes of resident memory for each connection. In the cases of latency, p99.9 is what is compared."""

    group: str  # what is done, in words
    case: str
    row: str
    against: tuple[str, ...]
    limit: float

    @property
    def key(self) -> str:
        """What tells it from the others of its case."""
        return f"{self.row} / {' or '.join(self.against) or 'bytes'}"

    @property
    def wording(self) -> str:
        return f"{self.group}, from {LANGUAGES[self.row]}"


@dataclass(frozen=True)
class Verdict:
    """What a run says of a target."""

    target: Target
    against: str  # that of the references which was cheapest, or "bytes"
    measured: Estimate | None = None
    pairs: int = 0

    @property
    def holds(self) -> bool:
        return self.measured is not None and self.measured.low <= self.target.limit

    @property
    def is_decided(self) -> bool:
        """Whether there are as many pairs as the rule asks for. Memory is not compared in pairs."""
        return self.pairs >= MIN_PAIRS or not self.target.against

    @property
    def word(self) -> str:
        if self.measured is None:
            return "not measured"
        return ("yes" if self.holds else "NO") + ("" if self.is_decided else f" ({self.pairs} pairs)")


def each(group: str, case: str, limits: dict[str, float], *against: str) -> list[Target]:
    return [Target(group, case, row, against, limit) for row, limit in limits.items()]


def native(limit: float) -> dict[str, float]:
    return dict.fromkeys(NATIVE_ROWS, limit)


# The table that decides whether sockline is as fast as it says.
TARGETS = [
    *each("echo of 64 B, 64 connections, pipeline 1", "echo64-d1", native(1.05), FLOOR),
    *each("echo of 64 B, 64 connections, pipeline 16", "echo64-d16", native(1.10), FLOOR),
    *each("echo of 16 KiB, 16 connections, pipeline 4", "echo16k-c16d4", {"sockline_c": 0.97}, "raw_ws"),
    *each("echo of 1 MiB, 4 connections", "echo1m-c4d1", {"sockline_c": 1.00}, "raw_ws"),
    *each("echo of 64 B, 64 connections, pipeline 1", "echo64-d1",
          {"sockline_python": 0.85, "sockline_coroutine": 0.95}, "picows"),
    *each("echo of 64 B, 64 connections, pipeline 16", "echo64-d16",
          {"sockline_python": 0.10, "sockline_coroutine": 0.14}, "picows"),
    *each("echo of 64 B, 64 connections, pipeline 1", "echo64-d1", {"sockline_node": 0.55}, "node_ws"),
    *each("echo of 64 B, 64 connections, pipeline 16", "echo64-d16", {"sockline_node": 0.09}, "node_ws"),
    *each("client, 16 connections, pipeline 8, 64 B", "client64-c16d8", {"sockline_c": 0.65}, "tokio_tungstenite"),
    *each("client, 16 connections, pipeline 8, 64 B", "client64-c16d8", {"sockline_python": 0.25}, "picows"),
    *each("client, 16 connections, pipeline 8, 64 B", "client64-c16d8", {"sockline_node": 0.18}, "node_ws"),
    *each("client, one connection, ping-pong", "client64-c1d1", {"sockline_c": 1.00}, "beast"),
    *each("client, one connection, ping-pong", "client64-c1d1", {"sockline_python": 0.95}, "picows"),
    *each("client, one connection, ping-pong", "client64-c1d1", {"sockline_node": 0.80}, "node_ws"),
    *each("bytes of an idle connection, 10,000 WebSockets", "idle", native(300)),
    *each("bytes of an idle connection, 10,000 compressed", "deflate-idle", native(350)),
    *each("bytes of an idle connection, 10,000 over TLS", "tls-idle", native(5_000)),
    *each("bytes of an idle connection, 10,000 of Socket.IO", "io-idle", native(1_000)),
    *each("handshake and close", "connect", {"sockline_c": 0.95}, "fastwebsockets"),
    *each("compressed echo of 1 KiB of JSON, 16 connections, pipeline 4", "deflate1k-c16d4", {"sockline_c": 0.85},
          "libwebsockets"),
    *each("TLS echo of 64 B, pipeline 1", "tls64-d1", {"sockline_c": 0.75}, "tokio_rustls"),
    *each("TLS echo of 64 B, pipeline 16", "tls64-d16", {"sockline_c": 0.75}, "tokio_rustls"),
    *each("TLS echo of 16 KiB", "tls16k-d1", {"sockline_c": 0.70}, "tokio_rustls"),
    *each("TLS handshake, upgrade and close", "tls-connect", {"sockline_c": 0.85}, "tokio_rustls"),
    *each("broadcast to 1,000", "topic1000", {"sockline_c": 0.50, "sockline_node": 0.55}, "node_ws"),
    *each("Socket.IO event with ack, pipeline 1", "io64-d1", native(0.70), "socketioxide"),
    *each("Socket.IO event with ack, pipeline 16", "io64-d16", native(0.50), "socketioxide"),
    *each("Socket.IO event with ack, pipeline 1", "io64-d1", {"sockline_node": 0.40}, "socket_io"),
    *each("Socket.IO event with ack, pipeline 16", "io64-d16", {"sockline_node": 0.15}, "socket_io"),
    *each("Socket.IO event with ack, pipeline 1", "io64-d1", {"sockline_python": 0.10}, *PYTHON_SOCKETIO),
    *each("Socket.IO event with ack, pipeline 16", "io64-d16", {"sockline_python": 0.03}, *PYTHON_SOCKETIO),
    *each("Socket.IO event with ack, pipeline 1", "io64-d1", {"sockline_coroutine": 0.15}, *PYTHON_SOCKETIO_COROUTINE),
    *each("Socket.IO event with ack, pipeline 16", "io64-d16", {"sockline_coroutine": 0.08},
          *PYTHON_SOCKETIO_COROUTINE),
    *each("Socket.IO polling, a POST and a GET", "io-polling", {"sockline_c": 0.65}, "socketioxide"),
    *each("Socket.IO broadcast to a room of 1,000", "io-room1000", {"sockline_c": 0.50}, "socketioxide"),
    *each("Socket.IO client, 16 connections, pipeline 8", "io-client64-c16d8", {"sockline_node": 0.50},
          "socket_io_client"),
    *each("Socket.IO client, 16 connections, pipeline 8", "io-client64-c16d8", {"sockline_python": 0.15},
          "python_socketio_client"),
    *each("p99.9 of the round trip at half load", "latency-native", native(1.10), *NATIVE_PEERS),
    *each("p99.9 of the round trip at half load", "latency-node", {"sockline_node": 1.10}, "node_ws"),
    *each("p99.9 of the round trip at half load", "latency-python", {"sockline_python": 1.10}, "picows", "aiohttp"),
    *each("two loops on one port and one core", "loops64-d1", {"sockline_c_two_loops": 1.10}, "sockline_c"),
]  # fmt: skip

# Promised before that table, for what it does not speak of.
ALSO = [
    *(Target(f"compressed echo of 1 KiB, pipeline {depth}", f"deflate1k-d{depth}", row, (reference,), 1.00)
      for depth in (1, 16)
      for row, reference in (("sockline_node", "node_ws"), ("sockline_python", "websockets"))),
    *each("TLS echo of 64 B, pipeline 1", "tls64-d1", {"sockline_node": 1.00}, "node_ws"),
    *each("TLS echo of 16 KiB", "tls16k-d1", {"sockline_node": 1.00}, "node_ws"),
    *each("Socket.IO broadcast to a room of 1,000", "io-room1000", {"sockline_node": 1 / 2}, "socket_io"),
    *each("Socket.IO broadcast to a room of 1,000", "io-room1000", {"sockline_python": 1 / 6}, *PYTHON_SOCKETIO),
    *each("Socket.IO polling, a POST and a GET", "io-polling", {"sockline_node": 1 / 2}, "socket_io"),
    *each("Socket.IO polling, a POST and a GET", "io-polling", {"sockline_python": 1 / 6}, *PYTHON_SOCKETIO),
    *(target
      for nodes in (2, 4)
      for mode in ("classic", "sharded", "streams")
      for target in each(f"Socket.IO room of everybody on {nodes} servers, {mode}", f"cluster{nodes}-{mode}",
                         {**native(1 / 2), "sockline_node": 1 / 2}, "socket_io")),
]  # fmt: skip


def verdict(target: Target, slices: Sequence[Costed], idle: Sequence[Idle]) -> Verdict:
    if not target.against:
        if (found := idle_of(idle, target.case, target.row)) is None:
            return Verdict(target, "bytes")
        return Verdict(target, "bytes", estimate([found.per_connection]), 1)
    if target.case in latency.KINDS:
        paced = [part for part in slices if isinstance(part, Slice)]
        reference = latency.best(paced, target.case, target.against)
        return Verdict(target, reference, *(latency.ratio(paced, target.case, target.row, reference) or ()))
    reference = cheapest(slices, target.case, target.against)
    pairs = costs(slices, target.case, target.row).keys() & costs(slices, target.case, reference).keys()
    return Verdict(target, reference, ratio(slices, target.case, target.row, reference), len(pairs))


def cheapest(slices: Sequence[Costed], case: str, rows: Sequence[str]) -> str:
    """The row with the lowest median; the first one if none has been measured."""
    measured = {row: estimate(of_row.values()).median for row in rows if (of_row := costs(slices, case, row))}
    return min(measured, key=measured.__getitem__, default=rows[0])


def verdicts(cases: Sequence[str], slices: Sequence[Costed], idle: Sequence[Idle]) -> list[Verdict]:
    return [verdict(target, slices, idle) for target in [*TARGETS, *ALSO] if target.case in cases]


def target_table(found: Sequence[Verdict]) -> str:
    header = ["row", "against", "limit", "measured [95 %]", "holds"]
    lines = [[one.target.wording, one.against, *figures(one), one.word] for one in found]
    return f"what sockline holds itself to\n{table(header, lines)}"


def figures(one: Verdict) -> tuple[str, str]:
    """The limit and what was measured."""
    if not one.target.against:
        return f"{one.target.limit:,.0f} B", f"{one.measured.median:,.0f} B" if one.measured else "–"
    return f"{one.target.limit:.2f}", str(one.measured or "–")
