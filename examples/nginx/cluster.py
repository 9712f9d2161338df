"""The chat as a cluster, at http://localhost:PORT/: cluster.py [--sticky cookie|route|address] [PORT]

Three servers, in C, Python and Node, that say over Redis what the others have to know, and nginx, which spreads clients over
them and keeps each client's requests together. Needs redis-server and nginx, and what `make build` makes. It ends with Ctrl-C.
"""

import argparse
import contextlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLES = HERE.parent
SERVERS = {
    "c": [EXAMPLES / "c/build/chat_server"],
    "python": [EXAMPLES.parent / ".venv/bin/python", EXAMPLES / "python/chat_server.py"],
    "node": ["node", EXAMPLES / "node/chat_server.js"],
}
WAYS = ("cookie", "route", "address")
LISTENING = "listen 3000;"  # as the files say
FIRST_SERVER = 3001


def configure(folder: Path, sticky: str, listen: str, servers: list[int]) -> list[str | Path]:
    """Writes nginx's files into an empty folder, with these ports in place of their own; how it is started then."""
    text = (HERE / f"{sticky}.conf").read_text()
    assert LISTENING in text
    text = text.replace(LISTENING, f"listen {listen};")
    text = re.sub(r":(300[123])\b", lambda found: f":{servers[int(found[1]) - FIRST_SERVER]}", text)
    (folder / "sticky.conf").write_text(text)
    for name in ("nginx.conf", "http.conf", "proxy.conf"):
        (folder / name).write_text((HERE / name).read_text())
    folder.chmod(0o755)  # where root starts nginx, its workers are another user
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"  # where ordinary users don't look for programs
    return [nginx, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Program:
    """A program that has said that it is ready."""

    def __init__(self, name: str, command: list[str | Path], ready: str) -> None:
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self.child.stdout
        lines = []
        for line in self.child.stdout:
            lines.append(line)
            if found := re.search(ready, line):
                break
        else:
            self.child.wait()
            sys.exit(f"{name} has not started:\n{''.join(lines)}")
        self.name, self.found = name, found[0]

    def follow(self) -> None:
        """Has what it says printed from now on."""
        threading.Thread(target=self._print, daemon=True).start()

    def _print(self) -> None:
        assert self.child.stdout
        for line in self.child.stdout:
            if "[notice]" not in line:  # nginx tells much
                print(f"{self.name}: {line}", end="", flush=True)

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_: object) -> None:
        self.child.terminate()
        self.child.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sticky", choices=WAYS, default="cookie")
    parser.add_argument("port", type=int, nargs="?", default=3000)
    arguments = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))

        programs = []

        def start(name: str, command: list[str | Path], ready: str) -> str:
            programs.append(running.enter_context(Program(name, command, ready)))
            return programs[-1].found

        redis = free_port()
        start("redis", ["redis-server", "--port", str(redis), "--bind", "127.0.0.1", "--save", ""], "Ready to accept")
        url = f"redis://127.0.0.1:{redis}"
        ports = [int(start(name, [*command, "0", url], r"(?<=localhost:)\d+")) for name, command in SERVERS.items()]
        port = arguments.port or free_port()
        start("nginx", configure(folder, arguments.sticky, str(port), ports), "start worker process ")
        print(f"The chat is at http://localhost:{port}/ and ws://localhost:{port}/ws  (stop it with Ctrl-C)")
        for name, server in zip(SERVERS, ports, strict=True):
            print(f"  one of its servers, in {name}: http://localhost:{server}/")
        print(flush=True)
        for program in programs:
            program.follow()
        signal.pause()


if __name__ == "__main__":
    main()
