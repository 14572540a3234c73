"""What many times of one script say about how long it takes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.written_reports import ran, written
from tmws.domain.claims import Judgement, Reason, TimingCheck, Verdict
from tmws.domain.commands import build_request, validate
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import Limits
from tmws.domain.judging import judge
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.timing import RUNS, bounds

SNAPSHOT = Snapshot.of([SnapshotFile.of("work.py", b"work()")])
MILLISECOND = 10**6


def timed(
    times: list[int], check: TimingCheck | None = None, *, status: int = 0, **finished: Any
) -> Judgement:
    """Judge runs of so many milliseconds beside empty ones of ten."""
    empty = [10 * MILLISECOND + number * 1000 for number in range(15)]
    own = [time * MILLISECOND for time in times]
    end = {"status": status, "left_processes": 0, "left_files": False, "disturbed": False}
    report = written(
        "timing",
        ("empty", {"wall": empty, "cpu": empty}),
        ("timed", {"wall": own, "cpu": own}),
        ("finished", {**end, **finished}),
    )
    check = check or TimingCheck("work.py", 0.1)
    return judge(check, SNAPSHOT, ran(report, exit_code=status))


@pytest.mark.parametrize("quantile", RUNS)
def test_a_bound_misses_the_quantile_of_what_it_was_drawn_from_at_most_as_often_as_said(
    quantile: float,
) -> None:
    draw, missed_above, missed_below, rounds = random.Random(7), 0, 0, 2000  # noqa: S311
    for _ in range(rounds):
        found = bounds([draw.random() for _ in range(RUNS[quantile])], quantile)
        assert found is not None
        missed_above += found.upper < quantile
        missed_below += found.lower > quantile
    # 5 % is promised; a quarter more covers the chance of these 2000 rounds.
    assert missed_above <= 0.0625 * rounds
    assert missed_below <= 0.0625 * rounds


@given(st.lists(st.floats(0, 100), min_size=1, max_size=100), st.sampled_from(sorted(RUNS)))
def test_bounds_are_times_that_were_seen_in_order(seconds: list[float], quantile: float) -> None:
    found = bounds(seconds, quantile)
    if found is not None:
        assert found.lower <= found.upper
        assert {found.lower, found.upper} <= set(seconds)


@pytest.mark.parametrize(("count", "quantile"), [(4, 0.5), (20, 0.9), (50, 0.95)])
def test_too_few_runs_bound_nothing(count: int, quantile: float) -> None:
    assert bounds([1.0] * count, quantile) is None


@pytest.mark.parametrize(
    ("times", "verdict", "reason"),
    [
        ([60] * 15, Verdict.SUPPORTED, Reason.CHECK_PASSED),
        ([160] * 15, Verdict.REFUTED, Reason.CHECK_FAILED),
        ([60, 160] * 8, Verdict.INCONCLUSIVE, Reason.TOO_NOISY),
        ([60] * 4, Verdict.INCONCLUSIVE, Reason.TOO_NOISY),
        ([], Verdict.INCONCLUSIVE, Reason.TOO_NOISY),
    ],
)
def test_the_bounds_decide_or_nothing_does(
    times: list[int], verdict: Verdict, reason: Reason
) -> None:
    judgement = timed(times)
    assert (judgement.verdict, judgement.reason) == (verdict, reason), judgement.detail


def test_the_start_of_the_interpreter_is_taken_off_carefully() -> None:
    assert timed([109] * 15).verdict is Verdict.SUPPORTED
    assert timed([111] * 15).verdict is Verdict.REFUTED
    assert "lies between" in timed([109] * 15).detail


@pytest.mark.parametrize("what", [{"left_processes": 1}, {"left_files": True}, {"disturbed": True}])
def test_a_script_that_could_have_saved_time_elsewhere_is_only_observed(
    what: dict[str, Any],
) -> None:
    judgement = timed([60] * 15, **what)
    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY)
    assert timed([160] * 15, **what).verdict is Verdict.REFUTED


def test_a_script_that_fails_has_no_time() -> None:
    assert timed([60] * 15, status=1).reason is Reason.USAGE_ERROR
    missing = timed([60] * 15, status=1, missing="numpy")
    assert missing.reason is Reason.MISSING_DEPENDENCY


@pytest.mark.parametrize("wrong", [[-1], ["1"], [1.5], [True], 5, [10**14]])
def test_times_that_no_clock_gives_are_not_believed(wrong: Any) -> None:
    report = written("timing", ("timed", {"wall": wrong, "cpu": []}), ("finished", {"status": 0}))
    judgement = judge(TimingCheck("work.py", 1.0), SNAPSHOT, ran(report))
    assert judgement.reason is Reason.TAMPER_SUSPECTED


@pytest.mark.parametrize(
    "fields",
    [
        {"script": "../x.py"}, {"script": "x.sh"}, {"seconds": 0.0}, {"seconds": float("nan")},
        {"seconds": 1000.0}, {"quantile": 0.99}, {"clock": "sundial"},
    ],
)  # fmt: skip
def test_what_breaks_the_grammar_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        validate(TimingCheck(**{"script": "work.py", "seconds": 1.0, **fields}))


def test_the_command_comes_from_the_table() -> None:
    request = build_request(TimingCheck("work.py", 1.0, 0.9), SNAPSHOT, Limits())
    assert request.argv[2:] == (
        "/opt/tmws/run_timing.py", "--runs=40", "--empty-runs=15", "--seconds=40.0",
        "/workspace/work.py",
    )  # fmt: skip
