"""Socket.IO servers that are one cluster over Redis, official ones and ours among each other, with official clients on each."""

import unittest

from processes import ProcessTest, Server
from programs import CLUSTER_CLIENT, cluster_server
from redis import RedisServer
from variants import in_environment

PATIENCE = 20_000  # ms, for which nodes wait for others
SHORT_PATIENCE = 500  # ms, where others hang


class Cluster(ProcessTest):
    """Three nodes; the classes below name them, and how they tell each other."""

    mode: str
    nodes: tuple[str, ...]
    redis: RedisServer

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)

    def run_suite(self, suite: str, parser: str = "json", *, recovery: bool = False) -> None:
        """Starts the nodes anew, and has the driver do all its scenarios of this name."""
        names = [f"{'abc'[place]} ({node})" for place, node in enumerate(self.nodes)]
        patience = SHORT_PATIENCE if suite == "going" else PATIENCE
        said = {"ADAPTER": self.redis.url, "MODE": self.mode, "REQUESTS_TIMEOUT": str(patience)}
        servers = []
        for name, node in zip(names, self.nodes, strict=True):
            command = cluster_server(node, parser, recovery=recovery)
            servers.append(Server(in_environment(said | {"NAME": name}, command)))
            self.addCleanup(servers[-1].stop)
        urls = [server.url(scheme="http") for server in servers]
        driver = in_environment(said | {"PARSER": parser}, [*CLUSTER_CLIENT, suite, *urls])
        done = self.run_to_end(driver)
        self.assertGreater(len([line for line in done.rest() if line.startswith("ok ")]), 1)
        for server in servers:
            self.assertEqual(server.errors, "", str(server))

    def test_everything_reaches_everybody(self) -> None:
        self.run_suite("all")

    def test_everything_reaches_everybody_with_msgpack(self) -> None:
        self.run_suite("all", "msgpack")


class Ours(Cluster):
    """Where the first is official and the others are ours."""

    def test_nodes_hang_and_are_killed(self) -> None:
        self.run_suite("going")


class Emitting(Cluster):
    """Emitters speak the classic format only."""

    def test_an_emitter_of_each_node(self) -> None:
        self.run_suite("emitter")


class Recovering(Cluster):
    """Only streams hold what a client has missed, and its session."""

    def test_clients_come_back_on_other_nodes(self) -> None:
        for parser in ("json", "msgpack"):
            with self.subTest(parser=parser):
                self.run_suite("recovery", parser, recovery=True)


# What is tried in each mode, where an official server is of the cluster.
MODES: dict[str, tuple[type[Cluster], ...]] = {
    "classic": (Ours, Emitting),
    "sharded": (Ours,),
    "streams": (Ours, Recovering),
}


def case(name: str, others: tuple[str, str], mode: str, *kinds: type[Cluster]) -> type[Cluster]:
    return type(f"{name}_{mode}", kinds, {"mode": mode, "nodes": ("socket.io", *others), "__module__": __name__})


CASES = (
    case("Official", ("socket.io", "socket.io"), "classic", Emitting),  # to try the driver
    *(case("C_and_Python", ("c", "python"), mode, Cluster) for mode in MODES),
    *(case("Node_and_C", ("node", "c"), mode, *kinds) for mode, kinds in MODES.items()),
)


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(kind) for kind in CASES)
