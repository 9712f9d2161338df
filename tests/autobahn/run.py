#!/usr/bin/env python3
"""Runs Autobahn|Testsuite against a WebSocket server or client of ours and judges the result.

    run.py --role server --command "target/release/examples/echo_server PORT"
    run.py --role client --command "target/release/examples/autobahn_client URL"

In the command, the word PORT stands for the port of 127.0.0.1 to listen on, and URL for the base URL of the
fuzzing server. A client asks it for /getCaseCount, runs /runCase?case=I&agent=NAME for I = 1 to that number, echoing
every message, and ends with /updateReports?agent=NAME.

Exit status 0 means that every case was run and is OK. The suite's own pages, for a closer look at a case, are
in target/autobahn/ROLE/index.html of the checkout.
"""

import argparse
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parent.parent
PYTHON27 = CHECKOUT / ".tools/autobahn/env/bin/python"
REPORTS = CHECKOUT / "target/autobahn"

# The suite has no "OK" for these: whatever a peer does is only reported.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
START_TIMEOUT = 30.0


class HarnessError(Exception):
    """The suite could not be run to its end; the message says why."""


def main() -> int:
    options = parse_arguments()
    subprocess.run([HERE / "install.sh"], check=True)
    outdir = REPORTS / options.role
    shutil.rmtree(outdir, ignore_errors=True)
    outdir.mkdir(parents=True)
    try:
        run = run_server if options.role == "server" else run_client
        expected = run(options, outdir)
        return judge(expected, outdir, verbose=options.verbose)
    except HarnessError as error:
        print(f"autobahn: {error}\nautobahn: the suite's own log is {outdir / 'suite.log'}", file=sys.stderr)
        return 2


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--role", choices=["server", "client"], required=True, help="what the command is")
    parser.add_argument("--command", type=shlex.split, required=True, help="the program, with PORT or URL")
    parser.add_argument(
        "--cases", nargs="+", default=["*"], metavar="CASE", help="cases to run, as 1.1.1 or 9.* (default: all)"
    )
    parser.add_argument(
        "--exclude", nargs="*", default=["12.*", "13.*"], metavar="CASE",
        help="cases to leave out (default: compression, 12.* and 13.*)",
    )  # fmt: skip
    parser.add_argument("--timeout", type=float, default=1800, metavar="SECONDS", help="for the whole run")
    parser.add_argument("--verbose", action="store_true", help="explain each case that is not OK")
    options = parser.parse_args()
    placeholder = "PORT" if options.role == "server" else "URL"
    if placeholder not in options.command:
        parser.error(f"the command of a {options.role} needs the word {placeholder}")
    return options


def run_server(options: argparse.Namespace, outdir: Path) -> list[str]:
    """Our echo server against the suite's fuzzing client; returns the cases that have to be in the report."""
    port = free_port()
    command = fill_in(options.command, "PORT", str(port))
    with running(command, outdir / "command.log") as server:
        wait_until_listening(port, server)
        spec = write_spec(options, outdir, servers=[{"agent": "server", "url": f"ws://127.0.0.1:{port}"}])
        with running_suite("fuzzingclient.py", spec, outdir) as suite:
            expected = read_announcement(suite)["cases"]
            wait_for_exit(suite, options.timeout, "the fuzzing client")
        if server.poll() is not None:
            raise HarnessError(f"the server ended during the run with status {server.returncode}")
    return expected


def run_client(options: argparse.Namespace, outdir: Path) -> list[str]:
    """Our client against the suite's fuzzing server; returns the cases that have to be in the report."""
    # The port in this URL is replaced by the one that fuzzingserver.py announces.
    spec = write_spec(options, outdir, url="ws://127.0.0.1")
    with running_suite("fuzzingserver.py", spec, outdir) as suite:
        announcement = read_announcement(suite)
        command = fill_in(options.command, "URL", f"ws://127.0.0.1:{announcement['port']}")
        with running(command, outdir / "command.log") as client:
            wait_for_exit(client, options.timeout, "the client")
    return announcement["cases"]


def judge(expected: list[str], outdir: Path, *, verbose: bool) -> int:
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
            print(f"{case:9} {text}{'' if case in bad else ' (as it has to be)'}")
        if case in bad and case in results and verbose:
            explain(json.loads((outdir / results[case]["reportfile"]).read_text()))
    counts = ", ".join(f"{count} {text}" for text, count in Counter(verdicts.values()).most_common())
    print(f"autobahn {outdir.name}: {len(expected)} cases: {counts}")
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


def write_spec(options: argparse.Namespace, outdir: Path, **role: object) -> Path:
    spec = {"outdir": str(outdir), "cases": options.cases, "exclude-cases": options.exclude, **role}
    path = outdir / "spec.json"
    path.write_text(json.dumps(spec))
    return path


def fill_in(command: list[str], placeholder: str, value: str) -> list[str]:
    return [value if word == placeholder else word for word in command]


@contextmanager
def running(command: list[str], log: Path):
    """A child whose output goes to a file, and which does not outlive the block."""
    with log.open("wb") as output, end_of(subprocess.Popen(command, stdout=output, stderr=output)) as child:
        yield child


@contextmanager
def running_suite(script: str, spec: Path, outdir: Path):
    command = [PYTHON27, HERE / script, spec]
    with (outdir / "suite.log").open("wb") as log:
        with end_of(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)) as child:
            yield child


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
