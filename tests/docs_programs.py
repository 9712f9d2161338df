"""Every code block that is a program runs, on every page.

A comment before a block says what is done with it, in the order of the page and in one folder for each page:

    <!-- run [NAME] -->          saved as NAME, run to its end, which has to be status 0
    <!-- run [NAME] until TEXT -->  saved and run until it prints a line with TEXT; then it is ended
    <!-- serve NAME -->          saved, started, and kept until the page's end; it is there when it prints its first line
    <!-- file NAME -->           saved for those that follow
    <!-- prints -->              a text: what the last program that ran has printed
    <!-- shown: REASON -->       commands that no test can run, and a part of a program: looked at by people only

What begins with `<!-- from` is cut from a program that other tests run, and Rust's blocks are doctests of the core crate.
The ports of PORTS become free ones; where a page speaks of Redis' port, there is a server of Redis.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))
from redis import RedisServer  # noqa: E402

WORK = ROOT / "target" / "docs-programs"
PREFIX = WORK / "prefix"
FENCE = re.compile(r"^(?P<mark><!-- (?P<verb>\w+):?(?: (?P<rest>[^\n]*?))? -->\n)?(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```$", re.DOTALL | re.MULTILINE)
PROGRAMS = {"python", "js", "ts", "c", "cpp", "sh"}
STILL = {"", "from", "shown"}
VERBS = STILL | {"run", "serve", "file", "prints"}
DOCTESTS = re.findall(r"include_str!\(\".*?(\w+\.md)\"\)", (ROOT / "core/src/lib.rs").read_text())
PORTS = ("3000", "8080", "8081", "8443", "8765")
REDIS = "6379"
SECONDS = 60


@dataclass
class Block:
    verb: str
    rest: str
    language: str
    code: str
    line: int


def pages() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(found["verb"] or "", found["rest"] or "", found["language"], found["code"], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


def free_ports() -> dict[str, str]:
    """Another port for each that the pages name; all are held until all are chosen, so no two are the same."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    chosen = {port: str(one.getsockname()[1]) for port, one in zip(PORTS, held)}
    for one in held:
        one.close()
    return chosen


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
        "PKG_CONFIG_PATH": str(PREFIX / "lib/pkgconfig"),
        "LD_LIBRARY_PATH": str(PREFIX / "lib"),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "*",
    }


def install_c_library() -> None:
    subprocess.run(["make", "--silent", "install", f"PREFIX={PREFIX}"], cwd=ROOT, check=True)


class Page:
    """One page's folder, and the servers that it has started."""

    def __init__(self, page: Path) -> None:
        self.folder = WORK / page.relative_to(ROOT).with_suffix("")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "node_modules").symlink_to(ROOT / "examples/node/node_modules")
        self.ports = free_ports()
        self.redis = RedisServer() if f":{REDIS}" in page.read_text() else None
        if self.redis:
            self.ports[REDIS] = str(self.redis.port)
        self.servers: list[subprocess.Popen[str]] = []
        self.printed = ""

    def put(self, name: str, code: str) -> Path:
        for port, free in self.ports.items():
            code = re.sub(rf"\b{port}\b", free, code)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        return path

    def command(self, path: Path, language: str) -> list[str]:
        if language in ("c", "cpp"):
            return [str(self.compiled(path, language))]
        return {"python": ["python", str(path)], "js": ["node", str(path)], "sh": ["sh", "-eu", str(path)]}[language]

    def compiled(self, path: Path, language: str) -> Path:
        compiler = ["gcc", "-std=c11"] if language == "c" else ["g++", "-std=c++17"]
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "sockline"], env=environment(), capture_output=True, text=True, check=True)
        program = path.with_suffix("")
        subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", str(path), "-o", str(program), *flags.stdout.split()], check=True)
        return program

    def start(self, path: Path, language: str, errors: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(path, language), cwd=self.folder, env=environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True,
        )

    def run(self, path: Path, language: str) -> None:
        program = self.start(path, language)
        try:
            self.printed, errors = program.communicate(timeout=SECONDS)
        finally:
            end(program)
        if program.returncode != 0:
            raise AssertionError(f"{path.name} ended with {program.returncode}:\n{self.printed}{errors}")

    def run_until(self, path: Path, language: str, text: str) -> None:
        program = self.start(path, language)
        try:
            self.printed = lines_until(program, lambda line: text in line)
        finally:
            end(program)

    def serve(self, path: Path, language: str) -> None:
        server = self.start(path, language, errors=subprocess.STDOUT)
        self.servers.append(server)
        lines_until(server, lambda line: True)

    def close(self) -> None:
        for server in self.servers:
            end(server)
        if self.redis:
            self.redis.stop()


def too_long(*_: object) -> None:
    raise AssertionError(f"the program has not printed what was waited for within {SECONDS} s")


def lines_until(program: subprocess.Popen[str], enough: Callable[[str], bool]) -> str:
    """What a program prints up to the line that is waited for."""
    assert program.stdout is not None
    printed = ""
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        for line in program.stdout:
            printed += line
            if enough(line):
                return printed
    finally:
        signal.alarm(0)
    errors = program.stderr.read() if program.stderr else ""
    raise AssertionError(f"the program ended before it printed what was waited for:\n{printed}{errors}")


def end(program: subprocess.Popen[str]) -> None:
    try:
        os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    program.wait()
    for stream in (program.stdout, program.stderr):
        if stream is not None:
            stream.close()


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        install_c_library()

    def test_no_program_is_forgotten(self) -> None:
        """A block without a mark is a text, or it is in Rust on the page that the core crate has as doctests."""
        for page in pages():
            for block in blocks_of(page):
                with self.subTest(page=str(page.relative_to(ROOT)), line=block.line):
                    self.assertIn(block.verb, VERBS)
                    if not block.verb:
                        self.assertNotIn(block.language, PROGRAMS, "a program that nothing runs: say what is to be done with it")
                        self.assertTrue(block.language != "rust" or page.name in DOCTESTS, "a program that nothing runs")
                    if block.verb == "shown":
                        self.assertGreater(len(block.rest), 10, "why?")

    def play(self, page: Path) -> None:
        at = Page(page)
        try:
            for block in blocks_of(page):
                with self.subTest(page=str(page.relative_to(ROOT)), line=block.line):
                    self.play_block(at, block)
        finally:
            at.close()

    def play_block(self, at: Page, block: Block) -> None:
        name, _, until = block.rest.partition(" until ")
        name = name or f"line{block.line}.{block.language}"
        if block.verb == "run" and until:
            at.run_until(at.put(name, block.code), block.language, until)
        elif block.verb == "run":
            at.run(at.put(name, block.code), block.language)
        elif block.verb == "serve":
            at.serve(at.put(name, block.code), block.language)
        elif block.verb == "file":
            at.put(name, block.code)
        elif block.verb == "prints":
            self.assertEqual(at.printed, block.code)


def test_of(page: Path) -> Callable[[Programs], None]:
    def test(self: Programs) -> None:
        self.play(page)

    test.__doc__ = str(page.relative_to(ROOT))
    return test


for each in pages():
    if all(block.verb in STILL for block in blocks_of(each)):
        continue
    setattr(Programs, "test_" + re.sub(r"\W", "_", str(each.relative_to(ROOT).with_suffix(""))), test_of(each))

if __name__ == "__main__":
    unittest.main()
