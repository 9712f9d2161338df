"""Our servers, in each language and face, with npm ws, Python websockets and Chromium as clients."""

import json
import unittest

from processes import ServerTest
from programs import FOREIGN_CLIENTS, PROBES

SCENARIOS = ["echo", "sizes", "close", "connections", "server-close", "fragments", "ping"]
NOT_FOR_PAGES = {"fragments", "ping"}
TARGETS = {"server-close": "/close?code=1000&reason=bye"}


class ForeignClients(ServerTest):
    """Has one test for each client and scenario; the classes below name the server."""

    def run_client(self, client: str, scenario: str) -> None:
        url = self.server.url(TARGETS.get(scenario, "/echo"))
        process = self.run_to_end([*FOREIGN_CLIENTS[client], url, scenario])
        report = json.loads(process.line())
        self.assertEqual((report["peer"], report["scenario"]), (client, scenario))


def add_tests() -> None:
    for client in FOREIGN_CLIENTS:
        for scenario in SCENARIOS:
            if client == "chromium" and scenario in NOT_FOR_PAGES:
                continue

            def test(self: ForeignClients, client: str = client, scenario: str = scenario) -> None:
                self.run_client(client, scenario)

            setattr(ForeignClients, f"test_{client}_{scenario.replace('-', '_')}", test)


add_tests()


class CServer(ForeignClients):
    command = [*PROBES["c"], "server", "0"]


class PythonServer(ForeignClients):
    command = [*PROBES["python"], "server", "0"]


class PythonCallbacksServer(ForeignClients):
    command = [*PROBES["python_callbacks"], "server", "0"]


class NodeServer(ForeignClients):
    command = [*PROBES["node"], "server", "0"]


class NodeWorkerServer(ForeignClients):
    """The same code in another thread: npm ws is client enough."""

    command = [*PROBES["node_worker"], "server", "0"]


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    servers = [CServer, PythonServer, PythonCallbacksServer, NodeServer]
    suite = unittest.TestSuite(loader.loadTestsFromTestCase(server) for server in servers)
    names = [name for name in loader.getTestCaseNames(NodeWorkerServer) if name.startswith("test_ws_")]
    suite.addTests(map(NodeWorkerServer, names))
    return suite
