from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.claims import Check, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.commands import (
    PROFILES,
    Profile,
    build_request,
    profile_of,
    validate,
)
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import Limits, Runtime
from tmws.domain.grammar import WORKSPACE
from tmws.domain.notation import parse
from tmws.domain.snapshots import Snapshot, SnapshotFile

SNAPSHOT = Snapshot.of(
    (
        SnapshotFile.of(path, b"")
        for path in (
            "-p",
            "@args",
            "README.md",
            "scripts/x.py",
            "src/app.py",
            "tests/test_a.py",
            "tests/unit/test_b.py",
            "tests/with space [1].py",
        )
    ),
    [("server.pem", "may hold secrets")],
)
PREFIXES = {profile.prefix for profile in PROFILES}


def argv(check: Check) -> tuple[str, ...]:
    return build_request(check, SNAPSHOT, Limits()).argv


@pytest.mark.parametrize(
    ("check", "arguments"),
    [
        (PytestCheck(), ()),
        (
            PytestCheck(("tests/unit", "tests/test_a.py::TestA::test_x[a-1]"), "parser and not x"),
            (
                "--keyword=parser and not x",
                "/workspace/tests/unit",
                "/workspace/tests/test_a.py::TestA::test_x[a-1]",
            ),
        ),
        (RuffCheck(), ("/workspace",)),
        (RuffCheck(("src",)), ("/workspace/src",)),
        (MypyCheck(), ("/workspace",)),
        (MypyCheck(("src/app.py",), strict=True), ("--strict", "/workspace/src/app.py")),
        (PythonCheck("scripts/x.py"), ("/workspace/scripts/x.py",)),
        (
            PytestCheck(("tests/with space [1].py",)),
            ("/workspace/tests/with space [1].py",),
        ),
    ],
)
def test_the_command_is_the_tables_and_the_paths_are_absolute(
    check: Check, arguments: tuple[str, ...]
) -> None:
    assert argv(check) == (*profile_of(check).prefix, *arguments)


@pytest.mark.parametrize(
    "profile", [profile for profile in PROFILES if profile.runtime is not Runtime.WASM]
)
def test_every_profile_starts_an_absolute_isolated_interpreter_of_the_image(
    profile: Profile,
) -> None:
    executable, isolated, runner = profile.prefix

    assert executable == "/opt/tmws/python"
    assert isolated == "-I"
    by_another = {"metric": "python", "npm_test": "node_test"}
    assert runner == f"/opt/tmws/run_{by_another.get(profile.name, profile.name)}.py"


WORDS = st.text(
    st.sampled_from("ab_-.@~/:[]() ;|&$`'\"\\\n\t\0\u202e\u200b\ud800e\u0301%=+"), max_size=12
)
REAL = st.sampled_from([file.path for file in SNAPSHOT.files] + ["tests", "src", "tests/unit"])
TARGETS = st.lists(st.one_of(WORDS, REAL, st.builds("{}::{}".format, REAL, WORDS)), max_size=3)
CHECKS: st.SearchStrategy[Check] = st.one_of(
    st.builds(
        PytestCheck,
        TARGETS.map(tuple),
        st.none() | WORDS,
        st.none() | st.integers(-2, 5),
        st.integers(-1, 3),
    ),
    st.builds(RuffCheck, TARGETS.map(tuple)),
    st.builds(MypyCheck, TARGETS.map(tuple), st.booleans()),
    st.builds(PythonCheck, st.one_of(WORDS, REAL), st.integers(-1, 300)),
)


def assert_from_the_table(command: tuple[str, ...]) -> None:
    """Whatever was claimed: the prefix is ours, the rest typed options and real paths."""
    assert command[:3] in PREFIXES
    for argument in command[3:]:
        path = argument.partition("::")[0].removeprefix(WORKSPACE).lstrip("/")
        typed = argument == "--strict" or argument.startswith("--keyword=")
        assert typed or (argument == WORKSPACE or SNAPSHOT.below(path))
        assert typed or argument.split("/")[1] == "workspace"
        assert not {"..", "."} & set(path.split("/"))
        assert argument.isprintable()
        assert len(argument.encode()) <= 4096
    assert len(command) <= 3 + 32


@given(CHECKS)
def test_an_accepted_check_has_only_the_tables_words_in_its_command(check: Check) -> None:
    try:
        command = argv(check)
    except InvalidInput:
        return
    assert_from_the_table(command)


@given(st.one_of(WORDS, st.builds(" ".join, st.lists(st.one_of(
    st.sampled_from(["pytest", "ruff", "check", "mypy", "python", "-k", "--strict", "--", "-p"]),
    REAL, WORDS), max_size=5))))  # fmt: skip
def test_a_command_line_is_a_check_or_refused_and_never_more(text: str) -> None:
    try:
        command = argv(parse(text))
    except InvalidInput:
        return
    assert_from_the_table(command)


