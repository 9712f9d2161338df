"""The charts and tables in docs/ are what the results say. Nothing is measured here."""

from __future__ import annotations

import json
import re
import unittest
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict
from pathlib import Path
from typing import Any

import charts
import clusters
import drawn
import elsewhere
import labels
import page
import plan
import published
import raw
import servers
import targets
from cases import CASES, IDLE_CASES
from charts import Bar, Line, Panel
from cluster_report import Part
from report import Case, Idle, IdleCase, Slice
from rows import ROWS

SVG = "{http://www.w3.org/2000/svg}"
AGAIN = "run core/benches/side_by_side/publish.py"
# Widths of a letter in parts of the font's size, as DejaVu Sans has them, which is wider than most.
REGULAR, BOLD = 0.56, 0.62


def figures(date: str, costs: dict[str, list[float]], case: Case = Case("echo64-d1", 64, 64, 1)) -> dict[str, Any]:
    slices = [
        Slice(case.name, row, number, 1000, 0.1, cost * 1000, 500.0, 10.0, 20.0, 66_000)
        for row, each in costs.items()
        for number, cost in enumerate(each)
    ]
    return {
        "form": raw.FORM,
        "date": date,
        "machine": {"cpu": "A CPU", "cores": 2, "memory_mib": 2048, "virtual": False, "kernel": "6.1"},
        "source": {"version": "1.2.3", "commit": "abc", "changed": False},
        "toolchain": {"rustc": "1", "gcc": "2", "node": "3", "python": "4", "openssl": "5"},
        "versions": {"npm": {"ws": "8.0.0"}},
        "settings": {"rounds": 15},
        "rows": {"echo": {"sockline_c": "…", "raw_tcp": "…"}},
        "cases": raw.described([case]),
        "foreign_share": {case.name: 0.5},
        "io_uring": {case.name: ["sockline_c"]},
        "failures": {case.name: {"picows": "missing"}},
        "slices": raw.as_dicts(slices),
        "idle": [],
        "clusters": {"parts": []},
    }


class Repository(unittest.TestCase):
    """What is committed."""

    def test_results_are_as_they_are_written(self) -> None:
        self.assertEqual(published.RESULTS.read_text(), published.text(published.read()), AGAIN)

    def test_charts_are_what_is_drawn_from_the_results(self) -> None:
        wanted = drawn.drawings(published.read())
        self.assertEqual(set(drawn.PICTURES.glob("*.svg")), set(wanted), AGAIN)
        for path, text in wanted.items():
            with self.subTest(chart=path.name):
                self.assertEqual(path.read_text(), text, AGAIN)

    def test_pages_say_what_the_results_say(self) -> None:
        for path, text in page.pages(published.read()).items():
            with self.subTest(page=path.name):
                self.assertEqual(path.read_text(), text, AGAIN)

    def test_pages_show_every_chart(self) -> None:
        shown = set(re.findall(r'(?:src|srcset)="(pictures/[^"]+)"', "".join(path.read_text() for path in page.PAGES)))
        there = {f"pictures/bench/{path.name}" for path in drawn.PICTURES.glob("*.svg")}
        self.assertEqual(shown, there)


class Names(unittest.TestCase):
    def test_every_row_has_a_name_for_readers(self) -> None:
        for kind, rows in ROWS.items():
            for row in rows() if kind != clusters.KIND else []:
                with self.subTest(kind=kind, row=row.name):
                    self.assertIn(row.name.removesuffix("_takeover"), labels.LABELS)

    def test_what_rows_are_made_of(self) -> None:
        there = {"npm": {"ws": "8.0.0", "bufferutil": "4.1.0"}, "pypi": {"python-socketio": "5.0"}, "debian": {}}
        self.assertEqual(labels.packages("node_ws", there), "ws 8.0.0, bufferutil 4.1.0")
        self.assertEqual(labels.packages("python_socketio_client_coroutine", there), "python-socketio 5.0")
        self.assertEqual(labels.packages("beast", there), "")

    def test_every_peer_has_a_version(self) -> None:
        peers = {row.name for kind, rows in ROWS.items() for row in rows() if labels.family(row.name) == "peer"}
        for row in peers:
            there = {place: {name: "1" for name in names} for place, names in everything().items()}
            with self.subTest(row=row):
                self.assertNotEqual(labels.packages(row, there), "")

    def test_numbers(self) -> None:
        told = [labels.number(value) for value in (0.05351, 0.3456, 1.2345, 12.345, 123.45, 12345.6, 0.0, 16, None)]
        self.assertEqual(told, ["0.054", "0.346", "1.23", "12.3", "123", "12,346", "0.000", "16", "–"])

    def test_what_was_measured_elsewhere_is_of_cases_that_there_are(self) -> None:
        names = {case.name for case in (*CASES, *IDLE_CASES)}
        for one in elsewhere.FIGURES["rows"]:
            with self.subTest(case=one["case"]):
                self.assertIn(one["case"], names)
                self.assertIn(one["row"], labels.LABELS)

    def test_groups_are_of_cases_that_there_are(self) -> None:
        names = {case.name for case in (*CASES, *IDLE_CASES)}
        for group in plan.GROUPS:
            self.assertLessEqual(set(group.cases), names)


