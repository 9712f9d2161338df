"""Socket.IO through nginx, which spreads clients over the servers of a cluster: official clients and ours, by each way of the
examples to keep a client's requests together, and without any.
"""

import http.client
import json
import unittest
from collections import defaultdict

from nginx import Nginx
from processes import ProcessTest, Server
from programs import PEERS, SOCKETIO_CLIENTS, cluster_server
from redis import RedisServer
from variants import in_environment

NODES = ("c", "python", "node")
PATIENCE = 20_000  # ms, for which servers wait for others
DRIVER = ["node", PEERS / "node/sticky_client.js"]
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"
BY_ADDRESS = "hash $remote_addr consistent;"
MANY = 20  # sessions, so that not all of them have the luck to come to their server
GONE = 499  # nginx's status for a client that has not waited, as those do that end while they poll
UNKNOWN = {"code": 1, "message": "Session ID unknown"}


class Balanced(ProcessTest):
    """A server in each language, and nginx."""

    redis: RedisServer

    @classmethod
    def setUpClass(cls) -> None:
        cls.redis = RedisServer()
        cls.addClassCleanup(cls.redis.stop)

    def balance(self, sticky: str, change: tuple[str, str] = ("", "")) -> Nginx:
        """Starts servers, and nginx in front, with something in place of what it is told."""

        def edit(text: str) -> str:
            self.assertIn(change[0], text)
            return text.replace(*change) if change[0] else text

        self.servers: dict[str, Server] = {}
        for name in NODES:
            said = {"ADAPTER": self.redis.url, "NAME": name, "REQUESTS_TIMEOUT": str(PATIENCE)}
            self.servers[name] = Server(in_environment(said, cluster_server(name)))
            self.addCleanup(self.servers[name].stop)
        nginx = Nginx(sticky, [server.port for server in self.servers.values()], edit)
        self.addCleanup(nginx.stop)
        return nginx

    def assert_together(self, nginx: Nginx) -> None:
        """Each session was at one server, and sessions at each."""
        places = defaultdict(set)
        for request in nginx.served():
            places[request.sid].add(request.upstream)
        self.assertTrue(all(len(upstreams) == 1 for upstreams in places.values()), places)
        self.assertEqual(len(set.union(*places.values())), len(NODES))


class Sticky(Balanced):
    """The ways; the classes below name one, and what clients have to be for it."""

    sticky: str
    client: dict[str, str]

    def run_driver(self, scenario: str, transports: str) -> Nginx:
        """Returns nginx when it has ended."""
        nginx = self.balance(self.sticky)
        command = in_environment(self.client, [*DRIVER, scenario, nginx.url(scheme="http"), transports, str(len(NODES))])
        self.assertEqual(self.run_to_end(command).rest(), [f"ok {scenario}"])
        nginx.quit()
        return nginx

    def run_together(self, transports: str) -> set[int]:
        """Returns the statuses of all answers."""
        nginx = self.run_driver("together", transports)
        self.assert_together(nginx)
        for server in self.servers.values():
            self.assertEqual(server.errors, "", str(server))
        return {request.status for request in nginx.served()}

    def test_polling(self) -> None:
        self.assertEqual(self.run_together("polling") - {GONE}, {200})

    def test_upgrading(self) -> None:
        self.assertEqual(self.run_together("upgrade") - {GONE}, {200, 101})

    def test_the_server_of_polling_clients_is_killed(self) -> None:
        self.run_driver("killed", "polling")

    def test_the_server_of_upgraded_clients_is_killed(self) -> None:
        self.run_driver("killed", "upgrade")


class OurClients(Balanced):
    """Ours keep cookies; all their scenarios, with the clients of a scenario at different servers."""

    client: str

    def run_scenarios(self, sticky: str, transports: str) -> None:
        nginx = self.balance(sticky)
        command = in_environment({"COOKIES": "1"}, [*SOCKETIO_CLIENTS[self.client], nginx.url("/", scheme="http"), transports])
        done = self.run_to_end(command)
        self.assertGreater(len([line for line in done.rest() if line.startswith("ok ")]), 5)
        nginx.quit()
        self.assert_together(nginx)

    def test_polling(self) -> None:
        self.run_scenarios("cookie", "polling")

    def test_upgrading(self) -> None:
        self.run_scenarios("route", "upgrade")


class Apart(Balanced):
    """Without any: why it is needed."""

    def request(self, method: str, target: str, body: str = "", cookie: str = "") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("localhost", self.nginx.port)
        self.addCleanup(connection.close)
        connection.request(method, target, body, {"Cookie": cookie} if cookie else {})
        response = connection.getresponse()
        return response.status, response.read()

    def begin(self) -> tuple[int, bytes]:
        """The answer to the second request of a session, with the cookie that the engine would have set."""
        status, body = self.request("GET", HANDSHAKE)
        self.assertEqual((status, body[:1]), (200, b"0"))
        sid = json.loads(body[1:])["sid"]
        return self.request("POST", f"{HANDSHAKE}&sid={sid}", "40", f"io={sid}")

    def test_the_second_request_finds_another_server(self) -> None:
        self.nginx = self.balance("address", (BY_ADDRESS, ""))
        status, body = self.begin()
        self.assertEqual((status, json.loads(body)), (400, UNKNOWN))

    def test_what_only_looks_sticky(self) -> None:
        for key in ("$arg_sid", "$cookie_io"):
            with self.subTest(key=key):
                self.nginx = self.balance("address", (BY_ADDRESS, f"hash {key} consistent;"))
                answers = [self.begin() for _ in range(MANY)]
                self.assertIn((400, UNKNOWN), [(status, json.loads(body)) for status, body in answers if status == 400])

    def test_only_websockets_can_do_without(self) -> None:
        self.nginx = self.balance("address", (BY_ADDRESS, ""))
        for transports in ("polling", "upgrade", "websocket"):
            with self.subTest(transports=transports):
                done = self.run_to_end([*DRIVER, "apart", self.nginx.url(scheme="http"), transports])
                self.assertEqual(done.rest(), ["ok apart"])


def case(kind: type[Balanced], name: str, **members: object) -> type[Balanced]:
    return type(name, (kind,), {**members, "__module__": __name__})


CASES = (
    case(Sticky, "Cookie", sticky="cookie", client={"COOKIES": "1"}),
    case(Sticky, "Route", sticky="route", client={"COOKIES": "1"}),
    case(Sticky, "Address", sticky="address", client={"ADDRESSES": "1"}),
    *(case(OurClients, f"OurClients_{name}", client=name) for name in ("c", "python", "python_threads", "node")),
    Apart,
)


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(kind) for kind in CASES)
