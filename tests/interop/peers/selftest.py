#!/usr/bin/env python3
"""Proves the foreign peers before anything of ours is tested with them: python3 selftest.py

Each client runs its scenarios against each server, and a client made of nothing but a socket looks at what the
servers do by path. Installs the peers first.
"""

import json
import os
import struct
import subprocess
import sys
import unittest
from pathlib import Path

from raw import ACCEPT, BINARY, CLOSE, PING, PONG, TEXT, Raw

HERE = Path(__file__).resolve().parent
PYTHON = HERE.parents[2] / ".tools/peers/bin/python"
sys.path.append(str(HERE / "python"))

from fixtures import FRAGMENTED_TEXT, SIZES, pattern  # noqa: E402

SERVERS = {
    "ws": ["node", HERE / "node/ws_server.js", "0"],
    "websockets": [PYTHON, HERE / "python/websockets_server.py", "0"],
}
CLIENTS = {
    "ws": ["node", HERE / "node/ws_client.js"],
    "websockets": [PYTHON, HERE / "python/websockets_client.py"],
    "chromium": ["node", HERE / "node/chromium_client.js"],
}
ECHO_SCENARIOS = ["echo", "sizes", "close", "connections"]
API_SCENARIOS = ["fragments", "ping"]  # not for the page in a browser

QUIET = 0.5  # seconds without an answer that prove a peer silent


