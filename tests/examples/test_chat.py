"""The chat: each language's server, and on it clients in each language and the page in a browser."""

import http.client
import json
import sys
import unittest
from pathlib import Path

from processes import Process, Server, ServerTest
from programs import PEERS, example

sys.path.append(str(PEERS))

from raw import BINARY, TEXT, Raw  # noqa: E402

HERE = Path(__file__).resolve().parent
PAGE = ["node", HERE / "chat_page.js"]
NOT_MESSAGES = [
    b'{"name": "Mallory", "text": "no end',
    b'["Mallory", "hello"]',
    b'"hello"',
    b"null",
    b"{}",
    b'{"name": "Mallory"}',
    b'{"name": 1, "text": "hello"}',
    b'{"name": "Mallory", "text": null}',
    b'{"name": "Mallory", "text": "hello"} {}',
    b"",
]


class Chatting(ServerTest):
    """The tests; the classes below name the server."""

    language: str

    @classmethod
    def setUpClass(cls) -> None:
        # Without stop_quietly: these servers say on the standard error what they do not relay.
        cls.server = Server([*example(cls.language, "chat_server"), "0"])
        cls.addClassCleanup(cls.server.stop)

    def join(self, name: str, command: list[str | Path], url: str) -> Process:
        """A client that is in the chat: it has heard itself."""
        client = self.start([*command, url, name])
        client.write(f"{name} is here")
        self.assertEqual(client.line(), f"{name}: {name} is here")
        return client

    def join_all(self) -> dict[str, Process]:
        ws = self.server.url("/ws", host="localhost")
        clients: dict[str, Process] = {}
        programs = {language: example(language, "chat_client") for language in ("c", "python", "node")}
        for name, command in {**programs, "page": PAGE}.items():
            url = f"http://localhost:{self.server.port}/" if name == "page" else ws
            newcomer = self.join(name, list(command), url)
            for client in clients.values():
                self.assertEqual(client.line(), f"{name}: {name} is here")
            clients[name] = newcomer
        return clients

    def assert_relayed(self, sender: str, text: str, clients: dict[str, Process]) -> None:
        for name, client in clients.items():
            with self.subTest(sender=sender, client=name):
                self.assertEqual(client.line(), f"{sender}: {text}")

    def mallory(self) -> Raw:
        raw = Raw(self.server.port, "/ws")
        self.addCleanup(raw.socket.close)
        self.assertEqual(raw.status, 101)
        return raw

    def test_everybody_hears_everybody(self) -> None:
        clients = self.join_all()
        for sender, client in clients.items():
            for text in ('hello, "all" <b>of</b> \\you', "κόσμε €😀", "second line"):
                client.write(text)
                self.assert_relayed(sender, text, clients)
        for name, client in clients.items():
            client.end_input()
            self.assertEqual((client.wait(), client.rest(), client.errors), (0, [], ""), name)

    def test_who_comes_hears_what_is_said_from_then_on(self) -> None:
        first = self.join("first", example("c", "chat_client"), self.server.url("/ws"))
        first.end_input()
        self.assertEqual((first.wait(), first.rest()), (0, []))
        self.join("second", example("c", "chat_client"), self.server.url("/ws"))  # its first line is its own

    def test_what_is_no_message_is_not_relayed_and_hurts_nobody(self) -> None:
        clients = self.join_all()
        mallory = self.mallory()
        for payload in NOT_MESSAGES:
            mallory.send_frame(TEXT, payload)
        mallory.send_frame(BINARY, b'{"name": "Mallory", "text": "binary"}')
        good = {"name": "Mallory", "text": "sorry"}
        mallory.send_frame(TEXT, json.dumps(good).encode())
        self.assertEqual(json.loads(mallory.read_frame()[2]), good)
        self.assert_relayed("Mallory", "sorry", clients)

    def test_bad_utf8_ends_only_its_own_connection(self) -> None:
        client = self.join("Ada", example("c", "chat_client"), self.server.url("/ws"))
        mallory = self.mallory()
        mallory.send_frame(TEXT, b'{"name": "Mallory", "text": "\xff"}')
        self.assertEqual(mallory.read_frame()[2][:2], (1007).to_bytes(2))
        client.write("still here")
        self.assertEqual(client.line(), "Ada: still here")

    def test_the_page_and_where_the_chat_is_not(self) -> None:
        for path, status, kind in [("/", 200, "text/html"), ("/chat.js", 200, "text/javascript"), ("/no", 404, "")]:
            connection = http.client.HTTPConnection("localhost", self.server.port)
            self.addCleanup(connection.close)
            connection.request("GET", path)
            response = connection.getresponse()
            self.assertEqual(response.status, status, path)
            self.assertIn(kind, response.headers.get("Content-Type", ""), path)
        with Raw(self.server.port, "/elsewhere") as raw:
            self.assertIn(raw.status, (400, 404))

    def test_input_from_a_pipe_is_sent_to_its_end(self) -> None:
        for language in ("c", "python", "node"):
            with self.subTest(language=language):
                client = self.start([*example(language, "chat_client"), self.server.url("/ws"), "Ada"])
                lines = [f"line {number}" for number in range(200)]
                client.write("\n".join(lines))
                client.end_input()
                self.assertEqual(client.wait(), 0, str(client))
                self.assertEqual(client.rest(), [f"Ada: {line}" for line in lines])


class CChat(Chatting):
    language = "c"


class PythonChat(Chatting):
    language = "python"


class NodeChat(Chatting):
    language = "node"


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(server) for server in (CChat, PythonChat, NodeChat))
