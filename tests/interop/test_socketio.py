"""Socket.IO: our servers with the official clients (of JavaScript, of Python, and of version 2), our clients with the official
servers, and ours with each other, by each transport.
"""

import re
import unittest

from processes import ProcessTest, Server
from programs import SOCKETIO_CLIENTS, SOCKETIO_ECHO_SERVERS, SOCKETIO_V2_PAGE, example, socketio_server
from variants import in_environment

TRANSPORTS = ("polling", "websocket", "upgrade")
COUNT = 500  # events of an echo


class Scenarios(ProcessTest):
    """What the clients do, one scenario after the other, by each transport."""

    def run_scenarios(self, client: str, server_name: str, parser: str) -> None:
        server = self.serve(socketio_server(server_name, parser))
        command = in_environment({"PARSER": parser}, SOCKETIO_CLIENTS[client])
        for transport in TRANSPORTS:
            with self.subTest(transport=transport):
                done = self.run_to_end([*command, server.url("/", scheme="http"), transport])
                self.assertGreater(len([line for line in done.rest() if line.startswith("ok ")]), 5)


class Serving(Scenarios):
    """Our servers; the classes below name one."""

    language: str

    def run_client(self, client: str, parser: str = "json") -> None:
        self.run_scenarios(client, self.language, parser)

    def test_socket_io_client(self) -> None:
        self.run_client("socket.io-client")

    def test_socket_io_client_with_msgpack(self) -> None:
        self.run_client("socket.io-client", "msgpack")

    def test_python_socketio(self) -> None:
        self.run_client("python-socketio")

    def test_python_socketio_with_msgpack(self) -> None:
        self.run_client("python-socketio", "msgpack")

    def test_python_socketio_with_threads(self) -> None:
        self.run_client("python-socketio_threads")

    def test_socket_io_client_of_version_2(self) -> None:
        self.run_client("socket.io-client@2")

    def test_pages_of_version_2_that_poll_by_scripts(self) -> None:
        server = self.serve(socketio_server(self.language))
        done = self.run_to_end([*SOCKETIO_V2_PAGE, server.url("/", scheme="http")])
        self.assertEqual(len([line for line in done.rest() if line.startswith("ok ")]), 4)


class CServer(Serving):
    language = "c"


class CEmbeddedServer(Serving):
    """In a server of libmicrohttpd."""

    language = "c_embedded"


class NodeServer(Serving):
    language = "node"


class PythonServer(Serving):
    language = "python"


class PythonThreadsServer(Serving):
    language = "python_threads"


class Connecting(Scenarios):
    """Our clients; the classes below name one."""

    language: str

    def run_server(self, server: str, parser: str = "json") -> None:
        self.run_scenarios(self.language, server, parser)

    def test_socket_io(self) -> None:
        self.run_server("socket.io")

    def test_socket_io_with_msgpack(self) -> None:
        self.run_server("socket.io", "msgpack")

    def test_python_socketio(self) -> None:
        self.run_server("python-socketio")

    def test_python_socketio_with_msgpack(self) -> None:
        self.run_server("python-socketio", "msgpack")

    def test_ours_in_c(self) -> None:
        self.run_server("c")

    def test_ours_in_c_with_msgpack(self) -> None:
        self.run_server("c", "msgpack")

    def test_ours_in_node(self) -> None:
        self.run_server("node")

    def test_ours_in_node_with_msgpack(self) -> None:
        self.run_server("node", "msgpack")

    def test_ours_in_python(self) -> None:
        self.run_server("python")
        self.run_server("python_threads")

    def test_ours_in_python_with_msgpack(self) -> None:
        self.run_server("python", "msgpack")
        self.run_server("python_threads", "msgpack")


class NodeClient(Connecting):
    """It has the API of the official one."""

    language = "node"


class CClient(Connecting):
    language = "c"

    def test_coming_back_in_time(self) -> None:
        scenario = "a_client_comes_back_and_has_missed_nothing"
        for server_name in ("socket.io", "c", "node"):
            server = self.serve(socketio_server(server_name, recovery=True))
            for transport in TRANSPORTS:
                with self.subTest(server=server_name, transport=transport):
                    url = server.url("/", scheme="http")
                    done = self.run_to_end([*SOCKETIO_CLIENTS["c"], url, transport, scenario])
                    self.assertEqual(done.rest(), [f"ok {scenario}"])


class PythonClient(Connecting):
    """It has the API of python-socketio."""

    language = "python"


class PythonThreadsClient(Connecting):
    language = "python_threads"


class Echoing(ProcessTest):
    """The examples io_echo_client; the classes below name the language."""

    language: str

    def run_echo(self, server: Server) -> None:
        url = f"http://localhost:{server.port}"
        done = self.run_to_end([*example(self.language, "io_echo_client"), url, str(COUNT)])
        self.assertRegex("\n".join(done.rest()), rf"^{COUNT} events in [\d.]+ s: \d+ events/s$")

    def test_socket_io(self) -> None:
        self.run_echo(self.serve(SOCKETIO_ECHO_SERVERS["socket.io"]))

    def test_python_socketio(self) -> None:
        self.run_echo(self.serve(SOCKETIO_ECHO_SERVERS["python-socketio"]))

    def test_ours(self) -> None:
        for language in LANGUAGES:
            with self.subTest(server=language):
                server = Server([*example(language, "io_echo_server"), "0"])
                self.addCleanup(server.stop)
                self.run_echo(server)

    def test_nobody_is_there(self) -> None:
        done = self.run_to_end([*example(self.language, "io_echo_client"), "http://localhost:1", "1"], status=1)
        self.assertTrue(re.match(r"io_echo_client: \w+", done.errors), done.errors)


LANGUAGES = ("c", "cpp", "python", "node", "rust")


class CEcho(Echoing):
    language = "c"


class CppEcho(Echoing):
    language = "cpp"


class PythonEcho(Echoing):
    language = "python"


class NodeEcho(Echoing):
    language = "node"


class RustEcho(Echoing):
    language = "rust"


SERVERS = (CServer, NodeServer, PythonServer, PythonThreadsServer)
CLIENTS = (CClient, NodeClient, PythonClient, PythonThreadsClient)
CASES = (*SERVERS, *CLIENTS, CEcho, CppEcho, PythonEcho, NodeEcho, RustEcho)


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in CASES)