@given(WORDS)
def test_a_refusal_is_short_and_printable_whatever_was_refused(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(f"tool {text}")

    assert len(refusal.value.message) <= 300
    assert refusal.value.message.isprintable()


@given(CHECKS)
def test_validation_before_the_snapshot_refuses_all_that_breaks_the_grammar(check: Check) -> None:
    """What passes `validate` can only fail on what the snapshot lacks."""
    try:
        validate(check)
    except InvalidInput:
        with pytest.raises(InvalidInput):
            argv(check)


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("pytest", PytestCheck()),
        ("pytest tests/unit -k parser", PytestCheck(("tests/unit",), "parser")),
        ("pytest -k 'a and not b' tests", PytestCheck(("tests",), "a and not b")),
        ("pytest 'tests/with space [1].py'", PytestCheck(("tests/with space [1].py",))),
        ("ruff check src", RuffCheck(("src",))),
        ("ruff check", RuffCheck()),
        ("ruff check .", RuffCheck()),
        ("ruff check ./src/ tests/", RuffCheck(("src", "tests"))),
        ("mypy .", MypyCheck()),
        ("pytest ./tests/", PytestCheck(("tests",))),
        ("pytest .", PytestCheck()),
        ("mypy --strict src", MypyCheck(("src",), strict=True)),
        ("mypy src tests", MypyCheck(("src", "tests"))),
        ("python scripts/x.py", PythonCheck("scripts/x.py")),
    ],
)
def test_a_command_line_reads_as_the_check_it_notes(text: str, check: Check) -> None:
    assert parse(text) == check


@pytest.mark.parametrize(
    "text",
    ["", "   ", "bash -c true", "pytest -x", "pytest -k", "pytest -k a -k b", "pytest 'tests",
     "ruff format src", "ruff", "mypy --config-file=x src", "python", "python -c pass",
     "python scripts/x.py --flag", "python3 scripts/x.py", "/usr/bin/pytest", "PYTEST tests",
     "ruff check . src", "pytest ./-p", "pytest ./.", "pytest .//", "pytest ././x", "pytest ./../x",
     "pytest /", "pytest //", "pytest ./~x", "mypy ./@args", "pytest ./"],
)  # fmt: skip
def test_another_command_line_is_refused_with_the_allowed_form(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"Give |allowed"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("pytest -p evil", "pytest [TARGET ...] [-k EXPRESSION] [-m MARKERS]"),
        ("ruff check --fix", "ruff check [TARGET ...]"),
        ("mypy --strict --config-file=x", "mypy [--strict] [TARGET ...]"),
        ("node --test --watch", "node --test [TARGET ...]"),
    ],
)
def test_an_unknown_option_is_refused_with_those_of_the_tool(text: str, form: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        parse(text)
    assert refusal.value.message == f"The command '{text}' is not allowed. Give {form}."


def test_an_unknown_path_is_refused_with_what_is_there() -> None:
    with pytest.raises(InvalidInput, match=r"no 'test'.*src, tests"):
        argv(PytestCheck(("test",)))


def test_a_path_that_was_left_out_is_refused_with_the_reason() -> None:
    with pytest.raises(InvalidInput, match="may hold secrets"):
        argv(RuffCheck(("server.pem",)))


def test_a_file_that_is_not_python_is_no_target() -> None:
    for check in (PytestCheck(("README.md",)), RuffCheck(("README.md",)), PythonCheck("README.md")):
        with pytest.raises(InvalidInput, match=r"Python file|\.py file"):
            argv(check)


def test_a_file_named_like_an_option_lies_in_the_workspace_without_being_one() -> None:
    request = build_request(PytestCheck(), SNAPSHOT, Limits())

    assert request.argv == PROFILES[0].prefix
    assert "-p" in {file.path for file in request.files}


def test_too_many_targets_are_refused() -> None:
    targets = tuple(f"tests/t{number}.py" for number in range(32))

    with pytest.raises(InvalidInput, match="at most 31 targets"):
        validate(PytestCheck(targets))


def test_a_target_named_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        validate(RuffCheck(("src", "src")))


@pytest.mark.parametrize(
    "check",
    [
        PytestCheck(passed=0),
        PytestCheck(passed=-1),
        PytestCheck(passed=True),
        PytestCheck(allow_skipped=-1),
        PythonCheck("scripts/x.py", exit_code=126),
        PythonCheck("scripts/x.py", exit_code=-1),
        PytestCheck(passed=10**9),
    ],
)
def test_a_number_out_of_range_is_refused(check: Check) -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        validate(check)


def test_a_request_carries_the_whole_snapshot_and_the_limits() -> None:
    limits = dataclasses.replace(Limits(), wall_seconds=5.0)

    request = build_request(RuffCheck(), SNAPSHOT, limits)

    assert request.files == SNAPSHOT.files
    assert request.limits == limits
