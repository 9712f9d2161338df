"""Quantiles of pooled histograms, and what a run plans. Nothing is measured here."""

from __future__ import annotations

import unittest

import cases
import latency
import plan
from report import Slice
from rows import ROWS


def paced(row: str, number: int, histogram: list[list[int]]) -> Slice:
    count = sum(count for _, count in histogram)
    return Slice("case", row, number, count, 1.0, 5.0 * count, 2.0 * count, 1.0, 2.0, 66, 3.0, 500.0, 9.0, histogram)


class Pooled(unittest.TestCase):
    def test_quantiles(self) -> None:
        histogram = {1000: 997, 2000: 2, 9000: 1}
        self.assertEqual(latency.quantile(histogram, 0.5), 1.0)
        self.assertEqual(latency.quantile(histogram, 0.997), 1.0)
        self.assertEqual(latency.quantile(histogram, 0.999), 2.0)
        self.assertEqual(latency.quantile(histogram, 1.0), 9.0)
        self.assertEqual(latency.quantile({}, 0.999), 0.0)

    def test_the_slowest_of_all_rounds_together(self) -> None:
        """One bad round of two is half of the slow messages of a pool, and none of a median of rounds."""
        slices = [paced("row", 1, [[1000, 10_000]]), paced("row", 2, [[1000, 9_900], [7000, 100]])]
        self.assertEqual(latency.slowest(slices, "case", "row"), 7.0)
        self.assertIsNone(latency.slowest(slices, "case", "other"))

    def test_ratios_over_the_rounds_that_both_have(self) -> None:
        slices = [paced("ours", number, [[1000, 900], [3000, 100]]) for number in range(1, 21)]
        slices += [paced("theirs", number, [[1000, 900], [2000, 100]]) for number in range(6, 21)]
        found = latency.ratio(slices, "case", "ours", "theirs")
        assert found is not None
        estimate, pairs = found
        self.assertEqual((estimate.low, estimate.median, estimate.high, pairs), (1.5, 1.5, 1.5, 15))
        self.assertIsNone(latency.ratio(slices, "case", "ours", "nobody"))

    def test_the_interval_is_as_wide_as_rounds_differ(self) -> None:
        """One round of 15 decides about p99.9: whether it is drawn is what the interval is about."""
        slices = [paced("theirs", number, [[1000, 1000]]) for number in range(1, 16)]
        slices += [paced("ours", number, [[1000, 1000]]) for number in range(1, 15)]
        slices.append(paced("ours", 15, [[1000, 900], [4000, 100]]))
        found = latency.ratio(slices, "case", "ours", "theirs")
        assert found is not None
        self.assertEqual((found[0].low, found[0].median, found[0].high), (1.0, 4.0, 4.0))
        self.assertEqual(found, latency.ratio(slices, "case", "ours", "theirs"))

    def test_the_best_of_several(self) -> None:
        slices = [paced("slow", 1, [[9000, 1000]]), paced("quick", 1, [[2000, 1000]])]
        self.assertEqual(latency.best(slices, "case", ["slow", "quick", "missing"]), "quick")
        self.assertEqual(latency.best([], "case", ["slow", "quick"]), "slow")

    def test_half_of_what_was_answered_and_a_million_in_all(self) -> None:
        self.assertEqual(latency.rate_of([100.0, 300.0, 120.0]), 60.0)
        for rounds in (1, 7, 15):
            self.assertGreaterEqual(latency.count_of(rounds) * rounds, latency.SAMPLES)


class Plans(unittest.TestCase):
    def test_a_word_is_a_part_or_a_case_or_a_beginning(self) -> None:
        names = [case.name for case in cases.CASES]
        self.assertEqual(plan.word("echo", names), ["echo64-d1", "echo64-d16"])
        self.assertEqual(plan.word("echo64-d1", names), ["echo64-d1"])
        self.assertEqual(plan.word("echo16k-d1", names), ["echo16k-d1"])
        self.assertIn("echo16k-d16", plan.word("echo16", names))
        self.assertEqual(plan.word("nothing", names), [])

    def test_parts_take_two_minutes_at_most(self) -> None:
        every = {case.name: case for case in (*cases.CASES, *cases.IDLE_CASES)}
        for group in plan.GROUPS:
            times = [plan.seconds(every[name], ROWS[every[name].kind](), 15) for name in group.cases if name in every]
            with self.subTest(group=group.name):
                # Those of which each case is a part, and listed as such.
                self.assertLessEqual(max(times, default=0) if group.is_many else sum(times), plan.PATIENCE)
        # Curves may take five, but for the point that is as far out as this machine goes.
        growth = [case for name, case in every.items() if name in plan.word("growth", list(every))]
        times = [plan.seconds(case, ROWS[case.kind](), 15) for case in growth if case.connections <= 10_000]
        self.assertLess(sum(times), 300)

    def test_time_left(self) -> None:
        clock = plan.Clock({"one": 60.0, "two": 240.0})
        self.assertEqual(clock.left_after("two", 0.5, 180.0), "120 s")
        self.assertEqual(clock.left_after("two", 0.0, 90.0), "6 min")  # half as long again as was thought
        self.assertEqual(clock.left_after("one", 0.1, 60.0), "5 min")  # too early to say


if __name__ == "__main__":
    unittest.main()
