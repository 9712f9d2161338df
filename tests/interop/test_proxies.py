"""Our clients, in each language and face, through real proxies to npm ws: plain, and compressed over TLS."""

import tempfile
import unittest
from collections.abc import Callable
from pathlib import Path

from programs import FOREIGN_SERVERS, PROBES
from proxies import Proxy, danted, tinyproxy
from variants import PLAIN, TLS_DEFLATE, VariantTest, variant_of

CLIENTS = ["c", "python", "python_callbacks", "node"]
SCENARIOS = {"sizes": "/echo", "greet": "/greet", "half": "/half"}


class Proxies(VariantTest):
    """Has two tests for each client; the variants below have other servers."""

    command = FOREIGN_SERVERS["ws"]

    def start_proxy(self, start: Callable[[Path], Proxy]) -> int:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        proxy = start(Path(folder.name))
        self.addCleanup(proxy.stop)
        return proxy.port

    def run_through(self, client: str, port: int, proxy: str, greeting: bytes) -> None:
        """`proxy` is the URL up to the port; what goes to that begins with the greeting."""
        command = [*PROBES[client], "client"]
        tap = self.tap(port)
        environment = {"PROXY": f"{proxy}:{tap.port}"}
        report = self.run_client(command, self.url("/connection"), "connection", **environment)
        self.assert_agreed(report)
        self.assert_length(tap)
        self.assertTrue(tap.sent_head.startswith(greeting), tap.sent_head)
        for scenario, target in SCENARIOS.items():
            with self.subTest(scenario=scenario):
                self.run_client(command, self.url(target), scenario, **environment)

    def connect(self, client: str) -> None:
        authority = self.url("/").split("/")[2]
        port = self.start_proxy(tinyproxy)
        self.run_through(client, port, "http://me:pass@127.0.0.1", f"CONNECT {authority} HTTP/1.1\r\n".encode())
        self.refused(client, port)

    def refused(self, client: str, port: int) -> None:
        """By a proxy that wants another password."""
        proxy = {"PROXY": f"http://me:wrong@127.0.0.1:{port}"}
        process = self.run_to_end(self.told([*PROBES[client], "client", self.url("/echo"), "echo"], **proxy), status=1)
        self.assertRegex(process.errors, "proxy.*40[17]")

    def socks(self, client: str) -> None:
        version_5 = b"\x05"  # RFC 1928, section 3
        self.run_through(client, self.start_proxy(danted), "socks5h://127.0.0.1", version_5)


def add_tests() -> None:
    for client in CLIENTS:

        def connect(self: Proxies, client: str = client) -> None:
            self.connect(client)

        def socks(self: Proxies, client: str = client) -> None:
            self.socks(client)

        setattr(Proxies, f"test_{client}_connect", connect)
        setattr(Proxies, f"test_{client}_socks", socks)


add_tests()


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    cases = (variant_of(Proxies, variant) for variant in (PLAIN, TLS_DEFLATE))
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in cases)
