#!/usr/bin/env python3
"""Runs what crosses languages: sockline in C, Python and Node against foreign peers, against each other, and the
examples as their users call them. Needs `make build`; installs the peers and builds the probe by itself.

    run.py [-k PATTERN]    only the tests whose name has PATTERN in it, as foreign_clients.CServer or test_node
"""

import argparse
import io
import subprocess
import sys
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDERS = [HERE, HERE.parent / "examples"]
SLOWEST = 10  # tests to name at the end


class Result(unittest.TextTestResult):
    """What came of some of the tests, and how long each of them took."""

    progress = threading.Lock()

    def __init__(self, *, verbose: bool) -> None:
        report = unittest.runner._WritelnDecorator(io.StringIO())  # type: ignore[attr-defined]
        super().__init__(report, descriptions=False, verbosity=0)
        self.verbose = verbose
        self.seconds: dict[str, float] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        self._started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        seconds = self.seconds[test.id()] = time.monotonic() - self._started
        if self.verbose:
            with self.progress:
                print(f"{seconds:6.2f} s  {test.id()}", file=sys.stderr, flush=True)
        super().stopTest(test)

    def add(self, other: "Result") -> None:
        self.testsRun += other.testsRun
        self.failures += other.failures
        self.errors += other.errors
        self.seconds |= other.seconds

    def report(self, seconds: float) -> None:
        """As unittest's own runner ends, with the slowest tests before."""
        self.printErrors()
        print(self.stream.getvalue(), end="", file=sys.stderr)
        print("what took longest:", file=sys.stderr)
        for name, taken in sorted(self.seconds.items(), key=lambda item: -item[1])[:SLOWEST]:
            print(f"  {taken:5.1f} s  {name}", file=sys.stderr)
        print(f"\nRan {self.testsRun} tests in {seconds:.1f} s\n", file=sys.stderr)
        bad = f"FAILED (failures={len(self.failures)}, errors={len(self.errors)})"
        print("OK" if self.wasSuccessful() else bad, file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", dest="pattern", default="", help="only tests with this in their name")
    parser.add_argument("-v", dest="verbose", action="store_true", help="name each test")
    parser.add_argument("-j", dest="jobs", type=int, default=2, help="test classes at once (default: 2)")
    options = parser.parse_args()
    prepare()
    sys.path[:0] = [str(folder) for folder in FOLDERS]
    loader = unittest.TestLoader()
    suites = [loader.discover(str(folder), top_level_dir=str(folder)) for folder in FOLDERS]
    tests = [test for test in flatten(suites) if options.pattern in test.id()]
    result = run(tests, options.jobs, verbose=options.verbose)
    return 0 if result.wasSuccessful() and tests else 1


def run(tests: list[unittest.TestCase], jobs: int, *, verbose: bool) -> Result:
    """Runs classes side by side, the tests of one class one after the other: they share a server."""
    classes = [list(group) for _, group in groupby(tests, key=type)]
    started = time.monotonic()

    def run_class(group: list[unittest.TestCase]) -> Result:
        result = Result(verbose=verbose)
        unittest.TestSuite(group).run(result)
        return result

    total = Result(verbose=verbose)
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(run_class, classes):
            total.add(result)
    total.report(time.monotonic() - started)
    return total


def prepare() -> None:
    subprocess.run(["sh", HERE / "peers/install.sh"], check=True)
    for folder in ("peers", "probes/c"):
        subprocess.run(["make", "--silent", "-C", HERE / folder], check=True)


def flatten(suites: list) -> list[unittest.TestCase]:
    """The tests in order; those of a class stay together, so that its server is started once."""
    tests = []
    for suite in suites:
        tests += flatten(list(suite)) if isinstance(suite, unittest.TestSuite) else [suite]
    return tests


if __name__ == "__main__":
    sys.exit(main())
