"""Writes docs/compat/ for the packages of PyPI: `make compat`."""

from __future__ import annotations

import sys

import socketio_names
import websockets_names
from tables import Said, page, untrue

COMMAND = "make compat"
PAGES = {"websockets": websockets_names, "python-socketio": socketio_names}


def compared(package: str) -> tuple[list[str], Said, str]:
    """What the lists of a package say that is not so, the lists, and the page that follows from them."""
    said, sections = Said(package), PAGES[package].sections()
    return untrue(said, sections), said, page(said, sections, COMMAND)


def main() -> int:
    wrong = []
    for package in PAGES:
        lies, said, text = compared(package)
        wrong += [f"{package}, {line}" for line in lies]
        said.page.write_text(text)
    print("".join(f"{line}\n" for line in wrong), file=sys.stderr, end="")
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