class Merging(unittest.TestCase):
    EMPTY: dict[str, Any] = {"form": 1, "runs": {}, "cases": {}}

    def test_a_run_replaces_its_own_cases_only(self) -> None:
        first = figures("2026-01-01T00:00:00Z", {"sockline_c": [2.0] * 15, "raw_tcp": [1.0] * 15})
        other = figures("2026-02-02T00:00:00Z", {"sockline_c": [3.0] * 15, "raw_tcp": [1.0] * 15},
                        Case("echo64-d16", 64, 64, 16))  # fmt: skip
        again = figures("2026-03-03T00:00:00Z", {"sockline_c": [1.5] * 15, "raw_tcp": [1.0] * 15})
        results = published.merged(published.merged(self.EMPTY, first), other)
        self.assertEqual(list(results["runs"]), ["2026-01-01T00:00:00Z", "2026-02-02T00:00:00Z"])
        results = published.merged(results, again)
        self.assertEqual(list(results["runs"]), ["2026-02-02T00:00:00Z", "2026-03-03T00:00:00Z"])
        self.assertEqual(results["cases"]["echo64-d1"]["rows"]["sockline_c"]["ratio"], [1.5, 1.5, 1.5])
        self.assertEqual(results["cases"]["echo64-d16"]["rows"]["sockline_c"]["ratio"], [3.0, 3.0, 3.0])

    def test_verdicts_are_judged_by_the_limits_of_today(self) -> None:
        run = figures("2026-01-01T00:00:00Z", {"sockline_c": [1.2] * 15, "raw_tcp": [1.0] * 15})
        results = published.merged(self.EMPTY, run)
        target = next(one for one in targets.TARGETS if (one.case, one.row) == ("echo64-d1", "sockline_c"))
        self.assertEqual(published.verdict(results, target).word, "NO")
        looser = targets.Target(target.group, target.case, target.row, target.against, 1.2)
        self.assertEqual(published.verdict(results, looser).word, "yes")

    def test_what_is_written_is_read_again(self) -> None:
        run = figures("2026-01-01T00:00:00Z", {"sockline_c": [1.2] * 15, "raw_tcp": [1.0] * 15})
        results = published.merged(self.EMPTY, run)
        self.assertEqual(json.loads(published.text(results)), results)
        self.assertEqual(json.loads(raw.text(run)), run)

    def test_a_page_tells_what_was_missing_and_what_disturbed(self) -> None:
        run = figures("2026-01-01T00:00:00Z", {"raw_tcp": [1.0] * 15, "sockline_c": [1.2] * 15})
        results = published.merged(self.EMPTY, run)
        told = page.filled("before\n<!-- bench: groups -->\nold\n<!-- bench: end -->\nafter\n", results)
        self.assertTrue(told.startswith("before\n<!-- bench: groups -->\n"))
        self.assertTrue(told.endswith("<!-- bench: end -->\nafter\n"))
        self.assertNotIn("old\n", told)
        self.assertIn("picows: missing.", told)
        self.assertIn("Other processes took 50%", told)
        self.assertIn("With io_uring, so that sends to many leave together: sockline, C.", told)
        self.assertIn("| sockline, C | 1.20 | 1.20 … 1.20 | 1.20 |", told)
        self.assertIn("| uWebSockets * | 1.05 | – | 1.05 |", told)
        self.assertLess(told.index("| sockline, C |"), told.index("| TCP alone"))  # as the rows are listed

    def test_a_page_tells_what_is_not_settled(self) -> None:
        run = figures("2026-01-01T00:00:00Z", {"raw_tcp": [1.0] * 7})
        run["settings"]["rounds"] = 7
        told = page.caution(published.merged(self.EMPTY, run))
        self.assertIn("The run of 2026-01-01 had 7 rounds", told)
        self.assertIn("`echo64-d1` (50%)", told)
        run["settings"]["rounds"], run["foreign_share"] = 15, {"echo64-d1": 0.01}
        self.assertEqual(page.caution(published.merged(self.EMPTY, run)), "")

    def test_every_kind_of_case_finds_its_way_to_the_page(self) -> None:
        """Latencies, memory and clusters, which have other figures than the rest."""
        case = Case("latency-native", 64, 64, 1, "latency-native")
        run = figures("2026-01-01T00:00:00Z", {}, case)
        for row, slow in (("sockline_c", 40_000), ("beast", 50_000), ("libwebsockets", 90_000)):
            for number in range(1, 16):
                part = Slice(case.name, row, number, 10_000, 0.5, 5e4, 9e4, 9.0, 20.0, 0, 30.0, 70_000.0, 3.0,
                             [[9000, 9_900], [slow, 100]])  # fmt: skip
                run["slices"] += raw.as_dicts([part])
        idle = IdleCase("deflate-idle", 1024, 10_000, "deflate", echo=False)
        run["cases"].update(raw.described([idle]))
        run["idle"] = raw.as_dicts([Idle(idle.name, "sockline_c", 10_000, 0, 3_490_000, 3_490_000, 3e5)])
        run["clusters"]["parts"] = [
            asdict(Part("cluster2-classic", row, 2, "one", number, 10.0, 100, 1, 0.1, [cost, cost, 1.0], 2 * cost, 9.0,
                        1.0, 2.0, 1.0, 2.0, 0.1, 0.2))
            for row, cost in (("sockline_c", 40.0), ("socket_io", 100.0))
            for number in range(1, 16)
        ]  # fmt: skip
        results = published.merged(self.EMPTY, json.loads(raw.text(run)))
        self.assertEqual(json.loads(published.text(results)), results)
        told = page.groups(results) + page.goals(results) + page.also(results) + page.runs(results)
        self.assertIn("| sockline, C | 70,000 | 9.00 | 9.00 | 40.0 | 40.0 … 40.0 | 40.0 | 10% | 150,000 |", told)
        self.assertIn("| p99.9 of the round trip at half load, from C | Boost.Beast | 1.10 | 0.800 [0.800 … 0.800] | yes |", told)
        self.assertIn("| sockline, C | 349 | – | 30.0 |", told)
        self.assertIn("10,000 compressed, from C | bytes | 350 B | 349 B | yes |", told)
        self.assertIn("on 2 servers, classic, from C | socket.io | 0.50 | 0.400 [0.400 … 0.400] | yes |", told)
        self.assertEqual({path.name for path in drawn.drawings(results)},
                         {f"{name}-{theme.name}.svg" for name in ("latency", "memory") for theme in charts.THEMES})  # fmt: skip

    def test_curves_bend_where_a_unit_becomes_dearer_for_good(self) -> None:
        results: dict[str, Any] = self.EMPTY
        costs = {1: 20.0, 10: 9.0, 100: 6.0, 1000: 7.4, 10_000: 9.0, 19_000: 12.0}
        for month, (count, cost) in enumerate(costs.items(), 1):
            case = Case(f"growth-connections{count}", 64, count, 1, "growth")
            results = published.merged(results, figures(f"2026-{month:02}-01T00:00:00Z", {"sockline_c": [cost] * 5}, case))
        told = page.growth(results)
        self.assertIn("sockline, C: 20.0 µs for each message at 1, least at 100 with 6.00, and 12.0 at 19,000. "
                      "The line bends at 10,000.", told)  # fmt: skip
        self.assertEqual(page.growth(self.EMPTY), "")
        self.assertEqual([path.name for path in drawn.drawings(results)],
                         ["growth-connections-light.svg", "growth-connections-dark.svg"])  # fmt: skip


