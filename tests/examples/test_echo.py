"""The echo programs in all combinations of languages, and what all examples say when something is wrong."""

import socket
import unittest

from processes import ProcessTest, Server, ServerTest
from programs import FOREIGN_SERVERS, example

ECHO_LANGUAGES = ["c", "cpp", "rust", "python", "node"]
CHAT_LANGUAGES = ["c", "python", "node"]
PROGRAMS = {
    "echo_server": ECHO_LANGUAGES,
    "echo_client": ECHO_LANGUAGES,
    "chat_server": CHAT_LANGUAGES,
    "chat_client": CHAT_LANGUAGES,
}
WRONG_ARGUMENTS = {
    "echo_server": [[], ["port"], ["1", "2"]],
    "echo_client": [[], ["ws://localhost:1"], ["ws://localhost:1", "many", "1"], ["ws://localhost:1", "1", "1", "1"]],
    "chat_server": [[], ["port"], ["1", "2"]],
    "chat_client": [[], ["ws://localhost:1"], ["ws://localhost:1", "Ada", "Bob"]],
}
# COUNT and SIZE: many small ones, both sides of the header's lengths, more than the default limit, none at all.
LOADS = [(1000, 64), (100, 125), (100, 126), (70, 65_535), (70, 65_536), (3, 17 << 20), (0, 64), (5, 0)]
HOSTS = ["127.0.0.1", "[::1]", "localhost"]


class Echo(ServerTest):
    """The clients of all languages at one server; the classes below name it."""

    language: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.command = [*example(cls.language, "echo_server"), "0"]
        super().setUpClass()

    def run_client(self, client: str, url: str, count: int, size: int) -> None:
        process = self.run_to_end([*example(client, "echo_client"), url, str(count), str(size)])
        self.assertEqual(process.errors, "")
        (line,) = process.rest()
        self.assertRegex(line, rf"^{count} messages of {size} bytes in \d+\.\d\d\d s: \d+ messages/s$")

    def run_loads(self, client: str) -> None:
        for count, size in LOADS:
            with self.subTest(count=count, size=size):
                self.run_client(client, self.server.url(), count, size)

    def test_hosts(self) -> None:
        for client in ECHO_LANGUAGES:
            for host in HOSTS:
                with self.subTest(client=client, host=host):
                    self.run_client(client, self.server.url("/", host), 10, 10)


def add_tests() -> None:
    for client in ECHO_LANGUAGES:

        def test(self: Echo, client: str = client) -> None:
            self.run_loads(client)

        setattr(Echo, f"test_{client}", test)


add_tests()


class CEcho(Echo):
    language = "c"


class CppEcho(Echo):
    language = "cpp"


class RustEcho(Echo):
    language = "rust"


class PythonEcho(Echo):
    language = "python"


class NodeEcho(Echo):
    language = "node"


class PythonCoroutineEcho(Echo):
    """The Python server's other way."""

    language = "python"

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = Server([*example("python", "echo_server"), "0", "--coroutine"])
        cls.addClassCleanup(cls.server.stop_quietly)


class Errors(ProcessTest):
    """Each says in one line what is wrong, and exits with 2 for wrong usage, with 1 for all else."""

    def assert_fails(self, language: str, program: str, arguments: list[str], status: int, pattern: str) -> None:
        with self.subTest(language=language, program=program, arguments=arguments):
            process = self.run_to_end([*example(language, program), *arguments], status)
            self.assertEqual(process.rest(), [])
            self.assertRegex(process.errors, pattern)

    def assert_says(self, language: str, program: str, arguments: list[str], what: str) -> None:
        self.assert_fails(language, program, arguments, 1, rf"(?i)\A{program}: [^\n]*{what}[^\n]*\n\Z")

    def test_wrong_usage(self) -> None:
        for program, languages in PROGRAMS.items():
            for language in languages:
                for arguments in WRONG_ARGUMENTS[program]:
                    self.assert_fails(language, program, arguments, 2, f"(?i)usage: .*{program}")

    def test_nobody_listens(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            port = unused.getsockname()[1]
        for language in ECHO_LANGUAGES:
            self.assert_says(language, "echo_client", [f"ws://127.0.0.1:{port}", "1", "1"], "refused")
        for language in CHAT_LANGUAGES:
            self.assert_says(language, "chat_client", [f"ws://127.0.0.1:{port}/ws", "Ada"], "refused")

    def test_no_websocket_url(self) -> None:
        for language in ECHO_LANGUAGES:
            self.assert_says(language, "echo_client", ["localhost", "1", "1"], "localhost")
        for language in CHAT_LANGUAGES:
            self.assert_says(language, "chat_client", ["ftp://localhost/ws", "Ada"], "(ftp|ws:)")

    def test_refused_by_the_server(self) -> None:
        server = Server([*example("c", "chat_server"), "0"])
        self.addCleanup(server.stop)
        for language in ECHO_LANGUAGES:
            self.assert_says(language, "echo_client", [server.url("/echo"), "1", "1"], "404")
        for language in CHAT_LANGUAGES:
            self.assert_says(language, "chat_client", [server.url("/echo"), "Ada"], "404")

    def test_port_in_use(self) -> None:
        with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as taken:
            port = str(taken.getsockname()[1])
            for program in ("echo_server", "chat_server"):
                for language in PROGRAMS[program]:
                    self.assert_says(language, program, [port], "in use")

    def test_cut_off_within_a_message(self) -> None:
        server = self.serve(FOREIGN_SERVERS["ws"])
        for language in ECHO_LANGUAGES:
            self.assert_says(language, "echo_client", [server.url("/kill"), "1", "1"], "")
        for language in CHAT_LANGUAGES:
            self.assert_says(language, "chat_client", [server.url("/kill"), "Ada"], "")


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    servers = [CEcho, CppEcho, RustEcho, PythonEcho, PythonCoroutineEcho, NodeEcho]
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (*servers, Errors))
