"""Builds the site: make docs.

mdBook wants all pages in one folder. This copies them to target/docs-src, from wherever docs/SUMMARY.md says that they are,
with links that lead where they led: to a page of the site, or to a copy of the file. The pages of docs/api are written
from the header and from Python's sources; typedoc's and rustdoc's go beside the others.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from api_c import page_of as c_page
from api_python import page_of as python_page
from check_links import broken

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
STAGE = ROOT / "target" / "docs-src"
SITE = ROOT / "target" / "docs"
CHAPTER = re.compile(r"\[[^]]*\]\(([^)]+\.md)\)")
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)((?:#[^)]*)?\))")
PICTURE = re.compile(r'(\bsrc(?:set)?=")(?!\w+:)([^"\s]+)(")')  # in HTML
FENCE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)  # in brackets, so that split keeps them
MADE = "api"
RUST = """# Rust

The crate's own pages, by rustdoc: [sockline](rust/sockline/index.html).
"""
NODE = """# Node

The package's types, by typedoc: [sockline, and what it has for Socket.IO](node/index.html).
"""


def chapters() -> list[Path]:
    """The pages of the site, in the repository."""
    return [(DOCS / target).resolve() for target in CHAPTER.findall((DOCS / "SUMMARY.md").read_text())]


def place_of(page: Path) -> Path:
    """Where a page is on the site. The first one, README.md, is its index, and others are those of their folders."""
    named = page.with_name("index.md") if page.name == "README.md" else page
    if named.is_relative_to(DOCS):
        return named.relative_to(DOCS)
    return Path("index.md") if page == ROOT / "README.md" else Path("project") / named.relative_to(ROOT)


def stage(page: Path, places: dict[Path, Path]) -> None:
    target = STAGE / places[page]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(relink(page.read_text(), page, places))


def relink(text: str, page: Path, places: dict[Path, Path]) -> str:
    here = (STAGE / places[page]).parent

    def moved(found: re.Match[str]) -> str:
        goal = (page.parent / found[2]).resolve()
        if goal.is_dir() and (goal / "README.md") in places:
            goal = goal / "README.md"
        if goal not in places:
            return found[1] + os.path.relpath(copied(goal), here) + found[3]
        return found[1] + os.path.relpath(STAGE / places[goal], here) + found[3]

    parts = FENCE.split(text)
    return "".join(part if FENCE.fullmatch(part) else PICTURE.sub(moved, LINK.sub(moved, part)) for part in parts)


def copied(file: Path) -> Path:
    """A file of the repository that is no page, beside the pages."""
    if not file.is_relative_to(ROOT) or not file.exists():
        raise SystemExit(f"docs/build.py: a link leads to {file}, which is not there")
    target = STAGE / (file.relative_to(DOCS) if file.is_relative_to(DOCS) else Path("files") / file.relative_to(ROOT))
    if file.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    return target


def write_summary(places: dict[Path, Path]) -> None:
    text = (DOCS / "SUMMARY.md").read_text()
    for page, place in places.items():
        text = text.replace(f"({os.path.relpath(page, DOCS)})", f"({place})")
    (STAGE / "SUMMARY.md").write_text(text)


def write_api() -> None:
    folder = STAGE / MADE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "c.md").write_text(c_page((ROOT / "include/sockline.h").read_text()))
    (folder / "python.md").write_text(python_page(ROOT / "bindings/python/python"))
    (folder / "node.md").write_text(NODE)
    (folder / "rust.md").write_text(RUST)
    document_types(folder / "node")
    subprocess.run(["cargo", "doc", "--quiet", "--locked", "--no-deps", "-p", "sockline"], cwd=ROOT, check=True)
    shutil.copytree(ROOT / "target/doc", folder / "rust", dirs_exist_ok=True)


def document_types(folder: Path) -> None:
    """typedoc wants to see the compiler's settings beside the sources that it reads."""
    command = ["npx", "typedoc", "--options", "typedoc.json", "--out", str(folder)]
    subprocess.run(command, cwd=DOCS, check=True)


def main() -> None:
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    pages = [page for page in chapters() if not page.is_relative_to(DOCS / MADE)]
    places = {page: place_of(page) for page in pages}
    for page in pages:
        stage(page, places)
    write_summary(places)
    write_api()
    shutil.copy(DOCS / "book.toml", STAGE)
    subprocess.run([os.environ.get("MDBOOK", "mdbook"), "build", str(STAGE)], check=True)
    wrong = list(broken(SITE))
    if wrong:
        sys.exit("links that lead nowhere:\n  " + "\n  ".join(wrong))
    print(f"the site is at {SITE.relative_to(ROOT)}/index.html")


if __name__ == "__main__":
    main()
