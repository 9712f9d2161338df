"""The version, which many files have to name: version.py [X.Y.Z]

Without an argument it says which files differ from the workspace's Cargo.toml, and fails if any does. With one it sets
all of them, and heads the unreleased section of CHANGELOG.md with it, or begins one. What is not in PLACES derives it: the Python
package and the C header's functions from Cargo, what is packed for npm from package.json, pkg-config's file as it is installed.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
CORE = r'^name = "sockline"\nversion = "(.+)"$'
MEMBERS = r'^name = "sockline(?:-[a-z]+)?"\nversion = "(.+)"$'
NPM = r'^ {2}"name": "sockline",\n {2}"version": "(.+)",$'


@dataclass(frozen=True)
class Place:
    """Where a file names the version: the first group of each match of the pattern."""

    path: str
    pattern: str
    count: int
    """So many matches there are at least."""
    part: int | None = None
    """Only this number of the version is named."""

    def of(self, version: str) -> str:
        """What it has to name."""
        return version if self.part is None else version.partition("-")[0].split(".")[self.part]

    def found(self) -> list[str]:
        """The versions that it names."""
        found = re.findall(self.pattern, (ROOT / self.path).read_text(), re.MULTILINE)
        if len(found) < self.count:
            raise ValueError(f"{self.path} names the version {len(found)} times, not {self.count}")
        return found

    def set(self, version: str) -> None:
        """Has it name this one."""

        def renamed(match: re.Match[str]) -> str:
            start = match.start(1) - match.start()
            return match[0][:start] + self.of(version) + match[0][start + len(match[1]) :]

        path = ROOT / self.path
        path.write_text(re.sub(self.pattern, renamed, path.read_text(), flags=re.MULTILINE))


PARTS = ("MAJOR", "MINOR", "PATCH")
PLACES = [
    Place("Cargo.toml", r'^version = "(.+)"$', 1),
    Place("Cargo.lock", MEMBERS, 5),
    Place("core/benches/side_by_side/Cargo.lock", CORE, 1),
    Place("core/fuzz/Cargo.lock", CORE, 1),
    Place("bindings/node/package.json", NPM, 1),
    Place("bindings/node/package-lock.json", r'^(?: {2}| {6})"name": "sockline",\n +"version": "(.+)",$', 2),
    Place("include/sockline.h", r'^#define SOCKLINE_VERSION "(.+)"$', 1),
    *[Place("include/sockline.h", rf"^#define SOCKLINE_VERSION_{name} (\d+)$", 1, part) for part, name in enumerate(PARTS)],
    Place("examples/node/package-lock.json", r'^ {6}"name": "sockline",\n +"version": "(.+)",$', 1),
]
CHANGELOG = ROOT / "CHANGELOG.md"
SECTION = re.compile(r"^## \[(\S+)\] - (unreleased|\d{4}-\d\d-\d\d)$", re.MULTILINE)


def current() -> str:
    """The workspace's."""
    return PLACES[0].found()[0]


def differences() -> list[str]:
    """What names another version, and which."""
    version = current()
    wrong = [f"{place.path}: {found}" for place in PLACES for found in place.found() if found != place.of(version)]
    top = SECTION.search(CHANGELOG.read_text())
    if not top or top[1] != version:
        wrong.append(f"CHANGELOG.md: {top[1] if top else 'no section'}")
    return wrong


def set_all(version: str) -> None:
    """Has all files name it."""
    for place in PLACES:
        place.found()  # each is checked before it is written
        place.set(version)
    text = CHANGELOG.read_text()
    top = SECTION.search(text)
    if top and top[1] != version:
        rest = text[top.end() :].lstrip() if top[2] == "unreleased" else text[top.start() :]
        CHANGELOG.write_text(f"{text[: top.start()]}## [{version}] - unreleased\n\n{rest}")


def main() -> None:
    if len(sys.argv) > 2 or (len(sys.argv) == 2 and not VERSION.fullmatch(sys.argv[1])):
        sys.exit("usage: version.py [X.Y.Z]")
    if len(sys.argv) == 2:
        set_all(sys.argv[1])
    wrong = differences()
    if wrong:
        sys.exit(f"The version is {current()}, but not in\n  " + "\n  ".join(wrong))
    print(current())


if __name__ == "__main__":
    try:
        main()
    except (OSError, ValueError) as error:
        sys.exit(f"version: {error}")
