"""What is compiled into a crate of the workspace, by `cargo metadata`."""

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SYSTEMS = ["unknown-linux-gnu", "unknown-linux-musl", "apple-darwin"]
PUBLISHED = [f"{architecture}-{system}" for architecture in ("x86_64", "aarch64") for system in SYSTEMS]
"""The targets that release/build.sh knows."""


@dataclass(frozen=True, order=True)
class Crate:
    """A crate, of the workspace or of a registry."""

    name: str
    version: str
    licence: str
    authors: str
    folder: Path
    ours: bool
    depends: frozenset[tuple[str, str]]
    """Name and version of each."""

    @property
    def purl(self) -> str:
        """Its address in SBOMs."""
        return f"pkg:cargo/{self.name}@{self.version}"


def host_target() -> str:
    """The triple of the compiler's own machine."""
    told = subprocess.run(["rustc", "-vV"], cwd=ROOT, capture_output=True, text=True, check=True)
    return next(line.removeprefix("host: ") for line in told.stdout.splitlines() if line.startswith("host: "))


def crates_in(names: Iterable[str], targets: Iterable[str]) -> list[Crate]:
    """These crates of the workspace and all that is linked into them for any of the targets: not what builds or tests them."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", *(f"--filter-platform={target}" for target in targets)]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    waiting = [found["id"] for found in packages.values() if found["name"] in set(names) and found["source"] is None]
    seen = set(waiting)
    while waiting:
        for dependency in linked(nodes[waiting.pop()], packages):
            if dependency not in seen:
                seen.add(dependency)
                waiting.append(dependency)
    return sorted(crate(packages[found], linked(nodes[found], packages), packages) for found in seen)


def linked(node: Any, packages: Any) -> list[str]:
    """The ids of a crate's dependencies that are in the library in the end."""
    return [
        dependency["pkg"]
        for dependency in node["deps"]
        if any(kind["kind"] is None for kind in dependency["dep_kinds"]) and not is_macro(packages[dependency["pkg"]])
    ]


def is_macro(package: Any) -> bool:
    return any("proc-macro" in target["kind"] for target in package["targets"])


def crate(package: Any, depends: list[str], packages: Any) -> Crate:
    return Crate(
        name=package["name"],
        version=package["version"],
        licence=(package["license"] or "see its text").replace("/", " OR "),
        authors=", ".join(package["authors"]) or f"the authors of {package['name']}",
        folder=Path(package["manifest_path"]).parent,
        ours=package["source"] is None,
        depends=frozenset((packages[found]["name"], packages[found]["version"]) for found in depends),
    )
