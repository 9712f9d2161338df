"""The results that are kept in the repository: docs/bench/results.json, of which the charts and the tables of docs/ are
made. Medians with their intervals, not slices; README.md says what is in it.

A run replaces the cases that it has measured and leaves the others, each with the run that it comes from."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, Iterable, Sequence

import clusters
import latency
import raw
import servers
import targets
from cluster_report import Part
from report import Costed, Estimate, Idle, Slice, costs, estimate, ratio

RESULTS = servers.ROOT / "docs/bench/results.json"
FORM = 1
DIGITS = 4  # significant


def read(path: Path = RESULTS) -> dict[str, Any]:
    if not path.exists():
        return {"form": FORM, "runs": {}, "cases": {}}
    return dict(json.loads(path.read_text()))


def merged(results: dict[str, Any], figures: dict[str, Any]) -> dict[str, Any]:
    """The results with those of a run in place of older ones."""
    run = figures["date"]
    cases = {**results["cases"], **{name: {"run": run, **case} for name, case in cases_of(figures).items()}}
    runs = {**results["runs"], run: run_of(figures)}
    used = {case["run"] for case in cases.values()}
    return {
        "form": FORM,
        "runs": {date: runs[date] for date in sorted(used)},
        "cases": {name: cases[name] for name in sorted(cases)},
    }


def run_of(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in ("machine", "source", "toolchain", "versions", "settings")}


def cases_of(figures: dict[str, Any]) -> dict[str, dict[str, Any]]:
    slices, idle = raw.slices_of(figures), raw.idle_of(figures)
    parts = [Part(**part) for part in figures["clusters"]["parts"]]
    found = {}
    for name, case in figures["cases"].items():
        of_case = [part for part in slices if part.case == name]
        of_idle = [part for part in idle if part.case == name]
        if of_case or of_idle:
            found[name] = {
                **case,
                "foreign_share": rounded(figures["foreign_share"].get(name)),
                "io_uring": figures.get("io_uring", {}).get(name, []),
                "missing": figures["failures"].get(name, {}),
                "rows": in_order(rows_of(name, case, of_case, of_idle), figures["rows"].get(case["kind"], {})),
                "verdicts": verdicts_of(name, of_case, of_idle),
            }
    for name in dict.fromkeys(part.case for part in parts):
        mode = next(case for case in clusters.CASES if case.name == name).title()
        found[name] = {"kind": clusters.KIND, "title": mode, "rows": {}, "verdicts": verdicts_of(name, parts, [])}
    return found


def in_order(rows: dict[str, Any], order: Iterable[str]) -> dict[str, Any]:
    """As the rows were listed, not as their turns came."""
    return {row: rows[row] for row in [*order, *rows] if row in rows}


def rows_of(name: str, case: dict[str, Any], slices: Sequence[Slice], idle: Sequence[Idle]) -> dict[str, Any]:
    if idle:
        return {one.row: {"bytes": round(one.per_connection), "bytes_after": round(one.per_connection_echoed),
                          "open_cpu_us": rounded(one.open_cpu_us / one.connections)} for one in idle}  # fmt: skip
    rows = {}
    for row in dict.fromkeys(part.row for part in slices):
        if case["kind"] in latency.KINDS:
            rows[row] = latency_row(name, row, slices)
        else:
            rows[row] = cost_row(name, row, case["reference"], [part for part in slices if part.row == row], slices)
    return {row: {key: rounded(value) for key, value in found.items()} for row, found in rows.items()}


def cost_row(name: str, row: str, reference: str, own: Sequence[Slice], slices: Sequence[Slice]) -> dict[str, Any]:
    compared = ratio(slices, name, row, reference)
    return {
        "rounds": len(own),
        "cpu_us": triple(estimate(costs(own, name, row).values())),
        "ratio": triple(compared) if compared else None,
        "per_second": statistics.median(part.messages / part.seconds for part in own),
        "p50_us": statistics.median(part.p50_us for part in own),
        "p99_us": statistics.median(part.p99_us for part in own),
        "busy": statistics.median(part.server_cpu_us / part.seconds / 1e6 for part in own),
        "load_busy": statistics.median(part.load_cpu_us / part.seconds / 1e6 for part in own),
        "reply_bytes": statistics.median(part.reply_bytes / part.messages for part in own),
    }


def latency_row(name: str, row: str, slices: Sequence[Slice]) -> dict[str, Any]:
    own = latency.interval(slices, name, row)
    return {**(latency.figures(slices, name, row) or {}), "p999_us": triple(own) if own else None}


def verdicts_of(name: str, slices: Sequence[Costed], idle: Sequence[Idle]) -> dict[str, Any]:
    found = targets.verdicts([name], slices, idle)
    return {
        one.target.key: {"against": one.against, "measured": triple(one.measured), "pairs": one.pairs}
        for one in found
        if one.measured is not None
    }


def verdict(results: dict[str, Any], target: targets.Target) -> targets.Verdict:
    """What was found out about a target; its limit is that of today."""
    found = results["cases"].get(target.case, {}).get("verdicts", {}).get(target.key)
    if found is None:
        return targets.Verdict(target, target.against[0] if target.against else "bytes")
    return targets.Verdict(target, found["against"], Estimate(*found["measured"]), found["pairs"])


def triple(one: Estimate | None) -> list[float] | None:
    return [rounded(one.median), rounded(one.low), rounded(one.high)] if one else None


def rounded(value: Any) -> Any:
    """To a few digits that mean something."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}")


def text(results: dict[str, Any]) -> str:
    """A line for each row, so that differences can be read."""
    return laid_out(results, 4) + "\n"


def laid_out(value: Any, levels: int, indent: str = "") -> str:
    """JSON whose outer levels have a line for each member."""
    if levels == 0 or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False)
    inner = indent + " "
    members = (f"{inner}{json.dumps(name)}: {laid_out(item, levels - 1, inner)}" for name, item in value.items())
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"
