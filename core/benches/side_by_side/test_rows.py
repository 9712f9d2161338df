"""That what the rows name is there. Run by `make test`; it measures nothing and builds nothing."""

from __future__ import annotations

import unittest
from pathlib import Path

import servers
from cases import CASES, IDLE_CASES, LOAD_OPTIONS
from clients import KINDS
from rows import ROWS
from servers import BIN, BUILD, HERE, ROOT, Row

C_SOURCES = {
    servers.LWS: "peers/lws/echo_server.c",
    servers.BEAST_SERVER: "peers/beast/echo_server.cpp",
    servers.BEAST_CLIENT: "peers/beast/client.cpp",
    servers.C_SERVER: "ours/server.c",
    servers.C_CLUSTER: "ours/cluster.c",
    servers.C_CLIENT: "ours/client.c",
    servers.C_IO_CLIENT: "ours/io_client.c",
}


def every_row() -> list[tuple[str, Row]]:
    return [(kind, row) for kind, rows in ROWS.items() for row in rows()]


def source(program: Path) -> Path:
    """What a program is built from: those of Rust and C that are here, and the examples."""
    if program.parent == BIN:
        return HERE / "src/bin" / f"{program.name}.rs"
    if program.parent == BUILD:
        return HERE / C_SOURCES[program]
    if program.parent == ROOT / "target/release/examples":
        return ROOT / "core/examples" / f"{program.name}.rs"
    if program.parent == ROOT / "examples/c/build":
        return ROOT / "examples/c" / f"{program.name}.c"
    return program


class Rows(unittest.TestCase):
    def test_every_program_is_there(self) -> None:
        for kind, row in every_row():
            program, *arguments = map(Path, row.command)
            scripts = [path for path in arguments if path.suffix in (".py", ".js")]
            interpreted = program.name in ("node", "python")
            for path in scripts if interpreted else [source(program)]:
                with self.subTest(kind=kind, row=row.name):
                    self.assertTrue(path.is_file(), path)
            self.assertEqual(interpreted, bool(scripts), row)

    def test_what_is_in_python_can_be_compiled(self) -> None:
        for script in [*HERE.glob("peers/python/*.py"), *HERE.glob("ours/*.py")]:
            compile(script.read_text(), str(script), "exec")

    def test_a_row_is_named_once_in_its_kind(self) -> None:
        for kind, rows in ROWS.items():
            names = [row.name for row in rows()]
            self.assertEqual(len(names), len(set(names)), kind)

    def test_every_case_has_rows_its_reference_among_them_in_every_round(self) -> None:
        for case in (*CASES, *IDLE_CASES):
            with self.subTest(case=case.name):
                reference = next(row for row in ROWS[case.kind]() if row.name == case.reference)
                self.assertEqual((reference.every, reference.always), (1, True))
                self.assertTrue(case.kind in KINDS or case.kind in LOAD_OPTIONS)


if __name__ == "__main__":
    unittest.main()
