"""The ways in which a connection is made: plain, over TLS, compressed, or both."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from certificates import Certificates
from processes import Command, ServerTest
from tap import Tap

PADDING = 65_536  # bytes that go each way in the scenario `connection`, and get much shorter when they are compressed
SHORT = 8_192  # bytes: more than one direction of that scenario takes when they are
TLS_RECORD = b"\x16\x03"  # how a TLS handshake begins (RFC 8446, section 5.1)


@dataclass(frozen=True)
class Variant:
    name: str
    tls: bool = False
    deflate: bool = False


PLAIN = Variant("plain")
TLS = Variant("tls", tls=True)
DEFLATE = Variant("deflate", deflate=True)
TLS_DEFLATE = Variant("tls_deflate", tls=True, deflate=True)


class VariantTest(ServerTest):
    """Tests of one server in one variant; the programs are told of it by their environment."""

    variant = PLAIN

    @classmethod
    def setUpClass(cls) -> None:
        cls.for_clients: dict[str, str] = {}
        for_servers: dict[str, str] = {}
        if cls.variant.tls:
            folder = tempfile.TemporaryDirectory()
            cls.addClassCleanup(folder.cleanup)
            certificates = Certificates(Path(folder.name))
            cls.for_clients |= certificates.for_clients()
            for_servers |= certificates.for_servers()
        if cls.variant.deflate:
            cls.for_clients["PERMESSAGE_DEFLATE"] = for_servers["PERMESSAGE_DEFLATE"] = "1"
        cls.command = in_environment(for_servers, cls.command)
        super().setUpClass()

    def url(self, target: str, port: int | None = None) -> str:
        """Of the server, or of what is in front of it at that port."""
        # The name is the certificate's; where there is none, no time goes into looking it up.
        scheme, host = ("wss", "localhost") if self.variant.tls else ("ws", "127.0.0.1")
        return f"{scheme}://{host}:{port or self.server.port}{target}"

    def told(self, command: Command, **more: str) -> Command:
        """A client that is told of the variant, and of more."""
        return in_environment(self.for_clients | more, command)

    def run_client(self, command: Command, url: str, scenario: str, **more: str) -> dict[str, Any]:
        """Runs a client's scenario to its end, and returns what it says of it."""
        process = self.run_to_end(self.told([*command, url, scenario], **more))
        report: dict[str, Any] = json.loads(process.line())
        self.assertEqual((process.errors, report["scenario"]), ("", scenario))
        return report

    def tap(self, port: int) -> Tap:
        tap = Tap(port)
        self.addCleanup(tap.close)
        return tap

    def check_connection(self, command: Command) -> None:
        """Both ends say that the connection is what the variant says, and the wire shows it."""
        tap = self.tap(self.server.port)
        report = self.run_client(command, self.url("/connection", tap.port), "connection")
        self.assertEqual(tap.sent_head.startswith(TLS_RECORD), self.variant.tls, tap.sent_head)
        self.assertEqual(tap.received_head.startswith(TLS_RECORD), self.variant.tls, tap.received_head)
        self.assert_agreed(report)
        self.assert_length(tap)

    def assert_agreed(self, report: dict[str, Any]) -> None:
        client, server = report, report["server"]
        self.assertEqual(len(server["padding"]), PADDING)
        extension = "permessage-deflate" if self.variant.deflate else ""
        for end in (client, server):
            # A page is not told of TLS, and some clients know nothing of extensions.
            if "extensions" in end:
                self.assertEqual(end["extensions"].partition(";")[0], extension)
            if "tls" in end:
                self.assertEqual(end["tls"], "TLSv1.3" if self.variant.tls else "")

    def assert_length(self, tap: Tap) -> None:
        for length in (tap.sent, tap.received):
            if self.variant.deflate:
                self.assertLess(length, SHORT)
            else:
                self.assertGreater(length, PADDING)


def in_environment(variables: dict[str, str], command: Command) -> Command:
    return ["env", *(f"{name}={value}" for name, value in variables.items()), *command]


def variant_of(tests: type, variant: Variant, name: str | None = None, **members: Any) -> Any:
    """The same tests in a variant, as a class of its own; `name` is that of the plain one."""
    name = name or tests.__name__
    full = name if variant == PLAIN else f"{name}_{variant.name}"
    return type(full, (tests,), {"variant": variant, "__module__": tests.__module__, **members})
