#!/usr/bin/env python3
"""sockline's side-by-side benchmark: our servers, others' and the floor, in interleaved rounds.

Builds and installs what is missing, measures, prints tables and writes the raw figures as JSON. Options may also
come from the environment, so that `make bench ONLY=echo64 ROUNDS=31` works. README.md beside this says how to read
the result. Linux, two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Sequence

import clients
import clusters
import report
import servers
import targets
from cases import CASES, IDLE_CASES, LOAD_MODES, LOAD_OPTIONS
from clients import Client
from clusters import Clusters
from report import Case, Idle, IdleCase, Slice
from rows import ROWS
from servers import Row, Server, Unmeasured

RESULTS = servers.HERE.parent / "results"
LOAD_TIMEOUT = 60.0  # seconds for one slice
LOAD = servers.BIN / "load"

NAMES = [case.name for case in (*CASES, *IDLE_CASES, *clusters.CASES)]
DEFAULT_ROUNDS = targets.MIN_PAIRS
WARM_UP = 0.10  # seconds before the measured part of a slice
MEASURED = 0.25
FIRST_WARM_UP = 0.75  # in the round that is thrown away: for just-in-time compilers and allocators
SETTLE = 0.3  # seconds until a server's memory is read


class Bench:
    """The rows and cases of one run, and what has been measured so far."""

    def __init__(
        self, rows: dict[str, list[Row]], cases: Sequence[str], rounds: int, cores: tuple[int, int]
    ) -> None:
        self.rows = rows  # by kind
        self.cases = cases
        self.rounds = rounds
        self.server_core, self.load_core = cores
        self.missing: dict[str, dict[str, str]] = {kind: {} for kind in rows}  # why, by kind and row
        self.slices: list[Slice] = []
        self.idle: list[Idle] = []
        self.clusters = Clusters(rows.get(clusters.KIND, []), rounds, cores)
        self.foreign: dict[str, float] = {}  # share of the two cores that strangers took, by case

    def build(self) -> None:
        progress("building the load generator, the floor and the Rust servers")
        servers.build_rust()
        if "tls" in self.rows:
            servers.make_certificate()
        if clusters.KIND in self.rows:
            progress("preparing clusters")
            self.clusters.build()
        for kind, rows in self.rows.items():
            for row in rows if kind != clusters.KIND else []:
                progress(f"preparing {row.name} ({kind})")
                try:
                    servers.prepare(row)
                except Unmeasured as reason:
                    self.missing[kind][row.name] = str(reason)

    def run(self) -> None:
        for case in CASES:
            if case.name in self.cases:
                failures = self.measure(case)
                say(report.case_table(case, self.names(case), self.slices, failures))
                self.warn_of_strangers(case.name)
        for idle_case in IDLE_CASES:
            if idle_case.name in self.cases:
                failures = self.measure_idle(idle_case)
                say(report.idle_table(idle_case, self.names(idle_case), self.idle, failures))
        for cluster_case in clusters.CASES:
            if cluster_case.name in self.cases:
                say(self.clusters.run(cluster_case, progress))
        say(targets.target_table(targets.verdicts(self.cases, [*self.slices, *self.clusters.parts], self.idle)))

    def names(self, case: Case | IdleCase) -> list[str]:
        return [row.name for row in self.rows[case.kind]]

    def measure(self, case: Case) -> dict[str, str]:
        """All rounds of a case. Returns the rows that could not be measured and why."""
        failures = dict(self.missing[case.kind])
        with ExitStack() as stack:
            running = self.start_all(case, stack, failures)
            busy, ours = cores_busy_seconds(), our_cpu_seconds(running)
            began = time.monotonic()
            for number in range(self.rounds + 1):
                # Forth and back: on average every row stands at the same distance from the floor.
                for server in running[:: 1 if number % 2 else -1]:
                    if server.row.name not in failures and number % server.row.every == 0:
                        self.slice(case, number, server, failures)
            taken = (cores_busy_seconds() - busy) - (our_cpu_seconds(running) - ours)
            self.foreign[case.name] = max(0.0, taken) / (2 * (time.monotonic() - began))
        return failures

    def start_all(self, case: Case, stack: ExitStack, failures: dict[str, str]) -> list[Server]:
        running = []
        for row in self.rows[case.kind]:
            if row.name in failures:
                continue
            try:
                running.append(stack.enter_context(self.start(case, row)))
            except Unmeasured as reason:
                failures[row.name] = str(reason)
        return running

    def start(self, case: Case, row: Row) -> Server:
        if case.kind in clients.KINDS:
            return Client(row, self.server_core, self.load_core, case)
        return Server(row, self.server_core)

    def slice(self, case: Case, number: int, server: Server, failures: dict[str, str]) -> None:
        """Round 0 is thrown away."""
        row = server.row
        progress(f"{case.name}: round {number} of {self.rounds}: {row.name}")
        warm_up = WARM_UP if number else FIRST_WARM_UP
        try:
            if isinstance(server, Client):
                figures = server.measure(warm_up, MEASURED)
            else:
                figures = self.figures(case, server, warm_up)
        except Unmeasured as reason:
            failures[row.name] = str(reason)
            self.slices = [part for part in self.slices if (part.case, part.row) != (case.name, row.name)]
        else:
            if number > 0:
                self.slices.append(Slice(case=case.name, row=row.name, round=number, **figures))

    def figures(self, case: Case, server: Server, warm_up: float) -> dict[str, Any]:
        """What the load generator says of a server."""
        command = self.load_command(LOAD_MODES.get(case.kind, "echo"), server, case) + [
            "--pipeline", str(case.pipeline),
            "--warmup", str(warm_up),
            "--seconds", str(MEASURED),
        ]  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LOAD_TIMEOUT)
            failure = done.stderr.strip() if done.returncode != 0 else ""
        except subprocess.TimeoutExpired:
            failure = f"no result within {LOAD_TIMEOUT:.0f} s"
        if failure:
            raise Unmeasured(f"failed: {failure}; the server: {server.last_words()}")
        return dict(json.loads(done.stdout))

    def measure_idle(self, case: IdleCase) -> dict[str, str]:
        failures = dict(self.missing[case.kind])
        for row in self.rows[case.kind]:
            if row.name in failures:
                continue
            progress(f"{case.name}: {row.name}")
            try:
                with Server(row, self.server_core) as server:
                    self.idle.append(self.idle_row(case, server))
            except Unmeasured as reason:
                failures[row.name] = str(reason)
        return failures

    def idle_row(self, case: IdleCase, server: Server) -> Idle:
        self.idle_figures(replace(case, connections=1), server)  # what the first one costs is not each one's
        return self.idle_figures(case, server)

    def idle_figures(self, case: IdleCase, server: Server) -> Idle:
        time.sleep(SETTLE)
        before = server.rss()
        command = self.load_command("idle", server, case)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        load = subprocess.Popen(command, text=True, preexec_fn=servers.raise_descriptor_limit, **pipes)
        with load:
            opened = next_line(load)
            time.sleep(SETTLE)
            rss_open = server.rss()
            rss_echoed = self.rss_after_echo(load, server) if case.echo else rss_open
            load.kill()
        row, cpu = server.row.name, opened["server_cpu_us"]
        return Idle(case.name, row, case.connections, before, rss_open, rss_echoed, cpu)

    def rss_after_echo(self, load: subprocess.Popen[str], server: Server) -> int:
        print("echo", file=load.stdin, flush=True)
        next_line(load)
        time.sleep(SETTLE)
        return server.rss()

    def load_command(self, mode: str, server: Server, case: Case | IdleCase) -> list[str]:
        return [
            "taskset", "--cpu-list", str(self.load_core), str(LOAD), mode,
            "--port", str(server.port),
            "--server", str(server.pid),
            "--connections", str(case.connections),
            "--size", str(case.size),
            "--raw", str(int(server.row.raw)),
            *LOAD_OPTIONS[case.kind],
        ]  # fmt: skip

    def warn_of_strangers(self, case: str) -> None:
        if (share := self.foreign[case]) > 0.03:
            say(f"Other processes took {share:.0%} of the two cores meanwhile: expect wider intervals.\n")

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
        figures = {
            "machine": {"cpu": cpu_model(), "system": platform.platform()},
            "settings": {"rounds": self.rounds, "warm_up": WARM_UP, "measured": MEASURED},
            "foreign_share": self.foreign,
            "missing": self.missing,
            "slices": [asdict(part) for part in self.slices],
            "idle": [asdict(figure) for figure in self.idle],
            "clusters": self.clusters.figures(),
        }
        path.write_text(json.dumps(figures, indent=1) + "\n")
        return path


def main() -> None:
    options = parse_options()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("the benchmark needs two cores: one for the server, one for the load")
    cases = chosen("case", options.only, NAMES)
    bench = Bench(chosen_rows(options.peers, cases), cases, options.rounds, (cores[0], cores[1]))
    bench.build()
    os.sched_setaffinity(0, {cores[1]})  # what this script itself does must not disturb the server
    say(f"{cpu_model()}, {platform.release()}; server on core {cores[0]}, load on core {cores[1]}\n")
    bench.run()
    say(f"raw figures: {bench.save().relative_to(servers.ROOT)}")


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    environment = os.environ.get
    parser.add_argument("--only", default=environment("ONLY", ""), help=f"cases or beginnings of: {', '.join(NAMES)}")
    peers = "rows; those that others are compared with always run"
    parser.add_argument("--peers", default=environment("PEERS", ""), help=peers)
    parser.add_argument("--rounds", type=int, default=int(environment("ROUNDS") or DEFAULT_ROUNDS))
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    return options


def chosen_rows(wanted: str, cases: Sequence[str]) -> dict[str, list[Row]]:
    """The rows of the cases' kinds, by kind."""
    every = {kind: rows() for kind, rows in ROWS.items()}
    names = chosen("row", wanted, list(dict.fromkeys(row.name for rows in every.values() for row in rows)))
    kinds = {case.kind for case in (*CASES, *IDLE_CASES, *clusters.CASES) if case.name in cases}
    return {
        kind: [row for row in rows if row.always or row.name in names] for kind, rows in every.items() if kind in kinds
    }


