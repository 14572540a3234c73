"""What the tests executed, held against the claim.

Lines are counted twice. By our rules nothing in the workspace leaves a line out: what a
`# pragma: no cover`, `omit` or `exclude_also` would hide counts as not executed. By the
project's own rules it does not count. A claim that holds by ours is SUPPORTED, one that
fails even by its own is REFUTED, and one that needs its own rules is left open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from tmws.domain.cases import Case
from tmws.domain.claims import CoverageCheck, Judgement, Reason, Verdict
from tmws.domain.measured import Executed
from tmws.domain.reports import CoverageReport
from tmws.domain.snapshots import Snapshot
from tmws.domain.testruns import judge_tests


def judge_coverage(
    check: CoverageCheck,
    snapshot: Snapshot,
    report: CoverageReport,
    flags: tuple[str, ...],
    exit_code: int,
) -> Judgement:
    """Decide what a measured run of pytest says about a claim."""
    judged = judge_tests(check.tests, snapshot, report.tests, flags, exit_code)
    ours = _sum(file.ours for file in report.files)
    own = _sum(file.own for file in report.files)
    counts = judged.counts | {
        "files": len(report.files),
        "lines": ours.lines,
        "executed_lines": ours.executed,
    }
    if check.branch:
        counts |= {"branches": ours.branches, "executed_branches": ours.executed_branches}
    if judged.verdict is not Verdict.SUPPORTED:
        return replace(judged, counts=counts)
    foreign = (f"{path}: code was executed or traced in another way" for path in report.foreign)
    case = Case(counts, tuple(sorted({*flags, *foreign})))
    expected = {file.path for file in snapshot.below(check.source) if file.path.endswith(".py")}
    if expected != {file.path for file in report.files}:
        return case.distrusted("Other files were measured than those that the claim names.")
    return _by_amount(case, check, report, ours, own)


def _by_amount(
    case: Case, check: CoverageCheck, report: CoverageReport, ours: Executed, own: Executed
) -> Judgement:
    if ours.whole == 0:
        return case.refuted(Reason.NOTHING_CHECKED, f"No code lies in {check.source}.")
    what = "lines and branches" if check.branch else "lines"
    seen = f"{_percent(ours):.2f} % of the {what} of {check.source} are executed"
    if _percent(ours) >= check.percent:
        return case.only_observed(seen) if case.flags else case.supported(f"{seen}.")
    if report.beyond:
        return case.open(
            Reason.OBSERVED_ONLY,
            f"{seen} in the one process that is measured here; the project's own settings "
            f"({report.beyond[0]}) measure more. Claim at most {_percent(ours):.2f}.",
        )
    if own.whole and _percent(own) >= check.percent:
        hidden = tuple(
            f"{file.path}: comments or settings leave code out of the measurement"
            for file in report.files
            if file.own.whole < file.ours.whole
        )
        return Case(case.counts, tuple(sorted({*case.flags, *hidden}))).only_observed(
            f"{seen}, {_percent(own):.2f} % of what the project counts"
        )
    return case.refuted(Reason.CHECK_FAILED, f"{seen}, the claim says {check.percent:g} %.")


def _sum(parts: Iterable[Executed]) -> Executed:
    lines = executed = branches = executed_branches = 0
    for part in parts:
        lines += part.lines
        executed += part.executed
        branches += part.branches
        executed_branches += part.executed_branches
    return Executed(lines, executed, branches, executed_branches)


def _percent(part: Executed) -> float:
    """Return executed of a hundred to two decimals, never rounded up."""
    return 10_000 * part.part // part.whole / 100
