"""The programs in the documentation that packages bring along: docstrings, the description in a wheel, the pages of a source distribution.

They are read from the packages as installed, or as pip downloads them, and are nowhere in this repository.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOWNLOADS = Path(__file__).resolve().parents[2] / "target" / "sdists"
LITERAL = re.compile(r"^(?P<indent>\s*)(?P<lead>.*?)(?:::|\.\. code(?:-block)?:: *\w+)$")
NO_CODE = re.compile(r"^\.\. (?!code)\w+::")


@dataclass
class Block:
    name: str
    """Where it is: a module and what it describes, or a page and its section; and which one it is there."""
    code: str


def literals(text: str) -> Iterator[tuple[str, str]]:
    """The section and the text of each literal block of reStructuredText."""
    lines = text.expandtabs().split("\n")
    section, at = "", 0
    while at < len(lines):
        line = lines[at]
        if line.strip() and at + 1 < len(lines) and re.fullmatch(r"([-=~^])\1{3,}", lines[at + 1]):
            section = line.strip()
        found = LITERAL.match(line)
        at += 1
        if not found or NO_CODE.match(line.strip()):
            continue
        body = []
        while at < len(lines) and (not lines[at].strip() or _indent(lines[at]) > len(found["indent"])):
            body.append(lines[at])
            at += 1
        if any(body):
            yield section, _dedent(body)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _dedent(body: list[str]) -> str:
    common = min(_indent(line) for line in body if line.strip())
    return "\n".join(line[common:] for line in body).strip("\n") + "\n"


def _numbered(found: Iterator[tuple[str, str]]) -> list[Block]:
    seen: dict[str, int] = {}
    blocks = []
    for place, code in found:
        seen[place] = seen.get(place, 0) + 1
        blocks.append(Block(place if seen[place] == 1 else f"{place} ({seen[place]})", code))
    return blocks


def in_docstrings(package: str) -> list[Block]:
    """Those of all modules of a package, which are not imported."""
    spec = importlib.util.find_spec(package)
    assert spec and spec.submodule_search_locations
    root = Path(spec.submodule_search_locations[0])

    def found() -> Iterator[tuple[str, str]]:
        for file in sorted(root.rglob("*.py")):
            module = str(file.relative_to(root).with_suffix("")).replace("/", ".")
            for name, docstring in _docstrings(ast.parse(file.read_text()), ""):
                for _, code in literals(docstring):
                    yield f"{module} {name}", code

    return _numbered(found())


def _docstrings(node: ast.AST, outer: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{outer}{child.name}"
            if docstring := ast.get_docstring(child):
                yield name, docstring
            yield from _docstrings(child, f"{name}.")


def in_description(distribution: str) -> list[Block]:
    """Those of a distribution's README, which its wheel has as its description."""
    text = importlib.metadata.metadata(distribution).get_payload()
    assert isinstance(text, str)
    return _numbered((f"README {section}", code) for section, code in literals(text))


def in_pages(distribution: str) -> list[Block]:
    """Those of the pages in ``docs/`` of a distribution's sources, of the version that is installed."""
    version = importlib.metadata.version(distribution)
    name = f"{distribution.replace('-', '_')}-{version}"
    archive = DOWNLOADS / f"{name}.tar.gz"
    if not archive.exists():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
        subprocess.run([*command, "--dest", str(DOWNLOADS), f"{distribution}=={version}"], check=True, timeout=120)

    def found() -> Iterator[tuple[str, str]]:
        with tarfile.open(archive) as files:
            for member in sorted(files.getnames()):
                page = re.fullmatch(rf"{re.escape(name)}/docs/(\w+)\.rst", member)
                content = files.extractfile(member) if page else None
                if page and content:
                    yield from ((f"{page[1]}: {section}", code) for section, code in literals(content.read().decode()))

    return _numbered(found())
