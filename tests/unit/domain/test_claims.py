"""What a run says about a claim: the table of outcomes, failing closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.written_reports import Line, pytest_lines, ran, written
from tmws.domain.claims import (
    Check,
    CoverageCheck,
    Judgement,
    Level,
    MypyCheck,
    PytestCheck,
    PythonCheck,
    Reason,
    RuffCheck,
    Verdict,
)
from tmws.domain.execution import Outcome
from tmws.domain.judging import judge
from tmws.domain.snapshots import Snapshot, SnapshotFile

PROJECT = Snapshot.of(
    (
        SnapshotFile.of("src/app.py", b"def f(): return 1\n"),
        SnapshotFile.of("tests/test_a.py", b"def test_a(): pass\ndef test_b(): pass\n"),
    ),
    [("tests/cert.pem", "may hold secrets")],
)
A, B = "tests/test_a.py::test_a", "tests/test_a.py::test_b"


def judged(
    outcomes: dict[str, str],
    check: Check | None = None,
    *,
    status: int | None = 0,
    exit_code: int = 0,
    extra: list[Line] | None = None,
    **finished: Any,
) -> Judgement:
    lines = pytest_lines(outcomes, status=status, **finished)
    report = written("pytest", *(extra or []), *lines)
    return judge(check or PytestCheck(), PROJECT, ran(report, exit_code=exit_code))


def test_tests_that_pass_support_the_claim_at_the_level_reproduced() -> None:
    judgement = judged({A: "passed", B: "passed"})

    assert judgement.verdict is Verdict.SUPPORTED
    assert judgement.level is Level.REPRODUCED
    assert judgement.reason is Reason.CHECK_PASSED
    assert judgement.counts["passed"] == 2
    assert judgement.flags == ()


def test_a_failing_test_refutes_and_is_named() -> None:
    judgement = judged({A: "passed", B: "failed"}, status=1, exit_code=1)

    assert judgement.verdict is Verdict.REFUTED
    assert judgement.reason is Reason.CHECK_FAILED
    assert judgement.items == (B,)
    assert judgement.level is Level.REPRODUCED


@pytest.mark.parametrize(("status", "exit_code"), [(0, 0), (1, 0), (None, 0), (None, 1)])
def test_a_reported_failure_refutes_whatever_the_exit_status_says(
    status: int | None, exit_code: int
) -> None:
    """Nobody forges a failure against himself."""
    judgement = judged({A: "passed", B: "failed"}, status=status, exit_code=exit_code)

    assert judgement.verdict is Verdict.REFUTED
    assert bool(judgement.flags) == (exit_code == 0)


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.TIMED_OUT, Reason.TIMED_OUT),
        (Outcome.OUT_OF_MEMORY, Reason.OUT_OF_MEMORY),
        (Outcome.OUTPUT_EXCEEDED, Reason.OUTPUT_EXCEEDED),
        (Outcome.SIGNALED, Reason.SIGNALED),
    ],
)
@pytest.mark.parametrize("check", [PytestCheck(), RuffCheck(), MypyCheck(), PythonCheck("x.py")])
def test_a_run_without_an_end_leaves_every_claim_open(
    check: Check, outcome: Outcome, reason: Reason
) -> None:
    full = written("pytest", *pytest_lines({A: "passed", B: "passed"}))
    judgement = judge(check, PROJECT, ran(full, exit_code=None, outcome=outcome, signal=9))

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, reason)
    assert judgement.level is Level.OBSERVED


@pytest.mark.parametrize(
    ("status", "exit_code", "finished"),
    [
        (None, 0, {}),
        (0, 1, {}),
        (1, 0, {}),
        (1, 1, {}),
        (0, 0, {"canary": "passed"}),
        (0, 0, {"canary": "skipped"}),
        (0, 0, {"patched": ["_pytest.runner.pytest_runtest_makereport"]}),
    ],
)
def test_a_run_that_contradicts_itself_is_not_believed(
    status: int | None, exit_code: int, finished: dict[str, Any]
) -> None:
    judgement = judged({A: "passed", B: "passed"}, status=status, exit_code=exit_code, **finished)

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason is Reason.TAMPER_SUSPECTED


def measured(lines: list[Line]) -> bytes:
    """Return the report of the same tests as they ran while coverage was measured."""
    told: list[Line] = [
        ("measured", {"files": [["src/app.py", 1, 1, 0, 0, 1, 1, 0, 0]]}),
        ("coverage", {}),
    ]
    return written("coverage", *lines[:-1], *told, lines[-1])


RUNS: dict[str, tuple[Check, Callable[[list[Line]], bytes]]] = {
    "pytest": (PytestCheck(), lambda lines: written("pytest", *lines)),
    "coverage": (CoverageCheck("src", 50.0), measured),
}


@pytest.mark.parametrize("tool", RUNS)
def test_what_a_file_says_counts_unless_nobody_read_it_while_the_tests_ran(tool: str) -> None:
    check, report = RUNS[tool]
    exits = SnapshotFile.of("fuzz/server.py", b"import os\nos._exit(0)\n")
    snapshot = Snapshot.of([*PROJECT.files, exits])
    lines = pytest_lines({A: "passed", B: "passed"})
    unread = [*lines[:-1], ("unread", {"paths": ["fuzz/server.py"]}), lines[-1]]

    seen, unseen = (judge(check, snapshot, ran(report(told))) for told in (lines, unread))

    assert (seen.reason, unseen.reason) == (Reason.OBSERVED_ONLY, Reason.CHECK_PASSED)


def test_a_test_that_never_ended_is_not_believed() -> None:
    judgement = judged({A: "passed", B: "unfinished"})

    assert judgement.reason is Reason.TAMPER_SUSPECTED


def test_a_report_that_is_missing_or_broken_is_not_believed() -> None:
    for report in (None, b"", b"9 passed\n", b"\xff" * 40 + b"\n"):
        judgement = judge(PytestCheck(), PROJECT, ran(report))
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert judgement.reason is Reason.TAMPER_SUSPECTED


def test_a_report_of_another_tool_is_not_believed() -> None:
    report = written("python", ("finished", {"status": 0}))

    assert judge(PytestCheck(), PROJECT, ran(report)).reason is Reason.TAMPER_SUSPECTED


def test_a_runner_that_could_not_start_is_a_usage_error() -> None:
    judgement = judge(PytestCheck(), PROJECT, ran(None, exit_code=127))

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.USAGE_ERROR)


@pytest.mark.parametrize("status", [2, 3, 4])
def test_pytests_own_trouble_leaves_the_claim_open(status: int) -> None:
    judgement = judged({}, status=status, exit_code=status)

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.USAGE_ERROR)


def test_no_tests_refute() -> None:
    judgement = judged({}, status=5, exit_code=5)

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.NOTHING_CHECKED)


@pytest.mark.parametrize("outcome", ["skipped", "xfailed"])
def test_tests_that_all_stood_aside_refute_even_when_allowed(outcome: str) -> None:
    judgement = judged({A: outcome, B: outcome}, PytestCheck(allow_skipped=2))

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.NOTHING_CHECKED)


@pytest.mark.parametrize("outcome", ["skipped", "xfailed"])
def test_a_skipped_test_leaves_the_claim_open_unless_it_is_claimed(outcome: str) -> None:
    open_claim = judged({A: "passed", B: outcome})
    claimed = judged({A: "passed", B: outcome}, PytestCheck(allow_skipped=1))

    assert (open_claim.verdict, open_claim.reason) == (Verdict.INCONCLUSIVE, Reason.SKIPPED)
    assert "allow_skipped=1" in open_claim.detail
    assert open_claim.items == (B,)
    assert claimed.verdict is Verdict.SUPPORTED
    assert claimed.counts["passed"] == 1


@pytest.mark.parametrize(("claimed", "verdict"), [(2, "SUPPORTED"), (1, "REFUTED"), (3, "REFUTED")])
def test_the_number_of_passed_tests_is_taken_at_its_word(claimed: int, verdict: str) -> None:
    judgement = judged({A: "passed", B: "passed"}, PytestCheck(passed=claimed))

    assert judgement.verdict == verdict
    assert (judgement.reason is Reason.COUNT_DIFFERS) == (verdict == "REFUTED")


def test_a_target_in_which_nothing_ran_refutes() -> None:
    judgement = judged({A: "passed", B: "passed"}, PytestCheck(("tests", "src")))

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.NOTHING_CHECKED)
    assert judgement.items == ("src",)


def test_a_missing_package_leaves_the_claim_open_with_its_name() -> None:
    module = ("module", {"path": "tests/test_n.py", "outcome": "failed", "missing": "numpy"})
    judgement = judged({}, status=2, exit_code=2, extra=[module])

    assert (judgement.verdict, judgement.reason) == (
        Verdict.INCONCLUSIVE,
        Reason.MISSING_DEPENDENCY,
    )
    assert "numpy" in judgement.detail


@pytest.mark.parametrize(
    "message",
    [
        "OSError: [Errno 27] File too large",
        "OSError: [Errno 28] No space left on device: '/tmp/x'",
        "urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
        "RuntimeError: can't start new thread",
    ],
)
def test_a_limit_of_the_sandbox_is_not_the_authors_failure(message: str) -> None:
    module = ("module", {"path": "tests/t.py", "outcome": "failed", "message": message})
    alone = judged({}, status=2, exit_code=2, extra=[module])
    beside = judged({A: "failed"}, status=1, exit_code=1, extra=[module])

    assert (alone.verdict, alone.reason) == (Verdict.INCONCLUSIVE, Reason.SANDBOX_LIMIT)
    assert (beside.verdict, beside.reason) == (Verdict.REFUTED, Reason.CHECK_FAILED)


def test_a_module_that_cannot_be_imported_for_its_own_fault_refutes() -> None:
    module = ("module", {"path": "tests/t.py", "outcome": "failed", "message": "SyntaxError: x"})
    judgement = judged({}, status=2, exit_code=2, extra=[module])

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.CHECK_FAILED)


MISSED = "FileNotFoundError: [Errno 2] No such file or directory: 'tests/cert.pem'"


def test_a_failure_for_want_of_a_file_that_was_left_out_leaves_the_claim_open() -> None:
    lines = pytest_lines({A: "passed", B: "unfinished"}, status=1)
    failed = ("test", {"index": 1, "outcome": "failed", "message": MISSED})
    report = written("pytest", *lines[:-2], failed, *lines[-2:])
    judgement = judge(PytestCheck(), PROJECT, ran(report, exit_code=1))

    assert judgement.reason is Reason.MISSING_DEPENDENCY
    assert "tests/cert.pem" in judgement.detail


@pytest.mark.parametrize(
    "bent",
    [
        {"hooks": ["conftest.py: pytest_runtest_makereport"]},
    ],
)
def test_a_passing_run_that_could_be_bent_is_only_observed(bent: dict[str, Any]) -> None:
    judgement = judged({A: "passed", B: "passed"}, **bent)

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY)
    assert judgement.flags == ("conftest.py: pytest_runtest_makereport",)


HOOK = "conftest.py: pytest_runtest_makereport"
CHANGED = "conftest.py: changed while it ran"


@pytest.mark.parametrize(
    ("trusted", "hooks", "left"),
    [
        ({"conftest.py"}, [HOOK], ()),
        ({"conftest.py"}, [HOOK, CHANGED], (CHANGED,)),
        ({"conftest.py"}, [f"tests/{HOOK}"], (f"tests/{HOOK}",)),
        ({"tests/conftest.py"}, [HOOK], (HOOK,)),
        (set(), [HOOK], (HOOK,)),
    ],
    ids=["its hook", "changed", "another's", "not this one", "nothing trusted"],
)
@pytest.mark.parametrize("tool", RUNS)
def test_a_hook_counts_unless_its_file_is_out_of_the_claimants_reach(
    trusted: set[str], hooks: list[str], left: tuple[str, ...], tool: str
) -> None:
    check, report = RUNS[tool]
    lines = pytest_lines({A: "passed", B: "passed"}, hooks=hooks)

    judgement = judge(check, PROJECT, ran(report(lines)), trusted=frozenset(trusted))

    assert judgement.flags == left
    assert (judgement.verdict is Verdict.SUPPORTED) is (left == ())


def test_a_test_that_exists_but_was_not_collected_lowers_the_level() -> None:
    judgement = judged({A: "passed"})

    assert judgement.reason is Reason.OBSERVED_ONLY
    assert judgement.flags == (f"{B}: was not collected",)


def test_a_test_file_outside_the_collection_lowers_the_level_only_if_it_is_in_scope() -> None:
    snapshot = Snapshot.of(
        (*PROJECT.files, SnapshotFile.of("more/test_c.py", b"def test_c(): assert 0\n"))
    )
    report = written("pytest", *pytest_lines({A: "passed", B: "passed"}))

    whole = judge(PytestCheck(), snapshot, ran(report))
    named = judge(PytestCheck(("tests",)), snapshot, ran(report))

    assert whole.flags == ("more/test_c.py: was not collected",)
    assert whole.verdict is Verdict.INCONCLUSIVE
    assert named.verdict is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("class A(unittest.TestCase):\n    def test_x(self): ...\n", ("A::test_x",)),
        ("class A(IsolatedAsyncioTestCase):\n    async def testX(self): ...\n", ("A::testX",)),
        ("async def test_x(): ...\n", ("test_x",)),
        ("class A(TestCase):\n    __test__ = False\n    def test_x(self): ...\n", ()),
        ("class A(TestCase):\n    def test_x(self): ...\nclass B(A): ...\ndel A\n", ()),
        ("class A(Other):\n    def test_x(self): ...\n", ()),
    ],
)
def test_cases_of_the_library_and_async_tests_are_missed_too(
    text: str, hidden: tuple[str, ...]
) -> None:
    file = SnapshotFile.of("tests/test_case.py", text.encode())
    module = ("module", {"path": file.path, "outcome": "passed"})
    run = ran(written("pytest", module, *pytest_lines({A: "passed", B: "passed"})))

    judgement = judge(PytestCheck(), Snapshot.of((*PROJECT.files, file)), run)

    assert judgement.flags == tuple(f"{file.path}::{name}: was not collected" for name in hidden)


@pytest.mark.parametrize(
    ("path", "reason", "targets", "named"),
    [
        ("tests/test_c.py", "symbolic link", (), True),
        ("tests/test_c.py", "larger than 8 MiB", ("tests",), True),
        ("more/test_c.py", "symbolic link", ("tests",), False),
        ("tests/data.py", "symbolic link", (), False),
        ("tests/test_c.py", "virtual environment", (), False),
    ],
)
def test_a_test_that_no_snapshot_holds_lowers_the_level(
    path: str, reason: str, targets: tuple[str, ...], named: bool
) -> None:
    snapshot = Snapshot.of(PROJECT.files, [(path, reason)])
    run = ran(written("pytest", *pytest_lines({A: "passed", B: "passed"})))

    judgement = judge(PytestCheck(targets), snapshot, run)

    said = f"{path}: was left out of the snapshot ({reason})"
    assert judgement.flags == ((said,) if named else ())


OUTCOMES = st.sampled_from(["passed", "failed", "skipped", "xfailed", "xpassed", "unfinished"])


@given(
    outcomes=st.tuples(OUTCOMES, OUTCOMES),
    status=st.none() | st.integers(0, 5),
    exit_code=st.integers(0, 5),
    canary=st.sampled_from(["failed", "passed", "skipped", "unfinished"]),
    hooks=st.lists(st.just("x"), max_size=1),
    patched=st.lists(st.just("x"), max_size=1),
)
def test_supported_means_that_everything_agreed(
    *,
    outcomes: tuple[str, str],
    status: int | None,
    exit_code: int,
    canary: str,
    hooks: list[str],
    patched: list[str],
) -> None:
    """The one combination that is believed, whatever else a run may say."""
    judgement = judged(
        dict(zip((A, B), outcomes, strict=True)),
        status=status,
        exit_code=exit_code,
        canary=canary,
        hooks=hooks,
        patched=patched,
    )

    agreed = (
        set(outcomes) <= {"passed", "xpassed"}
        and "passed" in outcomes
        and status == 0
        and exit_code == 0
        and canary == "failed"
        and not hooks
        and not patched
    )
    assert (judgement.verdict is Verdict.SUPPORTED) == agreed
    assert judgement.verdict is not Verdict.SUPPORTED or judgement.level is Level.REPRODUCED
    assert len(judgement.detail) <= 600


def lint(check: Check, exit_code: int, files: list[str], **finished: Any) -> Judgement:
    tool = "ruff" if isinstance(check, RuffCheck) else "mypy"
    report = written(tool, ("files", {"paths": files}), ("finished", finished))
    return judge(check, PROJECT, ran(report, exit_code=exit_code))


ALL = ["src/app.py", "tests/test_a.py"]


@pytest.mark.parametrize("check", [RuffCheck(), MypyCheck()])
def test_a_clean_report_on_every_file_supports(check: Check) -> None:
    judgement = lint(check, 0, ALL, status=0, suppressed=3)

    assert judgement.verdict is Verdict.SUPPORTED
    assert judgement.counts == {"files": 2, "findings": 0, "suppressed": 3}


def test_ignored_types_are_counted_as_suppressed() -> None:
    snapshot = Snapshot.of([SnapshotFile.of("a.py", b"x: int = ''  # type: ignore[assignment]\n")])
    report = written("mypy", ("files", {"paths": ["a.py"]}), ("finished", {"status": 0}))

    assert judge(MypyCheck(), snapshot, ran(report)).counts["suppressed"] == 1


@pytest.mark.parametrize("check", [RuffCheck(), MypyCheck()])
def test_a_finding_refutes_and_is_listed(check: Check) -> None:
    judgement = lint(check, 1, ALL, status=1, found=1, findings=["src/app.py:1 F401"])

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.CHECK_FAILED)
    assert judgement.items == ("src/app.py:1 F401",)


@pytest.mark.parametrize("check", [RuffCheck(), MypyCheck()])
@pytest.mark.parametrize(
    ("exit_code", "files", "finished", "reason"),
    [
        (0, [], {"status": 0}, Reason.NOTHING_CHECKED),
        (0, ["src/app.py"], {"status": 0}, Reason.OBSERVED_ONLY),
        (0, ALL, {"status": 1}, Reason.TAMPER_SUSPECTED),
        (1, ALL, {"status": 1}, Reason.TAMPER_SUSPECTED),
        (2, [], {"status": 2, "message": "bad config"}, Reason.USAGE_ERROR),
        (1, ALL, {"status": 1, "found": 1, "missing": ["yaml"]}, Reason.MISSING_DEPENDENCY),
        (0, ALL, {"status": 0, "neutralised": ["plugin x"]}, Reason.OBSERVED_ONLY),
        (1, ALL, {"status": 1, "found": 1, "neutralised": ["plugin x"]}, Reason.OBSERVED_ONLY),
    ],
)
def test_what_a_tool_did_not_do_is_not_held_for_done(
    check: Check, exit_code: int, files: list[str], finished: dict[str, Any], reason: Reason
) -> None:
    judgement = lint(check, exit_code, files, **finished)

    assert judgement.verdict is not Verdict.SUPPORTED
    assert judgement.reason is reason


@pytest.mark.parametrize(
    ("claimed", "exit_code", "missing", "verdict"),
    [
        (0, 0, None, Verdict.SUPPORTED),
        (3, 3, None, Verdict.SUPPORTED),
        (0, 1, None, Verdict.REFUTED),
        (3, 0, None, Verdict.REFUTED),
        (0, 1, "numpy", Verdict.INCONCLUSIVE),
    ],
)
def test_a_script_is_judged_by_its_exit_status(
    claimed: int, exit_code: int, missing: str | None, verdict: Verdict
) -> None:
    report = written("python", ("finished", {"status": exit_code, "missing": missing}))
    check = PythonCheck("src/app.py", exit_code=claimed)

    assert judge(check, PROJECT, ran(report, exit_code=exit_code)).verdict is verdict


def test_a_script_whose_parent_says_otherwise_is_not_believed() -> None:
    for lines in ([], [("finished", {"status": 1})]):
        report = written("python", *lines)
        judgement = judge(PythonCheck("src/app.py"), PROJECT, ran(report))
        assert judgement.reason is Reason.TAMPER_SUSPECTED
