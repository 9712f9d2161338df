"""Programs for websockets' types are right with ours, too, when they change the import."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sockline

PROGRAMS = ("typed_websockets.py", "typed_websockets_sync.py")


@pytest.mark.seconds(300)  # mypy reads both packages
def test_a_strict_program_needs_another_import_only(tmp_path: Path) -> None:
    programs = []
    for name in PROGRAMS:
        text = (Path(__file__).parent / name).read_text()
        swapped = re.sub(r"from websockets\b", "from sockline", text).replace("import websockets\n", "import sockline as websockets\n")
        assert swapped != text
        for lib, program in (("theirs", text), ("ours", swapped)):
            programs.append(tmp_path / f"{lib}_{name}")
            programs[-1].write_text(program)
    environment = {**os.environ, "MYPYPATH": str(Path(sockline.__file__).parents[1])}
    if "site-packages" in environment["MYPYPATH"]:
        del environment["MYPYPATH"]  # it is found there, as a package with types
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", *map(str, programs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
