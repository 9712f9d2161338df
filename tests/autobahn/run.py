#!/usr/bin/env python3
"""Runs Autobahn|Testsuite against our WebSocket servers and clients and judges the result.

    run.py                          every face in both roles
    run.py c node --role client     some of them
    run.py rust --cases 12.* 13.*   some cases

The servers are the echo servers among the examples; the clients ask the suite's fuzzing server for /getCaseCount, run
/runCase?case=I&agent=NAME for I = 1 to that number, echoing every message, and end with /updateReports?agent=NAME.
Rust has to pass all 517 cases. The other faces, which share its engine, leave out the compressed messages over 16 KiB:
those take twenty minutes and would test the engine again.

Exit status 0 means that every case was run and is OK. The suite's own pages, for a closer look at a case, are
in target/autobahn/FACE/ROLE/index.html of the checkout.
"""

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PYTHON27 = CHECKOUT / ".tools/autobahn/env/bin/python"
REPORTS = CHECKOUT / "target/autobahn"

# The suite has no "OK" for these: whatever a peer does is only reported.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
START_TIMEOUT = 30.0

# In 12.* and 13.*, the third number says how long the messages are: these are over 16 KiB.
LONG_MESSAGES = (8, 9, 10, 13, 14, 15, 16, 17, 18)
COMPRESSED_GROUPS = [f"12.{group}" for group in range(1, 6)] + [f"13.{group}" for group in range(1, 8)]
LONG_COMPRESSED = [f"{group}.{length}" for group in COMPRESSED_GROUPS for length in LONG_MESSAGES]


class HarnessError(Exception):
    """The suite could not be run to its end; the message says why."""


class Face(NamedTuple):
    """How a language's programs are started, from the checkout; PORT and URL stand for what they are given."""

    server: list[str]
    client: list[str]
    exclude: list[str] = LONG_COMPRESSED

    def command(self, role: str) -> list[str]:
        return self.server if role == "server" else self.client


PYTHON = ".venv/bin/python"
CLIENTS = "tests/autobahn/clients"
FACES = {
    "rust": Face(
        ["target/release/examples/echo_server", "PORT"], ["target/release/examples/autobahn_client", "URL"], []
    ),
    "c": Face(["examples/c/build/echo_server", "PORT"], ["target/autobahn/clients/autobahn_client", "URL"]),
    "python": Face(
        [PYTHON, "examples/python/echo_server.py", "PORT"], [PYTHON, f"{CLIENTS}/autobahn_client.py", "URL"]
    ),
    "coroutine": Face(
        [PYTHON, "examples/python/echo_server.py", "PORT", "--coroutine"],
        [PYTHON, f"{CLIENTS}/autobahn_client.py", "URL", "--coroutine"],
    ),
    "node": Face(["node", "examples/node/echo_server.js", "PORT"], ["node", f"{CLIENTS}/autobahn_client.js", "URL"]),
}
ROLES = ["server", "client"]


def main() -> int:
    options = parse_arguments()
    subprocess.run([HERE / "install.sh"], check=True)
    # Node looks for the package where the examples have it.
    os.environ["NODE_PATH"] = str(CHECKOUT / "examples/node/node_modules")
    statuses = [run(face, role, options) for face in options.faces for role in options.role]
    return max(statuses)


def run(face: str, role: str, options: argparse.Namespace) -> int:
    outdir = REPORTS / face / role
    shutil.rmtree(outdir, ignore_errors=True)
    outdir.mkdir(parents=True)
    run_role = run_server if role == "server" else run_client
    command = FACES[face].command(role)
    cases = {"cases": options.cases, "exclude-cases": FACES[face].exclude}
    try:
        expected = run_role(command, cases, options.timeout, outdir)
        return judge(f"{face} {role}", expected, outdir, verbose=options.verbose)
    except HarnessError as error:
        print(f"autobahn {face} {role}: {error}\nthe suite's own log is {outdir / 'suite.log'}", file=sys.stderr)
        return 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", nargs="*", metavar="FACE", help=f"{', '.join(FACES)} (default: all)")
    parser.add_argument("--role", choices=ROLES, nargs="+", default=ROLES, help="of ours (default: both)")
    parser.add_argument(
        "--cases", nargs="+", default=["*"], metavar="CASE", help="cases to run, as 1.1.1 or 9.* (default: all)"
    )
    parser.add_argument("--timeout", type=float, default=3600, metavar="SECONDS", help="for one face in one role")
    parser.add_argument("--verbose", action="store_true", help="explain each case that is not OK")
    options = parser.parse_args()
    options.faces = options.faces or list(FACES)
    for face in options.faces:
        if face not in FACES:
            parser.error(f"there is no face {face!r}; there are {', '.join(FACES)}")
    return options


