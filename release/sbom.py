"""Writes what a release is made of, as CycloneDX 1.6: sbom.py >sockline-X.Y.Z.cyclonedx.json

The crates that are compiled into the library, the addon and the Python module, and what npm and pip install beside them.
It says the same each time and on each machine: it has no time and no serial number, and the crates of all platforms that
something is published for.
"""

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

from dependencies import PUBLISHED, ROOT, Crate, crates_in
from version import current

FACES = ["sockline-ffi", "sockline-node", "sockline-python"]
ROOT_REF = "sockline"
NPM_ROOT = "pkg:npm/sockline"
PYPI_ROOT = "pkg:pypi/sockline"


def library(purl: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "purl": purl, **more}


def licensed(expression: str) -> dict[str, Any]:
    return {"licenses": [{"expression": expression}]}


def crate_components(crates: list[Crate]) -> Iterator[dict[str, Any]]:
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    checksums = {(crate["name"], crate["version"]): crate.get("checksum") for crate in locked}
    for crate in crates:
        checksum = checksums[crate.name, crate.version]
        hashes = {"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {}
        yield library(crate.purl, crate.name, version=crate.version, **licensed(crate.licence), **hashes)


class NpmLock:
    """What users of the npm package get, by the lock file: `npm sbom` leaves out what tests need, too."""

    def __init__(self) -> None:
        locked = json.loads((ROOT / "bindings/node/package-lock.json").read_text())["packages"]
        self._packages = {path: found for path, found in locked.items() if path == "" or not found.keys() & {"dev", "peer"}}

    def components(self) -> Iterator[dict[str, Any]]:
        """Each package once, though it may lie in several folders."""
        found = {self._purl(path): path for path in sorted(self._packages) if path}
        for purl, path in found.items():
            package = self._packages[path]
            algorithm, digest = package["integrity"].split("-", 1)
            hashes = [{"alg": algorithm.upper().replace("SHA", "SHA-"), "content": base64.b64decode(digest).hex()}]
            licence = licensed(package["license"]) if "license" in package else {}
            yield library(purl, self._name(path), version=package["version"], hashes=hashes, **licence)

    def dependencies(self) -> dict[str, set[str]]:
        """What each needs, by purl; those of the package itself are under `NPM_ROOT`."""
        needs: dict[str, set[str]] = {}
        for path, package in self._packages.items():
            found = {self._purl(self._resolve(name, path)) for name in package.get("dependencies", {})}
            needs.setdefault(self._purl(path) if path else NPM_ROOT, set()).update(found)
        return needs

    def _resolve(self, name: str, folder: str) -> str:
        """Where Node finds a package that one in this folder asks for."""
        while (path := f"{folder}/node_modules/{name}".lstrip("/")) not in self._packages:
            if not folder:
                raise KeyError(name)
            folder = folder.rpartition("node_modules/")[0].rstrip("/")
        return path

    def _name(self, path: str) -> str:
        return path.rpartition("node_modules/")[2]

    def _purl(self, path: str) -> str:
        return f"pkg:npm/{self._name(path).replace('@', '%40')}@{self._packages[path]['version']}"


def python_requirements() -> dict[str, str]:
    """What pip installs beside the wheel, and in which versions."""
    project = tomllib.loads((ROOT / "bindings/python/pyproject.toml").read_text())["project"]
    matches = [re.fullmatch(r"([\w.-]+)(.*)", requirement) for requirement in project["dependencies"]]
    return {match[1]: match[2] for match in matches if match}


def python_component(name: str, versions: str) -> dict[str, Any]:
    return library(f"pkg:pypi/{name}", name, properties=[{"name": "sockline:versions", "value": versions}])


def dependencies(crates: list[Crate], npm: NpmLock, pypi: dict[str, str]) -> dict[str, set[str]]:
    """Each component, and those that it needs itself."""
    crate_purls = {(crate.name, crate.version): crate.purl for crate in crates}
    face = {crate.name: crate.purl for crate in crates if crate.name in FACES}
    needs = npm.dependencies()
    needs[ROOT_REF] = {NPM_ROOT, PYPI_ROOT, face["sockline-ffi"]}
    needs[NPM_ROOT].add(face["sockline-node"])
    needs[PYPI_ROOT] = {face["sockline-python"], *(f"pkg:pypi/{name}" for name in pypi)}
    needs.update({crate.purl: {crate_purls[found] for found in crate.depends} for crate in crates})
    return needs


def bill(version: str) -> dict[str, Any]:
    """The whole document."""
    crates, npm, pypi = crates_in(FACES, PUBLISHED), NpmLock(), python_requirements()
    ours = licensed("MIT OR Apache-2.0")
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": ROOT_REF, "name": "sockline", "version": version, **ours}},
        "components": [
            library(NPM_ROOT, "sockline", version=version, **ours),
            library(PYPI_ROOT, "sockline", version=version, **ours),
            *crate_components(crates),
            *npm.components(),
            *(python_component(name, versions) for name, versions in pypi.items()),
        ],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(needs)} for ref, needs in sorted(dependencies(crates, npm, pypi).items())
        ],
    }


def main() -> None:
    json.dump(bill(current()), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
