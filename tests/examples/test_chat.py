"""The chat: each language's server, and on it clients in each language, the page in browsers, and Socket.IO's own client."""

import http.client
import json
import signal
import sys
import unittest
from pathlib import Path

from processes import Process, ProcessTest, Server
from programs import PEERS, example
from tap import Tap

sys.path.append(str(PEERS))

from raw import BINARY, TEXT, Raw  # noqa: E402

HERE = Path(__file__).resolve().parent
PAGE = ["node", HERE / "chat_page.js"]
THREE_WAYS = ["node", HERE / "three_ways_page.js"]
IO_CLIENT = ["node", HERE / "chat_io.js"]
ECHO_MARK = " (from server)"  # what the sender's own copy ends with, over Socket.IO
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


class Joining(ProcessTest):
    """Clients of a chat's server, or of what is in front of it."""

    server: Server
    pages = {"page": "", "polling page": "?transport=polling"}  # by their names, with the query that they are opened with

    def join(self, name: str, command: list[str | Path], url: str, mark: str = "") -> Process:
        """A client that is in the chat: it has heard itself, with this mark."""
        client = self.start([*command, url, name])
        client.write(f"{name} is here")
        self.assertEqual(client.line(), f"{name}: {name} is here{mark}")
        return client

    def join_all(self) -> dict[str, Process]:
        """Plain clients in each language and a page for each transport, by their names."""
        ws = self.server.url("/ws", host="localhost")
        site = self.server.url("/", host="localhost", scheme="http")
        clients: dict[str, Process] = {}
        programs = {language: example(language, "chat_client") for language in ("c", "python", "node")}
        for name, command in {**programs, **dict.fromkeys(self.pages, PAGE)}.items():
            if name in self.pages:
                newcomer = self.join(name, list(command), site + self.pages[name], ECHO_MARK)
            else:
                newcomer = self.join(name, list(command), ws)
            for client in clients.values():
                self.assertEqual(client.line(), f"{name}: {name} is here")
            clients[name] = newcomer
        return clients

    def assert_relayed(self, sender: str, text: str, clients: dict[str, Process]) -> None:
        for name, client in clients.items():
            mark = ECHO_MARK if name == sender and name in self.pages else ""
            with self.subTest(sender=sender, client=name):
                self.assertEqual(client.line(), f"{sender}: {text}{mark}")

    def assert_end(self, clients: dict[str, Process]) -> None:
        """They end with their input, and have nothing else to say."""
        for name, client in clients.items():
            client.end_input()
            self.assertEqual((client.wait(), client.rest(), client.errors), (0, [], ""), name)


