"""The same liars, where tests and settings are somebody else's: none is believed.

At level `pinned` a liar is left with the tested code. Lies that only bent tests or
settings come to nothing: with those replaced, what is left of their workspaces is the
project that all of them share, and that is checked once for all.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import AsyncIterator

import pytest

from tests.integration.services import silent
from tests.security.test_lies import NAMES, Lie, told
from tmws.domain.claims import (
    Check,
    CoverageCheck,
    Judgement,
    Level,
    MypyCheck,
    PytestCheck,
    RuffCheck,
    Verdict,
)
from tmws.domain.execution import Limits
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.trusted_refs import DEFAULT_PATHS, TrustedRef, pinned, trusted_files
from tmws.sandbox.docker import DockerSandbox
from tmws.services.checking import Basis, Checker

pytestmark = pytest.mark.anyio

# What is told in docs/verification.md: code that tells our run from others and answers
# by heart there. It knows the trusted tests, and it knows its own text.
BELIEVED = {
    "knows_the_tests_and_itself": "it answers the trusted tests from the caller's own words, "
    "unless its text was changed",
}

# Their lie was in their tests; what they claim is true by the trusted ones.
TRUE_BY_THE_TRUSTED = {
    "coverage_code_moved",
    "coverage_evaluated_beneath",
    "coverage_own_condition",
    "coverage_pragma",
}


def snapshot(files: dict[str, str]) -> Snapshot:
    return Snapshot.of(SnapshotFile.of(path, text.encode()) for path, text in files.items())


def trusted(files: dict[str, str]) -> TrustedRef:
    source = snapshot(files)
    kept = trusted_files(source, DEFAULT_PATHS)
    return TrustedRef("main", "shop", "told", "ab" * 32, DEFAULT_PATHS, kept, silenced=0)


BASE = told("_base").files
REF = trusted(BASE)
HONEST = {**BASE, "src/app.py": "def add(a, b):\n    return a + b\n"}


def left_of(lie: Lie) -> tuple[Check, str]:
    return lie.check, pinned(snapshot(lie.files), REF).digest


def different() -> dict[str, Lie]:
    """The lies that leave different workspaces once the ref's files are in place."""
    found: dict[tuple[Check, str], str] = {}
    for name in NAMES:
        found.setdefault(left_of(told(name)), name)
    return {name: told(name) for name in found.values()}


LIES = different()


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[Checker]:
    sandbox = DockerSandbox()
    limits = dataclasses.replace(Limits(), wall_seconds=20.0)
    yield Checker(sandbox, limits, secrets.token_bytes)
    await sandbox.aclose()


async def decided(
    checker: Checker, check: Check, files: dict[str, str], ref: TrustedRef = REF
) -> Judgement:
    plan = checker.plan(check, snapshot(files), Basis(Level.PINNED, ref))
    return (await checker.check(plan, progress=silent)).judgement


@pytest.mark.parametrize("name", sorted(LIES))
async def test_a_lie_is_not_believed(checker: Checker, name: str) -> None:
    lie = LIES[name]

    judgement = await decided(checker, lie.check, lie.files)

    believed = judgement.verdict is Verdict.SUPPORTED
    assert believed == (name in {*BELIEVED, *TRUE_BY_THE_TRUSTED}), f"{lie.says}: {judgement}"


def test_many_lies_are_about_tests_and_settings_and_come_to_nothing() -> None:
    assert len(LIES) < len(NAMES) * 0.6
    assert set(BELIEVED) < set(NAMES)


@pytest.mark.parametrize(
    "check",
    [
        PytestCheck(),
        PytestCheck(("tests/test_app.py::test_add",), passed=1),
        PytestCheck(keyword="add"),
        CoverageCheck("src", percent=100.0),
        RuffCheck(),
        MypyCheck(("src",)),
    ],
    ids=["whole", "named", "keyword", "coverage", "ruff", "mypy"],
)
async def test_honest_code_is_supported_at_the_level(checker: Checker, check: Check) -> None:
    judgement = await decided(checker, check, HONEST)
    assert judgement.verdict is Verdict.SUPPORTED, judgement
    assert judgement.level is Level.PINNED
    assert "Level pinned cannot exclude" in judgement.detail


async def test_wrong_code_is_refuted_by_the_trusted_tests(checker: Checker) -> None:
    files = {**BASE, "tests/test_app.py": "def test_add(): pass\n"}
    judgement = await decided(checker, PytestCheck(), files)
    assert (judgement.verdict, judgement.level) == (Verdict.REFUTED, Level.PINNED)
    assert judgement.items == ("tests/test_app.py::test_add",)


async def test_tests_that_notice_no_fault_do_not_reach_the_level(checker: Checker) -> None:
    idle = "import app\n\ndef test_add():\n    app.add(1, 2)\n"
    ref = trusted({**BASE, "tests/test_app.py": idle})
    judgement = await decided(checker, PytestCheck(), HONEST, ref)
    assert judgement.reason.value == "level_not_reached"
    assert judgement.level is Level.REPRODUCED
    assert "the tests noticed none of" in judgement.detail


async def test_tests_that_depend_on_their_order_are_no_support(checker: Checker) -> None:
    names = [f"test_{number}" for number in range(8)]
    ordered = "import app\nseen = []\n" + "".join(
        f"\ndef {name}():\n    assert app.add(1, 1) == 2 and len(seen) == {number}\n"
        "    seen.append(1)\n"
        for number, name in enumerate(names)
    )
    ref = trusted({**BASE, "tests/test_app.py": ordered})
    judgement = await decided(checker, PytestCheck(), HONEST, ref)
    assert judgement.reason.value == "runs_differ"
    assert judgement.verdict is Verdict.INCONCLUSIVE


async def test_hooks_of_the_trusted_ref_are_trusted(checker: Checker) -> None:
    hook = "def pytest_report_teststatus(report):\n    return None\n"
    ref = trusted({**BASE, "tests/conftest.py": hook})
    judgement = await decided(checker, PytestCheck(), HONEST, ref)
    assert judgement.verdict is Verdict.SUPPORTED, judgement


async def test_comments_may_silence_no_more_than_they_do_in_the_source_of_the_ref(
    checker: Checker,
) -> None:
    silenced = "import os  # noqa: F401\n\n\ndef add(a, b):\n    return a + b\n"
    judgement = await decided(checker, RuffCheck(), {**BASE, "src/app.py": silenced})
    assert judgement.reason.value == "level_not_reached"
    known = dataclasses.replace(REF, silenced=1)
    again = await decided(checker, RuffCheck(), {**BASE, "src/app.py": silenced}, known)
    assert again.verdict is Verdict.SUPPORTED, again
