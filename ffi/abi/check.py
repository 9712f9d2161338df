#!/usr/bin/env python3
"""Guards the binary interface: what programs that were linked before rely on.

    check.py symbols LIBRARY   what the library shows is what ffi/abi/symbols lists
    check.py layout [HEADER]   types and functions of the header against those of ffi/abi/accepted.h, by abidiff
    check.py accept [HEADER]   lists new functions in ffi/abi/symbols and writes ffi/abi/accepted.h anew

The library has no debug information about types, and needs none for this: of each header gcc makes a stub with an empty body
for each function, and abidiff (Debian's abigail-tools) compares the two.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parent.parent
SYMBOLS = HERE / "symbols"
ACCEPTED = HERE / "accepted.h"
HEADER = TOP / "include" / "sockline.h"

ADVICE = """
Programs that were linked before would break. If something can be added instead, add it: a new function, a new field at the
end of a struct that begins with its size, a new number. If it can't, then it is a new library:
    1. a new number of the soname: ffi/build.rs, SOCKLINE_ABI in ffi/install.mk, names of files and packages in ffi/debian
    2. a new major version in Cargo.toml (before 1.0: a new minor one), and a line in CHANGELOG.md that says so
    3. make abi-accept, after taking out of ffi/abi/symbols what is gone
"""


def bare(header: str) -> str:
    """A header without its comments."""
    return re.sub(r"\n\s*\n+", "\n", re.sub(r"[ \t]*(/\*.*?\*/|//[^\n]*)", "", header, flags=re.S)).lstrip()


def declared(header: str) -> list[tuple[str, str]]:
    """Name and prototype of each function of the header; inline ones are no part of the library."""
    pattern = r"^((?!static|typedef|inline|#)[\w \*]*?\b(sockline_\w+)\([^;{}]*\));"
    return [(name, prototype) for prototype, name in re.findall(pattern, bare(header), flags=re.M)]


def listed() -> dict[str, str]:
    """The functions that there have been so far, with the versions that they came with."""
    lines = [line.split() for line in SYMBOLS.read_text().splitlines() if not line.startswith("#")]
    return dict(line for line in lines if line)


def exported(library: Path) -> set[str]:
    """The names that a shared library or an archive shows."""
    dynamic = [] if library.suffix == ".a" else ["--dynamic"]
    command = ["nm", *dynamic, "--extern-only", "--defined-only", "--format=posix", str(library)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    entries = [line.split() for line in lines if len(line.split()) > 2]
    # An absolute one is the name of the symbols' version.
    return {name.split("@")[0] for name, kind, *_ in entries if kind != "A"}


def check_symbols(library: Path) -> bool:
    known, there = set(listed()), exported(library)
    gone, new = sorted(known - there), sorted(there - known)
    if gone:
        print(f"{library} has lost {', '.join(gone)}.\n{ADVICE}", file=sys.stderr)
    if new:
        print(f"{library} shows {', '.join(new)}, not in ffi/abi/symbols: make abi-accept lists new functions", file=sys.stderr)
    return not (gone or new)


def stub(header: Path, folder: Path) -> Path:
    """A library with the types and functions of a header, and nothing in them."""
    folder.mkdir()
    text = bare(header.read_text())
    functions = [f"{prototype} {{ __builtin_trap(); }}" for _, prototype in declared(text)]
    types = dict.fromkeys(re.findall(r"^(?:typedef .*?\b|\} )(sockline_\w+);", text, flags=re.M))
    # Also those that no function mentions, such as what callbacks get and the numbers of statuses.
    functions += [f"void sockline_abi_{name}({name} *it) {{ (void)it; }}" for name in types]
    source, library = folder / "stub.c", folder / "libsockline.so"
    source.write_text(f'#include "{header}"\n' + "\n".join(functions))
    subprocess.run(["gcc", "-g", "-shared", "-fPIC", "-w", "-Wl,-soname,libsockline.so", "-o", library, source], check=True)
    return library


def structs(header: Path) -> dict[str, str]:
    return dict(re.findall(r"^typedef struct (\w+) \{\n(.*?)^\}", bare(header.read_text()), flags=re.M | re.S))


def growing(header: Path, folder: Path) -> list[str]:
    """Has abidiff overlook structs that begin with their size, are part of no other, and only have new fields at their end.

    The library knows from the size which of them a program has.
    """
    before, now = structs(ACCEPTED), structs(header)
    parts = {name for body in now.values() for name in re.findall(r"^\s*(\w+) \w+;", body, flags=re.M)}
    grown = [
        name
        for name, body in before.items()
        if re.match(r"\s*size_t size;", body) and name not in parts and now.get(name, "") != body
        and now.get(name, "").startswith(body)
    ]
    if not grown:
        return []
    path = folder / "growing"
    path.write_text(f"[suppress_type]\ntype_kind = struct\nname_regexp = ^({'|'.join(grown)})$\nhas_size_change = yes\n")
    return ["--suppressions", str(path)]


def check_layout(header: Path) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rules = ["--no-added-syms", *growing(header, folder)]
        stubs = [stub(ACCEPTED, folder / "before"), stub(header, folder / "now")]
        found = subprocess.run(["abidiff", *rules, *stubs], capture_output=True, text=True)
    if found.returncode:
        print(f"{found.stdout}{found.stderr}\n{header.name} breaks what ffi/abi/accepted.h says.\n{ADVICE}", file=sys.stderr)
    return not found.returncode


def version() -> str:
    return re.search(r'^version = "(.*)"', (TOP / "Cargo.toml").read_text(), flags=re.M)[1]


def accept(header: Path) -> bool:
    known = listed()
    for name, _ in declared(header.read_text()):
        known.setdefault(name, version())
    first = SYMBOLS.read_text().splitlines()[0]
    SYMBOLS.write_text("\n".join([first, *(f"{name} {since}" for name, since in sorted(known.items()))]) + "\n")
    ACCEPTED.write_text("/* include/sockline.h as it was accepted last, for make abi. Not to be included. */\n" + bare(header.read_text()))
    return True


def main() -> int:
    what, *rest = sys.argv[1:] or [""]
    work = {"symbols": check_symbols, "layout": check_layout, "accept": accept}.get(what)
    if not work or (what == "symbols" and not rest):
        print(__doc__, file=sys.stderr)
        return 2
    return 0 if work(Path(rest[0]).resolve() if rest else HEADER) else 1


if __name__ == "__main__":
    sys.exit(main())
