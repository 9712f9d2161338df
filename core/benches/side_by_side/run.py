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
import resource
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Sequence

import clients
import clusters
import latency
import plan
import publish
import raw
import report
import servers
import targets
import versions
from cases import CASES, IDLE_CASES, LOAD_MODES, LOAD_OPTIONS
from clients import Client
from clusters import Clusters
from report import Case, Idle, IdleCase, Slice
from rows import ROWS
from servers import Row, Server, Unmeasured

RESULTS = servers.HERE.parent / "results"
LOAD_TIMEOUT = 180.0  # seconds for one slice
LOAD = servers.BIN / "load"

NAMES = [case.name for case in (*CASES, *IDLE_CASES, *clusters.CASES)]
LISTED = [name for name in NAMES if not name.startswith("growth-")]
DEFAULT_ROUNDS = targets.MIN_PAIRS


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
        self.failures: dict[str, dict[str, str]] = {}  # why, by case and row
        self.slices: list[Slice] = []
        self.idle: list[Idle] = []
        self.clusters = Clusters(rows.get(clusters.KIND, []), rounds, cores)
        self.foreign: dict[str, float] = {}  # share of the two cores that strangers took, by case
        self.rings: dict[str, list[str]] = {}  # the rows that had io_uring, by case
        self.rates: dict[tuple[str, str], float] = {}  # messages a second that are due, by case and row
        chosen = [case for case in (*CASES, *IDLE_CASES, *clusters.CASES) if case.name in cases]
        self.clock = plan.Clock({case.name: plan.seconds(case, rows[case.kind], rounds) for case in chosen})
        self.began = raw.header()

    def build(self) -> None:
        progress("building the load generator, the floor and the Rust servers")
        servers.build_rust()
        if "tls" in self.rows or "tls-connect" in self.rows:
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
        self.clock.began = time.monotonic()
        for case in CASES:
            if case.name in self.cases:
                failures = self.failures[case.name] = self.measure(case)
                to_table = latency.latency_table if case.kind in latency.KINDS else report.case_table
                say(to_table(case, self.names(case), self.slices, failures))
                self.tell_of_rings(case.name)
                self.warn_of_strangers(case.name)
        for idle_case in IDLE_CASES:
            if idle_case.name in self.cases:
                failures = self.failures[idle_case.name] = self.measure_idle(idle_case)
                say(report.idle_table(idle_case, self.names(idle_case), self.idle, failures))
        for cluster_case in clusters.CASES:
            if cluster_case.name in self.cases:
                say(self.clusters.run(cluster_case, progress))
        if found := targets.verdicts(self.cases, [*self.slices, *self.clusters.parts], self.idle):
            say(targets.target_table(found))

    def names(self, case: Case | IdleCase) -> list[str]:
        return [row.name for row in self.rows[case.kind]]

    def measure(self, case: Case) -> dict[str, str]:
        """All rounds of a case. Returns the rows that could not be measured and why."""
        failures = dict(self.missing[case.kind])
        with ExitStack() as stack:
            running = self.start_all(case, stack, failures)
            busy, ours = cores_busy_seconds(), our_cpu_seconds(running)
            began = time.monotonic()
            for number in range(plan.rounds_of(case, self.rounds) + 1):
                # Forth and back: on average every row stands at the same distance from the floor.
                for server in running[:: 1 if number % 2 else -1]:
                    if server.row.name not in failures and number % server.row.every == 0:
                        self.slice(case, number, server, failures)
            self.rings[case.name] = [one.row.name for one in running if one.row.name not in failures and one.has_io_uring()]
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
        rounds = plan.rounds_of(case, self.rounds)
        progress(f"{case.name}: round {number} of {rounds}: {row.name}", self.clock.left(case.name, number / (rounds + 1)))
        warm_up = case.warm_up if number else max(case.warm_up, plan.FIRST_WARM_UP)
        try:
            if isinstance(server, Client):
                figures = server.measure(warm_up, case.seconds)
            elif case.kind in latency.KINDS:
                figures = self.paced_figures(case, number, server, warm_up)
            else:
                figures = self.figures(case, server, warm_up, "--seconds", str(case.seconds))
        except Unmeasured as reason:
            failures[row.name] = str(reason)
            self.slices = [part for part in self.slices if (part.case, part.row) != (case.name, row.name)]
        else:
            if number > 0:
                self.slices.append(Slice(case=case.name, row=row.name, round=number, **figures))

    def paced_figures(self, case: Case, number: int, server: Server, warm_up: float) -> dict[str, Any]:
        """At half of what the server can answer, which round 0 finds out."""
        of = (case.name, server.row.name)
        if number == 0:
            closed = ("--seconds", str(plan.TRIAL))
            trials = [self.figures(case, server, warm_up, *closed) for _ in range(latency.TRIALS)]
            self.rates[of] = latency.rate_of([trial["messages"] / trial["seconds"] for trial in trials])
            return trials[-1]
        count = str(latency.count_of(self.rounds))
        return self.figures(case, server, warm_up, "--rate", f"{self.rates[of]:.1f}", "--count", count)

    def figures(self, case: Case, server: Server, warm_up: float, *options: str) -> dict[str, Any]:
        """What the load generator says of a server."""
        command = self.load_command(LOAD_MODES.get(case.kind, "echo"), server, case) + [
            "--pipeline", str(case.pipeline),
            "--warmup", str(warm_up),
            *options,
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
        for position, row in enumerate(self.rows[case.kind]):
            if row.name in failures:
                continue
            progress(f"{case.name}: {row.name}", self.clock.left(case.name, position / len(self.rows[case.kind])))
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
        time.sleep(plan.SETTLE)
        before = server.rss()
        command = self.load_command("idle", server, case)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        load = subprocess.Popen(command, text=True, preexec_fn=servers.raise_descriptor_limit, **pipes)
        with load:
            opened = next_line(load)
            time.sleep(plan.SETTLE)
            rss_open = server.rss()
            rss_echoed = self.rss_after_echo(load, server) if case.echo else rss_open
            load.kill()
        row, cpu = server.row.name, opened["server_cpu_us"]
        return Idle(case.name, row, case.connections, before, rss_open, rss_echoed, cpu)

    def rss_after_echo(self, load: subprocess.Popen[str], server: Server) -> int:
        print("echo", file=load.stdin, flush=True)
        next_line(load)
        time.sleep(plan.SETTLE)
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

    def tell_of_rings(self, case: str) -> None:
        if rows := self.rings[case]:
            say(f"With io_uring: {', '.join(rows)}.\n")

    def warn_of_strangers(self, case: str) -> None:
        if (share := self.foreign[case]) > 0.03:
            say(f"Other processes took {share:.0%} of the two cores meanwhile: expect wider intervals.\n")

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
        path.write_text(raw.text(self.raw_figures()))
        return path

    def raw_figures(self) -> dict[str, Any]:
        return {
            **self.began,
            "settings": {"rounds": self.rounds, "cores": [self.server_core, self.load_core]},
            "rows": {kind: {row.name: row.about for row in rows} for kind, rows in self.rows.items()},
            "cases": raw.described(case for case in (*CASES, *IDLE_CASES) if case.name in self.cases),
            "foreign_share": self.foreign,
            "io_uring": self.rings,
            "failures": self.failures,
            "slices": raw.as_dicts(self.slices),
            "idle": raw.as_dicts(self.idle),
            "clusters": self.clusters.figures(),
        }


def main() -> None:
    options = parse_options()
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        sys.exit("the benchmark needs two cores: one for the server, one for the load")
    servers.raise_descriptor_limit()  # the load generator's, too
    cases = chosen("case", options.only, NAMES)
    bench = Bench(chosen_rows(options.peers, cases), cases, options.rounds, (cores[0], cores[1]))
    bench.build()
    os.sched_setaffinity(0, {cores[1]})  # what this script itself does must not disturb the server
    machine = bench.began["machine"]
    say(f"{machine['cpu']}, {machine['kernel']}; server on core {cores[0]}, load on core {cores[1]}\n")
    bench.run()
    saved = bench.save()
    say(f"raw figures: {saved.relative_to(servers.ROOT)}")
    if options.publish:
        publish.main([str(saved)])


def parse_options() -> argparse.Namespace:
    every = {kind: rows() for kind, rows in ROWS.items()}
    parts = f"parts, and about how long each takes:\n{plan.guide(every, DEFAULT_ROUNDS)}\n\ncases: {', '.join(LISTED)}"
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, epilog=parts, formatter_class=formatter)
    environment = os.environ.get
    only = "parts, cases, or what cases begin with, as listed below; all without it"
    parser.add_argument("--only", default=environment("ONLY", ""), help=only)
    peers = "rows; those that others are compared with always run"
    parser.add_argument("--peers", default=environment("PEERS", ""), help=peers)
    parser.add_argument("--rounds", type=int, default=int(environment("ROUNDS") or DEFAULT_ROUNDS))
    keep = "put what was measured in place of what docs/bench/results.json has of these cases, and draw and write docs/ anew"
    parser.add_argument("--publish", action="store_true", default=environment("PUBLISH", "") not in ("", "0"), help=keep)
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    if options.publish and options.peers:
        parser.error("--publish takes all rows of a case, so not --peers")
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
    """The names that the comma-separated words mean, or all if there is none."""
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    meant = set[str]()
    for word in words:
        matches = plan.word(word, names)
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


def say(text: str) -> None:
    clear = "\r\x1b[K" if sys.stdout.isatty() else ""
    print(clear + text, flush=True)


def progress(text: str, left: str = "") -> None:
    """One line that is overwritten; nothing in a log file but the start of each round."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{text}" + (f"  (about {left} left)" if left else ""), end="", flush=True)
    elif ": round" not in text or text.endswith((report.FLOOR, report.OURS)):
        print(text, flush=True)


if __name__ == "__main__":
    main()
