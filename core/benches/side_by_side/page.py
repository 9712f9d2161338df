"""The tables in docs/, from the published results: what is between `<!-- bench: NAME -->` and `<!-- bench: end -->` is
written anew, the rest of a page is left as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Callable, Sequence

import clusters
import drawn
import elsewhere
import latency
import published
import servers
import targets
from drawn import GROWTHS, Growth, amount
from labels import label, number, packages
from plan import GROUPS, Group
from report import UNITS

PAGES = [servers.ROOT / "docs/benchmarks.md", servers.ROOT / "docs/scaling.md"]
BLOCK = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- bench: end -->)", re.DOTALL)
DISTURBED = 0.05  # of the two cores, taken by strangers: more is worth saying
BEND = 1.25  # so many times the least is where a curve has left its straight line


def filled(text: str, results: dict[str, Any]) -> str:
    return BLOCK.sub(lambda found: f"{found[1]}{WRITERS[found[2]](results)}{found[3]}", text)


def pages(results: dict[str, Any]) -> dict[Path, str]:
    return {page: filled(page.read_text(), results) for page in PAGES}


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(line)} |\n" for line in [header, rule, *lines])


def picture(name: str, description: str) -> str:
    at = f"pictures/bench/{name}"
    return (
        f'<picture>\n<source media="(prefers-color-scheme: dark)" srcset="{at}-dark.svg">\n'
        f'<img src="{at}-light.svg" width="760" alt="{description}">\n</picture>\n'
    )


# ── what was measured with what ─────────────────────────────────────────────────────────────────────────────────────


def runs(results: dict[str, Any]) -> str:
    parts = []
    for date, run in results["runs"].items():
        machine, tools, source = run["machine"], run["toolchain"], run["source"]
        cases = [name for name, case in results["cases"].items() if case["run"] == date]
        cores = f"{machine['cores']} cores of an {machine['cpu']}" + (", virtual" if machine["virtual"] else "")
        lines = [
            ("machine", f"{cores}, {machine['memory_mib'] / 1024:.0f} GiB, Linux {machine['kernel']}"),
            ("sockline", f"{source['version']}, commit {source['commit']}" + (", changed" if source["changed"] else "")),
            ("compilers", f"rustc {tools['rustc']}, gcc {tools['gcc']}"),
            ("hosts", f"Node {tools['node']}, Python {tools['python']}, OpenSSL {tools['openssl']}"),
            ("rounds", str(run["settings"]["rounds"])),
            ("cases", ", ".join(f"`{name}`" for name in cases)),
            *peers_of(run, results, cases),
        ]
        day, time = date.rstrip("Z").split("T")
        parts.append(f"Run of {day}, {time} UTC:\n\n{table(['', ''], lines).replace('---:', '---')}")
    return "\n" + "\n".join(parts) + "\n" if parts else ""


def peers_of(run: dict[str, Any], results: dict[str, Any], cases: Sequence[str]) -> list[tuple[str, str]]:
    rows = dict.fromkeys(row for name in cases for row in results["cases"][name]["rows"])
    return [(label(row), found) for row in rows if (found := packages(row, run["versions"]))]


# ── what sockline holds itself to ───────────────────────────────────────────────────────────────────────────────────


def goals(results: dict[str, Any]) -> str:
    return "\n" + goal_table(results, targets.TARGETS) + "\n"


def also(results: dict[str, Any]) -> str:
    return "\n" + goal_table(results, targets.ALSO) + "\n"


def goal_table(results: dict[str, Any], goals: Sequence[targets.Target]) -> str:
    lines = []
    for target in goals:
        found = published.verdict(results, target)
        limit, measured = targets.figures(found)
        against = "bytes" if not target.against else label(found.against)
        lines.append([target.wording, against, limit, measured, found.word])
    return table(["", "against", "at most", "measured, 95 % interval", "holds"], lines)


def caution(results: dict[str, Any]) -> str:
    """What keeps the figures from being the last word."""
    few = {date: run["settings"]["rounds"] for date, run in results["runs"].items()
           if run["settings"]["rounds"] < targets.MIN_PAIRS}  # fmt: skip
    disturbed = {name: share for name, case in results["cases"].items()
                 if (share := case.get("foreign_share") or 0) > DISTURBED}  # fmt: skip
    told = []
    for date, rounds in few.items():
        told.append(f"The run of {date[:10]} had {rounds} rounds, where limits are judged with {targets.MIN_PAIRS} pairs; each "
                    "verdict says how many it has.")  # fmt: skip
    if disturbed:
        names = ", ".join(f"`{name}` ({share:.0%})" for name, share in disturbed.items())
        told.append(f"Other programs took more than {DISTURBED:.0%} of the two cores in {names}, which makes intervals wide.")
    return "\n" + "\n".join(told) + "\n\n" if told else ""


# ── groups ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def groups(results: dict[str, Any]) -> str:
    return "\n" + "".join(section(group, results) for group in GROUPS if drawn.present(group, results))


def section(group: Group, results: dict[str, Any]) -> str:
    about = f"{group.title}: {drawn.unit_of(group, results)}"
    tables = "\n".join(case_section(name, case) for name, case in drawn.present(group, results))
    return f"### {group.title}\n\n{picture(group.name, about)}\n{tables}\n"


def case_section(name: str, case: dict[str, Any]) -> str:
    apart = elsewhere.of_case(name)
    lines = [line_of(case, row, one) for row, one in case["rows"].items()]
    for fixed in apart:
        if fixed.reference in case["rows"]:
            lines.append(apart_line(case, fixed))
    lines += [[label(row), f"{size:,}", "–", "–"] for row, size in elsewhere.bytes_of(name).items()]
    notes = [f"{label(row)}: {reason}." for row, reason in case.get("missing", {}).items()]
    if rings := case.get("io_uring"):
        notes.append(f"With io_uring, so that sends to many leave together: {'; '.join(map(label, rings))}.")
    elif case["kind"] == "topic":
        notes.append("Nobody had io_uring: each delivery was a send by itself.")
    if (share := case.get("foreign_share") or 0) > DISTURBED:
        notes.append(f"Other processes took {share:.0%} of the two cores meanwhile.")
    below = "\n" + " ".join(notes) + "\n" if notes else ""
    return f"`{name}`: {str(case['title']).removeprefix(f'{name}: ')}\n\n{table(header_of(case), lines)}{below}"


def is_memory(case: dict[str, Any]) -> bool:
    return case["kind"] != clusters.KIND and "pipeline" not in case


def header_of(case: dict[str, Any]) -> list[str]:
    if is_memory(case):
        return ["", "bytes each, open", "after a message", "CPU µs to open"]
    if case["kind"] in latency.KINDS:
        return ["", "messages/s due", "p50 µs", "p99 µs", "p99.9 µs", "95 %", "slowest µs", "core busy", "messages"]
    unit = UNITS.get(case["kind"], "message")
    reply = ["bytes/reply"] if case["kind"] == "deflate" else []
    return ["", f"CPU µs/{unit}", "95 %", f"× {label(case['reference'])}", "95 %", f"{plural(unit)}/s", "p50 µs",
            "p99 µs", "core busy", "load busy", *reply, "rounds"]  # fmt: skip


def plural(unit: str) -> str:
    return f"{unit.removesuffix('y')}ies" if unit.endswith("y") else f"{unit}s"


def line_of(case: dict[str, Any], row: str, one: dict[str, Any]) -> list[str]:
    if is_memory(case):
        after = f"{one['bytes_after']:,}" if case.get("echo", True) else "–"
        return [label(row), f"{one['bytes']:,}", after, number(one["open_cpu_us"])]
    if case["kind"] in latency.KINDS:
        slow = one["p999_us"]
        return [label(row), f"{one['rate']:,.0f}", number(one["p50_us"]), number(one["p99_us"]), number(slow[0]),
                span(slow), number(one["max_us"]), f"{one['busy']:.0%}", f"{one['samples']:,}"]  # fmt: skip
    ratio = one["ratio"]
    reply = [number(one["reply_bytes"])] if case["kind"] == "deflate" else []
    return [
        label(row),
        number(one["cpu_us"][0]),
        span(one["cpu_us"]),
        number(ratio[0]) if ratio else "–",
        span(ratio) if ratio else "–",
        f"{one['per_second']:,.0f}",
        number(one["p50_us"]),
        number(one["p99_us"]),
        f"{one['busy']:.0%}",
        f"{one['load_busy']:.0%}",
        *reply,
        str(one["rounds"]),
    ]


def apart_line(case: dict[str, Any], fixed: elsewhere.Fixed) -> list[str]:
    reference = case["rows"][fixed.reference]
    blank = ["–"] * (len(header_of(case)) - 5)
    cost, ratio = fixed.ratio * reference["cpu_us"][0], fixed.ratio * (reference["ratio"] or [0])[0]
    return [label(fixed.row), number(cost), "–", number(ratio), "–", *blank]


def span(three: Sequence[float]) -> str:
    return f"{number(three[1])} … {number(three[2])}"


# ── growth ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def growth(results: dict[str, Any]) -> str:
    parts = [curve_section(one, results) for one in GROWTHS if drawn.grown(one, results)]
    if not parts:
        return ""
    dates = sorted({case["run"][:10] for one in GROWTHS for case in drawn.grown(one, results)})
    return f"{HEAD.format(dates=' and '.join(dates))}\n" + "\n".join(parts)


HEAD = """
## As it grows