class Layout(unittest.TestCase):
    """Without a browser: texts are as wide as their letters would be in a wide font."""

    def charts(self) -> dict[str, str]:
        names = sorted(labels.LABELS, key=lambda row: len(labels.label(row)))
        many = [Bar(labels.label(row), labels.family(row), 1e5 / 3**n, 0.8e5 / 3**n, 1.3e5 / 3**n)
                for n, row in enumerate(names)]  # fmt: skip
        close = [Line(f"sockline, line {n}", [(10.0**x, 5.0 + n / 100, 4.0, 6.0) for x in range(5)]) for n in range(4)]
        drawings = {path.name: text for path, text in drawn.drawings(published.read()).items()}
        for theme in charts.THEMES:
            drawings[f"many {theme.name}"] = charts.bars("Many", "µs", [Panel("All <of> & them", many)], theme, "Note")
            drawings[f"close {theme.name}"] = charts.lines("Close", "µs", "connections", close, theme)
        return drawings

    def test_no_text_lies_upon_another_or_is_cut_off(self) -> None:
        for name, text in self.charts().items():
            drawing = ElementTree.fromstring(text)
            boxes = [box_of(element) for element in drawing.iter(f"{SVG}text")]
            height = float(drawing.attrib["height"])
            for index, (left, top, right, bottom, words) in enumerate(boxes):
                with self.subTest(chart=name, text=words):
                    self.assertTrue(0 <= left and right <= charts.WIDTH and 0 <= top and bottom <= height)
                    for other in boxes[:index]:
                        apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
                        self.assertTrue(apart, f"{words!r} lies upon {other[4]!r}")

    def test_bars_and_whiskers_stay_off_the_texts(self) -> None:
        for name, text in self.charts().items():
            if "<rect x=" not in text:
                continue
            drawing = ElementTree.fromstring(text)
            ends = [float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in drawing.iter(f"{SVG}rect")
                    if "x" in bar.attrib]  # fmt: skip
            ends += [float(x) for x in re.findall(r"H([\d.]+)M", text)]
            values = [box_of(one)[0] for one in drawing.iter(f"{SVG}text") if one.attrib["text-anchor"] == "end"
                      and float(one.attrib["x"]) == charts.WIDTH - charts.MARGIN]  # fmt: skip
            with self.subTest(chart=name):
                self.assertLess(max(ends), min(values))

    def test_who_cannot_see_a_chart_is_told(self) -> None:
        for name, text in self.charts().items():
            drawing = ElementTree.fromstring(text)
            with self.subTest(chart=name):
                self.assertEqual(drawing.attrib["role"], "img")
                self.assertEqual(drawing.attrib["aria-labelledby"], "title description")
                self.assertTrue(drawing.findtext(f"{SVG}title"))
                self.assertIn(",", drawing.findtext(f"{SVG}desc") or "")

    def test_texts_stand_out_from_the_page(self) -> None:
        """WCAG 2: 4.5 to 1 for texts, 3 to 1 for what has a meaning by its colour."""
        for theme in charts.THEMES:
            with self.subTest(theme=theme.name):
                for colour in (theme.text, theme.faint, *theme.lines):
                    self.assertGreaterEqual(contrast(colour, theme.page), 4.5, colour)
                for colour in (theme.ours, theme.peer, theme.whisker):
                    self.assertGreaterEqual(contrast(colour, theme.page), 3.0, colour)


def everything() -> dict[str, set[str]]:
    """All that rows are made of."""
    found: dict[str, set[str]] = {}
    for packages in labels.PACKAGES.values():
        for place, name in packages:
            found.setdefault(place, set()).add(name)
    return found


def box_of(element: ElementTree.Element) -> tuple[float, float, float, float, str]:
    words, size = element.text or "", float(element.attrib["font-size"])
    width = len(words) * size * (BOLD if element.attrib["font-weight"] == "600" else REGULAR)
    x, y = float(element.attrib["x"]), float(element.attrib["y"])
    left = {"start": x, "middle": x - width / 2, "end": x - width}[element.attrib["text-anchor"]]
    return left, y - 0.8 * size, left + width, y + 0.22 * size, words


def contrast(one: str, other: str) -> float:
    brighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (brighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


if __name__ == "__main__":
    unittest.main()
