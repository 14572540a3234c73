"""What a run of pytest says: a list of rules, from the surest to the finest."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Set
from dataclasses import replace

from tmws.domain.cases import Case, is_passed_over, number
from tmws.domain.claims import Judgement, NodeTestCheck, NpmTestCheck, PytestCheck, Reason
from tmws.domain.commands import node_files
from tmws.domain.flags import syntax_tree
from tmws.domain.grammar import split_node_id
from tmws.domain.node_tests import is_test as is_node_test
from tmws.domain.reading import is_test_file
from tmws.domain.reports import (
    CoverageReport,
    NodeReport,
    PytestReport,
    Ran,
    RanOutcome,
    Report,
)
from tmws.domain.snapshots import Snapshot

# Files too large or too many, a full scratch folder, no network, no name server, threads
# used up, a debugger: what our own walls do to an honest test says nothing about it.
_HELD_BACK = re.compile(
    r"\[Errno (?:24|27|28|101|-2|-3)\]|can't start new thread|is closed in a check"
)

# What test runners pass over as well.
_LEFT_OUT_BY_ALL = ("cache", "installed packages", "version control", "virtual environment")
_CASES = frozenset({"IsolatedAsyncioTestCase", "TestCase"})


def judge_tests(
    check: PytestCheck,
    snapshot: Snapshot,
    report: PytestReport,
    flags: tuple[str, ...],
    exit_code: int,
) -> Judgement:
    """Decide what a run of pytest says about a claim."""
    bent = {*flags, *_bent(check, snapshot, report)}
    return _judged(check, snapshot, report, bent, exit_code)


def judge_node_tests(
    check: NodeTestCheck | NpmTestCheck,
    snapshot: Snapshot,
    report: NodeReport,
    flags: tuple[str, ...],
    exit_code: int,
) -> Judgement:
    """Decide what a run of Node's test runner says about a claim."""
    targets = check.targets if isinstance(check, NodeTestCheck) else ()
    about = PytestCheck(targets, passed=check.passed, allow_skipped=check.allow_skipped)
    ran = {module.id for module in report.tests.modules}
    missed = {f"{path}: was not run" for path in set(node_files(check, snapshot)) - ran}
    left_out = _left_out(targets, snapshot, is_node_test)
    return _judged(about, snapshot, report.tests, {*flags, *missed, *left_out}, exit_code)


def _judged(
    check: PytestCheck,
    snapshot: Snapshot,
    report: PytestReport,
    bent: Set[str],
    exit_code: int,
) -> Judgement:
    case = Case(_test_counts(report), tuple(sorted(bent)))
    failed = [
        _for_want_of_a_file(ran, snapshot)
        for ran in (*report.modules, *report.tests)
        if ran.outcome is RanOutcome.FAILED
    ]
    if decided := _by_failures(case, report, failed, exit_code):
        return decided
    if decided := _by_ending(case, report, failed, exit_code):
        return decided
    if decided := _by_belief(case, report):
        return decided
    return _by_claim(case, check, report)


def without_trusted_hooks(report: Report, trusted: frozenset[str]) -> Report:
    """Return the report without the hooks of files that the claimant can't reach."""
    if isinstance(report, CoverageReport):
        tests = without_trusted_hooks(report.tests, trusted)
        return replace(report, tests=tests) if isinstance(tests, PytestReport) else report
    if not isinstance(report, PytestReport):
        return report
    hooks = tuple(
        hook
        for hook in report.hooks
        if not (hook.partition(": ")[0] in trusted and ": pytest_" in hook)
    )
    return replace(report, hooks=hooks)


def unread(report: Report) -> frozenset[str]:
    """Return the Python files that nobody read while tests ran, so that they had no say."""
    tests = report.tests if isinstance(report, CoverageReport) else report
    return tests.unread if isinstance(tests, PytestReport) else frozenset()


def _for_want_of_a_file(ran: Ran, snapshot: Snapshot) -> Ran:
    """A test that did not find a file which we left out did not fail by itself."""
    if ran.missing is not None or not ran.message.startswith("FileNotFoundError"):
        return ran
    sought = ran.message.rstrip("'\"")
    for path, _ in snapshot.left_out:
        name = path.rpartition("/")[2]
        if sought.endswith((f"/{name}", f"'{name}")):
            return replace(ran, missing=f"{path} (left out of the snapshot)")
    return ran


