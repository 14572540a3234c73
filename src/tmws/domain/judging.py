"""From one run to a verdict, failing closed.

The report, the exit status and what the sandbox saw from outside must agree before
anything is SUPPORTED. One asymmetry is deliberate: a report that lists a failing test
refutes the claim whatever the exit status says, for nobody forges a failure against
himself. What never came to an end, or cannot be believed, is INCONCLUSIVE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tmws.domain.cases import Case, is_passed_over, number
from tmws.domain.claims import (
    Check,
    CoverageCheck,
    Judgement,
    MetricCheck,
    MypyCheck,
    NodeTestCheck,
    NpmTestCheck,
    PytestCheck,
    PythonCheck,
    Reason,
    RuffCheck,
    TimingCheck,
)
from tmws.domain.coverage import judge_coverage
from tmws.domain.execution import ExecutionResult, Outcome
from tmws.domain.flags import scan
from tmws.domain.metrics import judge_metric
from tmws.domain.records import ReportInvalid
from tmws.domain.reports import (
    CoverageReport,
    LintReport,
    NodeReport,
    PytestReport,
    Report,
    ScriptReport,
    TimingReport,
    parse_report,
)
from tmws.domain.silencers import ignored_types
from tmws.domain.snapshots import Snapshot
from tmws.domain.testruns import judge_node_tests, judge_tests, unread, without_trusted_hooks
from tmws.domain.timing import judge_timing

_ENDS = {
    Outcome.TIMED_OUT: (
        Reason.TIMED_OUT,
        "The run was ended after {wall:.1f} s. Name fewer targets or ask for more time.",
    ),
    Outcome.OUT_OF_MEMORY: (
        Reason.OUT_OF_MEMORY,
        "The run needed more memory than allowed (peak {peak} MiB). Name fewer targets or ask "
        "for more memory.",
    ),
    Outcome.OUTPUT_EXCEEDED: (
        Reason.OUTPUT_EXCEEDED,
        "The run printed or reported more than allowed. Make it quieter or name fewer targets.",
    ),
    Outcome.SIGNALED: (
        Reason.SIGNALED,
        "The run was ended by signal {signal}. Fix the crash, then claim again.",
    ),
}


def judge(
    check: Check,
    snapshot: Snapshot,
    result: ExecutionResult,
    *,
    trusted: frozenset[str] = frozenset(),
) -> Judgement:
    """Decide what one run of `check` on `snapshot` says about the claim.

    Args:
        trusted: paths of files that may bend results, as the claimant can't reach them.
    """
    report = read_report(Case({}, ()), result)
    if isinstance(report, Judgement):
        return replace(report, flags=scan(check, snapshot, spared=trusted))
    case = Case({}, scan(check, snapshot, spared=trusted | unread(report)))
    report = without_trusted_hooks(report, trusted)
    return _judge_report(check, snapshot, report, case, result.exit_code or 0)


def _judge_report(
    check: Check, snapshot: Snapshot, report: Report, case: Case, exit_code: int
) -> Judgement:
    if judged := _judge_tests(check, snapshot, report, case, exit_code):
        return judged
    match check, report:
        case ((RuffCheck() | MypyCheck()), LintReport()):
            return _judge_findings(check, snapshot, report, case.flags, exit_code)
        case ((PythonCheck() | MetricCheck()), ScriptReport()):
            return _judge_script(check, snapshot, report, exit_code)
        case (TimingCheck(), TimingReport()):
            return judge_timing(check, report, exit_code)
    return case.distrusted("The report comes from another tool than the one that was started.")


def _judge_tests(
    check: Check, snapshot: Snapshot, report: Report, case: Case, exit_code: int
) -> Judgement | None:
    """Judge a run of tests, None if it was none."""
    match check, report:
        case (PytestCheck(), PytestReport()):
            return judge_tests(check, snapshot, report, case.flags, exit_code)
        case (CoverageCheck(), CoverageReport()):
            return judge_coverage(check, snapshot, report, case.flags, exit_code)
        case ((NodeTestCheck() | NpmTestCheck()), NodeReport()):
            return judge_node_tests(check, snapshot, report, case.flags, exit_code)
    return None


def read_report(case: Case, result: ExecutionResult) -> Report | Judgement:
    """Return what the run reported, or why that decides nothing."""
    if result.outcome is not Outcome.EXITED or result.exit_code is None:
        return unfinished(case, result)
    try:
        return parse_report(result.report or b"")
    except ReportInvalid as error:
        return _unreported(case, result, error)


def _unreported(case: Case, result: ExecutionResult, error: ReportInvalid) -> Judgement:
    if result.report is None and result.exit_code:
        return case.open(
            Reason.USAGE_ERROR,
            f"The runner could not start (exit status {result.exit_code}). Read its output.",
        )
    return case.distrusted(f"The report of the run cannot be believed: {error}.")


def unfinished(case: Case, result: ExecutionResult) -> Judgement:
    """Return what is said of a run that never came to its own end."""
    reason, detail = _ENDS.get(result.outcome, _ENDS[Outcome.SIGNALED])
    return case.open(
        reason,
        detail.format(
            wall=result.wall_seconds,
            peak=result.peak_memory_bytes // 2**20,
            signal=result.signal,
        ),
    )


def _judge_findings(
    check: RuffCheck | MypyCheck,
    snapshot: Snapshot,
    report: LintReport,
    flags: tuple[str, ...],
    exit_code: int,
) -> Judgement:
    counts = {
        "files": len(report.files),
        "findings": report.found,
        "suppressed": report.suppressed + _ignored(check, snapshot),
    }
    unchecked = (f"{path}: was not checked" for path in _unchecked(check, snapshot, report))
    ignored = (f"the settings: {what} is not obeyed here" for what in report.neutralised)
    case = Case(counts, tuple(sorted({*flags, *unchecked, *ignored})))
    if not snapshot.python_files(check.targets):
        return case.refuted(Reason.NOTHING_CHECKED, "No Python file lies in what the claim names.")
    return _by_fitness(case, report, exit_code) or _by_findings(case, report)


def _ignored(check: RuffCheck | MypyCheck, snapshot: Snapshot) -> int:
    """Count what comments silence for mypy, which does not say so itself."""
    if isinstance(check, RuffCheck):
        return 0
    return ignored_types(snapshot.python_files(check.targets))


def _by_fitness(case: Case, report: LintReport, exit_code: int) -> Judgement | None:
    """A tool that could not do its work decides nothing."""
    if report.status is None or report.status != exit_code:
        return case.distrusted(
            f"The run ended with status {exit_code}, its report says {report.status}."
        )
    if report.missing:
        return case.missing(report.missing, report.findings)
    if report.status not in {0, 1}:
        return case.open(
            Reason.USAGE_ERROR,
            f"The tool could not work: {report.message[:200] or 'it did not say why'}",
        )
    if report.neutralised:
        return case.only_observed("The tool ran without a part of its settings")
    return None


def _by_findings(case: Case, report: LintReport) -> Judgement:
    if report.found:
        first = report.findings[0] if report.findings else "not listed"
        return case.refuted(
            Reason.CHECK_FAILED,
            f"{number(report.found, 'finding')}, first {first}",
            report.findings,
        )
    if report.status != 0:
        return case.distrusted("The tool ended with status 1, yet reported no finding.")
    if not report.files:
        return case.refuted(Reason.NOTHING_CHECKED, "The settings leave no file to be checked.")
    if case.flags:
        return case.only_observed("Nothing was found")
    return case.supported(f"Nothing was found in {number(len(report.files), 'file')}.")


def _unchecked(
    check: RuffCheck | MypyCheck, snapshot: Snapshot, report: LintReport
) -> Iterator[str]:
    seen = set(report.files)
    for target in check.targets or ("",):
        for file in snapshot.python_files((target,)):
            if file.path not in seen and not is_passed_over(file.path, target):
                yield file.path


def _judge_script(
    check: PythonCheck | MetricCheck, snapshot: Snapshot, report: ScriptReport, exit_code: int
) -> Judgement:
    if isinstance(check, MetricCheck):
        return judge_metric(check, snapshot, report, exit_code)
    case = Case({"exit_code": exit_code}, ())
    if report.status is None or report.status != exit_code:
        return case.distrusted(
            f"The run ended with status {exit_code}, its report says {report.status}."
        )
    if exit_code == check.exit_code:
        return case.supported(f"{check.script} ended with status {exit_code}.")
    if report.missing:
        return case.missing([report.missing])
    return case.refuted(
        Reason.CHECK_FAILED,
        f"{check.script} ended with status {exit_code}, the claim says {check.exit_code}.",
    )
