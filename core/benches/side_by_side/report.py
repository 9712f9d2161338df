"""From rounds to tables: medians, ratios paired by round, and the targets."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Callable, Iterable, Protocol, Sequence

FLOOR = "raw_tcp"
OURS = "sockline_rust"
REFERENCES = {"echo": FLOOR}  # by kind; in the others it is ours


@dataclass(frozen=True)
class Case:
    """One closed loop: `connections` with `pipeline` messages of `size` bytes in flight on each; with the kinds "topic"
    and "io-room" one connection sends, and all receive."""

    name: str
    size: int
    connections: int
    pipeline: int
    kind: str = "echo"  # which rows, and how the load generator talks to them

    def title(self) -> str:
        size = f"{self.size} B" if self.size < 1024 else f"{self.size // 1024} KiB"
        if self.kind == "topic":
            return f"{self.name}: {size}, one topic with {self.connections:,} subscribers"
        if self.kind == "io-room":
            return f"{self.name}: {size}, a Socket.IO room of {self.connections:,}"
        if self.kind == "io-polling":
            return f"{self.name}: {size}, a POST and a GET, {self.connections} Socket.IO clients with long polling"
        clients = "Socket.IO clients, events with acknowledgements" if self.kind == "io" else "connections"
        return f"{self.name}: {size}, {self.connections} {clients}, pipeline {self.pipeline}"

    @property
    def reference(self) -> str:
        """The row that the others' costs are divided by."""
        return REFERENCES.get(self.kind, OURS)


@dataclass(frozen=True)
class IdleCase:
    """Memory of `connections` that say nothing."""

    name: str
    size: int
    connections: int
    kind: str = "echo"

    @property
    def reference(self) -> str:
        return REFERENCES.get(self.kind, OURS)


@dataclass(frozen=True)
class Target:
    """`row` costs at most `limit` times what `reference` costs."""

    case: str
    row: str
    reference: str
    limit: float


@dataclass(frozen=True)
class Slice:
    """One measured part of one server in one round."""

    case: str
    row: str
    round: int
    messages: int
    seconds: float
    server_cpu_us: float
    load_cpu_us: float
    p50_us: float
    p99_us: float
    reply_bytes: int  # with headers

    @property
    def cost(self) -> float:
        """Server CPU in µs per message: the figure of this benchmark."""
        return self.server_cpu_us / self.messages


@dataclass(frozen=True)
class Idle:
    """Memory of one server with many connections open."""

    case: str
    row: str
    connections: int
    rss_before: int
    rss_open: int
    rss_echoed: int
    open_cpu_us: float

    @property
    def per_connection(self) -> float:
        return (self.rss_open - self.rss_before) / self.connections

    @property
    def per_connection_echoed(self) -> float:
        return (self.rss_echoed - self.rss_before) / self.connections