def _by_failures(
    case: Case, report: PytestReport, failed: list[Ran], exit_code: int
) -> Judgement | None:
    """A test that failed for a reason of its own refutes, whatever else is said."""
    own = [ran for ran in failed if ran.missing is None]
    if not own:
        return None
    first = own[0]
    if all(_HELD_BACK.search(ran.message) for ran in own):
        return case.open(
            Reason.SANDBOX_LIMIT,
            f"{first.id[:200]} met a limit of the sandbox: {first.message[:200]}. There is no "
            "network, and files, descriptors and threads are bounded. Name targets that need less.",
            (ran.id for ran in own),
        )
    if report.overruled and not any(ran.kept for ran in own):
        case = Case(case.counts, (*case.flags, *_overruled(report)))
    contradicted = report.status == 0 or exit_code == 0 or any(ran.changed for ran in own)
    if contradicted:
        hidden = (*case.flags, "the run: hid a failure from its exit status or its report")
        case = Case(case.counts, hidden)
    return case.refuted(
        Reason.CHECK_FAILED,
        f"{number(len(own), 'test or module', 'tests or modules')} failed, first "
        f"{first.id[:200]}: {first.message[:200] or 'no message'}",
        (ran.id for ran in own),
    )


def _by_ending(
    case: Case, report: PytestReport, failed: list[Ran], exit_code: int
) -> Judgement | None:
    """A run that did not come to its proper end decides nothing."""
    if report.status is None:
        return case.distrusted(f"The run left with status {exit_code} before its report was done.")
    if report.status != exit_code:
        return case.distrusted(
            f"The run ended with status {exit_code}, its report says {report.status}."
        )
    if failed:
        missing = sorted({str(ran.missing) for ran in failed})
        return case.missing(missing, (ran.id for ran in failed))
    if report.status not in {0, 1, 5}:
        return case.open(
            Reason.USAGE_ERROR,
            f"The test runner ended with status {report.status} (interrupted, or it could not use "
            "the targets or the configuration). Read its output, then correct the claim.",
        )
    return None


def _by_belief(case: Case, report: PytestReport) -> Judgement | None:
    """A run in which something else than the tests decided is not believed."""
    if case.counts["selected"] == 0:
        return case.refuted(Reason.NOTHING_CHECKED, "No test was found in what the claim names.")
    if report.status != 0:
        return case.distrusted(
            f"The run ended with status {report.status}, yet no test was reported as failed."
        )
    if unfinished := case.counts["unfinished"]:
        return case.distrusted(f"{number(unfinished, 'test')} never came to an end.")
    if report.patched:
        return case.distrusted(f"The test run replaced parts of its runner: {report.patched[0]}.")
    failing = {ran.id for ran in report.canaries if ran.outcome is RanOutcome.FAILED}
    passing = {ran.id.partition("::")[0] for ran in report.tests if ran.outcome.passed}
    if silent := sorted(passing - failing):
        return case.distrusted(f"In {silent[0]} a test that must fail did not.")
    return None


def _by_claim(case: Case, check: PytestCheck, report: PytestReport) -> Judgement:
    """The run is whole and nothing failed: does it bear the claim out?"""
    passed = case.counts["passed"]
    skipped = [
        ran
        for ran in (*report.modules, *report.tests)
        if ran.outcome in {RanOutcome.SKIPPED, RanOutcome.XFAILED}
    ]
    if passed == 0:
        return case.refuted(Reason.NOTHING_CHECKED, "No test passed: all of them were skipped.")
    if empty := [target for target in check.targets if not _is_covered(target, report)]:
        return case.refuted(Reason.NOTHING_CHECKED, f"No test was run in {empty[0]}.", empty)
    if check.passed is not None and passed != check.passed:
        return _by_count(case, report, check.passed)
    if len(skipped) > check.allow_skipped:
        return case.open(
            Reason.SKIPPED,
            f"{number(len(skipped), 'test')} of {case.counts['selected']} did not run or may "
            f"fail. Claim allow_skipped={len(skipped)}, or name other targets.",
            (ran.id for ran in skipped),
        )
    if case.flags:
        return case.only_observed(f"All {number(passed, 'test')} passed")
    return case.supported(f"{number(passed, 'test')} passed, none failed.")


def _by_count(case: Case, report: PytestReport, claimed: int) -> Judgement:
    seen = f"{number(case.counts['passed'], 'test')} passed, the claim says {claimed}"
    if report.overruled:
        return case.open(
            Reason.OBSERVED_ONLY,
            f"{seen}; but the project's own option {report.overruled[0]!r} is not obeyed. Say in "
            "the claim which tests are meant (targets, keyword, marker).",
        )
    return case.refuted(Reason.COUNT_DIFFERS, f"{seen}.")


