"""From rounds to tables: medians and ratios paired by round. `targets.py` says what they ought to be."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass, field
from typing import Callable, Iterable, Protocol, Sequence

import elsewhere
from elsewhere import Fixed

FLOOR = "raw_tcp"
OURS = "sockline_rust"
OURS_C = "sockline_c"
REFERENCES = {  # by kind; in the others it is ours from Rust
    "echo": FLOOR,
    "growth": FLOOR,
    "growth-topic": "raw_topic",
    "loops": OURS_C,
    "ping": OURS_C,
    "client": OURS_C,
    "io-client": OURS_C,
    "latency-node": "sockline_node",
    "latency-python": "sockline_python",
}
OF = {  # who talks, where it is not simply connections
    "io": "Socket.IO clients, events with acknowledgements",
    "client": "connections of the client that is measured",
    "io-client": "Socket.IO clients that are measured, events with acknowledgements",
}
PACED = {"latency-native": "Rust, C and C++", "latency-node": "Node", "latency-python": "Python"}
IDLE = {  # what is idle, by kind
    "deflate": "WebSockets that agreed on compression",
    "tls": "WebSockets over TLS",
    "io-idle": "Socket.IO clients",
}


@dataclass(frozen=True)
class Case:
    """One closed loop: `connections` with `pipeline` messages of `size` bytes in flight on each; with the kinds "topic"
    and "io-room" one connection sends, and all receive."""

    name: str
    size: int
    connections: int
    pipeline: int
    kind: str = "echo"  # which rows, and how the load generator talks to them
    seconds: float = 0.15  # that a slice measures
    rounds: int = 0  # at most, whatever was asked for; 0: as many as that

    def title(self) -> str:
        size = size_in_words(self.size)
        if self.kind in ("topic", "growth-topic"):
            return f"{self.name}: {size}, one topic with {self.connections:,} subscribers"
        if self.kind == "io-room":
            return f"{self.name}: {size}, a Socket.IO room of {self.connections:,}"
        if self.kind == "io-polling":
            return f"{self.name}: {size}, a POST and a GET, {self.connections} Socket.IO clients with long polling"
        if self.kind.startswith("latency"):
            return f"{self.name}: {size}, {self.connections} connections, at half load, {PACED[self.kind]}"
        if self.kind in ("connect", "tls-connect"):
            steps = "a handshake of TLS, an upgrade" if self.kind == "tls-connect" else "an upgrade"
            return f"{self.name}: connections with {steps} and a close, {self.connections} at a time"
        who = OF.get(self.kind, "connections").replace("connections", "connection", self.connections == 1)
        return f"{self.name}: {size}, {self.connections} {who}, pipeline {self.pipeline}"

    @property
    def warm_up(self) -> float:
        """Seconds before the measured part of a slice."""
        return self.seconds / 3

    @property
    def reference(self) -> str:
        """The row that the others' costs are divided by."""
        return REFERENCES.get(self.kind, OURS)


def size_in_words(size: int) -> str:
    if size < 1 << 10:
        return f"{size} B"
    return f"{size >> 10} KiB" if size < 1 << 20 else f"{size >> 20} MiB"


@dataclass(frozen=True)
class IdleCase:
    """Memory of `connections` that say nothing."""

    name: str
    size: int
    connections: int
    kind: str = "echo"
    echo: bool = True  # whether it is measured again after a message on each

    def title(self) -> str:
        again = ", and after a message on each" if self.echo else ""
        return f"{self.name}: memory of {self.connections:,} open {IDLE.get(self.kind, 'WebSockets')}{again}"

    @property
    def reference(self) -> str:
        return REFERENCES.get(self.kind, OURS)


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
    p999_us: float = 0.0
    rate: float = 0.0  # messages a second that were due, in an open loop
    late_p999_us: float = 0.0  # how much later than that the load generator sent them
    histogram: list[list[int]] = field(default_factory=list, repr=False)  # of latencies there: [nanoseconds, how many]

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
    apart = [line for fixed in elsewhere.of_case(case.name) if (line := fixed_line(case, fixed, slices))]
    note = f"{elsewhere.NOTE}\n" if apart else ""
    return f"{case.title()}\n{table(header, [*lines, *apart])}{note}"


def fixed_line(case: Case, fixed: Fixed, slices: Sequence[Slice]) -> list[str] | None:
    """What another run's ratio makes of this run's figures; nothing if they are not there."""
    of_reference = costs(slices, case.name, fixed.reference)
    compared = ratio(slices, case.name, fixed.reference, case.reference)
    if compared is None:
        return None
    cost = fixed.ratio * statistics.median(of_reference.values())
    blank = ["–"] * (6 + len(MORE.get(case.kind, {})))
    return [f"{fixed.row} {elsewhere.MARK}", f"{cost:.3f}", f"{fixed.ratio * compared.median:.3f}", *blank]


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
UNITS = {
    "topic": "delivery",
    "growth-topic": "delivery",
    "io-room": "delivery",
    "io": "event",
    "io-polling": "pair",
    "io-client": "event",
    "connect": "connection",
    "tls-connect": "connection",
}
# Columns of some kinds only.
MORE: dict[str, dict[str, Callable[[Slice], float]]] = {
    "deflate": {"bytes/reply": lambda part: part.reply_bytes / part.messages},
    "topic": {"deliveries/CPU s": lambda part: 1e6 / part.cost},
    "io-room": {"deliveries/CPU s": lambda part: 1e6 / part.cost},
    "io": {"events/CPU s": lambda part: 1e6 / part.cost},
    "io-polling": {"pairs/CPU s": lambda part: 1e6 / part.cost},
    "io-client": {"events/CPU s": lambda part: 1e6 / part.cost},
    "connect": {"connections/CPU s": lambda part: 1e6 / part.cost},
    "tls-connect": {"connections/CPU s": lambda part: 1e6 / part.cost},
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
    lines += [[f"{row} {elsewhere.MARK}", f"{size:,.0f}", "–", "–", "–"]
              for row, size in elsewhere.bytes_of(case.name).items()]  # fmt: skip
    note = f"{elsewhere.NOTE}\n" if elsewhere.bytes_of(case.name) else ""
    return f"{case.title()}\n{table(header, lines)}{note}"


def idle_of(figures: Sequence[Idle], case: str, row: str) -> Idle | None:
    return next((idle for idle in figures if (idle.case, idle.row) == (case, row)), None)


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
