"""The feed: each language's server, plain and over TLS, and clients in each language that come back when it returns."""

import signal
import subprocess
import tempfile
from pathlib import Path

from processes import Process, ProcessTest, Server
from programs import example

LANGUAGES = ["c", "python", "node"]


class Certificate:
    """One for localhost, which is its own authority."""

    def __init__(self, folder: Path) -> None:
        self.path, self.key = folder / "localhost.pem", folder / "localhost.key"
        request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
        # What a client takes for its authority and what a server shows can be the same only if it may be both.
        usage = ["-addext", "basicConstraints=critical,CA:FALSE"]
        command = [*request, *subject, *usage, "-keyout", self.key, "-out", self.path]
        subprocess.run(command, check=True, capture_output=True)


class Feed(ProcessTest):
    def serve_feed(self, language: str, port: int = 0, *certificate: Path) -> Server:
        server = Server([*example(language, "feed_server"), str(port), *certificate])
        self.addCleanup(server.stop)
        return server

    def subscribe(self, language: str, url: str, topics: str, *ca: Path) -> Process:
        client = self.start([*example(language, "feed_client"), url, topics, *ca])
        self.assertEqual(client.line(), "subscribed", str(client))
        return client

    def test_topics_reach_their_subscribers_and_a_drained_server_loses_nothing(self) -> None:
        for language in LANGUAGES:
            with self.subTest(server=language):
                server = self.serve_feed(language)
                url = server.url(host="localhost")
                news = {client: self.subscribe(client, url, "news/#") for client in LANGUAGES}
                sports = self.subscribe(language, url, "+/sports")
                for line in ("news/local fire in town", "news/sports goal", "weather/local rain", "bad/# nothing"):
                    server.write(line)
                server.end_input()
                self.assertEqual(server.wait(), 0, str(server))
                self.assertIn("bad/#", server.errors)
                for client in news.values():
                    self.assertEqual([client.line(), client.line()], ["fire in town", "goal"])
                self.assertEqual(sports.line(), "goal")

    def test_clients_come_back_to_a_server_that_returns(self) -> None:
        for language in LANGUAGES:
            with self.subTest(server=language):
                first = self.serve_feed(language)
                url = first.url(host="localhost")
                clients = [self.subscribe(client, url, "#") for client in LANGUAGES]
                first.send_signal(signal.SIGKILL)
                first.wait()
                second = self.serve_feed(language, first.port)
                for client in clients:
                    self.assertEqual(client.line(), "subscribed", str(client))
                second.write("any/topic again")
                for client in clients:
                    self.assertEqual(client.line(), "again")
                    self.assertIn("attempt 1", client.errors)

    def test_over_tls(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            certificate = Certificate(Path(folder))
            for language in LANGUAGES:
                server = self.serve_feed(language, 0, certificate.path, certificate.key)
                self.assertIn("wss://", server.announcement)
                url = server.url(host="localhost", scheme="wss")
                for client in LANGUAGES:
                    with self.subTest(server=language, client=client):
                        self.subscribe(client, url, "#", certificate.path)

    def test_what_is_no_filter_is_said(self) -> None:
        for language in LANGUAGES:
            with self.subTest(server=language):
                url = self.serve_feed(language).url(host="localhost")
                for client in LANGUAGES:
                    process = self.run_to_end([*example(client, "feed_client"), url, "a/#/b"], 1)
                    self.assertRegex(process.errors, r"\Afeed_client: closed with 1008: [^\n]+\n\Z")
