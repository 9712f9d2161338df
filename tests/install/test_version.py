"""One version, everywhere."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "release"))

import version  # noqa: E402


class Version(unittest.TestCase):
    def setUp(self) -> None:
        """The files, in a folder where they may be spoilt."""
        copy = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, copy)
        for path in {place.path for place in version.PLACES} | {"CHANGELOG.md"}:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy / path)
        for name, value in (("ROOT", copy), ("CHANGELOG", copy / "CHANGELOG.md")):
            changed = mock.patch.object(version, name, value)
            changed.start()
            self.addCleanup(changed.stop)

    def test_all_files_name_the_same(self) -> None:
        self.assertEqual(version.differences(), [])

    def test_it_is_set_in_all_of_them(self) -> None:
        version.set_all("9.8.7-rc.1")
        self.assertEqual(version.current(), "9.8.7-rc.1")
        self.assertEqual(version.differences(), [])

    def test_each_that_differs_is_named(self) -> None:
        for place in version.PLACES[1:]:
            place.set("9.8.7")
            with self.subTest(place=place.path):
                self.assertEqual(version.differences(), [f"{place.path}: {place.of('9.8.7')}"] * len(place.found()))
            place.set(version.current())
        version.CHANGELOG.write_text("## [9.8.7] - 2026-01-31\n")
        self.assertEqual(version.differences(), ["CHANGELOG.md: 9.8.7"])

    def test_a_release_that_is_dated_stays_in_the_changelog(self) -> None:
        version.CHANGELOG.write_text("# Changelog\n\n## [1.0.0] - 2026-01-31\n\n- A line.\n")
        version.set_all("1.1.0")
        expected = "# Changelog\n\n## [1.1.0] - unreleased\n\n## [1.0.0] - 2026-01-31\n\n- A line.\n"
        self.assertEqual(version.CHANGELOG.read_text(), expected)

    def test_a_file_that_has_lost_it_is_an_error(self) -> None:
        (version.ROOT / "Cargo.toml").write_text("")
        with self.assertRaisesRegex(ValueError, "Cargo.toml names the version 0 times, not 1"):
            version.differences()


if __name__ == "__main__":
    unittest.main()
