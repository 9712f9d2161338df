"""Tables of clusters: what a delivery costs, what each node and Redis pay for a message, and what that comes to with
more nodes than can be tried."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Callable, Iterable, Sequence

from report import ratio, table

REFERENCE = "socket_io"
MANY = 100  # nodes, for the arithmetic
Failures = dict[str, str]  # why a row has no figures
RUN = 16  # messages that are under way together where it is about the cost of one


@dataclass(frozen=True)
class Mix:
    """What is sent: `run` messages at a time, `unheard` of them for a room that nobody is in, or several `rooms`."""

    name: str
    run: int
    unheard: int = 0
    rooms: bool = False


ONE = Mix("one", 1)
HEARD = Mix("all", RUN)


@dataclass(frozen=True)
class ClusterCase:
    """Nodes with `clients` on each, all in one room; one of them sends, in turn each of the mixes."""

    name: str
    mode: str
    sizes: tuple[int, ...]
    clients: int
    mixes: tuple[Mix, ...] = (ONE,)
    kind: str = "cluster"  # which rows
    pace: float = 0.0  # seconds from one message to the next; 0: as soon as all have got it

    def title(self) -> str:
        nodes = str(self.sizes[0]) if len(self.sizes) == 1 else f"{self.sizes[0]} to {self.sizes[-1]}"
        clients = "a client" if self.clients == 1 else f"{self.clients} clients"
        return f"{self.name}: 64 B, {nodes} nodes with {clients} each, {self.mode}"


@dataclass(frozen=True)
class Part:
    """One measured part of one cluster in one round. The sender is on the first node."""

    case: str
    row: str
    nodes: int
    mix: str
    round: int
    redis_bytes: float  # that Redis sent for each message
    messages: int  # deliveries
    runs: int  # of messages that everybody got
    seconds: float
    cpu_us: list[float]  # of each node, then of Redis
    server_cpu_us: float  # of all these
    load_cpu_us: float
    own_p50_us: float  # latency on the sender's node
    own_p99_us: float
    others_p50_us: float
    others_p99_us: float
    added_p50_us: float  # how much later on another node
    added_p99_us: float

    @property
    def cost(self) -> float:
        """CPU of all nodes in µs for each delivery."""
        return sum(self.cpu_us[:-1]) / self.messages

    @property
    def sender(self) -> float:
        """CPU in µs for a run of messages, as all of these."""
        return self.cpu_us[0] / self.runs

    @property
    def other(self) -> float:
        return statistics.mean(self.cpu_us[1:-1] or [0.0]) / self.runs

    @property
    def redis(self) -> float:
        return self.cpu_us[-1] / self.runs


def tables(case: ClusterCase, names: Sequence[str], parts: Sequence[Part], failures: Failures) -> str:
    parts = [part for part in parts if part.case == case.name]
    make = nodes_table if len(case.sizes) > 1 else latency_table if case.pace else deliveries_table
    return f"{case.title()}\n{make(case, names, parts, failures)}"


def deliveries_table(case: ClusterCase, names: Sequence[str], parts: Sequence[Part], failures: Failures) -> str:
    header = ["servers", "CPU µs/delivery", f"× {REFERENCE}", "95 % interval", "deliveries/CPU s", "Redis µs/msg",
              "deliveries/s", "p50 µs, own node", "other nodes", "servers busy", "load busy"]  # fmt: skip
    lines = []
    for name in names:
        own = [part for part in parts if part.row == name]
        compared = ratio(parts, case.name, name, REFERENCE)
        if not own or compared is None:
            lines.append([name, failures.get(name, "missing")])
            continue
        lines.append([
            name,
            f"{median(own, lambda part: part.cost):.2f}",
            f"{compared.median:.3f}",
            f"{compared.low:.3f} … {compared.high:.3f}",
            f"{1e6 / median(own, lambda part: part.cost):,.0f}",
            f"{median(own, lambda part: part.redis):.1f}",
            f"{median(own, lambda part: part.messages / part.seconds):,.0f}",
            f"{median(own, lambda part: part.own_p50_us):,.0f}",
            f"{median(own, lambda part: part.others_p50_us):,.0f}",
            f"{median(own, lambda part: part.server_cpu_us / part.seconds / 1e4):.0f} %",
            f"{median(own, lambda part: part.load_cpu_us / part.seconds / 1e4):.0f} %",
        ])  # fmt: skip
    return table(header, lines)


def latency_table(case: ClusterCase, names: Sequence[str], parts: Sequence[Part], failures: Failures) -> str:
    header = ["servers", "own node p50 µs", "p99", "other node p50 µs", "p99", "added p50 µs", "p99"]
    lines = []
    for name in names:
        own = [part for part in parts if part.row == name]
        if not own:
            lines.append([name, failures.get(name, "missing")])
            continue
        figures: list[Callable[[Part], float]] = [
            lambda part: part.own_p50_us,
            lambda part: part.own_p99_us,
            lambda part: part.others_p50_us,
            lambda part: part.others_p99_us,
            lambda part: part.added_p50_us,
            lambda part: part.added_p99_us,
        ]
        lines.append([name, *(f"{median(own, figure):,.0f}" for figure in figures)])
    return table(header, lines)


@dataclass(frozen=True)
class Costs:
    """CPU in µs for one message, of one row with so many nodes: among others, unless it is said to come alone."""

    nodes: int
    sender: float
    receiver: float  # with one client
    receiver_alone: float
    redis: float
    redis_alone: float
    redis_bytes: float
    nobody: float  # a node that has nobody for it: in one room
    nobodies: float  # in several
    redis_nobody: float
    redis_nobodies: float


def nodes_table(case: ClusterCase, names: Sequence[str], parts: Sequence[Part], failures: Failures) -> str:
    header = ["servers", "nodes", "sender", "delivers", "alone", "hears, 1 room", "2 rooms", "Redis", "alone",
              "1 empty room", "2 rooms", "bytes"]  # fmt: skip
    lines, sums = [], []
    for name in names:
        costs = [costs_of(parts, name, nodes) for nodes in case.sizes if has(parts, name, nodes)]
        if not costs:
            lines.append([name, failures.get(name, "missing")])
            continue
        for cost in costs:
            others = (cost.receiver, cost.receiver_alone, cost.nobody, cost.nobodies)
            redis = (cost.redis, cost.redis_alone, cost.redis_nobody, cost.redis_nobodies)
            lines.append([
                name,
                str(cost.nodes),
                f"{cost.sender:.1f}",
                *(f"{figure:.1f}" if cost.nodes > 1 else "" for figure in others),
                *(f"{figure:.1f}" for figure in redis),
                f"{cost.redis_bytes:,.0f}",
            ])  # fmt: skip
        sums.append(to_many(name, costs))
    what = "CPU µs for a message: at the sender's node, at each other node, and in Redis; what Redis sends for it"
    many = ["servers", "Redis µs/message", f"with {MANY} nodes", "messages/s", "alone µs", "messages/s",
            "a node: delivers/s", "hears/s, 1 room", "2 rooms"]  # fmt: skip
    text = table(header, lines)
    then = f"what that comes to with {MANY} nodes, a core for Redis and one for each node"
    return f"{what}\n{text}\n{then}\n{table(many, sums)}"


def costs_of(parts: Sequence[Part], row: str, nodes: int) -> Costs:
    """A run with messages for nobody ends with one for all: what that costs alone is taken off, round by round."""
    mixes: dict[str, dict[int, Part]] = {"one": {}, "all": {}, "nobody": {}, "nobodies": {}}
    for part in parts:
        if (part.row, part.nodes) == (row, nodes):
            mixes[part.mix][part.round] = part
    alone, heard = mixes["one"], mixes["all"]

    def unheard(mix: str, figure: Callable[[Part], float]) -> float:
        others = mixes[mix].items()
        return statistics.median((figure(part) - figure(alone[number])) / (RUN - 1) for number, part in others)

    def each(figure: Callable[[Part], float]) -> float:
        return median(heard.values(), figure) / RUN

    return Costs(
        nodes=nodes,
        sender=each(lambda part: part.sender),
        receiver=each(lambda part: part.other),
        receiver_alone=median(alone.values(), lambda part: part.other),
        redis=each(lambda part: part.redis),
        redis_alone=median(alone.values(), lambda part: part.redis),
        redis_bytes=median(heard.values(), lambda part: part.redis_bytes),
        nobody=unheard("nobody", lambda part: part.other),
        nobodies=unheard("nobodies", lambda part: part.other),
        redis_nobody=unheard("nobody", lambda part: part.redis),
        redis_nobodies=unheard("nobodies", lambda part: part.redis),
    )


def to_many(name: str, costs: Sequence[Costs]) -> list[str]:
    """A straight line through what Redis paid, and what the largest cluster's nodes did."""
    fixed, slope = line((cost.nodes, cost.redis) for cost in costs)
    redis = fixed + slope * MANY
    fixed_alone, slope_alone = line((cost.nodes, cost.redis_alone) for cost in costs)
    alone = fixed_alone + slope_alone * MANY
    last = costs[-1]
    figures = (last.receiver, last.nobody, last.nobodies)
    each = (f"{1e6 / figure:,.0f}" if figure > 0.5 else "any" for figure in figures)
    together = [f"{fixed:.1f} + {slope:.2f} × nodes", f"{redis:.0f}", f"{1e6 / redis:,.0f}"]
    return [name, *together, f"{alone:.0f}", f"{1e6 / alone:,.0f}", *each]


def line(points: Iterable[tuple[int, float]]) -> tuple[float, float]:
    """Least squares: where it begins, and how steep it is."""
    pairs = list(points)
    if len(pairs) < 2:
        return pairs[0][1], 0.0
    fit = statistics.linear_regression([x for x, _ in pairs], [y for _, y in pairs])
    return fit.intercept, fit.slope


def has(parts: Sequence[Part], row: str, nodes: int) -> bool:
    return any((part.row, part.nodes) == (row, nodes) for part in parts)


def median(parts: Iterable[Part], figure: Callable[[Part], float]) -> float:
    return statistics.median(map(figure, parts))
