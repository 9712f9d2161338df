#!/usr/bin/env python3
"""The guard of the binary interface lets through what programs don't notice, and nothing else. It needs gcc and abidiff."""

import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
CHECK = ROOT / "ffi" / "abi" / "check.py"
HEADER = (ROOT / "ffi" / "abi" / "accepted.h").read_text()


def run(*arguments):
    return subprocess.run([CHECK, *arguments], capture_output=True, text=True)


class Layout(unittest.TestCase):
    def layout(self, *changes):
        """Checks the accepted header with changes, each of which has to apply once."""
        text = HEADER
        for pattern, replacement in changes:
            text, count = re.subn(pattern, replacement, text, count=1, flags=re.S | re.M)
            self.assertEqual(count, 1, pattern)
        with tempfile.TemporaryDirectory() as folder:
            header = Path(folder) / "sockline.h"
            header.write_text(text)
            return run("layout", header)

    def passes(self, *changes):
        found = self.layout(*changes)
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)

    def fails(self, word, *changes):
        found = self.layout(*changes)
        self.assertEqual(found.returncode, 1, changes)
        self.assertIn(word, found.stderr)
        self.assertIn("make abi-accept", found.stderr)

    def test_the_same_header(self):
        self.passes()

    def test_a_new_function(self):
        self.passes((r"^const char \*sockline_version\(void\);", r"int sockline_new(int a);\n\g<0>"))

    def test_a_new_field_at_the_end_of_a_struct_with_a_size(self):
        self.passes((r"^\} sockline_options;", r"    uint64_t more;\n\g<0>"))

    def test_a_new_number(self):
        self.passes((r"(SOCKLINE_ERR_TOPIC = -30,)", r"\1\n    SOCKLINE_ERR_NEW = -31,"))

    def test_a_lost_function(self):
        self.fails("sockline_version", (r"^const char \*sockline_version\(void\);", ""))

    def test_another_argument(self):
        self.fails("sockline_pause", (r"(sockline_pause\(sockline_ws \w+)\)", r"\1, int more)"))

    def test_another_type_of_an_argument(self):
        self.fails("sockline_pause", (r"(sockline_pause\()sockline_ws", r"\1uint32_t"))

    def test_another_number(self):
        self.fails("SOCKLINE_ERR_TOPIC", (r"SOCKLINE_ERR_TOPIC = -30", "SOCKLINE_ERR_TOPIC = -31"))

    def test_a_new_field_of_a_struct_without_a_size(self):
        self.fails("sockline_string", (r"^\} sockline_string;", r"    uint64_t more;\n\g<0>"))

    def test_a_new_field_elsewhere(self):
        self.fails("sockline_options", (r"^typedef struct sockline_options \{\s*size_t size;", r"\g<0>\n    uint64_t more;"))

    def test_a_new_field_at_the_end_does_not_hide_others(self):
        begin = r"^typedef struct sockline_options \{\s*size_t size;"
        self.fails("sockline_options", (begin, r"\g<0>\n    uint64_t more;"), (r"^\} sockline_options;", r"    int last;\n\g<0>"))

    def test_a_new_field_of_a_struct_that_is_part_of_others(self):
        self.fails("sockline_totals", (r"^\} sockline_totals;", r"    uint64_t more;\n\g<0>"))

    def test_another_type_of_a_callback(self):
        self.fails("on_open", (r"(\(\*on_open\)\()sockline_ws", r"\1uint32_t"))


class Symbols(unittest.TestCase):
    def symbols(self, names):
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder) / "library.c", Path(folder) / "library.so"
            source.write_text("".join(f"void {name}(void) {{}}\n" for name in names))
            subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
            return run("symbols", library)

    def names(self):
        lines = (ROOT / "ffi" / "abi" / "symbols").read_text().splitlines()
        return [line.split()[0] for line in lines if not line.startswith("#")]

    def test_the_listed_ones(self):
        found = self.symbols(self.names())
        self.assertEqual(found.returncode, 0, found.stderr)

    def test_a_lost_one(self):
        found = self.symbols(self.names()[1:])
        self.assertEqual(found.returncode, 1)
        self.assertIn(f"has lost {self.names()[0]}.", found.stderr)

    def test_one_that_is_not_listed(self):
        for name in ["sockline_new", "rust_eh_personality"]:
            found = self.symbols([*self.names(), name])
            self.assertEqual(found.returncode, 1)
            self.assertIn(f"shows {name}, not in", found.stderr)


if __name__ == "__main__":
    unittest.main()
