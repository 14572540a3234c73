"""What a measured run says about a claim of coverage."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.domain.written_reports import Line, pytest_lines, ran, written
from tmws.domain.claims import CoverageCheck, Judgement, Level, Reason, Verdict
from tmws.domain.judging import judge
from tmws.domain.records import ReportInvalid
from tmws.domain.reports import parse_report
from tmws.domain.snapshots import Snapshot, SnapshotFile

A = "tests/test_a.py::test_a"
PROJECT = Snapshot.of(
    (
        SnapshotFile.of("src/app.py", b"def f(): return 1\n"),
        SnapshotFile.of("tests/test_a.py", b"def test_a(): pass\n"),
    )
)


def judged(
    *rows: list[Any],
    percent: float = 80.0,
    branch: bool = False,
    outcome: str = "passed",
    **measured: list[str],
) -> Judgement:
    status = 0 if outcome == "passed" else 1
    *lines, finished = pytest_lines({A: outcome}, status=status)
    told: list[Line] = [("measured", {"files": list(rows)}), ("coverage", measured)]
    report = written("coverage", *lines, *told, finished)
    check = CoverageCheck("src", percent, branch, ("tests",))
    return judge(check, PROJECT, ran(report, exit_code=status))


def test_enough_executed_lines_support_the_claim() -> None:
    judgement = judged(["src/app.py", 10, 8, 0, 0, 10, 8, 0, 0])

    assert (judgement.verdict, judgement.level) == (Verdict.SUPPORTED, Level.REPRODUCED)
    assert "80.00 % of the lines of src are executed" in judgement.detail
    assert (judgement.counts["lines"], judgement.counts["executed_lines"]) == (10, 8)


def test_too_few_refute_it_with_what_was_seen() -> None:
    judgement = judged(["src/app.py", 10, 7, 0, 0, 10, 7, 0, 0])

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.CHECK_FAILED)
    assert "70.00 %" in judgement.detail


def test_branches_count_beside_lines() -> None:
    judgement = judged(["src/app.py", 10, 10, 10, 5, 10, 10, 10, 5], branch=True)

    assert judgement.verdict is Verdict.REFUTED
    assert "75.00 % of the lines and branches" in judgement.detail


def test_what_the_project_leaves_out_neither_supports_nor_refutes() -> None:
    judgement = judged(["src/app.py", 10, 7, 0, 0, 7, 7, 0, 0])

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY)
    assert judgement.flags


def test_more_processes_than_are_measured_here_leave_the_claim_open() -> None:
    row = ["src/app.py", 10, 7, 0, 0, 10, 7, 0, 0]

    judgement = judged(row, foreign=[], beyond=["run:concurrency"])

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "run:concurrency" in judgement.detail


def test_other_code_in_a_files_name_lowers_the_level() -> None:
    row = ["src/app.py", 10, 10, 0, 0, 10, 10, 0, 0]

    assert judged(row, foreign=["src/app.py"], beyond=[]).verdict is Verdict.INCONCLUSIVE


def test_a_failing_test_refutes_whatever_is_executed() -> None:
    judgement = judged(["src/app.py", 10, 10, 0, 0, 10, 10, 0, 0], outcome="failed")

    assert (judgement.verdict, judgement.items) == (Verdict.REFUTED, (A,))


def test_files_that_were_not_measured_make_the_report_unbelievable() -> None:
    judgement = judged(["src/other.py", 10, 10, 0, 0, 10, 10, 0, 0])

    assert judgement.reason is Reason.TAMPER_SUSPECTED


def test_nothing_is_rounded_up_to_everything() -> None:
    row = ["src/app.py", 100_000, 99_999, 0, 0, 100_000, 99_999, 0, 0]

    assert judged(row, percent=100.0).verdict is Verdict.REFUTED
    assert judged(["src/app.py", *[0] * 8]).reason is Reason.NOTHING_CHECKED


@pytest.mark.parametrize(
    "row",
    [
        ["src/app.py", 10, 11, 0, 0, 10, 10, 0, 0],
        ["src/app.py", 10, 8, 0, 0, 10, 8, 0],
        ["src/app.py", 10, -1, 0, 0, 10, 8, 0, 0],
        ["src/app.py", 10, True, 0, 0, 10, 8, 0, 0],
        [1, 10, 8, 0, 0, 10, 8, 0, 0],
        None,
    ],
)
def test_counts_that_cannot_be_are_refused(row: object) -> None:
    with pytest.raises(ReportInvalid, match="eight counts"):
        parse_report(written("coverage", ("measured", {"files": [row]})))
