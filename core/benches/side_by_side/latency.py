"""The round trip under half load: what the slowest of a thousand messages wait, over a million of them.

Each server is given half of the messages a second that it answered in a closed loop with one message in flight on each
connection, which is about half of its core. They are due at fixed times, and a latency counts from when a message was due,
so that a pause of the server is felt by all that fell due in it. The slices' histograms are pooled."""

from __future__ import annotations

import random
import statistics
from collections import Counter
from typing import Callable, Mapping, Sequence

from report import Case, Estimate, Slice, table

KINDS = ("latency-native", "latency-node", "latency-python")
SAMPLES = 1_000_000  # pooled, of each row
TRIALS = 3  # closed loops that say how much a server can answer
LOAD = 0.5  # part of it
QUANTILE = 0.999
RESAMPLES = 200  # of the rounds, for the interval
Histogram = Mapping[int, int]  # nanoseconds and how many


def rate_of(trials: Sequence[float]) -> float:
    """The messages a second that are due, by what closed loops have answered a second."""
    return statistics.median(trials) * LOAD


def count_of(rounds: int) -> int:
    """The messages of a slice."""
    return -(-SAMPLES // rounds)


def quantile(histogram: Histogram, part: float) -> float:
    """The latency in µs that the given part of the messages did not exceed."""
    rank = part * sum(histogram.values())
    seen = 0
    for nanoseconds in sorted(histogram):
        seen += histogram[nanoseconds]
        if seen >= rank:
            return nanoseconds / 1e3
    return 0.0


def histograms(slices: Sequence[Slice], case: str, row: str) -> dict[int, Histogram]:
    """By round."""
    return {
        part.round: {nanoseconds: count for nanoseconds, count in part.histogram}
        for part in slices
        if (part.case, part.row) == (case, row) and part.histogram
    }


def pooled(parts: Sequence[Histogram]) -> Histogram:
    pool = Counter[int]()
    for part in parts:
        pool.update(part)
    return pool


def slowest(slices: Sequence[Slice], case: str, row: str) -> float | None:
    """p99.9 of all rounds of a row, in µs."""
    of_row = histograms(slices, case, row)
    return quantile(pooled(list(of_row.values())), QUANTILE) if of_row else None


def interval(slices: Sequence[Slice], case: str, row: str) -> Estimate | None:
    """p99.9 of a row in µs."""
    parts = histograms(slices, case, row)
    rounds = sorted(parts)
    if not rounds:
        return None
    return bootstrapped(rounds, lambda drawn: quantile(pooled([parts[number] for number in drawn]), QUANTILE))


def bootstrapped(rounds: Sequence[int], of: Callable[[Sequence[int]], float]) -> Estimate:
    """What comes of the rounds, with the interval that comes of drawing them anew."""
    dice = random.Random(1)  # the same figures give the same interval
    drawn = sorted(of(dice.choices(rounds, k=len(rounds))) for _ in range(RESAMPLES))
    cut = RESAMPLES // 40
    return Estimate(of(rounds), drawn[cut], drawn[-1 - cut])


def ratio(slices: Sequence[Slice], case: str, row: str, reference: str) -> tuple[Estimate, int] | None:
    """How often the reference's p99.9 the row's is, over the rounds that both have, and how many these are. The interval
    comes from drawing the rounds anew (bootstrap), the same ones for both, since one round is not like another."""
    ours, theirs = histograms(slices, case, row), histograms(slices, case, reference)
    rounds = sorted(ours.keys() & theirs.keys())
    if not rounds:
        return None

    def of(drawn: Sequence[int]) -> float:
        above = quantile(pooled([ours[number] for number in drawn]), QUANTILE)
        return above / quantile(pooled([theirs[number] for number in drawn]), QUANTILE)

    return bootstrapped(rounds, of), len(rounds)


def best(slices: Sequence[Slice], case: str, rows: Sequence[str]) -> str:
    """The row with the lowest p99.9; the first one if none has been measured."""
    measured = {row: found for row in rows if (found := slowest(slices, case, row)) is not None}
    return min(measured, key=measured.__getitem__, default=rows[0])


def figures(slices: Sequence[Slice], case: str, row: str) -> dict[str, float] | None:
    """What the tables have of a row."""
    parts = [part for part in slices if (part.case, part.row) == (case, row) and part.histogram]
    if not parts:
        return None
    pool = pooled(list(histograms(slices, case, row).values()))
    return {
        "rate": parts[0].rate,
        "samples": sum(pool.values()),
        "p50_us": quantile(pool, 0.5),
        "p99_us": quantile(pool, 0.99),
        "p999_us": quantile(pool, QUANTILE),
        "max_us": max(pool) / 1e3,
        "cpu_us": statistics.median(part.cost for part in parts),
        "busy": statistics.median(part.server_cpu_us / part.seconds / 1e6 for part in parts),
        "late_p999_us": statistics.median(part.late_p999_us for part in parts),
    }


def latency_table(case: Case, names: Sequence[str], slices: Sequence[Slice], failures: dict[str, str]) -> str:
    header = ["server", "messages/s due", "p50 µs", "p99 µs", "p99.9 µs", "slowest µs", f"p99.9 × {case.reference}",
              "interval", "server busy", "sent late, p99.9 µs", "messages"]  # fmt: skip
    lines = []
    for name in names:
        found, compared = figures(slices, case.name, name), ratio(slices, case.name, name, case.reference)
        if found is None or compared is None:
            lines.append([name, failures.get(name, "missing")])
            continue
        lines.append([
            name,
            f"{found['rate']:,.0f}",
            *(f"{found[column]:,.0f}" for column in ("p50_us", "p99_us", "p999_us", "max_us")),
            f"{compared[0].median:.3f}",
            f"{compared[0].low:.3f} … {compared[0].high:.3f}",
            f"{found['busy']:.0%}",
            f"{found['late_p999_us']:,.0f}",
            f"{found['samples']:,.0f}",
        ])  # fmt: skip
    return f"{case.title()}\n{table(header, lines)}"
