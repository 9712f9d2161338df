#!/usr/bin/env python3
"""What each function itself costs in one of callgrind's files: profile.py FILE MESSAGES.

callgrind_annotate gives all of it to those functions that were being run when the count began, besides.
"""

import re
import sys
from collections import Counter
from pathlib import Path

LINES = 40


def costs(path: Path) -> Counter[str]:
    names: dict[str, str] = {}
    found: Counter[str] = Counter()
    function, is_callees = "", False
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if key in ("fn", "cfn") and (known := re.match(r"\((\d+)\)(?: (.*))?", value)):
            name = names.setdefault(known[1], known[2] or "?")
            function = name if key == "fn" else function
        elif key == "calls":
            is_callees = True  # the next line is what they cost, themselves and theirs
        elif cost := re.fullmatch(r"[-+*\d]\S* (\d+)", line):
            found[function] += 0 if is_callees else int(cost[1])
            is_callees = False
    return found


def main() -> None:
    path, messages = Path(sys.argv[1]), int(sys.argv[2])
    found = costs(path)
    total = found.total()
    print(f"{total / messages:12,.1f}         in all")
    for name, cost in found.most_common(LINES):
        print(f"{cost / messages:12,.1f} {cost / total:6.1%}  {name}")


main()
