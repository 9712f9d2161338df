"""The servers of the benchmark: how they are built and how they run. `rows.py` says which there are."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Callable, Sequence

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
BIN = HERE / "target/release"
PEERS = HERE / "peers"
OURS = HERE / "ours"
BUILD = HERE / "build"
LWS = BUILD / "lws_echo_server"
BEAST_SERVER, BEAST_CLIENT = BUILD / "beast_echo_server", BUILD / "beast_client"
C_SERVER, C_CLUSTER = BUILD / "sockline_server", BUILD / "sockline_cluster"
C_CLIENT, C_IO_CLIENT = BUILD / "sockline_client", BUILD / "sockline_io_client"
CERTIFICATE, KEY = BUILD / "certificate.pem", BUILD / "key.pem"
NODE_PEER = PEERS / "node"
PYTHON_PEER = PEERS / "python"
VENV = PYTHON_PEER / ".venv"
OURS_VENV = ROOT / ".venv"

START_TIMEOUT = 20.0  # seconds until a server accepts


class Unmeasured(Exception):
    """A server that cannot be measured; the text stands in its line of the table."""


@dataclass(frozen=True)
class Row:
    """One server. `command` gets the port as its next argument, then `after`."""

    name: str
    about: str
    command: tuple[str, ...]
    needs: Path  # what has to exist for the command to make sense
    after: tuple[str, ...] = ()
    raw: bool = False  # speaks no WebSocket
    always: bool = False  # runs whatever rows were chosen: the others are compared with it
    every: int = 1  # takes part in each so-many-th round: 2 where no target depends on the row, to save time
    build: Callable[[], None] | None = None


def prepare(row: Row) -> None:
    """Builds what the row needs; raises Unmeasured where that does not work."""
    if not row.needs.exists():
        raise Unmeasured(f"missing: no {row.needs.relative_to(ROOT)}")
    if row.build is not None:
        row.build()
    if shutil.which(row.command[0]) is None:
        raise Unmeasured(f"missing: no {row.command[0].removeprefix(f'{ROOT}/')}")


def build_rust() -> None:
    """The load generator, the floor and the Rust peers. Nothing works without them."""
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=HERE, check=True)


def build_lws() -> None:
    source = PEERS / "lws/echo_server.c"
    if LWS.exists() and LWS.stat().st_mtime > source.stat().st_mtime:
        return
    BUILD.mkdir(exist_ok=True)
    attempt(["gcc", "-O3", "-o", str(LWS), str(source), "-lwebsockets"], HERE, "needs libwebsockets-dev")


def build_beast_server() -> None:
    compile_beast(PEERS / "beast/echo_server.cpp", BEAST_SERVER)


def build_beast_client() -> None:
    compile_beast(PEERS / "beast/client.cpp", BEAST_CLIENT)


def compile_beast(source: Path, program: Path) -> None:
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return
    BUILD.mkdir(exist_ok=True)
    command = ["g++", "-std=c++17", "-O3", "-o", str(program), str(source), "-pthread"]
    attempt(command, HERE, "needs libboost-dev")


def build_c() -> None:
    """sockline's C server for the cases that its example does not serve."""
    compile_c(OURS / "server.c", C_SERVER)


def build_c_cluster() -> None:
    compile_c(OURS / "cluster.c", C_CLUSTER)


def build_c_client() -> None:
    compile_c(OURS / "client.c", C_CLIENT)


def build_c_io_client() -> None:
    compile_c(OURS / "io_client.c", C_IO_CLIENT)


def compile_c(source: Path, program: Path) -> None:
    library = ROOT / "target/release/libsockline.so.0"
    if not library.exists():
        raise Unmeasured(f"missing: no {library.relative_to(ROOT)}")
    BUILD.mkdir(exist_ok=True)
    command = ["gcc", "-std=c11", "-O3", f"-I{ROOT / 'include'}", "-o", str(program), str(source)]
    attempt([*command, str(library), f"-Wl,-rpath,{library.parent}"], HERE, "no C compiler")


