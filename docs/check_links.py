"""Do the site's links lead somewhere? Those between its pages, into them, and to pictures and files."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

LINK = re.compile(r'\b(?:href|src|srcset)="([^"]+)"')
ELSEWHERE = re.compile(r"[a-z+]+:|//")
ANCHOR = re.compile(r'\b(?:id|name)="([^"]+)"')
# Other tools have written these, and check their links themselves.
FOREIGN = ("api/node/", "api/rust/")
# The address of this one isn't known.
ANYWHERE = "404.html"


@cache
def anchors(page: Path) -> set[str]:
    return set(ANCHOR.findall(page.read_text()))


def is_foreign(page: Path, site: Path) -> bool:
    return str(page.relative_to(site)).startswith((*FOREIGN, ANYWHERE))


def broken(site: Path) -> Iterator[str]:
    """What leads nowhere, with the page that it is on."""
    for page in sorted(site.rglob("*.html")):
        if is_foreign(page, site):
            continue
        for link in sorted(set(LINK.findall(page.read_text()))):
            if not ELSEWHERE.match(link) and not leads_somewhere(html.unescape(link), page, site):
                yield f"{page.relative_to(site)}: {link}"


def leads_somewhere(link: str, page: Path, site: Path) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
    if target.is_dir():
        target /= "index.html"
    if not target.is_file() or not target.is_relative_to(site):
        return False
    return not anchor or target.suffix != ".html" or is_foreign(target, site) or unquote(anchor) in anchors(target)
