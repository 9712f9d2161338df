#!/usr/bin/env python3
"""Runs what crosses languages: sockline in C, Python and Node against foreign peers, against each other, and the
examples as their users call them. Needs `make build`; installs the peers and builds the probe by itself.

    run.py [-k PATTERN]    only the tests whose name has PATTERN in it, as foreign_clients.CServer or test_node
"""

import argparse
import subprocess
import sys
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDERS = [HERE, HERE.parent / "examples"]
SLOWEST = 10  # tests to name at the end


class TimedResult(unittest.TextTestResult):
    """Remembers how long each test took."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.seconds: dict[str, float] = {}

    def startTest(self, test: unittest.TestCase) -> None:
        self._started = time.monotonic()
        super().startTest(test)

    def stopTest(self, test: unittest.TestCase) -> None:
        self.seconds[test.id()] = time.monotonic() - self._started
        super().stopTest(test)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", dest="pattern", default="", help="only tests with this in their name")
    parser.add_argument("-v", dest="verbosity", action="store_const", const=2, default=1, help="name each test")
    options = parser.parse_args()
    prepare()
    sys.path[:0] = [str(folder) for folder in FOLDERS]
    loader = unittest.TestLoader()
    suites = [loader.discover(str(folder), top_level_dir=str(folder)) for folder in FOLDERS if folder.is_dir()]
    tests = [test for test in flatten(suites) if options.pattern in test.id()]
    runner = unittest.TextTestRunner(resultclass=TimedResult, verbosity=options.verbosity, failfast=False)
    result = runner.run(unittest.TestSuite(tests))
    assert isinstance(result, TimedResult)
    say_what_took_longest(result)
    return 0 if result.wasSuccessful() and tests else 1


def prepare() -> None:
    subprocess.run(["sh", HERE / "peers/install.sh"], check=True)
    subprocess.run(["make", "--silent", "-C", HERE / "probes/c"], check=True)


def flatten(suites: list) -> list[unittest.TestCase]:
    """The tests in order; those of a class stay together, so that its server is started once."""
    tests = []
    for suite in suites:
        tests += flatten(list(suite)) if isinstance(suite, unittest.TestSuite) else [suite]
    return tests


def say_what_took_longest(result: TimedResult) -> None:
    print(f"what took longest of {sum(result.seconds.values()):.0f} s:", file=sys.stderr)
    slowest = sorted(result.seconds.items(), key=lambda item: -item[1])[:SLOWEST]
    for name, seconds in slowest:
        print(f"  {seconds:5.1f} s  {name}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
