"""Our clients, in each language and face, with npm ws and websockets as servers: plain, over TLS and compressed."""

import unittest
from collections.abc import Iterator

from programs import FOREIGN_SERVERS, PROBES
from variants import DEFLATE, PLAIN, TLS, TLS_DEFLATE, Variant, VariantTest, variant_of

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
# The subprotocols are the same beyond TLS.
PLAIN_ONLY = {"subprotocol", "subprotocol-ok"}
# Python's ssl can't end one direction, and makes a thousand contexts more slowly than a client waits.
CANNOT_WITH_TLS = {"websockets": {"half", "connections"}, "ws": set()}
REFUSALS = {f"/refuse?status={status}": status for status in (302, 401, 403, 503)} | {"/nowhere": 404}


def scenarios(server: str, variant: Variant) -> Iterator[str]:
    """All of them, plain and in the fullest variant; else it is enough to see the variant."""
    yield "connection"
    if variant == PLAIN:
        yield from TARGETS
    elif variant == TLS_DEFLATE:
        yield from (scenario for scenario in TARGETS if scenario not in PLAIN_ONLY | CANNOT_WITH_TLS[server])


class ForeignServers(VariantTest):
    """Has one test for each client and scenario; the classes below name the server."""

    def run_probe(self, client: str, scenario: str) -> None:
        command = [*PROBES[client], "client"]
        if scenario == "connection":
            self.check_connection(command)
        else:
            self.run_client(command, self.url(TARGETS[scenario]), scenario)

    def refusals(self, client: str) -> None:
        for target, status in REFUSALS.items():
            with self.subTest(target=target):
                report = self.run_client([*PROBES[client], "client"], self.url(target), "refuse")
                self.assertEqual(report["status"], status)

    def stranger(self, client: str) -> None:
        """A server of whose authority the client was not told."""
        process = self.run_to_end([*PROBES[client], "client", self.url("/echo"), "echo"], status=1)
        self.assertIn("the certificate of localhost was issued by an unknown authority", process.errors)

    def in_a_worker(self) -> None:
        for scenario in ("connection", "echo", "sizes", "close", "stall", "connections"):
            with self.subTest(scenario=scenario):
                self.run_probe("node_worker", scenario)


def tests_of(server: str, variant: Variant) -> dict[str, object]:
    tests: dict[str, object] = {}
    for client in CLIENTS:
        for scenario in scenarios(server, variant):

            def test(self: ForeignServers, client: str = client, scenario: str = scenario) -> None:
                self.run_probe(client, scenario)

            def refusals(self: ForeignServers, client: str = client) -> None:
                self.refusals(client)

            def stranger(self: ForeignServers, client: str = client) -> None:
                self.stranger(client)

            tests[f"test_{client}_{scenario.replace('-', '_')}"] = test
        if variant == PLAIN:
            tests[f"test_{client}_refusals"] = refusals
        if variant == TLS:
            tests[f"test_{client}_trusts_no_stranger"] = stranger
    if variant == PLAIN or (variant, server) == (TLS_DEFLATE, "ws"):
        tests["test_node_in_a_worker"] = ForeignServers.in_a_worker
    return tests


class WsServer(ForeignServers):
    command = FOREIGN_SERVERS["ws"]


class WebsocketsServer(ForeignServers):
    command = FOREIGN_SERVERS["websockets"]


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    suite = unittest.TestSuite()
    for name, server in (("ws", WsServer), ("websockets", WebsocketsServer)):
        for variant in (PLAIN, TLS, DEFLATE, TLS_DEFLATE):
            case = variant_of(server, variant, **tests_of(name, variant))
            suite.addTest(loader.loadTestsFromTestCase(case))
    return suite