def run_server(command: list[str], cases: dict, timeout: float, outdir: Path) -> list[str]:
    """Our echo server against the suite's fuzzing client; returns the cases that have to be in the report."""
    port = free_port()
    with running(fill_in(command, "PORT", str(port)), outdir / "command.log") as server:
        wait_until_listening(port, server)
        spec = write_spec(cases, outdir, servers=[{"agent": "server", "url": f"ws://127.0.0.1:{port}"}])
        with running_suite("fuzzingclient.py", spec, outdir) as suite:
            expected = read_announcement(suite)["cases"]
            wait_for_exit(suite, timeout, "the fuzzing client")
        if server.poll() is not None:
            raise HarnessError(f"the server ended during the run with status {server.returncode}")
    return expected


def run_client(command: list[str], cases: dict, timeout: float, outdir: Path) -> list[str]:
    """Our client against the suite's fuzzing server; returns the cases that have to be in the report."""
    # The port in this URL is replaced by the one that fuzzingserver.py announces.
    spec = write_spec(cases, outdir, url="ws://127.0.0.1")
    with running_suite("fuzzingserver.py", spec, outdir) as suite:
        announcement = read_announcement(suite)
        url = f"ws://127.0.0.1:{announcement['port']}"
        with running(fill_in(command, "URL", url), outdir / "command.log") as client:
            wait_for_exit(client, timeout, "the client")
    return announcement["cases"]


def judge(name: str, expected: list[str], outdir: Path, *, verbose: bool) -> int:
    """Prints the counts per verdict and every case that is not OK; 0 if there is none."""
    index = outdir / "index.json"
    if not index.exists():
        raise HarnessError("there is no report: did the client open /updateReports?agent=NAME at its end?")
    agents = json.loads(index.read_text())
    if len(agents) != 1:
        raise HarnessError(f"the report has {len(agents)} agents instead of one: {', '.join(agents)}")
    results = next(iter(agents.values()))

    verdicts = {case: verdict(results.get(case)) for case in expected}
    bad = {case: text for case, text in verdicts.items() if not acceptable(case, text)}
    for case, text in verdicts.items():
        if text != "OK":
            print(f"{case:9} {text}{'' if case in bad else ' (as it may be)'}")
        if case in bad and case in results and verbose:
            explain(json.loads((outdir / results[case]["reportfile"]).read_text()))
    counts = ", ".join(f"{count} {text}" for text, count in Counter(verdicts.values()).most_common())
    print(f"autobahn {name}: {len(expected)} cases: {counts}", flush=True)
    return 1 if bad or not expected else 0


def verdict(result: dict | None) -> str:
    """One word for a case, or two where its closing handshake was judged differently."""
    if result is None:
        return "NOT RUN"
    behavior, close = result["behavior"], result["behaviorClose"]
    if close in (behavior, "OK"):
        return behavior
    return f"{behavior} (close: {close})" if behavior != "OK" else f"close: {close}"


def acceptable(case: str, text: str) -> bool:
    return text == "OK" or (text == "INFORMATIONAL" and case in INFORMATIONAL)


def explain(report: dict) -> None:
    for title in ("description", "expectation", "result", "resultClose"):
        text = re.sub(r"<[^>]*>", " ", str(report[title]))
        print(f"          {title}: {' '.join(text.split())}")


# Processes


def write_spec(cases: dict, outdir: Path, **role: object) -> Path:
    spec = {"outdir": str(outdir), **cases, **role}
    path = outdir / "spec.json"
    path.write_text(json.dumps(spec))
    return path


def fill_in(command: list[str], placeholder: str, value: str) -> list[str]:
    return [value if word == placeholder else word for word in command]


@contextmanager
def running(command: list[str], log: Path):
    """A child whose output goes to a file, and which does not outlive the block."""
    with log.open("wb") as output, end_of(start(command, stdout=output, stderr=output)) as child:
        yield child


@contextmanager
def running_suite(script: str, spec: Path, outdir: Path):
    command = [PYTHON27, HERE / script, spec]
    with (outdir / "suite.log").open("wb") as log:
        with end_of(start(command, stdout=subprocess.PIPE, stderr=log)) as child:
            yield child


def start(command: list[object], **output: object) -> subprocess.Popen:
    try:
        return subprocess.Popen(command, cwd=CHECKOUT, **output)
    except FileNotFoundError as error:
        raise HarnessError(f"{error.filename} is not there: make build makes it") from None


@contextmanager
def end_of(child: subprocess.Popen):
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def read_announcement(suite: subprocess.Popen) -> dict:
    line = suite.stdout.readline()
    if not line:
        raise HarnessError(f"the suite did not start (status {suite.wait()})")
    return json.loads(line)


def wait_for_exit(child: subprocess.Popen, timeout: float, name: str) -> None:
    try:
        status = child.wait(timeout)
    except subprocess.TimeoutExpired:
        raise HarnessError(f"{name} did not end within {timeout:g} seconds") from None
    if status != 0:
        raise HarnessError(f"{name} ended with status {status}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_until_listening(port: int, server: subprocess.Popen) -> None:
    # A foreign program has no common way to announce itself, so the port is tried.
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise HarnessError(f"the server ended at once with status {server.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise HarnessError(f"the server does not listen on 127.0.0.1:{port} after {START_TIMEOUT:g} seconds")


if __name__ == "__main__":
    sys.exit(main())
