"""Our servers, in each language and face, with foreign clients: plain, over TLS and compressed."""

import unittest
from collections.abc import Iterator

from programs import FOREIGN_CLIENTS, PROBES
from variants import DEFLATE, PLAIN, TLS, TLS_DEFLATE, Variant, VariantTest, variant_of

SCENARIOS = ["connection", "echo", "sizes", "close", "connections", "server-close", "fragments", "ping"]
TARGETS = {"connection": "/connection", "server-close": "/close?code=1000&reason=bye"}
# What a client has no way to do.
CANNOT = {
    "chromium": {"fragments", "ping"},
    "curl": {"connections", "ping"},
    "java": {"connections"},
    "lws": {"connections", "close"},
}
CANNOT_COMPRESS = {"curl", "java"}
# Of a connection with permessage-deflate: lws_client.c says why.
COMPRESSED_ONLY = {"lws": {"connection", "sizes"}}
# A thousand contexts of Python's ssl at once take it longer than a server waits.
TOO_SLOW = {("websockets", "connections", True)}


def scenarios(client: str, variant: Variant) -> Iterator[str]:
    """All of them, plain and in the fullest variant that the client knows; else it is enough to see the variant."""
    if client in CANNOT_COMPRESS and variant.deflate:
        return
    fullest = {TLS} if client in CANNOT_COMPRESS else {TLS_DEFLATE}
    if client in COMPRESSED_ONLY:
        fullest = {TLS, TLS_DEFLATE}
    for scenario in SCENARIOS if variant in fullest | {PLAIN} else ["connection"]:
        if variant.deflate and scenario not in COMPRESSED_ONLY.get(client, SCENARIOS):
            continue
        if scenario not in CANNOT.get(client, ()) and (client, scenario, variant.tls) not in TOO_SLOW:
            yield scenario


class ForeignClients(VariantTest):
    """Has one test for each client and scenario; the classes below name the server."""

    def run_foreign(self, client: str, scenario: str) -> None:
        command = FOREIGN_CLIENTS[client]
        if scenario == "connection":
            self.check_connection(command)
            return
        report = self.run_client(command, self.url(TARGETS.get(scenario, "/echo")), scenario)
        self.assertEqual(report["peer"], client)


def tests_of(variant: Variant, clients: list[str]) -> dict[str, object]:
    tests: dict[str, object] = {}
    for client in clients:
        for scenario in scenarios(client, variant):

            def test(self: ForeignClients, client: str = client, scenario: str = scenario) -> None:
                self.run_foreign(client, scenario)

            tests[f"test_{client}_{scenario.replace('-', '_')}"] = test
    return tests


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
    suite = unittest.TestSuite()
    for server in (CServer, PythonServer, PythonCallbacksServer, NodeServer):
        for variant in (PLAIN, TLS, DEFLATE, TLS_DEFLATE):
            case = variant_of(server, variant, **tests_of(variant, list(FOREIGN_CLIENTS)))
            suite.addTest(loader.loadTestsFromTestCase(case))
    for variant in (PLAIN, TLS_DEFLATE):
        suite.addTest(loader.loadTestsFromTestCase(variant_of(NodeWorkerServer, variant, **tests_of(variant, ["ws"]))))
    return suite