def make_certificate() -> None:
    """For the servers that speak TLS: of its own, for localhost, with a key that they handshake fast with."""
    BUILD.mkdir(exist_ok=True)
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    leaf = ["-addext", "basicConstraints=critical,CA:FALSE"]  # else it may not be a server's
    attempt([*new, *names, *leaf, "-keyout", str(KEY), "-out", str(CERTIFICATE)], HERE, "needs openssl")


def build_node() -> None:
    installed, wanted = NODE_PEER / "node_modules/.package-lock.json", NODE_PEER / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime > wanted.stat().st_mtime:
        return
    attempt(["npm", "ci", "--silent", "--no-audit", "--no-fund"], NODE_PEER, "npm ci failed")


def build_ours_python() -> None:
    """uvloop for our side, too, in the version that the others have."""
    python = str(OURS_VENV / "bin/python")
    if subprocess.run([python, "-c", "import uvloop"], capture_output=True).returncode == 0:
        return
    pinned = (PYTHON_PEER / "requirements.txt").read_text().splitlines()
    uvloop = next(line for line in pinned if line.startswith("uvloop=="))
    attempt([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", uvloop], HERE, "no uvloop")


def build_python() -> None:
    wanted, installed = PYTHON_PEER / "requirements.txt", VENV / "requirements.txt"
    if installed.exists() and installed.read_text() == wanted.read_text():
        return
    attempt([sys.executable, "-m", "venv", str(VENV)], HERE, "no venv")
    pip = [str(VENV / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "-r", str(wanted)]
    attempt(pip, HERE, "pip install failed")
    shutil.copy(wanted, installed)


def attempt(command: list[str], directory: Path, otherwise: str) -> None:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    except OSError as error:
        raise Unmeasured(f"missing: {otherwise}: {error}") from error
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["?"]
        raise Unmeasured(f"missing: {otherwise}: {lines[-1]}")


class Server:
    """A running server, pinned to a core or to several. Use it as a context manager."""

    def __init__(self, row: Row, core: int | str, port: int = 0, arguments: Sequence[str] = ()) -> None:
        self.row = row
        self.port = port or free_port()
        self.log: IO[bytes] = tempfile.TemporaryFile()
        command = [*row.command, str(self.port), *arguments, *row.after]
        self.process = subprocess.Popen(
            # A server must not outlive this script, however that ends.
            ["setpriv", "--pdeathsig", "KILL", "taskset", "--cpu-list", str(core), *command],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            preexec_fn=raise_descriptor_limit,
        )
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """setpriv and taskset have become the server: exec keeps the process."""
        return self.process.pid

    def await_ready(self) -> None:
        """Until it listens."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Unmeasured(f"failed: ended with status {self.process.returncode}: {self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        raise Unmeasured(f"failed: did not listen within {START_TIMEOUT:.0f} s: {self.last_words()}")

    def rss(self) -> int:
        """Resident bytes of the process."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no Rss in smaps_rollup")

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        return cpu_seconds(self.pid)

    def has_io_uring(self) -> bool:
        """Whether the process has a ring, and so may have sends leave together by it. That of uvloop's, which it waits
        with, does not count."""
        rings = 0
        for descriptor in Path(f"/proc/{self.pid}/fd").iterdir():
            try:
                rings += os.readlink(descriptor) == "anon_inode:[io_uring]"
            except FileNotFoundError:
                pass  # closed meanwhile
        return rings > ("/uvloop/" in Path(f"/proc/{self.pid}/maps").read_text())

    def last_words(self) -> str:
        self.log.seek(0)
        lines = self.log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, in the kernel's ticks."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def raise_descriptor_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """Below the ports that the kernel gives to clients, so that no connection can take it before the server does."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no free port between 20000 and 32000")
