"""Which cases belong together, and how long they take."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Sequence

import clusters
import latency
from cases import CASES, IDLE_CASES
from report import Case, IdleCase
from servers import Row

# Seconds before the measured part of a slice, in the round that is thrown away: for just-in-time compilers and allocators.
FIRST_WARM_UP = 0.4
TRIAL = 0.3  # how long the closed loops measure that say how much a server can answer
SETTLE = 0.3  # seconds until a server's memory is read
# What else takes time, in seconds, where nothing else has the processor. They need not be exact.
START = 0.4  # of a server
SLICE = 0.04  # the load generator's own start and end
CONNECTION = 0.0001  # opened and closed
MESSAGE = {"latency-native": 1 / 60_000, "latency-node": 1 / 40_000, "latency-python": 1 / 37_000}  # that is due
CLUSTER = 90.0  # a case with nodes
PATIENCE = 125.0


@dataclass(frozen=True)
class Group:
    """Cases that one word of ONLY= means, and that have one chart. It takes two minutes at most, or each of its cases
    does."""

    name: str
    title: str
    cases: tuple[str, ...]
    is_many: bool = False


GROUPS = [
    Group("echo", "Echo of 64 bytes", ("echo64-d1", "echo64-d16")),
    Group("large", "Echo of large messages", ("echo16k-c16d4", "echo1m-c4d1")),
    Group("deflate", "Echo of 1 KiB of JSON, compressed", ("deflate1k-c16d4", "deflate1k-d1")),
    Group("tls", "Echo over TLS", ("tls64-d1", "tls64-d16", "tls16k-d1")),
    Group("connect", "Handshake and close", ("connect", "tls-connect")),
    Group("broadcast", "Broadcast to 1,000 connections", ("topic1000",)),
    Group("clients", "Clients", ("client64-c16d8", "client64-c1d1")),
    Group("socketio", "Socket.IO: events with acknowledgements", ("io64-d1", "io64-d16")),
    Group("room", "Socket.IO: a room of 1,000", ("io-room1000",)),
    Group("polling", "Socket.IO: long polling", ("io-polling",)),
    Group("io-clients", "Socket.IO clients", ("io-client64-c16d8",)),
    Group("memory", "Memory of an idle connection", ("idle", "deflate-idle", "tls-idle", "io-idle"), True),
    Group("latency", "The slowest of a thousand messages, at half load", latency.KINDS, True),
    Group("loops", "Two loops on one port", ("loops64-d1", "loops64-d16")),
]


def is_growth(case: Case) -> bool:
    return case.kind.startswith("growth")


def word(name: str, names: Sequence[str]) -> list[str]:
    """The cases that a word means: those of the group of that name, or the one of that name, or those that begin so.
    echo64-d1 is not echo64-d16."""
    group = next((group for group in PARTS if group.name == name), None)
    if group is not None and (there := [case for case in names if case in group.cases]):
        return there
    return [name] if name in names else [case for case in names if case.startswith(name)]


PARTS = [*GROUPS, Group("growth", "Costs as it grows", tuple(case.name for case in CASES if is_growth(case)))]


def rounds_of(case: Case, rounds: int) -> int:
    return min(rounds, case.rounds) if case.rounds else rounds


def seconds(case: Case | IdleCase | clusters.ClusterCase, rows: Sequence[Row], rounds: int) -> float:
    """About how long a case takes. An estimate: servers differ."""
    if isinstance(case, clusters.ClusterCase):
        return CLUSTER * len(case.sizes)
    if isinstance(case, IdleCase):
        return len(rows) * (START + 5 * SETTLE + CONNECTION * case.connections)
    rounds = rounds_of(case, rounds)
    overhead = SLICE + case.warm_up + CONNECTION * case.connections
    slices = sum(rounds // row.every for row in rows)
    first = len(rows) * (START + FIRST_WARM_UP + overhead + case.seconds)
    if case.kind in latency.KINDS:
        first += len(rows) * latency.TRIALS * (overhead + TRIAL)
        return first + slices * (overhead + latency.count_of(rounds) * MESSAGE[case.kind])
    return first + slices * (overhead + case.seconds)


class Clock:
    """How much longer a run takes. What it has taken so far says how far off the estimates are."""

    def __init__(self, estimates: dict[str, float]) -> None:
        self.estimates = estimates  # by case, in their order
        self.began = time.monotonic()

    def left(self, case: str, part: float) -> str:
        """While that part (0 to 1) of a case is done."""
        return self.left_after(case, part, time.monotonic() - self.began)

    def left_after(self, case: str, part: float, spent: float) -> str:
        names = list(self.estimates)
        before = sum(self.estimates[name] for name in names[: names.index(case)])
        done = before + part * self.estimates[case]
        total = sum(self.estimates.values())
        pace = spent / done if done > 10 else 1.0  # too early to say
        return duration((total - done) * pace)


def duration(left: float) -> str:
    if left < 150:
        return f"{max(5, round(left / 5) * 5)} s"
    return f"{left / 60:.0f} min" if left < 5400 else f"{left / 3600:.1f} h"


def guide(rows: dict[str, list[Row]], rounds: int) -> str:
    """For --help: how long each group takes, or its cases if that is longer than one likes to wait."""
    every = {case.name: case for case in (*CASES, *IDLE_CASES)}
    lines = []
    for group in PARTS:
        times = {name: seconds(every[name], rows[every[name].kind], rounds) for name in group.cases if name in every}
        if times:
            meant = ", ".join(times) if group in GROUPS else group.title
            lines.append(f"  {group.name:<12}{duration(sum(times.values())):>7}  {meant}")
        if group.is_many:
            lines += [f"    {name:<16}{duration(time):>5}" for name, time in times.items()]
    return "\n".join(lines)
