"""The wheel and the packages for npm, installed into empty folders, without Rust: they work, and with each other."""

import json
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from rooms import EXAMPLES, MAIN, PLATFORM, WHEELS, Registry, Room, manifest, only

from processes import ProcessTest  # isort: skip; rooms tells where it is

BUILT = manifest(PLATFORM)["name"]
FOLDER = BUILT.removeprefix("@sockline/")
COUNT = "1000"


class Rooms(ProcessTest):
    """One room for both languages; what spoils it takes a copy."""

    room: Room
    registry: Registry
    programs: dict[str, list[str | Path]]

    @classmethod
    def setUpClass(cls) -> None:
        cls.room = Room()
        cls.addClassCleanup(cls.room.remove)
        cls.registry = Registry()
        cls.addClassCleanup(cls.registry.close)
        cls.programs = {"python": cls.install_python(), "node": cls.install_node()}

    @classmethod
    def install_python(cls) -> list[str | Path]:
        subprocess.run([sys.executable, "-m", "venv", cls.room.folder / "venv"], check=True)
        python = cls.room.folder / "venv/bin/python"
        cls.room.install(python, "-m", "pip", "install", "--quiet", "--only-binary=:all:", only(WHEELS, "*.whl"))
        shutil.copytree(EXAMPLES / "python", cls.room.folder / "python")
        return cls.room.command(python)

    @classmethod
    def install_node(cls) -> list[str | Path]:
        project = cls.room.folder / "node"
        project.mkdir()
        for program in (EXAMPLES / "node").glob("*.js"):
            shutil.copy(program, project)
        (project / "package.json").write_text('{ "private": true }')
        (project / ".npmrc").write_text(f"@sockline:registry={cls.registry.url}\n")
        options = ["--ignore-scripts", "--no-audit", "--no-fund", f"--cache={cls.room.folder / 'cache'}"]
        cls.room.install("npm", "install", "--prefix", project, *options, MAIN)
        return cls.room.command("node")

    def program(self, language: str, name: str) -> list[str | Path]:
        suffix = {"python": "py", "node": "js"}[language]
        return [*self.programs[language], self.room.folder / language / f"{name}.{suffix}"]

    def test_across(self) -> None:
        for server, client in (("python", "node"), ("node", "python")):
            with self.subTest(server=server, client=client):
                echo = self.serve([*self.program(server, "echo_server"), "0"])
                self.run_to_end([*self.program(client, "echo_client"), echo.url(), COUNT, "100"])
                io_echo = self.serve([*self.program(server, "io_echo_server"), "0"])
                self.run_to_end([*self.program(client, "io_echo_client"), io_echo.url(scheme="http"), COUNT])

    def test_npm_brings_the_addon_of_this_platform_only(self) -> None:
        scope = self.room.folder / "node/node_modules/@sockline"
        self.assertEqual([f"@sockline/{found.name}" for found in scope.iterdir()], [BUILT])
        fetched = [path for path in self.registry.requests if path.endswith(".tgz")]
        self.assertEqual(fetched, [f"/{PLATFORM.name}"])

    def test_the_wheel_says_its_version(self) -> None:
        say = "import importlib.metadata as m, sockline; print(m.version('sockline'), sockline.__version__)"
        told = self.run_to_end([*self.programs["python"], "-c", say]).rest()
        self.assertEqual(told, [" ".join([manifest(MAIN)["version"]] * 2)])

    def test_both_have_the_same_command(self) -> None:
        programs = [self.room.folder / "venv/bin/sockline", self.room.folder / "node/node_modules/.bin/sockline"]
        for flag in ("--version", "--help"):
            wheel, npm = (self.run_to_end([*self.room.command(program), flag]).rest() for program in programs)
            self.assertEqual(wheel, npm)
            self.assertIn("sockline", "".join(wheel))

    def require(self, changes: str, script: str, status: int = 0) -> str:
        """What a script prints where this has been done to the folder node_modules/@sockline."""
        copy = self.room.folder / "changed"
        self.addCleanup(shutil.rmtree, copy)
        shutil.copytree(self.room.folder / "node/node_modules", copy / "node_modules")
        prelude = f"const fs = require('fs'); process.chdir('{copy}/node_modules/@sockline'); {changes};"
        (copy / "script.js").write_text(f"{prelude} {script}")
        process = self.run_to_end([*self.programs["node"], copy / "script.js"], status)
        return "\n".join(process.rest()) + process.errors

    def test_an_addon_that_is_missing_is_named(self) -> None:
        told = self.require(f"fs.rmSync('{FOLDER}', {{ recursive: true }})", "require('sockline')", status=1)
        self.assertIn(f"{BUILT} is not installed", told)
        self.assertIn("--omit=optional", told)
        self.assertIn("npm install @sockline/source@", told)

    def test_a_platform_without_an_addon_is_named(self) -> None:
        pretend = "Object.defineProperty(process, 'platform', { value: 'sunos' })"
        self.assertIn("none prebuilt for sunos-", self.require(pretend, "require('sockline')", status=1))

    def test_windows_is_told_that_it_is_not_supported(self) -> None:
        pretend = "Object.defineProperty(process, 'platform', { value: 'win32' })"
        self.assertIn("does not run on Windows", self.require(pretend, "require('sockline')", status=1))

    def test_what_the_sources_have_built_is_taken(self) -> None:
        source = json.dumps({"name": "@sockline/source", "version": manifest(MAIN)["version"], "main": "sockline.node"})
        rename = f"fs.renameSync('{FOLDER}', 'source'); fs.writeFileSync('source/package.json', '{source}')"
        self.assertIn("function", self.require(rename, "console.log(typeof require('sockline'))"))

    def test_an_addon_of_another_version_is_refused(self) -> None:
        other = json.dumps({**manifest(PLATFORM), "version": "9.9.9"})
        told = self.require(f"fs.writeFileSync('{FOLDER}/package.json', '{other}')", "require('sockline')", status=1)
        self.assertIn(f"needs {BUILT} {manifest(MAIN)['version']}, and 9.9.9 is installed", told)

    def test_of_two_c_libraries_the_own_one_is_taken(self) -> None:
        system = "-".join(BUILT.split("-")[:2])
        for name in manifest(MAIN)["optionalDependencies"]:
            if name.startswith(system) and name != BUILT:
                other = name.removeprefix("@sockline/")
                broken = f"fs.cpSync('{FOLDER}', '{other}', {{ recursive: true }}); fs.writeFileSync('{other}/sockline.node', 'none')"
                self.assertIn("function", self.require(broken, "console.log(typeof require('sockline'))"))


if __name__ == "__main__":
    unittest.main()
