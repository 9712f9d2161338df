"""What was measured with what: the machine, the compilers, and every peer's version as it is installed."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import servers

DEBIAN = ("libwebsockets-dev", "libboost-dev", "redis-server", "libc6")
VERSION = re.compile(r"\d+(?:\.\d+)+\S*")


def machine() -> dict[str, object]:
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "virtual": "hypervisor" in Path("/proc/cpuinfo").read_text(),
        "system": platform.platform(),
        "kernel": platform.release(),
    }


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def source() -> dict[str, object]:
    """Which sockline this is."""
    return {
        "version": tomllib.loads((servers.ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"],
        "commit": said("git", "rev-parse", "--short=12", "HEAD"),
        "changed": bool(said("git", "status", "--porcelain", "--untracked-files=no")),
    }


def toolchain() -> dict[str, str]:
    commands = {
        "rustc": ("rustc", "--version"),
        "gcc": ("gcc", "-dumpfullversion"),
        "node": ("node", "--version"),
        "python": (str(servers.VENV / "bin/python"), "--version"),
        "python_of_ours": (str(servers.ROOT / ".venv/bin/python"), "--version"),
        "openssl": ("openssl", "version"),
    }
    return {name: version_in(said(*command)) for name, command in commands.items()}


def peers() -> dict[str, dict[str, str]]:
    """By the place that they come from, as they are installed, not as they were asked for."""
    return {
        "crates": crates(),
        "npm": npm(),
        "pypi": pypi(servers.VENV),
        "pypi_of_ours": pypi(servers.ROOT / ".venv", ("sockline", "uvloop")),
        "debian": debian(),
    }


def crates() -> dict[str, str]:
    """What the Rust rows depend on, and who does the cryptography, in the versions of the lock file that they are built with."""
    direct = {*tomllib.loads((servers.HERE / "Cargo.toml").read_text())["dependencies"], "ring", "aws-lc-rs"}
    locked = tomllib.loads((servers.HERE / "Cargo.lock").read_text())["package"]
    return {package["name"]: package["version"] for package in locked if package["name"] in direct - {"sockline"}}


def npm() -> dict[str, str]:
    wanted = json.loads((servers.NODE_PEER / "package.json").read_text())["dependencies"]
    manifests = {name: servers.NODE_PEER / "node_modules" / name / "package.json" for name in wanted}
    return {name: json.loads(path.read_text())["version"] for name, path in manifests.items() if path.exists()}


def pypi(venv: Path, wanted: tuple[str, ...] = ()) -> dict[str, str]:
    folders = [str(folder) for folder in venv.glob("lib/python3*/site-packages")]
    installed = {found.metadata["Name"]: found.version for found in distributions(path=folders)}
    names = [name for name in installed if (name in wanted if wanted else name not in ("pip", "setuptools"))]
    return {name: installed[name] for name in sorted(names, key=str.lower)}


def debian() -> dict[str, str]:
    found = {name: said("dpkg-query", "--show", "--showformat", "${Version}", name) for name in DEBIAN}
    return {name: version for name, version in found.items() if version}


def said(*command: str) -> str:
    """The first line of what a command prints; nothing where it is not there or fails."""
    try:
        done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else ""


def version_in(text: str) -> str:
    found = VERSION.search(text)
    return found[0] if found else text
