"""Socket.IO servers that are one cluster over Redis, official ones and ours among each other, with official clients on each."""

import unittest

from processes import ProcessTest, Server
from programs import CLUSTER_CLIENT, cluster_server
from redis import RedisServer
from variants import in_environment

PATIENCE = 1000  # ms, which nodes wait for others that hang


class Cluster(ProcessTest):
    """Three nodes; the classes below name them, and how they tell each other."""

    mode: str
    nodes: tuple[str, ...]
    parsers: tuple[str, ...] = ("json", "msgpack")
    redis: RedisServer

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)

    def run_suite(self, suite: str, parser: str = "json", *, recovery: bool = False) -> None:
        """Starts the nodes anew, and has the driver do all its scenarios of this name."""
        names = [f"{'abc'[place]} ({node})" for place, node in enumerate(self.nodes)]
        said = {"ADAPTER": self.redis.url, "MODE": self.mode, "REQUESTS_TIMEOUT": str(PATIENCE)}
        servers = []
        for name, node in zip(names, self.nodes, strict=True):
            command = cluster_server(node, parser, recovery=recovery)
            servers.append(Server(in_environment(said | {"NAME": name}, command)))
            self.addCleanup(servers[-1].stop)
        urls = [server.url(scheme="http") for server in servers]
        driver = in_environment({"MODE": self.mode, "PARSER": parser}, [*CLUSTER_CLIENT, suite, *urls])
        done = self.run_to_end(driver)
        self.assertGreater(len([line for line in done.rest() if line.startswith("ok ")]), 1)
        for server in servers:
            self.assertEqual(server.errors, "", str(server))

    def test_everything_reaches_everybody(self) -> None:
        self.run_suite("all")

    def test_everything_reaches_everybody_with_msgpack(self) -> None:
        self.run_suite("all", "msgpack")


class Emitting(Cluster):
    """Emitters speak the classic format only."""

    def test_an_emitter_of_each_node(self) -> None:
        self.run_suite("emitter")


MODES = ("classic", "sharded", "streams")
# Who is in a cluster: official servers, and ours.
CLUSTERS = {
    "Official": ("socket.io", "socket.io", "socket.io"),
    "Rust": ("socket.io", "rust", "rust"),
}


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    suite = unittest.TestSuite()
    for name, nodes in CLUSTERS.items():
        for mode in MODES:
            kind = Emitting if mode == "classic" else Cluster
            members = {"mode": mode, "nodes": nodes, "__module__": __name__}
            suite.addTest(loader.loadTestsFromTestCase(type(f"{name}_{mode}", (kind,), members)))
    return suite
