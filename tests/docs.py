"""The documents say what the code does: code blocks are cut from programs that run, links lead somewhere."""

import re
import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))
from api_c import page_of as c_page  # noqa: E402

BLOCK = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)```", re.DOTALL)
TEST = re.compile(r"`([\w./-]+)::([^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
ANCHOR = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PICTURE = re.compile(r'\bsrc(?:set)?="(?!https?:)([^"]+)"')
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
MAKE = re.compile(r"`make ([a-z0-9-]+)")
MADE = re.compile(r"^(?:sudo )?make ([a-z][a-z0-9-]*)", re.MULTILINE)  # in a block
RUN = re.compile(r"run: (?!apk).*\bmake ([a-z][a-z0-9-]*)")
COMMAND = re.compile(r"\bsockline (connect|listen|io|bench)\b([^`|>#\n]*)")
FLAG = re.compile(r" (--?[a-z][a-z-]*)")
STATUS = re.compile(r"/\*\* ((?:(?!\*/).)*?) ?\*/\n    (SOCKLINE_ERR_\w+) = (-\d+),", re.DOTALL)


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines()]


def anchors(document: Path) -> set[str]:
    """What a link into a page may name: its headings, as GitHub and mdBook write them."""
    titles = HEADING.findall(FENCE.sub("", document.read_text()))
    shown = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).lower() for title in titles]
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in shown}


def has_test(path: str, name: str) -> bool:
    """Whether a file defines a test of this name, in whatever language it is written."""
    places = [place for place in (ROOT / path, ROOT / "core" / path, ROOT / "core/tests" / path) if place.is_file()]
    defined = rf"(fn|def|void) {re.escape(name)}\(|^{re.escape(name)}\(\)|test\(['\"`]{re.escape(name)}['\"`]|`\$\{{name\}}: {re.escape(name)}`"
    return len(places) == 1 and re.search(defined, places[0].read_text(), re.MULTILINE) is not None


class Documents(unittest.TestCase):
    def test_code_blocks_are_cut_from_their_files(self) -> None:
        blocks = 0
        for document in tracked("*.md"):
            for path, code in BLOCK.findall(document.read_text()):
                with self.subTest(document=document.name, source=path):
                    self.assertIn(code, (ROOT / path).read_text())
                blocks += 1
        self.assertGreater(blocks, 2)

    def test_links_lead_somewhere(self) -> None:
        for document in tracked("*.md"):
            text = FENCE.sub("", document.read_text())
            for target in LINK.findall(text) + PICTURE.findall(text):
                if document.name == "SUMMARY.md" and target.startswith("api/"):
                    continue  # written when the site is built
                with self.subTest(document=document.name, link=target):
                    self.assertTrue((document.parent / target).exists())

    def test_links_into_pages_name_a_heading(self) -> None:
        for document in tracked("*.md"):
            for target, anchor in ANCHOR.findall(FENCE.sub("", document.read_text())):
                page = document.parent / target if target else document
                if page.suffix == ".md":
                    with self.subTest(document=document.name, link=f"{target}#{anchor}"):
                        self.assertIn(anchor, anchors(page))

    def test_every_make_target_that_is_named_exists(self) -> None:
        makefile = "\n".join(path.read_text() for path in [ROOT / "Makefile", *tracked("*.mk")])
        for document in tracked("*.md"):
            text = document.read_text()
            for target in MAKE.findall(text) + MADE.findall("\n".join(FENCE.findall(text))):
                with self.subTest(document=document.name, target=target):
                    self.assertRegex(makefile, rf"(?m)^{target}:")
        for workflow in tracked(".github/workflows/*.yml"):
            for target in RUN.findall(workflow.read_text()):
                with self.subTest(workflow=workflow.name, target=target):
                    self.assertRegex(makefile, rf"(?m)^{target}:")

    def test_every_test_that_is_named_exists(self) -> None:
        named = TEST.findall((ROOT / "tests/traps.md").read_text())
        self.assertGreater(len(named), 100)
        for path, name in named:
            with self.subTest(path=path, name=name):
                self.assertTrue(has_test(path, name))

    def test_every_trap_has_a_test(self) -> None:
        rows = [line for line in (ROOT / "tests/traps.md").read_text().splitlines() if line.startswith("| ")]
        for row in rows:
            if row != "| what hurt | where it was met | tests |":
                with self.subTest(row=row):
                    self.assertRegex(row.split("|")[3], TEST)

    def test_the_command_has_the_flags_that_are_named(self) -> None:
        manual = (ROOT / "docs/command.md").read_text()
        for document in tracked("*.md"):
            for command, rest in COMMAND.findall(document.read_text()):
                usage = manual[manual.index(f"Usage: sockline {command}") : manual.index(f"<!-- help {command} -->")]
                for flag in FLAG.findall(rest):
                    with self.subTest(document=document.name, command=command, flag=flag):
                        self.assertRegex(usage, rf"(?m)^ .*?{flag}[,= [\n]")

    def test_the_table_of_errors_is_the_headers(self) -> None:
        told = STATUS.findall((ROOT / "include/sockline.h").read_text())
        self.assertGreater(len(told), 30)
        page = (ROOT / "docs/guides/errors.md").read_text()
        for text, name, number in told:
            with self.subTest(name=name):
                meaning = " ".join(text.replace("\n     *", " ").split())
                self.assertIn(f"| `{name}` | {number} | {meaning} |\n", page)

    def test_the_site_has_every_page(self) -> None:
        chapters = {(ROOT / "docs" / target).resolve() for target in re.findall(r"\(([^)]+\.md)\)", (ROOT / "docs/SUMMARY.md").read_text())}
        made = {chapter for chapter in chapters if chapter.parent == ROOT / "docs/api"}
        pages = set(tracked("docs/*.md")) - {ROOT / "docs/SUMMARY.md"}
        self.assertLessEqual(pages, chapters)
        self.assertEqual([chapter for chapter in chapters - made if not chapter.exists()], [])

    def test_the_page_of_the_header_has_every_name(self) -> None:
        header = (ROOT / "include/sockline.h").read_text()
        names = set(re.findall(r"(?m)^(?!static|#)\S.*?\b(sockline_\w+)(?<!_init)\(|^typedef (?:struct|enum) (sockline_\w+)", header))
        page = c_page(header)
        self.assertGreater(len(names), 200)
        for name in names:
            with self.subTest(name=name[0] or name[1]):
                self.assertTrue(f"### {name[0] or name[1]}\n" in page)


if __name__ == "__main__":
    unittest.main()