class Chatting(Joining):
    """The tests; the classes below name the server."""

    language: str

    @classmethod
    def setUpClass(cls) -> None:
        # Without stop_quietly: these servers say on the standard error what they do not relay.
        cls.server = Server([*example(cls.language, "chat_server"), "0"])
        cls.addClassCleanup(cls.server.stop)

    def join_over_io(self, *name: str) -> Process:
        client = self.start([*IO_CLIENT, self.server.url(scheme="http"), *name])
        self.assertEqual(client.line(), "connected")
        return client

    def get(self, path: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("localhost", self.server.port)
        self.addCleanup(connection.close)
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read()

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
        self.assert_end(clients)

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
        wanted = [
            ("/", 200, "text/html"),
            ("/chat.js", 200, "text/javascript"),
            ("/no", 404, ""),
        ]
        for path, status, kind in wanted:
            response, _ = self.get(path)
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

    def test_who_gives_no_name(self) -> None:
        listener = self.join("listener", example("c", "chat_client"), self.server.url("/ws"))
        named, nameless = self.join_over_io("Grace"), self.join_over_io()
        said = [
            (named, "hello", "Grace"),
            (named, '["hello", "Admiral"]', "Admiral"),
            (named, '["hello", ""]', "Grace"),
            (named, '["hello", 5, {"more": [null]}]', "Grace"),
            (nameless, "hello", "Anonymous"),
        ]
        for client, line, name in said:
            other = nameless if client is named else named
            client.write(line)
            self.assertEqual(listener.line(), f"{name}: hello", line)
            self.assertEqual(json.loads(other.line()), ["hello", name])
            self.assertEqual(json.loads(client.line()), ["hello" + ECHO_MARK, name])

    def test_an_event_that_is_no_message_is_not_relayed_and_hurts_nobody(self) -> None:
        listener = self.join("listener", example("c", "chat_client"), self.server.url("/ws"))
        client = self.join_over_io("Mallory")
        for line in ("[]", "[5]", "[null]", '[{"text": "hello"}]', '[["hello"]]'):
            client.write(line)
        client.write("sorry")
        self.assertEqual(listener.line(), "Mallory: sorry")
        self.assertEqual(json.loads(client.line()), ["sorry" + ECHO_MARK, "Mallory"])

    def test_the_bundle(self) -> None:
        response, body = self.get("/socket.io/socket.io.js")
        self.assertEqual(response.status, 200)
        self.assertIn("application/javascript", response.headers["Content-Type"])
        self.assertIn(b"Socket.IO v4", body[:100])

    def test_ticker(self) -> None:
        response, body = self.get("/ticker?again")
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(response.headers["Cache-Control"], "no-store")
        news = json.loads(body)
        self.assertEqual(sorted(news), ["at", "now", "number", "price"])
        self.assertGreaterEqual(news["number"], 1)
        self.assertGreaterEqual(news["now"], news["at"])

    def test_three_ways(self) -> None:
        page = self.run_to_end([*THREE_WAYS, self.server.url("/three-ways.html", host="localhost", scheme="http")])
        figures = {way["way"]: way for way in map(json.loads, page.rest())}
        self.assertEqual(list(figures), ["polling", "long-polling", "push"])
        for way in figures.values():
            self.assertRegex(way["price"], r"^\d+\.\d\d$")
            self.assertGreater(int(way["bytes"].replace(",", "")), 0)
            self.assertRegex(way["delay"], r"^\d+ ms$")
        self.assertGreaterEqual(int(figures["long-polling"]["requests"]), 4)  # the handshake, and one for each news
        self.assertEqual(figures["push"]["requests"], "1")
        self.assertEqual([figures[way]["missed"] for way in ("long-polling", "push")], ["0", "0"])

    def test_pages_come_back_when_the_server_does(self) -> None:
        server = Server([*example(self.language, "chat_server"), "0"])
        self.addCleanup(lambda: server.stop())
        url = server.url("/", host="localhost", scheme="http")
        command = ["env", "RESTARTS=1", *PAGE]
        pages = [self.join(name, command, url + query, ECHO_MARK) for name, query in self.pages.items()]
        self.assertEqual(pages[0].line(), "polling page: polling page is here")
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(), 0, str(server))
        for page in pages:
            self.assertEqual(page.line(), "(waiting)")
        server.stop()
        server = Server([*example(self.language, "chat_server"), str(server.port)])
        for page in pages:
            while (state := page.line()) != "(open)":
                self.assertIn(state, ("(waiting)", "(connecting)"))
        pages[1].write("again")
        self.assertEqual(pages[1].line(), f"polling page: again{ECHO_MARK}")
        self.assertEqual(pages[0].line(), "polling page: again")
        for page in pages:
            page.end_input()
            self.assertEqual((page.wait(), page.rest(), page.errors), (0, [], ""))

    def test_pages_miss_nothing_while_the_network_is_down(self) -> None:
        tap = Tap(self.server.port)
        self.addCleanup(tap.close)
        url = f"http://localhost:{tap.port}/"
        command = ["env", "RESTARTS=1", *PAGE]
        pages = [self.join(name, command, url + query, ECHO_MARK) for name, query in self.pages.items()]
        self.assertEqual(pages[0].line(), "polling page: polling page is here")
        other = self.join("other", example("python", "chat_client"), self.server.url("/ws", host="localhost"))
        for page in pages:
            self.assertEqual(page.line(), "other: other is here")
        tap.take_down()
        for page in pages:
            self.assertEqual(page.line(), "(waiting)")
        other.write("while they are away")
        self.assertEqual(other.line(), "other: while they are away")
        tap.bring_up()
        for page in pages:
            while (state := page.line()) in ("(waiting)", "(connecting)"):
                pass
            self.assertEqual({state, page.line()}, {"(open)", "other: while they are away"})
        other.write("after that")
        for page in pages:
            self.assertEqual(page.line(), "other: after that")
            page.end_input()
            self.assertEqual((page.wait(), page.rest(), page.errors), (0, [], ""))


class CChat(Chatting):
    language = "c"


class PythonChat(Chatting):
    language = "python"


class NodeChat(Chatting):
    language = "node"


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(server) for server in (CChat, PythonChat, NodeChat))
