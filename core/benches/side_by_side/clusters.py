"""Clusters over Redis: several processes of one kind, a Redis of their own, and clients on each. Which cases there
are, and how they are measured; `cluster_report.py` makes tables of it."""

from __future__ import annotations

import json
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from typing import Callable, Sequence

import cluster_report
import servers
from cluster_report import HEARD, ONE, RUN, ClusterCase, Mix, Part
from servers import Row, Server, Unmeasured

MODES = ("classic", "sharded", "streams")
KIND = "cluster"  # of all cases here
MIXES = (ONE, HEARD, Mix("nobody", RUN, RUN - 1), Mix("nobodies", RUN, RUN - 1, rooms=True))
CASES = [
    *(ClusterCase(f"cluster2-{mode}", mode, (2,), 100) for mode in MODES),
    *(ClusterCase(f"cluster4-{mode}", mode, (4,), 100) for mode in MODES),
    *(ClusterCase(f"cluster-few-{mode}", mode, (4,), 5) for mode in MODES),
    *(ClusterCase(f"cluster-nodes-{mode}", mode, (1, 2, 4, 8), 1, MIXES) for mode in MODES),
    *(ClusterCase(f"cluster-latency-{mode}", mode, (2,), 1, pace=0.002) for mode in MODES),
]
LOAD_TIMEOUT = 60.0  # seconds for one slice
LOAD = servers.BIN / "load"
WARM_UP, FIRST_WARM_UP, MEASURED = 0.15, 0.75, 0.3  # seconds
MEASURED_WITH_PAUSES = 1.0
REDIS = Row(
    "redis",
    "redis-server, nothing on disk",
    ("redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"),
    servers.HERE,
)
PUBLISHING = ("cmdstat_publish", "cmdstat_spublish", "cmdstat_xadd")


class Clusters:
    """The cases of one run, and what has been measured so far."""

    def __init__(self, rows: Sequence[Row], rounds: int, cores: tuple[int, int]) -> None:
        self.rows = rows
        self.rounds = rounds
        self.cores = cores
        self.missing: dict[str, str] = {}  # why, by row
        self.parts: list[Part] = []

    def build(self) -> None:
        try:
            need = str(servers.ROOT / "tests/tools/need")
            servers.attempt([need, "redis-server"], servers.ROOT, "needs redis-server")
        except Unmeasured as reason:
            self.missing = {row.name: str(reason) for row in self.rows}
            return
        for row in self.rows:
            try:
                servers.prepare(row)
            except Unmeasured as reason:
                self.missing[row.name] = str(reason)

    def run(self, case: ClusterCase, progress: Callable[[str], None]) -> str:
        """All rounds of a case; its tables."""
        failures = dict(self.missing)
        rounds = self.rounds if len(case.sizes) == 1 else max(1, self.rounds // 2)
        for nodes in case.sizes:
            with ExitStack() as stack:
                clusters = self.start_all(case, nodes, stack, failures)
                for number in range(rounds + 1):
                    for cluster in clusters[:: 1 if number % 2 else -1]:
                        if cluster.row.name not in failures:
                            progress(f"{case.name}: {nodes} nodes: round {number} of {rounds}: {cluster.row.name}")
                            self.round(case, cluster, number, failures)
        self.parts = [part for part in self.parts if part.case != case.name or part.row not in failures]
        return cluster_report.tables(case, [row.name for row in self.rows], self.parts, failures)

    def start_all(self, case: ClusterCase, nodes: int, stack: ExitStack, failures: dict[str, str]) -> list[Cluster]:
        running = []
        server_core = str(self.cores[0]) if case.pace == 0 else ",".join(map(str, self.cores))
        for row in self.rows:
            if row.name not in failures:
                try:
                    running.append(Cluster(row, case.mode, nodes, server_core, stack))
                except Unmeasured as reason:
                    failures[row.name] = str(reason)
        return running

    def round(self, case: ClusterCase, cluster: Cluster, number: int, failures: dict[str, str]) -> None:
        """All mixes of messages, one after the other, on one cluster. Round 0 is thrown away."""
        for mix in case.mixes:
            before = cluster.published()
            failure, figures = load(self.load_command(case, cluster, mix, number))
            after = cluster.published()
            if failure:
                failures[cluster.row.name] = f"failed: {failure}; a server: {cluster.last_words()}"
                return
            if number > 0:
                published, sent_bytes = (new - old for old, new in zip(before, after))
                bytes_each = sent_bytes / max(1, published)
                row, nodes = cluster.row.name, cluster.nodes
                part = Part(case.name, row, nodes, mix.name, number, bytes_each, **figures)
                self.parts.append(part)

    def load_command(self, case: ClusterCase, cluster: Cluster, mix: Mix, number: int) -> list[str]:
        load_core = str(self.cores[1]) if case.pace == 0 else ",".join(map(str, self.cores))
        return [
            "taskset", "--cpu-list", load_core, str(LOAD), "cluster",
            "--port", ",".join(str(node.port) for node in cluster.servers),
            "--server", ",".join(str(server.pid) for server in (*cluster.servers, cluster.redis)),
            "--connections", str(case.clients),
            "--size", "64",
            "--pipeline", str(mix.run),
            "--unheard", str(mix.unheard),
            "--rooms", str(int(mix.rooms)),
            "--pace", str(case.pace),
            "--warmup", str(WARM_UP if number else FIRST_WARM_UP),
            "--seconds", str(MEASURED_WITH_PAUSES if case.pace else MEASURED),
        ]  # fmt: skip

    def figures(self) -> dict[str, object]:
        return {"missing": self.missing, "parts": [asdict(part) for part in self.parts]}


class Cluster:
    """So many servers of a row, and the Redis between them. They end with the stack."""

    def __init__(self, row: Row, mode: str, nodes: int, core: str, stack: ExitStack) -> None:
        self.row = row
        self.nodes = nodes
        self.redis = stack.enter_context(Server(REDIS, core))
        row = replace(row, after=(mode, f"redis://127.0.0.1:{self.redis.port}"))
        self.servers = [stack.enter_context(Server(row, core)) for _ in range(nodes)]

    def published(self) -> tuple[int, int]:
        """How many messages Redis has been given, and the bytes that it has sent."""
        with socket.create_connection(("127.0.0.1", self.redis.port)) as connection:
            connection.sendall(b"INFO everything\r\nQUIT\r\n")
            text = connection.makefile("rb").read().decode()
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        calls = (fields.get(name, "calls=0,") for name in PUBLISHING)
        count = sum(int(call.split(",")[0].removeprefix("calls=")) for call in calls)
        return count, int(fields["total_net_output_bytes"])

    def last_words(self) -> str:
        return "; ".join(dict.fromkeys(server.last_words() for server in self.servers))


def load(command: list[str]) -> tuple[str, dict[str, object]]:
    """Why the load generator failed, or what it has measured."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_TIMEOUT)
    except subprocess.TimeoutExpired:
        return f"no result within {LOAD_TIMEOUT:.0f} s", {}
    if done.returncode != 0:
        return done.stderr.strip(), {}
    return "", json.loads(done.stdout)