def _test_counts(report: PytestReport) -> dict[str, int]:
    outcomes = [ran.outcome for ran in report.tests]
    skipped_modules = sum(ran.outcome is RanOutcome.SKIPPED for ran in report.modules)
    return {
        "collected": len(report.collected),
        "selected": len(report.tests) + skipped_modules,
        "deselected": report.deselected,
        "passed": outcomes.count(RanOutcome.PASSED),
        "failed": outcomes.count(RanOutcome.FAILED),
        "skipped": outcomes.count(RanOutcome.SKIPPED) + skipped_modules,
        "xfailed": outcomes.count(RanOutcome.XFAILED),
        "xpassed": outcomes.count(RanOutcome.XPASSED),
        "unfinished": outcomes.count(RanOutcome.UNFINISHED),
    }


def _overruled(report: PytestReport) -> Iterator[str]:
    return (f"the settings: addopts {option!r} is not obeyed" for option in report.overruled)


def _is_covered(target: str, report: PytestReport) -> bool:
    return any(
        ran.id == target or ran.id.startswith((f"{target}/", f"{target}::", f"{target}["))
        for ran in report.tests
    )


def _bent(check: PytestCheck, snapshot: Snapshot, report: PytestReport) -> Iterator[str]:
    """Name what the run itself showed to be bent: hooks, selection, collection."""
    yield from report.hooks
    yield from (f"{node_id}: added to or dropped from the selection" for node_id in report.unruly)
    yield from (f"{path}: was not collected" for path in _uncollected(check, snapshot, report))
    yield from _left_out(check.targets, snapshot, is_test_file)


def _left_out(
    targets: tuple[str, ...], snapshot: Snapshot, is_test: Callable[[str], bool]
) -> Iterator[str]:
    """Name tests that the project's own runner would find, and no snapshot holds."""
    for path, reason in snapshot.left_out:
        below = not targets or any(f"{path}/".startswith(f"{target}/") for target in targets)
        if below and is_test(path) and not reason.startswith(_LEFT_OUT_BY_ALL):
            yield f"{path}: was left out of the snapshot ({reason})"


def _uncollected(check: PytestCheck, snapshot: Snapshot, report: PytestReport) -> Iterator[str]:
    """Find test files and functions in the claim's scope that pytest never saw."""
    modules = {ran.id for ran in report.modules}
    seen = {node_id.partition("[")[0] for node_id in report.collected}
    skipped = {ran.id for ran in report.modules if ran.outcome is not RanOutcome.PASSED}
    for target in check.targets or ("",):
        path, names, _ = split_node_id(target)
        for file in snapshot.below(path):
            if names or not is_test_file(file.path) or file.path.endswith("conftest.py"):
                continue
            if file.path not in modules:
                if not is_passed_over(file.path, path):
                    yield file.path
            elif file.path not in skipped:
                tree = syntax_tree(file)
                for name in _plain_tests(tree) if tree is not None else ():
                    if f"{file.path}::{name}" not in seen:
                        yield f"{file.path}::{name}"


def _plain_tests(tree: ast.Module) -> Iterator[str]:
    """Return the tests that any configuration but a hiding one collects."""
    inherited = {_base(base) for node in tree.body for base in getattr(node, "bases", ())}
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if name.startswith("test_") and _is_plain(node):
                    yield name
            case ast.ClassDef(name=owner, decorator_list=[], bases=[]) if owner.startswith("Test"):
                yield from _plain_methods(node, "test_")
            case ast.ClassDef(name=owner, decorator_list=[], bases=[base]):
                # A case that others inherit from may be taken away on purpose.
                if _base(base) in _CASES and owner not in inherited:
                    yield from _plain_methods(node, "test")


def _plain_methods(owner: ast.ClassDef, prefix: str) -> Iterator[str]:
    if not _opts_out(owner.body):
        yield from (
            f"{owner.name}::{member.name}"
            for member in owner.body
            if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef)
            and member.name.startswith(prefix)
            and _is_plain(member)
        )


def _base(node: ast.expr) -> str:
    """Return the last part of a base's name, or ""."""
    return str(getattr(node, "attr", getattr(node, "id", "")))


def _is_plain(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return not any(
        "fixture" in getattr(part, "attr", getattr(part, "id", ""))
        for decorator in node.decorator_list
        for part in ast.walk(decorator)
    )


def _opts_out(body: list[ast.stmt]) -> bool:
    """Tell whether a class says itself that it is no test class."""
    return any(
        (isinstance(member, ast.FunctionDef) and member.name in {"__init__", "__new__"})
        or (
            isinstance(member, ast.Assign)
            and isinstance(member.targets[0], ast.Name)
            and member.targets[0].id == "__test__"
        )
        for member in body
    )
