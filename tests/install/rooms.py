"""Empty rooms to install into: what is on the PATH there, and a registry for npm that knows our packages only."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"
NPM = ROOT / "target/npm"
WHEELS = ROOT / "target/pip"

sys.path.insert(0, str(ROOT / "tests/interop"))  # for the tests: `processes`


def only(folder: Path, pattern: str) -> Path:
    """The one file of this form that the last build has left."""
    (found,) = folder.glob(pattern)
    return found


@cache
def manifest(package: Path) -> dict[str, Any]:
    """The package.json in a .tgz."""
    with tarfile.open(package) as archive:
        content = archive.extractfile("package/package.json")
        assert content
        found: dict[str, Any] = json.load(content)
        return found


MAIN = only(NPM, "sockline-[0-9]*.tgz")
SOURCE = only(NPM, "sockline-source-*.tgz")
(PLATFORM,) = {path for path in NPM.glob("*.tgz")} - {MAIN, SOURCE}


class Room:
    """A folder with nothing but a PATH that has Node, and what is installed into it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sockline-room-"))
        self._bin = self.folder / "bin"
        self._bin.mkdir()
        for name in ("node", "npm"):
            program = shutil.which(name)
            assert program, f"{name} is not installed"
            (self._bin / name).symlink_to(Path(program).resolve())
        for name in ("cargo", "rustc", "cc", "sh"):
            assert not shutil.which(name, path=str(self._bin))

    def remove(self) -> None:
        shutil.rmtree(self.folder)

    def command(self, *words: str | Path) -> list[str | Path]:
        """It, with an environment of its own that names no more than this room."""
        return ["env", "-i", f"PATH={self._bin}", f"HOME={self.folder}", *words]

    def install(self, *words: str | Path) -> None:
        """Runs an installer, which also has what the environment says of proxies and registries."""
        environment = {name: value for name, value in os.environ.items() if not name.upper().startswith(("CARGO", "RUST"))}
        environment["PATH"] = str(self._bin)
        done = subprocess.run(words, env=environment, cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


class Registry:
    """What a registry would say of @sockline/*, with the one package that is built here, and names of the others."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self._documents = {f"/{name}": self._document(name) for name in manifest(MAIN)["optionalDependencies"]}
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = unquote(self.path)
                registry.requests.append(path)
                found = registry.answer(path, self.headers["Host"])
                self.send_response(200 if found else 404)
                self.send_header("Content-Length", str(len(found)))
                self.end_headers()
                self.wfile.write(found)

            def log_message(self, *what: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, path: str, host: str) -> bytes:
        if path == f"/{PLATFORM.name}":
            return PLATFORM.read_bytes()
        found = self._documents.get(path, "")
        return found.replace("HOST", host).encode()

    def _document(self, name: str) -> str:
        version = manifest(MAIN)["version"]
        built = manifest(PLATFORM)
        if name == built["name"]:
            told = built
        else:
            system, architecture, *libc = name.removeprefix("@sockline/").split("-")
            libcs = {"gnu": ["glibc"], "musl": ["musl"]}.get(libc[0] if libc else "")
            told = {"name": name, "version": version, "os": [system], "cpu": [architecture]} | ({"libc": libcs} if libcs else {})
        digest = base64.b64encode(hashlib.sha512(PLATFORM.read_bytes()).digest()).decode()
        file = PLATFORM.name if name == built["name"] else "not-built-here.tgz"
        distribution = {"tarball": f"http://HOST/{file}", "integrity": f"sha512-{digest}"}
        versions = {version: {**told, "dist": distribution}}
        return json.dumps({"name": name, "dist-tags": {"latest": version}, "versions": versions})