class Servers:
    """What the servers do by path; the two classes below name the server."""

    server: str

    @classmethod
    def setUpClass(cls) -> None:
        cls.process = subprocess.Popen(SERVERS[cls.server], stdout=subprocess.PIPE, text=True)
        word, port = cls.process.stdout.readline().split()
        assert word == "listening"
        cls.port = int(port)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.process.kill()
        cls.process.wait()
        cls.process.stdout.close()

    def open(self, target: str) -> Raw:
        raw = Raw(self.port, target)
        self.addCleanup(raw.socket.close)
        self.assertEqual((raw.status, raw.headers["sec-websocket-accept"]), (101, ACCEPT))
        return raw

    def run_client(self, client: str, target: str, scenario: str) -> subprocess.CompletedProcess:
        command = [*CLIENTS[client], f"ws://127.0.0.1:{self.port}{target}", scenario]
        return subprocess.run(command, capture_output=True, text=True)

    # Clients

    def test_clients(self) -> None:
        for client in CLIENTS:
            names = ECHO_SCENARIOS + (API_SCENARIOS if client != "chromium" else [])
            runs = [("/echo", name) for name in names]
            runs += [("/connection", "connection"), ("/close?code=1000&reason=bye", "server-close")]
            for target, scenario in runs:
                with self.subTest(client=client, scenario=scenario):
                    result = self.run_client(client, target, scenario)
                    self.assertEqual((result.returncode, result.stderr), (0, ""))
                    report = json.loads(result.stdout)
                    self.assertEqual((report["peer"], report["scenario"]), (client, scenario))

    def test_clients_notice_what_is_wrong(self) -> None:
        wrong = [
            ("/greet", "echo"),
            ("/sizes", "sizes"),
            ("/kill", "echo"),
            ("/refuse?status=503", "echo"),
            ("/close?code=4000", "server-close"),
        ]
        for client in CLIENTS:
            for target, scenario in wrong:
                with self.subTest(client=client, target=target):
                    result = self.run_client(client, target, scenario)
                    self.assertEqual((result.returncode, result.stdout), (1, ""))
                    self.assertRegex(result.stderr, rf"^{client} {scenario}: .+\n$")

    # Paths

    def test_echo(self) -> None:
        raw = self.open("/echo")
        self.assertNotIn("sec-websocket-protocol", raw.headers)
        raw.send_frame(TEXT, b"hello")
        self.assertEqual(raw.read_frame(), (True, TEXT, b"hello"))
        raw.send_frame(BINARY, b"\xff\x00")
        self.assertEqual(raw.read_frame(), (True, BINARY, b"\xff\x00"))

    def test_close(self) -> None:
        raw = self.open("/close?code=4321&reason=enough%20now")
        payload = struct.pack("!H", 4321) + b"enough now"
        self.assertEqual(raw.read_frame(), (True, CLOSE, payload))
        raw.send_frame(CLOSE, payload)
        self.assertTrue(raw.at_end())

    def test_ping(self) -> None:
        raw = self.open("/ping")
        self.assertEqual(raw.read_frame(), (True, PING, b"are you there"))
        raw.send_frame(PONG, b"are you there")
        self.assertEqual(raw.read_frame(), (True, TEXT, b"pong ok"))

    def test_ping_wants_the_right_pong(self) -> None:
        raw = self.open("/ping")
        raw.read_frame()
        raw.send_frame(PONG, b"I am somebody else")
        self.assertTrue(raw.is_quiet(QUIET))

    def test_fragments(self) -> None:
        raw = self.open("/fragments")
        for opcode, payload in [(TEXT, FRAGMENTED_TEXT.encode()), (BINARY, pattern(100_000))]:
            *message, frames = raw.read_message()
            self.assertEqual(message, [opcode, payload])
            self.assertGreater(frames, 20)

    def test_fragments_have_pings_between(self) -> None:
        raw = self.open("/fragments")
        frames = [raw.read_frame() for _ in range(8)]
        self.assertEqual([opcode for _fin, opcode, _payload in frames], [TEXT, 0, 0, 0, 0, PING, 0, 0])
        self.assertEqual([fin for fin, _opcode, _payload in frames], [False] * 5 + [True] + [False] * 2)

    def test_greet(self) -> None:
        raw = self.open("/greet")
        self.assertEqual(raw.read_frame(), (True, TEXT, b"hello before you asked"))
        self.assertEqual(raw.segments_received(), 1)
        raw.send_frame(TEXT, b"hello")
        self.assertEqual(raw.read_frame(), (True, TEXT, b"hello"))

    def test_sizes(self) -> None:
        raw = self.open("/sizes")
        for size in SIZES:
            self.assertEqual(raw.read_frame(), (True, BINARY, pattern(size)))

    def test_refuse(self) -> None:
        for status in (302, 401, 403, 503):
            with Raw(self.port, f"/refuse?status={status}") as raw:
                self.assertEqual((raw.status, raw.headers["x-reason"]), (status, "interop"))
                self.assertEqual(raw.body, f"refused with {status}\n".encode())
                self.assertTrue(raw.at_end())
        with Raw(self.port, "/nowhere") as raw:
            self.assertEqual(raw.status, 404)

    def test_subprotocol(self) -> None:
        self.assertEqual(self.open("/subprotocol").headers["sec-websocket-protocol"], "chat.v2")
        self.assertEqual(self.open("/subprotocol-ok").headers["sec-websocket-protocol"], "chat.v3")

    def test_stall(self) -> None:
        raw = self.open("/stall")
        raw.send_frame(PING, b"")
        raw.send_frame(CLOSE, b"")
        self.assertTrue(raw.is_quiet(QUIET))

    def test_kill(self) -> None:
        raw = self.open("/kill")
        with self.assertRaisesRegex(EOFError, "3996 bytes missing"):
            raw.read_frame()

    def test_half(self) -> None:
        raw = self.open("/half")
        self.assertTrue(raw.at_end())
        for _ in range(3):  # a closed socket would answer the first with a reset
            raw.send_frame(TEXT, b"still there?")
        self.assertTrue(raw.at_end())

    def test_silent_close(self) -> None:
        raw = self.open("/silent-close")
        raw.send_frame(CLOSE, struct.pack("!H", 1000))
        self.assertTrue(raw.is_quiet(QUIET))


class WsServer(Servers, unittest.TestCase):
    server = "ws"


class WebsocketsServer(Servers, unittest.TestCase):
    server = "websockets"


if __name__ == "__main__":
    os.chdir(HERE)
    subprocess.run([HERE / "install.sh"], check=True)
    unittest.main(verbosity=2)
