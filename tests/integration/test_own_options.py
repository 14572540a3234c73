"""Projects with pytest options of their own, and what their tests cover, decided for real."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checked import decided
from tmws.domain.claims import CoverageCheck, Level, PytestCheck, Reason, Verdict
from tmws.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.anyio

APP = '''"""Arithmetic.

>>> add(1, 2)
3
"""


def add(a, b):
    """Return the sum.

    >>> add(2, 2)
    4
    """
    return a + b


def twice(a):  # pragma: no cover
    if a:
        return add(a, a)
    return 0
'''
TEST = """import pytest
from app import add


def test_add():
    assert add(2, 2) == 4


@pytest.mark.slow
def test_slow():
    assert add(2, 2) == 4
"""
OPTIONS = (
    "--doctest-modules -ra --strict-markers --import-mode=importlib -p no:cacheprovider "
    "--cov=app --cov-report term-missing --ignore=docs"
)
PROJECT = {
    "pytest.ini": f"[pytest]\naddopts = {OPTIONS}\nmarkers = slow\n",
    "docs/conf.py": "import sphinx_theme\n",
    "src/app.py": APP,
    "tests/test_app.py": TEST,
    "README.rst": "Sums\n====\n\n>>> from app import add\n>>> add(3, 4)\n7\n",
}


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    await sandbox.aclose()


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (PytestCheck(passed=4), 4),
        (PytestCheck(("src",)), 2),
        (PytestCheck(("src/app.py", "README.rst")), 3),
        (PytestCheck(("tests",), marker="not slow"), 1),
    ],
)
async def test_tests_in_docstrings_and_texts_are_found_and_count(
    sandbox: DockerSandbox, check: PytestCheck, passed: int
) -> None:
    judgement = await decided(sandbox, check, PROJECT)

    assert (judgement.verdict, judgement.level) == (Verdict.SUPPORTED, Level.REPRODUCED), judgement
    assert judgement.counts["passed"] == passed


@pytest.mark.parametrize(
    ("check", "path", "seen"),
    [
        (PytestCheck(("src",)), "src/app.py", "add(2, 2) gives 4, not 5"),
        (PytestCheck(("README.rst",)), "README.rst", "add(3, 4) gives 7, not 8"),
    ],
)
async def test_a_wrong_example_refutes_with_what_it_gives(
    sandbox: DockerSandbox, check: PytestCheck, path: str, seen: str
) -> None:
    wrong = PROJECT[path].replace("    4\n", "    5\n").replace("\n7\n", "\n8\n")

    judgement = await decided(sandbox, check, PROJECT | {path: wrong})

    assert judgement.verdict is Verdict.REFUTED
    assert seen in judgement.detail


async def test_an_example_that_needs_a_package_says_so(sandbox: DockerSandbox) -> None:
    files = PROJECT | {"README.rst": ">>> import numpy\n"}

    judgement = await decided(sandbox, PytestCheck(("README.rst",)), files)

    assert judgement.reason is Reason.MISSING_DEPENDENCY
    assert "numpy" in judgement.detail


@pytest.mark.parametrize(
    ("options", "broken", "level"),
    [
        ("-m 'not slow'", "test_add", Level.REPRODUCED),
        ("-m 'not slow' -k add", "test_add", Level.REPRODUCED),
        ("-m 'not slow'", "test_slow", Level.OBSERVED),
        ("-m 'not slow' -p plugin", "test_add", Level.OBSERVED),
    ],
)
async def test_a_test_that_options_would_not_hide_refutes_in_full(
    sandbox: DockerSandbox, options: str, broken: str, level: Level
) -> None:
    before = f"def {broken}():\n    assert add(2, 2) == 4"
    files = PROJECT | {
        "pytest.ini": f"[pytest]\naddopts = {options}\nmarkers = slow\n",
        "tests/test_app.py": TEST.replace(before, before.replace("== 4", "== 5")),
    }

    judgement = await decided(sandbox, PytestCheck(("tests",)), files)

    assert (judgement.verdict, judgement.level) == (Verdict.REFUTED, level), judgement


async def test_a_number_of_tests_that_options_would_hide_is_left_open(
    sandbox: DockerSandbox,
) -> None:
    files = PROJECT | {"pytest.ini": "[pytest]\naddopts = -m 'not slow'\nmarkers = slow\n"}

    judgement = await decided(sandbox, PytestCheck(("tests",), passed=1), files)

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY)
    assert "-m not slow" in judgement.detail


@pytest.mark.parametrize(
    ("percent", "branch", "verdict"),
    [
        (50.0, False, Verdict.SUPPORTED),
        (50.01, False, Verdict.INCONCLUSIVE),  # only by what the comment leaves out
        (37.5, True, Verdict.SUPPORTED),
    ],
)
async def test_lines_that_a_comment_leaves_out_count_as_not_executed(
    sandbox: DockerSandbox, percent: float, branch: bool, verdict: Verdict
) -> None:
    check = CoverageCheck("src", percent, branch, ("tests",))

    judgement = await decided(sandbox, check, PROJECT)

    assert judgement.verdict is verdict, judgement
    assert judgement.counts["lines"] == 6
    assert judgement.counts["executed_lines"] == 3


async def test_too_low_a_coverage_refutes(sandbox: DockerSandbox) -> None:
    files = PROJECT | {"src/app.py": APP.replace("  # pragma: no cover", "")}

    judgement = await decided(sandbox, CoverageCheck("src/app.py", 51.0, targets=("tests",)), files)

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.CHECK_FAILED)
    assert judgement.level is Level.REPRODUCED