@dataclass(frozen=True)
class Estimate:
    """A median with its 95 % interval."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f} … {self.high:.3f}]"


IDLE_LIMITS = {"idle": 512, "tls-idle": 5 * 1024, "io-idle": 1024}  # bytes of user memory for an idle connection
NATIVE_ROWS = ("sockline_rust", "sockline_c")
PYTHON_SOCKETIO_ROWS = ("python_socketio", "python_socketio_uvicorn")  # which is faster depends on the case
IO_CASES = ("io64-d1", "io64-d16", "io-room1000", "io-polling")
CLUSTER_CASES = tuple(f"cluster{nodes}-{mode}" for nodes in (2, 4) for mode in ("classic", "sharded", "streams"))

TARGETS = [
    *(Target("echo64-d1", row, FLOOR, 1.08) for row in NATIVE_ROWS),
    *(Target("echo64-d16", row, FLOOR, 1.15) for row in NATIVE_ROWS),
    *(Target(f"echo16k-{depth}", row, "raw_ws", 1.00) for depth in ("d1", "d16", "c16d4") for row in NATIVE_ROWS),
    Target("echo64-d1", "sockline_node", "node_ws", 0.60),
    Target("echo64-d16", "sockline_node", "node_ws", 0.12),
    Target("echo64-d1", "sockline_python", "picows", 0.90),
    Target("echo64-d16", "sockline_python", "picows", 0.14),
    *(Target(f"deflate1k-{depth}", row, "libwebsockets", 1.00) for depth in ("d1", "d16") for row in NATIVE_ROWS),
    *(Target(f"deflate1k-{depth}", "sockline_node", "node_ws", 1.00) for depth in ("d1", "d16")),
    *(Target(f"deflate1k-{depth}", "sockline_python", "websockets", 1.00) for depth in ("d1", "d16")),
    *(Target(f"tls64-{depth}", row, "tokio_rustls", 1.00) for depth in ("d1", "d16") for row in NATIVE_ROWS),
    *(Target("tls16k-d1", row, "tokio_rustls", 1.00) for row in NATIVE_ROWS),
    Target("tls64-d1", "sockline_node", "node_ws", 1.00),
    Target("tls16k-d1", "sockline_node", "node_ws", 1.00),
    *(Target("topic1000", row, "node_ws", 1.00) for row in (*NATIVE_ROWS, "sockline_node")),
    *(Target(case, row, "socketioxide", 1.00) for case in IO_CASES for row in NATIVE_ROWS),
    *(Target(case, "sockline_node", "socket_io", 1 / 2) for case in IO_CASES),
    *(Target(case, "sockline_python", row, 1 / 6) for case in IO_CASES for row in PYTHON_SOCKETIO_ROWS),
    *(Target(case, row, "socket_io", 1 / 2) for case in CLUSTER_CASES for row in (*NATIVE_ROWS, "sockline_node")),
]


class Costed(Protocol):
    """What can be compared within rounds."""

    @property
    def case(self) -> str: ...
    @property
    def row(self) -> str: ...
    @property
    def round(self) -> int: ...
    @property
    def cost(self) -> float: ...


def estimate(values: Iterable[float]) -> Estimate:
    """The interval is that of the sign test: between two of the sorted values, without a guess at how they are
    distributed. Below six values no such interval reaches 95 %, and it is simply lowest to highest."""
    ordered = sorted(values)
    count = len(ordered)
    cut, outside = 0, 0.5**count
    while (outside + math.comb(count, cut + 1) * 0.5**count) <= 0.025:
        cut += 1
        outside += math.comb(count, cut) * 0.5**count
    return Estimate(statistics.median(ordered), ordered[cut], ordered[count - 1 - cut])


def ratio(slices: Sequence[Costed], case: str, row: str, reference: str) -> Estimate | None:
    """How often the reference's cost the row's is, compared only within a round."""
    of_row, of_reference = costs(slices, case, row), costs(slices, case, reference)
    pairs = [of_row[number] / of_reference[number] for number in of_row if number in of_reference]
    return estimate(pairs) if pairs else None


def costs(slices: Sequence[Costed], case: str, row: str) -> dict[int, float]:
    return {part.round: part.cost for part in slices if (part.case, part.row) == (case, row)}


def case_table(case: Case, names: Sequence[str], slices: Sequence[Slice], failures: dict[str, str]) -> str:
    """`failures` gives the rows without figures and why."""
    what = UNITS.get(case.kind, "msg")
    header = ["server", f"CPU µs/{what}", f"× {case.reference}", "95 % interval", "messages/s", "p50 µs", "p99 µs",
              "server busy", "load busy", *MORE.get(case.kind, {})]  # fmt: skip
    lines = [case_line(case, name, slices, failures.get(name, "")) for name in names]
    return f"{case.title()}\n{table(header, lines)}"


def case_line(case: Case, name: str, slices: Sequence[Slice], failure: str) -> list[str]:
    parts = [part for part in slices if (part.case, part.row) == (case.name, name)]
    compared = ratio(slices, case.name, name, case.reference)
    if not parts or compared is None:
        return [name, failure or "missing"]
    return [
        name,
        f"{statistics.median(part.cost for part in parts):.3f}",
        f"{compared.median:.3f}",
        f"{compared.low:.3f} … {compared.high:.3f}",
        f"{statistics.median(part.messages / part.seconds for part in parts):,.0f}",
        f"{statistics.median(part.p50_us for part in parts):,.0f}",
        f"{statistics.median(part.p99_us for part in parts):,.0f}",
        f"{statistics.median(part.server_cpu_us / part.seconds / 1e4 for part in parts):.0f} %",
        f"{statistics.median(part.load_cpu_us / part.seconds / 1e4 for part in parts):.0f} %",
        *(f"{statistics.median(map(figure, parts)):,.0f}" for figure in MORE.get(case.kind, {}).values()),
    ]


# What a message is, where it is not one.
UNITS = {"topic": "delivery", "io-room": "delivery", "io": "event", "io-polling": "pair"}
# Columns of some kinds only.
MORE: dict[str, dict[str, Callable[[Slice], float]]] = {
    "deflate": {"bytes/reply": lambda part: part.reply_bytes / part.messages},
    "topic": {"deliveries/CPU s": lambda part: 1e6 / part.cost},
    "io-room": {"deliveries/CPU s": lambda part: 1e6 / part.cost},
    "io": {"events/CPU s": lambda part: 1e6 / part.cost},
    "io-polling": {"pairs/CPU s": lambda part: 1e6 / part.cost},
}


def idle_table(case: IdleCase, names: Sequence[str], figures: Sequence[Idle], failures: dict[str, str]) -> str:
    header = ["server", "bytes each, open", "after an echo", "RSS before", "CPU µs to open"]
    lines = []
    for name in names:
        if (idle := idle_of(figures, case.name, name)) is None:
            lines.append([name, failures.get(name, "missing")])
            continue
        lines.append([
            name,
            f"{idle.per_connection:,.0f}",
            f"{idle.per_connection_echoed:,.0f}",
            f"{idle.rss_before / 1e6:.1f} MB",
            f"{idle.open_cpu_us / idle.connections:.1f}",
        ])  # fmt: skip
    return f"{case.name}: memory of {case.connections:,} open connections\n{table(header, lines)}"


def idle_of(figures: Sequence[Idle], case: str, row: str) -> Idle | None:
    return next((idle for idle in figures if (idle.case, idle.row) == (case, row)), None)


def target_table(cases: Sequence[str], slices: Sequence[Costed], idle: Sequence[Idle]) -> str:
    header = ["target", "limit", "measured", "verdict"]
    lines = [target_line(target, slices) for target in TARGETS if target.case in cases]
    for case, limit in IDLE_LIMITS.items():
        if case in cases:
            lines += [idle_target_line(case, row, limit, idle_of(idle, case, row)) for row in NATIVE_ROWS]
    return f"what sockline holds itself to\n{table(header, lines)}"


def target_line(target: Target, slices: Sequence[Costed]) -> list[str]:
    name = f"{target.case}: {target.row} / {target.reference}"
    measured = ratio(slices, target.case, target.row, target.reference)
    if measured is None:
        return [name, f"{target.limit:.3f}", "not measured", ""]
    verdict = "met" if measured.median <= target.limit else "MISSED"
    if measured.low <= target.limit < measured.high:
        verdict += ", but the limit lies within the interval"
    return [name, f"{target.limit:.3f}", str(measured), verdict]


def idle_target_line(case: str, row: str, limit: int, idle: Idle | None) -> list[str]:
    name = f"{case}: {row}, bytes each"
    if idle is None:
        return [name, str(limit), "not measured", ""]
    return [name, str(limit), f"{idle.per_connection:,.0f}", "met" if idle.per_connection <= limit else "MISSED"]


def table(header: list[str], lines: list[list[str]]) -> str:
    """Columns aligned: the first to the left, the others to the right. A line shorter than the header ends in text."""
    full = [line for line in [header, *lines] if len(line) == len(header)]
    widths = [max(len(line[column]) for line in full) for column in range(len(header))]
    widths[0] = max(len(line[0]) for line in [header, *lines])
    rule = "  ".join("─" * width for width in widths)
    return "\n".join([aligned(header, widths), rule, *(aligned(line, widths) for line in lines), ""])


def aligned(line: list[str], widths: list[int]) -> str:
    if len(line) < len(widths):
        return f"{line[0]:<{widths[0]}}  {line[1]}"
    first, *others = zip(line, widths)
    return "  ".join([f"{first[0]:<{first[1]}}", *(f"{cell:>{width}}" for cell, width in others)]).rstrip()
