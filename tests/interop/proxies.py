"""Proxies of the system's, on free ports of 127.0.0.1."""

import signal
import socket
import tempfile
from pathlib import Path

from processes import Command, Process

ATTEMPTS = 10  # to find a port that nobody takes before the proxy does

TINYPROXY = """
Port {port}
Listen 127.0.0.1
Allow 127.0.0.1
Timeout 600
MaxClients 50
BasicAuth me pass
"""
DANTED = """
logoutput: stdout
internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
socks pass {{ from: 0.0.0.0/0 to: 0.0.0.0/0 }}
"""


class Proxy(Process):
    """A proxy that takes connections at `port` from here on."""

    def __init__(self, command: Command, ready: str, port: int) -> None:
        super().__init__(command)
        self.port = port
        try:
            while ready not in self.line():
                pass
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        self.send_signal(signal.SIGTERM)  # danted takes its children with it then
        super().stop()


def tinyproxy(folder: Path) -> Proxy:
    """For CONNECT, with the user `me` and the password `pass`."""
    return _start(TINYPROXY, ["tinyproxy", "-d", "-c"], [], "Accepting connections", folder)


def danted(folder: Path) -> Proxy:
    """For SOCKS 5, open to all."""
    return _start(DANTED, ["danted", "-f"], ["-p", folder / "pid"], "running", folder)


def _start(configuration: str, command: Command, more: Command, ready: str, folder: Path) -> Proxy:
    for attempt in range(ATTEMPTS):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            file.write(configuration.format(port=port))
        try:
            return Proxy([*command, file.name, *more], ready, port)
        except AssertionError:
            if attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError
