"""What is in the packages: all that is needed, their licences, nothing that is only for us; and their names are true."""

import posixpath
import re
import subprocess
import tarfile
import tempfile
import unittest
import zipfile
from functools import cache
from pathlib import Path

from rooms import MAIN, NPM, PLATFORM, ROOT, SOURCE, WHEELS, manifest, only

LICENCES = {"LICENSE-APACHE", "LICENSE-MIT"}
NOTICES = "LICENSE-THIRD-PARTY"
FOREIGN = re.compile(r"(^|/)(tests?|fuzz|target|node_modules|__pycache__)/|\.(whl|tgz|pyc)$")


@cache
def files(archive: Path) -> set[str]:
    """The files of an archive that has all in one folder, below that."""
    with tarfile.open(archive) as opened:
        return {member.name.partition("/")[2] for member in opened if member.isfile()}


def text(archive: Path, name: str) -> str:
    with tarfile.open(archive) as opened:
        content = opened.extractfile(f"package/{name}")
        assert content
        return content.read().decode()


def named(value: object) -> set[str]:
    """The files that a package.json's exports name."""
    if isinstance(value, dict):
        return set().union(*map(named, value.values()))
    return {str(value).removeprefix("./")}


def required_by(name: str) -> set[str]:
    """The files of the package that one of its scripts requires."""
    named = re.findall(r"(?:require\(|from )'(\.[^']+)'", text(MAIN, name))
    names = [found for found in named if not found.endswith(".node")]  # what a checkout builds
    paths = [posixpath.normpath(posixpath.join(posixpath.dirname(name), found)) for found in names]
    directories = {posixpath.dirname(found) for found in files(MAIN)}
    return {whole(path, directories) for path in paths}


def whole(path: str, directories: set[str]) -> str:
    """As it is once Node has found it."""
    if path in directories:
        return f"{path}/index.js"
    return path if path.endswith((".js", ".mjs", ".json")) else f"{path}.js"


def newest_glibc(library: Path) -> tuple[int, ...]:
    """The newest version of glibc's symbols that it needs."""
    told = subprocess.run(["readelf", "--version-info", "--wide", library], capture_output=True, text=True, check=True)
    return max(tuple(map(int, version.split("."))) for version in re.findall(r"Name: GLIBC_([\d.]+)", told.stdout))


class Npm(unittest.TestCase):
    def test_the_package_has_what_it_names(self) -> None:
        packed, found = manifest(MAIN), files(MAIN)
        wanted = named(packed["exports"]) | {packed["main"], packed["types"], *named(packed.get("bin", {}))} | LICENCES
        self.assertEqual(wanted - found, set())
        self.assertEqual({path for name in found if name.endswith("js") for path in required_by(name)} - found, set())

    def test_the_package_has_nothing_else(self) -> None:
        foreign = {name for name in files(MAIN) if FOREIGN.search(name) or name.endswith((".rs", ".node", ".toml"))}
        self.assertEqual(foreign, set())

    def test_nothing_is_run_where_it_is_installed(self) -> None:
        for package in (MAIN, PLATFORM):
            self.assertNotIn("scripts", manifest(package))
            self.assertNotIn("devDependencies", manifest(package))

    def test_the_addon_has_its_notices(self) -> None:
        self.assertEqual(files(PLATFORM), {"package.json", "README.md", "sockline.node", NOTICES} | LICENCES)
        for crate in ("rustls ", "napi ", "aws-lc-sys "):
            self.assertIn(crate, text(PLATFORM, NOTICES))
        (libc,) = manifest(PLATFORM)["libc"] if "libc" in manifest(PLATFORM) else [None]
        self.assertEqual(libc == "musl", PLATFORM.name.split("-")[3] == "musl")

    def test_all_platforms_have_this_version(self) -> None:
        packed = manifest(MAIN)
        self.assertEqual({manifest(found)["version"] for found in NPM.glob("*.tgz")}, {packed["version"]})
        self.assertEqual(set(packed["optionalDependencies"].values()), {packed["version"]})
        self.assertIn(manifest(PLATFORM)["name"], packed["optionalDependencies"])

    def test_the_sources_are_a_workspace_with_its_lock_file(self) -> None:
        foreign = {name for name in files(SOURCE) if FOREIGN.search(name.replace("/tests/", "/")) or name.endswith(".node")}
        self.assertEqual(foreign, set())
        with tempfile.TemporaryDirectory() as folder, tarfile.open(SOURCE) as archive:
            archive.extractall(folder, filter="data")
            assert_resolves(Path(folder) / "package", "--locked")


