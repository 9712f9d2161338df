"""Our servers with our own clients of every language, plain and with TLS and compression, and with a client of bare
sockets that misbehaves.
"""

import socket
import struct
import sys
import unittest

from processes import Server
from programs import LACKING, PEERS, PROBES
from variants import PLAIN, TLS_DEFLATE, VariantTest, variant_of

sys.path.append(str(PEERS))

from raw import CLOSE, PING, TEXT, Raw  # noqa: E402

# Scenarios, and where they run.
TARGETS = {
    "echo": "/echo",
    "sizes": "/echo",
    "receive": "/sizes",
    "ping": "/echo",
    "pinged": "/ping",
    "greet": "/greet",
    "close": "/echo",
    "server-close": "/close?code=4321&reason=enough",
    "subprotocol-ok": "/subprotocol-ok",
    "stall": "/stall",
    "kill": "/kill",
    "broadcast": "/broadcast",
    "refuse": "/refuse?status=503",
}
# What TLS and compression have a part in.
SECURED = {"receive", "greet", "server-close", "stall", "kill", "broadcast", "refuse"}
PATIENCE = "300"  # ms: what a server lets a client have that is not to be waited for long


class Ours(VariantTest):
    """Has one test for each client of ours; the classes below name the server."""

    face: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.command = [*PROBES[cls.face], "server", "0"]
        super().setUpClass()

    def run_probe(self, client: str) -> None:
        command = [*PROBES[client], "client"]
        with self.subTest(scenario="connection"):
            self.check_connection(command)
        for scenario, target in TARGETS.items():
            if scenario in LACKING.get(self.face, ()) or (self.variant != PLAIN and scenario not in SECURED):
                continue
            with self.subTest(scenario=scenario):
                self.run_client(command, self.url(target), scenario)


class Misbehaving(Ours):
    """Has the tests of the bare sockets, too, which are plain."""

    def open(self, target: str, server: Server | None = None) -> Raw:
        raw = Raw((server or self.server).port, target)
        self.addCleanup(raw.socket.close)
        self.assertEqual(raw.status, 101)
        return raw

    def assert_echoes(self) -> None:
        raw = self.open("/echo")
        raw.send_frame(TEXT, b"still there?")
        self.assertEqual(raw.read_frame(), (True, TEXT, b"still there?"))

    def assert_cut(self, raw: Raw) -> None:
        """The server ends the connection without another frame."""
        with self.assertRaises((EOFError, ConnectionResetError)):
            frame = raw.read_frame()
            self.fail(f"got {frame}, not the end")

    def test_refusal(self) -> None:
        for status in (302, 401, 403, 503):
            with self.subTest(status=status), Raw(self.server.port, f"/refuse?status={status}") as raw:
                self.assertEqual((raw.status, raw.headers["x-reason"]), (status, "interop"))
                self.assertEqual(raw.body, f"refused with {status}\n".encode())
        with Raw(self.server.port, "/nowhere") as raw:
            self.assertEqual(raw.status, 404)

    def test_close(self) -> None:
        raw = self.open("/close?code=4321&reason=enough")
        payload = struct.pack("!H", 4321) + b"enough"
        self.assertEqual(raw.read_frame(), (True, CLOSE, payload))
        raw.send_frame(CLOSE, payload)
        self.assertTrue(raw.at_end())

    def test_client_that_never_answers_a_close(self) -> None:
        impatient = self.serve([*self.command, PATIENCE])
        raw = self.open("/close?code=1000&reason=bye", impatient)
        self.assertEqual(raw.read_frame()[1], CLOSE)
        self.assert_cut(raw)

    def test_client_that_never_answers_a_ping(self) -> None:
        impatient = self.serve([*self.command, PATIENCE])
        raw = self.open("/echo", impatient)
        self.assertEqual(raw.read_frame()[1], PING)
        self.assert_cut(raw)

    def test_half_closed_client(self) -> None:
        raw = self.open("/echo")
        raw.send_frame(TEXT, b"last words")
        self.assertEqual(raw.read_frame(), (True, TEXT, b"last words"))
        raw.socket.shutdown(socket.SHUT_WR)
        self.assert_cut(raw)

    def test_client_that_dies_within_a_message(self) -> None:
        for linger in (b"", struct.pack("ii", 1, 0)):  # with a FIN, and with a reset
            raw = self.open("/echo")
            raw.socket.sendall(bytes([0x82, 0x80 | 126, 0x10, 0x00]) + bytes(4) + bytes(100))
            if linger:
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            raw.socket.close()
            self.assert_echoes()

    def test_client_that_offers_no_subprotocol_of_ours(self) -> None:
        self.assertNotEqual(self.open("/echo").headers.get("sec-websocket-protocol"), "chat.v3")
        self.assertEqual(self.open("/subprotocol-ok").headers["sec-websocket-protocol"], "chat.v3")


def add_tests() -> None:
    for client in ("c", "python", "python_callbacks", "node"):

        def test(self: Ours, client: str = client) -> None:
            self.run_probe(client)

        setattr(Ours, f"test_{client}", test)


add_tests()


FACES = {"CServer": "c", "PythonServer": "python", "PythonCallbacksServer": "python_callbacks", "NodeServer": "node"}


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    suite = unittest.TestSuite()
    for name, face in FACES.items():
        for tests, variant in ((Misbehaving, PLAIN), (Ours, TLS_DEFLATE)):
            case = variant_of(tests, variant, name, face=face)
            suite.addTest(loader.loadTestsFromTestCase(case))
    return suite
