"""Our clients, in each language and face, with npm ws and Python websockets as servers."""

import json
import unittest

from processes import ServerTest
from programs import FOREIGN_SERVERS, PROBES

CLIENTS = ["c", "python", "python_callbacks", "node"]
# Scenarios, and where they run.
TARGETS = {
    "echo": "/echo",
    "sizes": "/echo",
    "receive": "/sizes",
    "fragments": "/fragments",
    "ping": "/echo",
    "pinged": "/ping",
    "greet": "/greet",
    "close": "/echo",
    "server-close": "/close?code=4321&reason=enough",
    "subprotocol": "/subprotocol",
    "subprotocol-ok": "/subprotocol-ok",
    "stall": "/stall",
    "half": "/half",
    "kill": "/kill",
    "silent-close": "/silent-close",
    "connections": "/echo",
}
REFUSALS = {f"/refuse?status={status}": status for status in (302, 401, 403, 503)} | {"/nowhere": 404}


class ForeignServers(ServerTest):
    """Has one test for each client and scenario; the classes below name the server."""

    def run_probe(self, client: str, scenario: str, target: str) -> dict[str, object]:
        process = self.run_to_end([*PROBES[client], "client", self.server.url(target), scenario])
        self.assertEqual(process.errors, "")
        report: dict[str, object] = json.loads(process.line())
        self.assertEqual(report["scenario"], scenario)
        return report

    def refusals(self, client: str) -> None:
        for target, status in REFUSALS.items():
            with self.subTest(target=target):
                self.assertEqual(self.run_probe(client, "refuse", target)["status"], status)

    def test_node_in_a_worker(self) -> None:
        for scenario in ("echo", "sizes", "close", "stall", "connections"):
            with self.subTest(scenario=scenario):
                self.run_probe("node_worker", scenario, TARGETS[scenario])


def add_tests() -> None:
    for client in CLIENTS:
        for scenario, target in TARGETS.items():

            def test(self: ForeignServers, run: tuple[str, str, str] = (client, scenario, target)) -> None:
                self.run_probe(*run)

            setattr(ForeignServers, f"test_{client}_{scenario.replace('-', '_')}", test)

        def refusals(self: ForeignServers, client: str = client) -> None:
            self.refusals(client)

        setattr(ForeignServers, f"test_{client}_refusals", refusals)


add_tests()


class WsServer(ForeignServers):
    command = FOREIGN_SERVERS["ws"]


class WebsocketsServer(ForeignServers):
    command = FOREIGN_SERVERS["websockets"]


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(server) for server in (WsServer, WebsocketsServer))
