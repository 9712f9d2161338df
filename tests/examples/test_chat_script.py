"""What `make chat` runs: chat.sh starts the server, and says how to join in ways that work."""

import http.client
import re
import shlex
import signal
import socket

from processes import Process, ProcessTest
from programs import CHECKOUT, EXAMPLES


class ChatScript(ProcessTest):
    def setUp(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            self.port = unused.getsockname()[1]
        self.script = self.start(["sh", EXAMPLES / "chat.sh", str(self.port)])
        self.said: list[str] = []
        while not self.said or not self.said[-1].startswith("chatting at "):
            self.said.append(self.script.line())

    def test_page(self) -> None:
        url = re.search(r"http://localhost:(\d+)/", self.said[0])
        assert url, self.said
        self.assertEqual(int(url[1]), self.port)
        connection = http.client.HTTPConnection("localhost", self.port)
        self.addCleanup(connection.close)
        connection.request("GET", "/")
        response = connection.getresponse()
        self.assertEqual((response.status, response.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertIn("<title>sockline chat</title>", response.read().decode())

    def test_ways_to_join(self) -> None:
        clients: list[Process] = []
        for language in ("C", "Python", "Node"):
            (line,) = [line for line in self.said if line.startswith(f"  {language} ")]
            command = shlex.split(line)[1:]
            client = Process(command, cwd=CHECKOUT)
            self.addCleanup(client.stop)
            client.write(f"from {language}")
            clients.append(client)
            for listener in clients:
                self.assertEqual(listener.line(), f"{command[-1]}: from {language}")

    def test_ends_with_ctrl_c(self) -> None:
        self.script.send_signal(signal.SIGINT)
        self.assertEqual((self.script.wait(), self.script.errors), (0, ""))
