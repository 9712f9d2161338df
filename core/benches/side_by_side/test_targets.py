"""What a run says of the targets. Nothing is measured here."""

from __future__ import annotations

import unittest

import cases
import clusters
import run
import targets
from report import Idle, Slice, estimate
from targets import Target


def slices(case: str, row: str, costs: list[float]) -> list[Slice]:
    return [Slice(case, row, number, 1000, 1.0, cost * 1000, 500.0, 10.0, 20.0, 66) for number, cost in enumerate(costs)]


class Estimates(unittest.TestCase):
    def test_the_interval_of_the_sign_test(self) -> None:
        """Tables of the binomial distribution: with 15 values it is from the 4th to the 12th, with 6 all of them."""
        fifteen = estimate(float(value) for value in reversed(range(1, 16)))
        self.assertEqual((fifteen.low, fifteen.median, fifteen.high), (4, 8, 12))
        six = estimate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
        self.assertEqual((six.low, six.median, six.high), (1, 3.5, 6))

    def test_too_few_values_have_no_interval_but_their_range(self) -> None:
        self.assertEqual((estimate([2.0, 1.0]).low, estimate([2.0, 1.0]).high), (1, 2))


class Verdicts(unittest.TestCase):
    TARGET = Target("an echo", "case", "sockline_c", ("slow", "quick"), 0.5)

    def verdict(self, ours: list[float], target: Target = TARGET) -> targets.Verdict:
        rounds = len(ours)
        measured = [
            *slices("case", "sockline_c", ours),
            *slices("case", "slow", [9.0] * rounds),
            *slices("case", "quick", [4.0] * rounds),
        ]
        return targets.verdict(target, measured, [])

    def test_the_cheapest_reference_is_the_one_that_counts(self) -> None:
        found = self.verdict([2.0] * 15)
        self.assertEqual((found.against, found.measured.median if found.measured else 0), ("quick", 0.5))

    def test_holds_if_the_lower_end_of_the_interval_does(self) -> None:
        """Of 15 values the 4th is the lower end."""
        self.assertTrue(self.verdict([2.0] * 4 + [3.0] * 11).holds)
        self.assertEqual(self.verdict([2.0] * 4 + [3.0] * 11).word, "yes")
        self.assertFalse(self.verdict([2.0] * 3 + [3.0] * 12).holds)
        self.assertEqual(self.verdict([2.0] * 3 + [3.0] * 12).word, "NO")

    def test_says_so_when_there_are_too_few_pairs(self) -> None:
        self.assertEqual(self.verdict([2.0] * 14).word, "yes (14 pairs)")

    def test_only_rounds_count_that_both_took_part_in(self) -> None:
        measured = [*slices("case", "sockline_c", [2.0] * 20), *slices("case", "quick", [4.0] * 10)]
        self.assertEqual(targets.verdict(self.TARGET, measured, []).pairs, 10)

    def test_what_is_not_measured(self) -> None:
        self.assertEqual(targets.verdict(self.TARGET, [], []).word, "not measured")
        self.assertFalse(targets.verdict(self.TARGET, [], []).holds)

    def test_memory_is_in_bytes(self) -> None:
        target = Target("idle", "idle", "sockline_c", (), 300)
        small = Idle("idle", "sockline_c", 10, 0, 3000, 5000, 1.0)
        large = Idle("idle", "sockline_c", 10, 0, 3010, 5000, 1.0)
        self.assertEqual(targets.verdict(target, [], [small]).word, "yes")
        self.assertEqual(targets.verdict(target, [], [large]).word, "NO")
        self.assertEqual(targets.figures(targets.verdict(target, [], [large])), ("300 B", "301 B"))


class TheTable(unittest.TestCase):
    def test_says_who_each_row_is(self) -> None:
        for target in [*targets.TARGETS, *targets.ALSO]:
            with self.subTest(target=target):
                self.assertIn(target.row, targets.LANGUAGES)

    def test_nothing_is_there_twice(self) -> None:
        every = [(target.case, target.row, target.against) for target in [*targets.TARGETS, *targets.ALSO]]
        self.assertEqual(len(every), len(set(every)))

    def test_rows_that_it_needs_are_there_and_take_part_in_every_round(self) -> None:
        known = {case.name: case for case in (*cases.CASES, *cases.IDLE_CASES, *clusters.CASES)}
        for target in [*targets.TARGETS, *targets.ALSO]:
            rows = {row.name: row for row in run.ROWS[known[target.case].kind]()}
            for name in (target.row, *target.against):
                with self.subTest(case=target.case, row=name):
                    self.assertEqual(rows[name].every, 1)

    def test_rounds_are_as_many_as_the_rule_asks_for(self) -> None:
        self.assertGreaterEqual(run.DEFAULT_ROUNDS, targets.MIN_PAIRS)


if __name__ == "__main__":
    unittest.main()
