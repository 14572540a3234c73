"""How long a script takes: bounds on a quantile, from runs timed outside of it.

Distribution-free: of n independent runs, the number below the q-quantile is binomial, so
the k-th shortest is an upper confidence bound on it once P(Bin(n, q) < k) reaches the
confidence (order statistics; H. A. David and H. N. Nagaraja, Order Statistics, 2003, §7.1).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from tmws.domain.cases import Case
from tmws.domain.claims import Judgement, Reason, TimingCheck
from tmws.domain.grammar import require, validate_path
from tmws.domain.reports import TimingReport

CONFIDENCE = 0.95
LONGEST_SECONDS = 60.0
SHORTEST_SECONDS = 0.001
BASELINE_RUNS = 15
TIMED_SECONDS = 40.0
"""Runs are begun for so long; what a check's time limit leaves is for the last of them."""

# Enough that both bounds exist and the interval is not the whole range of what was seen.
RUNS = {0.5: 15, 0.9: 40, 0.95: 80}
CLOCKS = ("cpu", "wall")


@dataclass(frozen=True, slots=True)
class Bounds:
    """One-sided bounds on a quantile, each at `CONFIDENCE`; seconds."""

    lower: float
    upper: float


def validate_timing(check: TimingCheck) -> None:
    """Refuse a timing claim whose words break the grammar.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    require(check.script.endswith(".py"), "script", check.script, "a .py file of the workspace")
    validate_path(check.script)
    require(check.quantile in RUNS, "quantile", str(check.quantile), "one of 0.5, 0.9, 0.95")
    require(check.clock in CLOCKS, "clock", check.clock, "cpu or wall")
    span = f"{SHORTEST_SECONDS} to {LONGEST_SECONDS:g}"
    inside = SHORTEST_SECONDS <= check.seconds <= LONGEST_SECONDS
    require(inside, "seconds", str(check.seconds), span)


def bounds(seconds: Sequence[float], quantile: float) -> Bounds | None:
    """Return bounds on the quantile; None if there are too few runs for one of them."""
    count, ordered = len(seconds), sorted(seconds)
    below = tuple(accumulate(_chances(count, quantile)))
    upper = next((place for place in range(count) if below[place] >= CONFIDENCE), None)
    lower = [place for place in range(count) if below[place] <= 1 - CONFIDENCE]
    if upper is None or not lower:
        return None
    return Bounds(ordered[lower[-1]], ordered[upper])


def judge_timing(check: TimingCheck, report: TimingReport, exit_code: int) -> Judgement:
    """Decide what the times of many runs say about the claim."""
    seen = report.cpu if check.clock == "cpu" else report.wall
    empty = report.empty_cpu if check.clock == "cpu" else report.empty_wall
    case = Case({"runs": len(seen), "empty_runs": len(empty)}, tuple(_told(check, report)))
    if report.status is None or report.status != exit_code:
        return case.distrusted(
            f"The run ended with status {exit_code}, its report says {report.status}."
        )
    if report.missing:
        return case.missing([report.missing])
    if exit_code != 0:
        return case.open(
            Reason.USAGE_ERROR,
            f"{check.script} ended with status {exit_code}, so its times count for nothing.",
        )
    whole, start = bounds(seen, check.quantile), bounds(empty, 0.5)
    if whole is None or start is None:
        return case.open(
            Reason.TOO_NOISY,
            f"Only {len(seen)} of {RUNS[check.quantile]} runs fitted into the time limit. Make "
            "the script shorter, or claim about the quantile 0.5.",
        )
    return _compared(check, case, whole, start)


def _compared(check: TimingCheck, case: Case, whole: Bounds, start: Bounds) -> Judgement:
    # Each bound subtracts what makes it the more careful one.
    upper, lower = whole.upper - start.lower, max(0.0, whole.lower - start.upper)
    noise = start.upper - start.lower
    seen = (
        f"The {check.quantile:g}-quantile of {check.clock} time lies between {lower:.4g} and "
        f"{upper:.4g} s (each {CONFIDENCE:.0%} sure, {start.lower:.3g} s of an empty run taken "
        f"off, noise floor {noise:.2g} s)"
    )
    if lower > max(check.seconds, noise):
        return case.refuted(Reason.CHECK_FAILED, f"{seen}; the claim says {check.seconds:g} s.")
    if check.seconds < noise:
        return case.open(Reason.TOO_NOISY, f"{seen}. The claim is below the noise floor.")
    if upper > check.seconds:
        return case.open(
            Reason.TOO_NOISY,
            f"{seen}, and {check.seconds:g} s lies within. Claim a longer time, or try again.",
        )
    return case.only_observed(seen) if case.flags else case.supported(f"{seen}.")


def _told(check: TimingCheck, report: TimingReport) -> Iterator[str]:
    if report.left_processes:
        yield f"{check.script}: leaves processes behind, whose time nobody saw"
    if report.left_files:
        yield f"{check.script}: writes files, from which a later run could save time"
    if report.disturbed:
        yield f"{check.script}: meddled with the process that takes the time"


def _chances(count: int, probability: float) -> Iterator[float]:
    """Yield P(Bin(count, probability) = 0), = 1, and so on, below `count`."""
    for hits in range(count):
        ways = math.comb(count, hits)
        yield ways * probability**hits * (1 - probability) ** (count - hits)
