"""Coverage, Node and environments: the command is the table's, the rest is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.claims import (
    Check,
    CoverageCheck,
    MypyCheck,
    NodeTestCheck,
    NpmTestCheck,
    PytestCheck,
)
from tmws.domain.commands import build_request, validate
from tmws.domain.environments import Environment
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import ExecutionRequest, Limits, Runtime
from tmws.domain.notation import parse
from tmws.domain.snapshots import Snapshot, SnapshotFile

PATHS = (
    "README.md", "docs/guide.rst", "js/app.js", "js/app.test.js", "src/app.py", "tests/test_a.py",
)  # fmt: skip
SNAPSHOT = Snapshot.of(
    [
        *(SnapshotFile.of(path, b"") for path in PATHS),
        SnapshotFile.of("package.json", b'{"scripts": {"test": "node --test"}}'),
    ]
)
PACKAGES = Environment("science", "ab" * 32, ("pytest_asyncio",))
WORDS = st.text(st.sampled_from("ab_-.@~/:[]() ;|&$`'\"\\\n\0\u202e\ud800%=+"), max_size=12)


def request(check: Check, environment: Environment | None = None) -> ExecutionRequest:
    return build_request(check, SNAPSHOT, Limits(), environment)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (PytestCheck(marker="not slow"), ("--marker=not slow",)),
        (PytestCheck(("docs/guide.rst",)), ("/workspace/docs/guide.rst",)),
        (
            CoverageCheck("src", 90.5, branch=True, targets=("tests",), keyword="a"),
            ("--source=/workspace/src", "--branch", "--keyword=a", "/workspace/tests"),
        ),
        (NodeTestCheck(), ("/workspace/js/app.test.js",)),
        (NodeTestCheck(("js/app.js",)), ("/workspace/js/app.js",)),
        (NpmTestCheck(), ("/workspace/js/app.test.js",)),
    ],
)
def test_options_are_typed_and_paths_absolute(check: Check, arguments: tuple[str, ...]) -> None:
    assert request(check).argv[3:] == arguments


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("pytest tests -m 'not slow'", PytestCheck(("tests",), marker="not slow")),
        (
            "coverage run --fail-under=90.5 --source=src --branch -m pytest tests -k a",
            CoverageCheck("src", 90.5, branch=True, targets=("tests",), keyword="a"),
        ),
        ("coverage run --source=src --fail-under=9 -m pytest", CoverageCheck("src", 9.0)),
        ("node --test js", NodeTestCheck(("js",))),
        ("npm test", NpmTestCheck()),
    ],
)
def test_a_command_line_reads_as_the_check_it_notes(text: str, check: Check) -> None:
    assert parse(text) == check


@pytest.mark.parametrize(
    "text",
    [
        "node js/app.js", "node", "node -e 1", "npm run test", "npm test -- --watch", "npm",
        "npx x",
        "coverage run -m pytest", "coverage run --source=src --fail-under=9", "coverage report",
        "coverage run --source=src --fail-under=x -m pytest", "pytest -m", "pytest -m a -m b",
        "coverage run --source=src --fail-under=9 --rcfile=x -m pytest",
        "coverage run --source=src --fail-under=9 -m evil",
        "coverage run --source=src --source=src --fail-under=9 -m pytest",
        "coverage run --source=src --fail-under=9 --branch=1 -m pytest",
        "coverage run --source=src --fail-under=9 -m pytest -p evil", "node --test -r ./x.js",
        "node --test --import=./x.mjs", "node --test --test-only", "npm test --script-shell=sh",
    ],
)  # fmt: skip
def test_another_command_line_is_refused_with_the_allowed_form(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"Give |allowed") as refusal:
        parse(text)
    assert len(refusal.value.message) <= 300


@pytest.mark.parametrize("percent", [0.0, -1.0, 100.01, 99.999, float("nan"), float("inf"), True])
def test_a_percentage_out_of_range_is_refused(percent: float) -> None:
    with pytest.raises(InvalidInput, match="a number above 0"):
        validate(CoverageCheck("src", percent))


@pytest.mark.parametrize(
    "source", ["docs", "README.md", "absent", "../src", "-p/x", "@src", "/src"]
)
def test_a_source_without_python_in_it_is_refused(source: str) -> None:
    with pytest.raises(InvalidInput):
        request(CoverageCheck(source, 50.0))


@pytest.mark.parametrize("target", ["src", "README.md", "absent", "../js", "-r", "@js"])
def test_a_target_without_tests_for_node_is_refused(target: str) -> None:
    with pytest.raises(InvalidInput):
        request(NodeTestCheck((target,)))


@given(WORDS, st.floats(), st.none() | WORDS, st.none() | WORDS)
def test_whatever_is_claimed_only_the_tables_words_are_run(
    path: str, percent: float, keyword: str | None, marker: str | None
) -> None:
    checks = (
        CoverageCheck(path, percent, keyword=keyword, marker=marker),
        CoverageCheck("src", 50.0, targets=(path,), keyword=keyword, marker=marker),
        NodeTestCheck((path,)),
    )
    for check in checks:
        try:
            words = request(check).argv[3:]
        except InvalidInput:
            continue
        typed = ("--source=/workspace/", "--keyword=", "--marker=", "/workspace/")
        assert all(word.startswith(typed) and word.isprintable() for word in words)


def test_an_environment_goes_with_pythons_profiles_and_its_plugins_with_the_tests() -> None:
    tested = request(PytestCheck(("tests",)), PACKAGES)

    assert tested.argv[3:] == ("--plugin=pytest_asyncio", "/workspace/tests")
    assert request(CoverageCheck("src", 5.0), PACKAGES).argv[3] == "--plugin=pytest_asyncio"
    assert request(MypyCheck(), PACKAGES).argv[3:] == ("/workspace",)
    assert request(MypyCheck(), PACKAGES).environment == PACKAGES
    node = request(NodeTestCheck(), PACKAGES)
    assert (node.runtime, node.environment) == (Runtime.NODE, None)
