"""Servers of ours that forward requests to each other, behind a load balancer that knows nothing of sessions, and official clients."""

import json
import unittest

from balancer import Balancer
from processes import ProcessTest, Server
from programs import FORWARDING_CLIENT, cluster_server
from redis import RedisServer
from variants import in_environment

NODES = {"a": "c", "b": "python", "c": "node"}
PATIENCE = 1_000  # ms, for which nodes wait for others


class Forwarding(ProcessTest):
    """One node in each language."""

    mode: str
    redis: RedisServer

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)

    def run_scenario(self, scenario: str, *transports: str) -> None:
        said = {"ADAPTER": self.redis.url, "MODE": self.mode, "REQUESTS_TIMEOUT": str(PATIENCE), "FORWARD": "1"}
        servers = []
        for name, node in NODES.items():
            servers.append(Server(in_environment(said | {"NAME": name}, cluster_server(node))))
            self.addCleanup(servers[-1].stop)
        ports = [server.port for server in servers]
        balancer = Balancer(ports, upgrades_to=ports[0])
        self.addCleanup(balancer.close)
        told = {"TRANSPORTS": json.dumps(transports)} if transports else {}
        driver = [*FORWARDING_CLIENT, scenario, f"http://127.0.0.1:{balancer.port}"]
        done = self.run_to_end(in_environment(told, driver))
        self.assertEqual((done.rest(), done.errors), ([f"ok {scenario}"], ""))
        for port in ports:
            self.assertGreater(balancer.turns[port], 2)
        for server in servers:
            self.assertEqual(server.errors, "", str(server))

    def test_clients_that_poll(self) -> None:
        self.run_scenario("talking", "polling")

    def test_clients_that_try_a_websocket(self) -> None:
        self.run_scenario("upgrading")


class More(Forwarding):
    """What is the same in each mode."""

    def test_fifty_clients_at_once(self) -> None:
        self.run_scenario("crowd", "polling")

    def test_clients_that_leave(self) -> None:
        self.run_scenario("leaving", "polling")

    def test_a_node_is_killed(self) -> None:
        self.run_scenario("killed", "polling")


def case(mode: str, *kinds: type[Forwarding]) -> type[Forwarding]:
    return type(f"Forwarding_{mode}", kinds, {"mode": mode, "__module__": __name__})


CASES = (case("classic", More), case("sharded", Forwarding), case("streams", Forwarding))


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(kind) for kind in CASES)