Measured on {dates} with [`make bench ONLY=growth`](../core/benches/README.md), on the machine that
[the page of figures](benchmarks.md) names. A straight line is a cost for each message that stays the same however many there are.
"""
WHY = {
    "connections": """One connection alone is dear: its server sleeps before each message and is woken for it. From some tens on a turn of the
loop finds many that are ready, and a message costs one `recv` and one `send`, which the floor pays too. Where the line rises again,
with thousands, it is memory: each message touches the kernel's socket, its buffers and our connection, some KiB in all, and these no
longer fit the processor's caches. The floor rises likewise, since nearly all of that is the kernel's; it has less to touch, and so
rises later.
""",
    "subscribers": """A delivery is one `send`. With few subscribers the message that is published weighs in: its `recv`, its parsing and the
wake-up are shared by those few. From a hundred on the `send` is all, and the line is straight until sockets no longer fit the
processor's caches, as above.
""",
    "bytes": """Up to some KiB a message costs what its two system calls cost, whatever its size. Beyond that each byte is copied four times by the
kernels of both ends, and the line becomes that of memory: proportional to the size. It rises faster where a message no longer
fits the caches or the socket's buffers, so that it takes several turns of the loop. The floor echoes pieces and never holds a message;
a WebSocket server has to, and from some MiB on memory for that comes from the system anew each time, page by page.
""",
}


def curve_section(one: Growth, results: dict[str, Any]) -> str:
    cases = drawn.grown(one, results)
    rows = list(dict.fromkeys(row for case in cases for row in case["rows"]))
    lines = []
    for case in cases:
        costs = [case["rows"].get(row, {}).get("cpu_us", [None])[0] for row in rows]
        per_kib = [number(c * 1024 / case["size"]) if c else "–" for c in costs] if one.varies == "size" else []
        lines.append([amount(one, case[one.varies]), *map(number, costs), *per_kib])
    more = [f"{label(row)}, a KiB" for row in rows] if one.varies == "size" else []
    told = "".join(f"- {sentence(one, row, cases)}\n" for row in rows)
    about = f"{one.title}: {drawn.growth_unit(one)}"
    shown = table([one.x_title, *map(label, rows), *more], lines)
    return f"### {one.title}\n\n{picture(f'growth-{one.name}', about)}\n{shown}\n{told}\n{WHY[one.name]}"


def sentence(one: Growth, row: str, cases: Sequence[dict[str, Any]]) -> str:
    """Where the line bends: from where on the cost of a unit stays above its least by a quarter."""
    points = [(case[one.varies], case["rows"][row]["cpu_us"][0]) for case in cases if row in case["rows"]]
    unit = "KiB" if one.varies == "size" else "delivery" if one.name == "subscribers" else "message"
    each = [(x, cost * 1024 / x if one.varies == "size" else cost) for x, cost in points]
    at, least = min(each, key=lambda point: point[1])
    bend = next((x for index, (x, _) in enumerate(each) if x > at and all(c > BEND * least for _, c in each[index:])), None)
    told = f"{label(row)}: {number(each[0][1])} µs for each {unit} at {amount(one, each[0][0])}, least at {amount(one, at)}"
    told += f" with {number(least)}, and {number(each[-1][1])} at {amount(one, each[-1][0])}"
    return f"{told}. " + (f"The line bends at {amount(one, bend)}." if bend else "It stays straight from there.")


def contents(results: dict[str, Any]) -> str:
    """The line that leads to it, at the top of its page."""
    return "- [As it grows](#as-it-grows)\n" if growth(results) else ""


WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "runs": runs,
    "goals": goals,
    "also": also,
    "caution": caution,
    "groups": groups,
    "contents": contents,
    "growth": growth,
}
