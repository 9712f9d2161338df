"""Topics that our servers of every language share over Redis, with bare sockets on each."""

import signal
import sys

from processes import ProcessTest, Server
from programs import PEERS, PROBES
from redis import TOPICS, RedisServer
from variants import in_environment

sys.path.append(str(PEERS))

from raw import BINARY, TEXT, Raw  # noqa: E402

FACES = ("c", "python", "python_callbacks", "node")
MANY = 300  # messages in a row


class Topics(ProcessTest):
    def setUp(self) -> None:
        self.redis = RedisServer()
        self.addCleanup(self.redis.stop)
        self.servers = {face: self.join(face) for face in FACES}
        self.clients = {face: self.subscriber(face) for face in FACES}
        self.redis.await_nodes(len(FACES), TOPICS)

    def join(self, face: str) -> Server:
        server = Server(in_environment({"ADAPTER": self.redis.url}, [*PROBES[face], "server", "0"]))
        self.addCleanup(server.stop)
        return server

    def subscriber(self, face: str) -> Raw:
        client = Raw(self.servers[face].port, "/topics")
        self.addCleanup(client.socket.close)
        self.assertEqual(client.read_message()[:2], (TEXT, b"subscribed"))
        return client

    def hear(self, opcode: int, payload: bytes, *, but: str = "") -> None:
        """All clients get this next, except for one."""
        for face, client in self.clients.items():
            if face != but:
                self.assertEqual(client.read_message()[:2], (opcode, payload), face)

    def check_everybody(self) -> None:
        """What comes twice would come in the place of what is next."""
        for face, client in self.clients.items():
            client.send_frame(TEXT, f"{face}: κόσμε".encode())
            self.hear(TEXT, f"{face}: κόσμε".encode(), but=face)
            client.send_frame(BINARY, bytes([0, 0xFF, len(face)]))
            self.hear(BINARY, bytes([0, 0xFF, len(face)]), but=face)
            client.send_frame(TEXT, f"all of {face}".encode())
            self.hear(TEXT, f"all of {face}".encode())

    def test_subscribers_of_all_servers_get_everything_once(self) -> None:
        self.check_everybody()

    def test_what_a_server_publishes_comes_in_its_order(self) -> None:
        for face, client in self.clients.items():
            for number in range(MANY):
                client.send_frame(TEXT, f"{'all ' if number % 2 else ''}{face} {number}".encode())
            for number in range(MANY):
                is_for_all = number % 2 == 1
                payload = f"{'all ' if is_for_all else ''}{face} {number}".encode()
                self.hear(TEXT, payload, but="" if is_for_all else face)

    def test_a_server_is_killed_and_another_one_comes(self) -> None:
        for face in FACES:
            with self.subTest(killed=face):
                self.servers[face].send_signal(signal.SIGKILL)
                self.servers[face].wait()
                del self.clients[face]
                self.redis.await_nodes(len(FACES) - 1, TOPICS)
                self.check_everybody()
                self.servers[face] = self.join(face)
                self.clients[face] = self.subscriber(face)
                self.redis.await_nodes(len(FACES), TOPICS)
                self.check_everybody()
