"""The second run: planted faults must be found, and everything else must be as before."""

from __future__ import annotations

import ast
import dataclasses

import pytest

from tmws.domain.cases import Case
from tmws.domain.claims import MypyCheck, PytestCheck, Reason, RuffCheck
from tmws.domain.grammar import MAX_ARGUMENTS
from tmws.domain.rechecks import (
    MOST_PLANTED,
    plant_findings,
    plant_tests,
    recheck_findings,
    recheck_tests,
)
from tmws.domain.reports import LintReport, PytestReport, Ran, RanOutcome
from tmws.domain.snapshots import Snapshot, SnapshotFile

TOKEN = "0123456789abcdef"
CASE = Case({}, ())
A, B = "tests/test_a.py::test_one", "tests/test_b.py::TestB::test_two"


def report(*passed: str, failed: tuple[str, ...] = (), **fields: object) -> PytestReport:
    tests = (
        *(Ran(node, RanOutcome.PASSED) for node in passed),
        *(Ran(node, RanOutcome.FAILED) for node in failed),
    )
    collected = tuple(test.id for test in tests)
    whole = PytestReport((), collected, tests, (), 0, (), (), (), 1 if failed else 0)
    return dataclasses.replace(whole, **fields)  # type: ignore[arg-type]


def snapshot(**texts: str) -> Snapshot:
    return Snapshot.of(
        SnapshotFile.of(f"tests/{name}.py", text.encode()) for name, text in texts.items()
    )


TESTS = snapshot(test_a="def test_one(): pass", test_b="class TestB:\n    pass\n")
TRUSTED = frozenset(file.path for file in TESTS.files)


def test_every_trusted_module_that_passed_gets_a_test_that_fails() -> None:
    planted = plant_tests(PytestCheck(), TESTS, report(A, B), TRUSTED, TOKEN)
    assert [node.partition("::")[0] for node in sorted(planted.ids)] == sorted(TRUSTED)
    for node in planted.ids:
        path, _, name = node.partition("::")
        file = planted.snapshot.file(path)
        assert file is not None
        tree = ast.parse(file.content)
        [fault] = [part for part in tree.body if getattr(part, "name", "") == name]
        namespace: dict[str, object] = {}
        exec(compile(ast.Module([fault], []), path, "exec"), namespace)  # noqa: S102  as pytest would
        with pytest.raises(AssertionError):
            namespace[name]()  # type: ignore[operator]


def test_modules_that_are_not_trusted_or_did_not_pass_get_none() -> None:
    assert plant_tests(PytestCheck(), TESTS, report(A), frozenset(), TOKEN).ids == ()
    assert plant_tests(PytestCheck(), TESTS, report(failed=(A,)), TRUSTED, TOKEN).ids == ()


def test_a_claim_about_single_tests_is_widened_to_what_was_planted() -> None:
    narrow = PytestCheck((A,), passed=1)
    planted = plant_tests(narrow, TESTS, report(A), TRUSTED, TOKEN)
    assert isinstance(planted.check, PytestCheck)
    assert planted.check.targets == (A, *planted.ids)
    folder = plant_tests(PytestCheck(("tests",)), TESTS, report(A), TRUSTED, TOKEN)
    assert isinstance(folder.check, PytestCheck)
    assert folder.check.targets == ("tests",)


def test_however_many_modules_there_are_the_command_stays_within_its_limits() -> None:
    many = snapshot(**{f"test_{number}": "" for number in range(60)})
    nodes = [f"tests/test_{number}.py::test_it" for number in range(60)]
    trusted = frozenset(file.path for file in many.files)
    whole = plant_tests(PytestCheck(), many, report(*nodes), trusted, TOKEN)
    assert len(whole.ids) == MOST_PLANTED
    named = PytestCheck(tuple(nodes[:25]))
    planted = plant_tests(named, many, report(*nodes[:25]), trusted, TOKEN)
    assert isinstance(planted.check, PytestCheck)
    assert 0 < len(planted.ids) < MOST_PLANTED
    assert len(planted.check.targets) < MAX_ARGUMENTS - 1


PLANTED = ("tests/test_a.py::test_one_01230",)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (report(A, failed=PLANTED), None),
        (report(A, *PLANTED), Reason.TAMPER_SUSPECTED),
        (report(A), Reason.TAMPER_SUSPECTED),
        (report(failed=(A, *PLANTED)), Reason.RUNS_DIFFER),
        (report(failed=PLANTED), Reason.RUNS_DIFFER),
        (report(A, B, failed=PLANTED), Reason.RUNS_DIFFER),
        (report(A, failed=PLANTED, patched=("x",)), Reason.TAMPER_SUSPECTED),
        (report(A, failed=PLANTED, status=0), Reason.TAMPER_SUSPECTED),
    ],
    ids=["agrees", "silent", "dropped", "failed", "vanished", "appeared", "patched", "status"],
)
def test_the_second_run_agrees_in_everything_but_what_was_planted(
    second: PytestReport, reason: Reason | None
) -> None:
    against = recheck_tests(CASE, PytestCheck(), report(A), second, PLANTED)
    assert (against.reason if against else None) is reason


LOOKED_AT = LintReport(("tests/test_a.py",), (), 0, 0, (), (), 0, "")


@pytest.mark.parametrize("check", [RuffCheck(), MypyCheck()])
def test_something_to_be_found_is_put_into_files_that_were_looked_at(
    check: RuffCheck | MypyCheck,
) -> None:
    source = '"""Doc."""\nfrom __future__ import annotations\nimport sys\nsys.exit()\n'
    both = snapshot(test_a=source, test_b="x = 1\n")
    planted = plant_findings(check, both, LOOKED_AT, TOKEN)
    assert planted.ids == ("tests/test_a.py",)
    changed = planted.snapshot.file("tests/test_a.py")
    assert changed is not None
    assert TOKEN.encode() in changed.content
    assert planted.snapshot.file("tests/test_b.py") == both.file("tests/test_b.py")
    if isinstance(check, MypyCheck):
        tree = ast.parse(changed.content)
        assert ast.get_docstring(tree) == "Doc."
        assert isinstance(tree.body[1], ast.ImportFrom)
    else:
        with pytest.raises(SyntaxError):
            ast.parse(changed.content)


@pytest.mark.parametrize(
    ("findings", "reason"),
    [
        (("tests/test_a.py:1 assignment",), None),
        ((), Reason.TAMPER_SUSPECTED),
        (("tests/test_a.py:1 x", "tests/test_b.py:1 x"), Reason.RUNS_DIFFER),
    ],
    ids=["found", "silent", "another"],
)
def test_what_was_put_in_is_found_and_nothing_else(
    findings: tuple[str, ...], reason: Reason | None
) -> None:
    second = dataclasses.replace(LOOKED_AT, findings=findings, found=len(findings), status=1)
    against = recheck_findings(CASE, second, ("tests/test_a.py",))
    assert (against.reason if against else None) is reason