def chosen(kind: str, wanted: str, names: list[str]) -> list[str]:
    """The names that the comma-separated words mean, or all if there is none. A word means the name that it is, or
    else those that begin with it: echo64-d1 is not echo64-d16."""
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    meant = set[str]()
    for word in words:
        matches = [word] if word in names else [name for name in names if name.startswith(word)]
        if not matches:
            sys.exit(f"no {kind} begins with {word!r}; there are {', '.join(names)}")
        meant.update(matches)
    return [name for name in names if not words or name in meant]


def next_line(load: subprocess.Popen[str]) -> dict[str, float]:
    line = load.stdout.readline() if load.stdout else ""
    if not line:
        raise Unmeasured(f"failed: {load.stderr.read().strip() if load.stderr else ''}")
    return json.loads(line)


def cores_busy_seconds() -> float:
    """Time that the cores have not idled, from the first line of /proc/stat."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def our_cpu_seconds(running: Sequence[Server]) -> float:
    """CPU time of the servers, of finished load generators and of this script."""
    total = sum(server.cpu_seconds() for server in running)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        total += usage.ru_utime + usage.ru_stime
    return total


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def say(text: str) -> None:
    clear = "\r\x1b[K" if sys.stdout.isatty() else ""
    print(clear + text, flush=True)


def progress(text: str) -> None:
    """One line that is overwritten; nothing in a log file but the start of each round."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}", end="", flush=True)
    elif ": round" not in text or text.endswith((report.FLOOR, report.OURS)):
        print(text, flush=True)


if __name__ == "__main__":
    main()
