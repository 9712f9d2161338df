"""The chat as a cluster behind nginx: a server in each language, clients in each, and pages, whose cookies a browser keeps."""

import signal
import unittest
from pathlib import Path

from nginx import Nginx
from processes import Process, Server
from programs import EXAMPLES, example
from redis import RedisServer
from test_chat import ECHO_MARK, PAGE, Joining

LANGUAGES = ("c", "python", "node")


class Apart(Joining):
    """Clients at different servers."""

    def join(self, name: str, command: list[str | Path], url: str, mark: str = "") -> Process:
        """What was said at other servers before may come on its way."""
        client = self.start([*command, url, name])
        client.write(f"{name} is here")
        while (line := client.line()) != f"{name}: {name} is here{mark}":
            self.assertRegex(line, r"^(\S.*): \1 is here$")
        return client


class Cluster(Apart):
    """The classes below name how clients are kept at their servers."""

    sticky: str

    def setUp(self) -> None:
        redis = RedisServer()
        self.addCleanup(redis.stop)
        self.servers = {}
        for language in LANGUAGES:
            self.servers[language] = Server([*example(language, "chat_server"), "0", redis.url])
            self.addCleanup(self.servers[language].stop)
        redis.await_nodes(len(LANGUAGES))
        self.server = Nginx(self.sticky, [server.port for server in self.servers.values()])
        self.addCleanup(self.server.stop)

    def test_everybody_hears_everybody(self) -> None:
        clients = self.join_all()
        for sender, client in clients.items():
            for text in ('hello, "all" <b>of</b> \\you', "κόσμε €😀"):
                client.write(text)
                self.assert_relayed(sender, text, clients)
        self.assert_end(clients)

    def test_everybody_hears_everybody_at_each_server(self) -> None:
        clients = {}
        for language, server in self.servers.items():
            clients[language] = self.join(language, example("c", "chat_client"), server.url("/ws"))
            for other in clients.values():
                if other is not clients[language]:
                    self.assertEqual(other.line(), f"{language}: {language} is here")
        page = self.join("page", PAGE, self.server.url("/", host="localhost", scheme="http"), ECHO_MARK)
        for client in clients.values():
            self.assertEqual(client.line(), "page: page is here")
        for sender, client in clients.items():
            client.write("hello")
            self.assert_relayed(sender, "hello", clients | {"page": page})
        self.assert_end(clients | {"page": page})

    def test_pages_come_back_at_another_server_when_theirs_dies(self) -> None:
        url = self.server.url("/", host="localhost", scheme="http")
        page = self.join("page", ["env", "RESTARTS=1", *PAGE], url + "?transport=polling", ECHO_MARK)
        server = self.server_of_page()
        server.stop()
        self.assertEqual(page.line(), "(waiting)")
        while (state := page.line()) != "(open)":
            self.assertIn(state, ("(waiting)", "(connecting)"))
        page.write("again")
        self.assertEqual(page.line(), f"page: again{ECHO_MARK}")
        self.assertIsNot(self.server_of_page(), server)
        self.assert_end({"page": page})

    def server_of_page(self) -> Server:
        """The one that has served the latest request of a session."""
        port = int(self.server.served()[-1].upstream.partition(":")[2])
        return next(server for server in self.servers.values() if server.port == port)


class Program(Apart):
    """What starts all that."""

    def test_it_starts_all_and_ends_all(self) -> None:
        command = ["python3", EXAMPLES / "nginx/cluster.py", "0"]
        self.server = Server(command)
        self.addCleanup(self.server.stop)
        clients = self.join_all()
        clients["c"].write("hello")
        self.assert_relayed("c", "hello", clients)
        self.assert_end(clients)
        self.server.send_signal(signal.SIGINT)
        self.assertEqual(self.server.wait(), 0, str(self.server))


def case(sticky: str) -> type[Cluster]:
    return type(f"Cluster_{sticky}", (Cluster,), {"sticky": sticky, "__module__": __name__})


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    kinds = (case("cookie"), case("route"), Program)
    return unittest.TestSuite(loader.loadTestsFromTestCase(kind) for kind in kinds)
