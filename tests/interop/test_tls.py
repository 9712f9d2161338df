"""Over TLS: the Rust examples with npm ws, Python websockets and Chromium on the other side."""

import base64
import hashlib
import json
import subprocess
import tempfile
import unittest
from pathlib import Path

from processes import Command, ProcessTest
from programs import FOREIGN_CLIENTS, FOREIGN_SERVERS, example

SCENARIOS = ["echo", "sizes", "close", "connections", "fragments", "ping"]
# A page can neither ping nor fragment. A thousand contexts of Python's ssl at once take it longer than a server waits.
NOT_FOR = {"chromium": {"fragments", "ping"}, "websockets": {"connections"}, "ws": set()}


class Certificates:
    """A certification authority, and a certificate of its for localhost, made as the tests run."""

    def __init__(self, folder: Path) -> None:
        self.authority, self.certificate, self.key = (folder / name for name in ("ca.pem", "cert.pem", "key.pem"))
        ca_key, request = folder / "ca.key", folder / "request.pem"
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl(*new, "-x509", "-days", "2", "-subj", "/CN=interop", "-keyout", ca_key, "-out", self.authority)
        self._openssl(*new, "-subj", "/CN=localhost", "-keyout", self.key, "-out", request)
        extensions = folder / "extensions"
        extensions.write_text("subjectAltName = DNS:localhost\n")
        signing = ["x509", "-req", "-days", "2", "-in", request, "-CA", self.authority, "-CAkey", ca_key]
        self._openssl(*signing, "-CAcreateserial", "-extfile", extensions, "-out", self.certificate)

    def pin(self) -> str:
        """What Chromium calls the server's key."""
        key = self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "der")
        return base64.b64encode(hashlib.sha256(key).digest()).decode()

    def environment(self) -> Command:
        """Has a program trust the authority, or have the certificate, whichever way it is told."""
        return [
            "env",
            f"NODE_EXTRA_CA_CERTS={self.authority}",
            f"SSL_CERT_FILE={self.authority}",
            f"CHROMIUM_FLAGS=--ignore-certificate-errors-spki-list={self.pin()}",
            f"TLS_CERTIFICATE={self.certificate}",
            f"TLS_KEY={self.key}",
        ]

    @staticmethod
    def _openssl(*arguments: str | Path) -> bytes:
        return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


class TlsTest(ProcessTest):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.certificates = Certificates(Path(folder.name))

    def in_environment(self, command: Command) -> Command:
        return [*self.certificates.environment(), *command]


class TlsServer(TlsTest):
    """The Rust echo server."""

    def run_client(self, client: str) -> None:
        files = [self.certificates.certificate, self.certificates.key]
        server = self.serve([*example("rust", "echo_server"), "0", *files])
        url = server.url("/", "localhost", "wss")
        for scenario in SCENARIOS:
            if scenario in NOT_FOR[client]:
                continue
            with self.subTest(scenario=scenario):
                process = self.run_to_end(self.in_environment([*FOREIGN_CLIENTS[client], url, scenario]))
                report = json.loads(process.line())
                self.assertEqual((report["peer"], report["scenario"]), (client, scenario))

    def test_ws(self) -> None:
        self.run_client("ws")

    def test_websockets(self) -> None:
        self.run_client("websockets")

    def test_chromium(self) -> None:
        self.run_client("chromium")

    def test_a_stranger_is_not_trusted(self) -> None:
        files = [self.certificates.certificate, self.certificates.key]
        server = self.serve([*example("rust", "echo_server"), "0", *files])
        self.run_to_end([*FOREIGN_CLIENTS["websockets"], server.url("/", "localhost", "wss"), "echo"], status=1)


class TlsClient(TlsTest):
    """The Rust echo client."""

    def run_server(self, name: str) -> None:
        server = self.serve(self.in_environment(FOREIGN_SERVERS[name]))
        url = server.url("/echo", "localhost", "wss")
        for count, size in [("2000", "64"), ("200", "16384"), ("20", "1000000")]:
            with self.subTest(size=size):
                self.run_to_end(self.in_environment([*example("rust", "echo_client"), url, count, size]))

    def test_ws(self) -> None:
        self.run_server("ws")

    def test_websockets(self) -> None:
        self.run_server("websockets")

    def test_a_stranger_is_told_by_name(self) -> None:
        server = self.serve(self.in_environment(FOREIGN_SERVERS["ws"]))
        url = server.url("/echo", "localhost", "wss")
        process = self.run_to_end([*example("rust", "echo_client"), url, "1", "1"], status=1)
        self.assertIn("the certificate of localhost was issued by an unknown authority", process.errors)


def load_tests(loader: unittest.TestLoader, found: unittest.TestSuite, pattern: str | None) -> unittest.TestSuite:
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (TlsServer, TlsClient))
