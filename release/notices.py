"""Writes the licences of the crates that are compiled into what is released: notices.py CRATE… >LICENSE-THIRD-PARTY

    notices.py sockline-node                       for this machine's target
    notices.py --target TRIPLE sockline-python     for another one

Each crate's own licence files are taken, as cargo has unpacked them.
"""

import argparse
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from dependencies import Crate, crates_in, host_target

ROOT = Path(__file__).resolve().parent.parent
LICENCE_FILE = re.compile(r"(LICEN[CS]E|COPYING|COPYRIGHT|NOTICE|UNLICENSE)([-._].*)?", re.IGNORECASE)


def texts_of(crate: Crate) -> list[str]:
    """What the crate's folder says of its licence."""
    files = sorted(path for path in crate.folder.iterdir() if LICENCE_FILE.fullmatch(path.name) and path.is_file())
    return [path.read_text(errors="replace").strip() for path in files]


def notices(crates: list[Crate]) -> str:
    """The texts, each once, below the names of the crates that it is of."""
    names = defaultdict(list)
    for crate in crates:
        texts = texts_of(crate)
        for text in texts or [f"Its package has no text of its licence; it is {crate.licence}, of {crate.authors}."]:
            names[text].append(crate)
    parts = ["What is compiled into this package besides sockline itself, and Rust's standard library (MIT OR Apache-2.0):"]
    parts += [
        f"{'=' * 100}\n" + "\n".join(f"{crate.name} {crate.version} ({crate.licence})" for crate in owners) + f"\n\n{text}"
        for text, owners in names.items()
    ]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default=host_target())
    parser.add_argument("crates", nargs="+")
    options = parser.parse_args()
    sys.stdout.write(notices([crate for crate in crates_in(options.crates, [options.target]) if not crate.ours]))


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"notices: {error}")
