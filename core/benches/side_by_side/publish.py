#!/usr/bin/env python3
"""Keeps the results of a run in the repository: docs/bench/results.json, and the charts and tables that are made of it.

publish.py RAW.json…   takes the cases of these runs, in place of what was there of them
publish.py             draws and writes again what the results say, for instance after a change of a limit
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import drawn
import page
import published
import raw


def main(paths: list[str]) -> None:
    results = published.read()
    for path in paths:
        results = published.merged(results, raw.read(Path(path)))
    for written in write(results):
        print(written.relative_to(published.servers.ROOT))


def write(results: dict[str, Any]) -> list[Path]:
    """All files; pictures that are of no use any more are removed."""
    pictures = drawn.drawings(results)
    files = {published.RESULTS: published.text(results), **pictures, **page.pages(results)}
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for old in set(drawn.PICTURES.glob("*.svg")) - pictures.keys():
        old.unlink()
    return list(files)


if __name__ == "__main__":
    main(sys.argv[1:])