class Python(unittest.TestCase):
    wheel = only(WHEELS, "*.whl")

    def test_the_wheel_has_types_and_licences(self) -> None:
        with zipfile.ZipFile(self.wheel) as archive:
            found = set(archive.namelist())
            (metadata,) = (name for name in found if name.endswith(".dist-info/METADATA"))
            told = archive.read(metadata).decode().split("\n\n")[0].splitlines()
        licences = {str(Path(metadata).parent / "licenses" / name) for name in LICENCES | {NOTICES}}
        self.assertEqual(({"sockline/py.typed", "sockline/_native.pyi"} | licences) - found, set())
        self.assertEqual({name for name in found if FOREIGN.search(name) or name.endswith(".rs")}, set())
        self.assertEqual({f"License-File: {name}" for name in LICENCES | {NOTICES}} - set(told), set())
        self.assertIn("License-Expression: MIT OR Apache-2.0", told)

    def test_the_wheel_is_for_all_python_versions_from_3_11_on(self) -> None:
        self.assertRegex(self.wheel.name, r"^sockline-[\d.]+-cp311-abi3-\w+\.whl$")

    def test_the_wheels_name_says_which_glibc_it_needs(self) -> None:
        told = re.search(r"-manylinux_(\d+)_(\d+)_\w+\.whl$", self.wheel.name)
        if told:  # elsewhere there is no glibc
            with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(self.wheel) as archive:
                library = archive.extract("sockline/_native.abi3.so", folder)
                self.assertLessEqual(newest_glibc(Path(library)), (int(told[1]), int(told[2])))

    def test_the_source_distribution_is_whole(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            command = [ROOT / ".venv/bin/maturin", "sdist", "-m", ROOT / "bindings/python/Cargo.toml", "-o", folder]
            subprocess.run(command, check=True, capture_output=True)
            sdist = only(Path(folder), "*.tar.gz")
            found = files(sdist)
            needed = {"pyproject.toml", "PKG-INFO", "README.md", "Cargo.toml", "Cargo.lock", "core/Cargo.toml", "core/src/lib.rs"}
            needed |= {"python/sockline/py.typed", "python/sockline/_native.pyi", "bindings/python/src/lib.rs"} | LICENCES
            self.assertEqual(needed - found, set())
            self.assertEqual({name for name in found if re.search(r"\.so$|(^|/)(fuzz|target|node_modules)/", name)}, set())
            with tarfile.open(sdist) as archive:
                archive.extractall(folder, filter="data")
            assert_resolves(Path(folder) / sdist.name.removesuffix(".tar.gz"))

    def test_the_licences_are_those_of_the_repository(self) -> None:
        for name in LICENCES:
            self.assertEqual((ROOT / "bindings/python" / name).read_text(), (ROOT / name).read_text())


def assert_resolves(folder: Path, *options: str) -> None:
    """All that a build needs is there, and in the versions of our lock file, without a network."""
    before = crates(folder)
    command = ["cargo", "metadata", "--offline", "--format-version=1", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert crates(folder) <= before <= crates(ROOT), "other versions than those of the lock file"


def crates(folder: Path) -> set[str]:
    return set(re.findall(r'^name = "(.+"\nversion = ".+)"$', (folder / "Cargo.lock").read_text(), re.MULTILINE))


if __name__ == "__main__":
    unittest.main()
