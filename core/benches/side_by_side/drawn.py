"""The charts in docs/pictures/bench, from the published results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import charts
import clusters
import elsewhere
import latency
import servers
from charts import Bar, Line, Panel
from labels import family, label
from plan import GROUPS, Group
from report import UNITS

PICTURES = servers.ROOT / "docs/pictures/bench"
SIZES = ((1 << 20, "MiB"), (1 << 10, "KiB"))


@dataclass(frozen=True)
class Growth:
    """Cases that differ in one thing, which is what their curve is drawn over."""

    name: str
    prefix: str  # of the cases' names
    varies: str  # which of a case's members
    title: str
    x_title: str


GROWTHS = [
    Growth("connections", "growth-connections", "connections", "An echo of 64 bytes, by connections",
           "connections, one message in flight on each"),
    Growth("subscribers", "growth-subscribers", "connections", "A broadcast of 64 bytes, by subscribers",
           "subscribers of one topic"),
    Growth("bytes", "growth-bytes", "size", "An echo on 4 connections, by size", "bytes of a message"),
]  # fmt: skip


def drawings(results: dict[str, Any]) -> dict[Path, str]:
    """All charts, by where they belong."""
    found = {}
    for theme in charts.THEMES:
        for group in GROUPS:
            if panels := panels_of(group, results):
                note = elsewhere.SHORT_NOTE if any(elsewhere.MARK in bar.label for panel in panels for bar in panel.bars) else ""
                title, unit = group.title, unit_of(group, results)
                found[PICTURES / f"{group.name}-{theme.name}.svg"] = charts.bars(title, unit, panels, theme, note)
        for growth in GROWTHS:
            if series := series_of(growth, results):
                drawn = charts.lines(growth.title, growth_unit(growth), growth.x_title, series, theme)
                found[PICTURES / f"growth-{growth.name}-{theme.name}.svg"] = drawn
    return found


def present(group: Group, results: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    cases = results["cases"]
    return [(name, cases[name]) for name in group.cases if name in cases and cases[name]["rows"]]


def unit_of(group: Group, results: dict[str, Any]) -> str:
    kinds = [case["kind"] for _, case in present(group, results)]
    if kinds and kinds[0] in latency.KINDS:
        return "µs of the round trip that one message in a thousand exceeds; less is better"
    if group.name == "memory":
        return "bytes of resident memory; less is better"
    units = " or ".join(dict.fromkeys(UNITS.get(kind, "message") for kind in kinds))
    return f"CPU µs for each {units}, medians and their 95 % intervals; less is better"


def panels_of(group: Group, results: dict[str, Any]) -> list[Panel]:
    return [Panel(short_title(name, case), bars_of(name, case)) for name, case in present(group, results)]


def short_title(name: str, case: dict[str, Any]) -> str:
    """The case's title without its name."""
    words = str(case["title"]).removeprefix(f"{name}: ")
    return words[0].upper() + words[1:]


def bars_of(name: str, case: dict[str, Any]) -> list[Bar]:
    rows = case["rows"]
    if case["kind"] != clusters.KIND and "pipeline" not in case:
        apart = [Bar(label(row), "peer", size) for row, size in elsewhere.bytes_of(name).items()]
        return [Bar(label(row), family(row), max(0, one["bytes"])) for row, one in rows.items()] + apart
    figure = "p999_us" if case["kind"] in latency.KINDS else "cpu_us"
    measured = [Bar(label(row), family(row), *one[figure]) for row, one in rows.items() if one.get(figure)]
    apart = [
        Bar(label(fixed.row), "peer", fixed.ratio * rows[fixed.reference]["cpu_us"][0])
        for fixed in elsewhere.of_case(name)
        if fixed.reference in rows
    ]
    return [*measured, *apart]


def growth_unit(growth: Growth) -> str:
    each = "delivery" if growth.name == "subscribers" else "message"
    return f"CPU µs for each {each}, medians and their 95 % intervals; both axes logarithmic"


def grown(growth: Growth, results: dict[str, Any]) -> list[dict[str, Any]]:
    """The cases of a curve, in order."""
    cases = [case for name, case in results["cases"].items() if name.startswith(growth.prefix)]
    return sorted(cases, key=lambda case: int(case[growth.varies]))


def series_of(growth: Growth, results: dict[str, Any]) -> list[Line]:
    cases = grown(growth, results)
    rows = dict.fromkeys(row for case in cases for row in case["rows"])
    return [
        Line(label(row), [(case[growth.varies], *case["rows"][row]["cpu_us"]) for case in cases if row in case["rows"]])
        for row in rows
    ]


def amount(growth: Growth, value: int) -> str:
    if growth.varies == "size":
        for unit, name in SIZES:
            if value >= unit:
                return f"{value // unit} {name}"
        return f"{value} B"
    return f"{value:,}"
