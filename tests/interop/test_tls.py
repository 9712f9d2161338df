"""Over TLS: the Rust examples with npm ws, Python websockets and Chromium on the other side."""

import json
import tempfile
import unittest
from pathlib import Path

from certificates import Certificates
from processes import Command, ProcessTest
from programs import FOREIGN_CLIENTS, FOREIGN_SERVERS, example
from variants import in_environment

SCENARIOS = ["echo", "sizes", "close", "connections", "fragments", "ping"]
# A page can neither ping nor fragment. A thousand contexts of Python's ssl at once take it longer than a server waits.
NOT_FOR = {"chromium": {"fragments", "ping"}, "websockets": {"connections"}, "ws": set()}


class TlsTest(ProcessTest):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.certificates = Certificates(Path(folder.name))

    def in_environment(self, command: Command) -> Command:
        return in_environment(self.certificates.for_clients() | self.certificates.for_servers(), command)


class TlsServer(TlsTest):
    """The Rust echo server."""

    def run_client(self, client: str) -> None:
        files = [self.certificates.certificate, self.certificates.key]
        server = self.serve([*example("rust", "echo_server"), "0", *files])
        url = server.url("/", "localhost", "wss")
        for scenario in SCENARIOS:
            if scenario in NOT_FOR[client]:
                continue
            with self.subTest(scenario=scenario):
                process = self.run_to_end(self.in_environment([*FOREIGN_CLIENTS[client], url, scenario]))
                report = json.loads(process.line())
                self.assertEqual((report["peer"], report["scenario"]), (client, scenario))

    def test_ws(self) -> None:
        self.run_client("ws")

    def test_websockets(self) -> None:
        self.run_client("websockets")

    def test_chromium(self) -> None:
        self.run_client("chromium")

    def test_a_stranger_is_not_trusted(self) -> None:
        files = [self.certificates.certificate, self.certificates.key]
        server = self.serve([*example("rust", "echo_server"), "0", *files])
        self.run_to_end([*FOREIGN_CLIENTS["websockets"], server.url("/", "localhost", "wss"), "echo"], status=1)


class TlsClient(TlsTest):
    """The Rust echo client."""

    def run_server(self, name: str) -> None:
        server = self.serve(self.in_environment(FOREIGN_SERVERS[name]))
        url = server.url("/echo", "localhost", "wss")
        for count, size in [("2000", "64"), ("200", "16384"), ("20", "1000000")]:
            with self.subTest(size=size):
                self.run_to_end(self.in_environment([*example("rust", "echo_client"), url, count, size]))

    def test_ws(self) -> None:
        self.run_server("ws")

    def test_websockets(self) -> None:
        self.run_server("websockets")

    def test_a_stranger_is_told_by_name(self) -> None:
        server = self.serve(self.in_environment(FOREIGN_SERVERS["ws"]))
        url = server.url("/echo", "localhost", "wss")
        process = self.run_to_end([*example("rust", "echo_client"), url, "1", "1"], status=1)
        self.assertIn("the certificate of localhost was issued by an unknown authority", process.errors)


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (TlsServer, TlsClient))
