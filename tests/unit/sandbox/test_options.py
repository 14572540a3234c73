"""Which of a project's own pytest options hold: nothing that loads code or hides tests."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tmws_options import Choice, chosen

PROJECT = Path(__file__).parent


def sorted_out(text: str, root: Path = PROJECT, plugins: tuple[str, ...] = ()) -> Choice:
    return chosen(shlex.split(text), root, plugins)


@pytest.mark.parametrize(
    ("text", "obeyed"),
    [
        ("--doctest-modules", ["--doctest-modules"]),
        ("--doctest-glob='*.md'", ["--doctest-glob=*.md"]),
        ("--doctest-glob *.md", ["--doctest-glob=*.md"]),
        ("--import-mode importlib", ["--import-mode=importlib"]),
        ("--strict-markers --strict-config --strict", None),
        ("-W error::DeprecationWarning", ["-W", "error::DeprecationWarning"]),
        ("-Werror", ["-W", "error"]),
        ("-p no:warnings -p pytester", ["-p", "no:warnings", "-p", "pytester"]),
        ("--runxfail", ["--runxfail"]),
    ],
)
def test_what_finds_tests_or_is_stricter_holds(text: str, obeyed: list[str] | None) -> None:
    choice = sorted_out(text)

    assert choice.obeyed == (text.split() if obeyed is None else obeyed)
    assert choice.overruled == []


@pytest.mark.parametrize(
    "text",
    [
        "-ra", "-rxXs -vv -q -s -l -x", "--tb=short --color yes --durations 10", "-n auto -n4",
        "--cov=src --cov src --cov-report term-missing --cov-fail-under=100 --no-cov", "--cov",
        "-p no:cacheprovider -p no:randomly", "--showlocals --no-header --disable-warnings",
        "--junitxml=x --maxfail 1 --verbosity 2 --benchmark-disable --timeout=9 --reruns 2",
    ],
)  # fmt: skip
def test_what_only_changes_the_display_is_passed_over(text: str) -> None:
    assert sorted_out(text) == Choice([], [])


@pytest.mark.parametrize(
    ("text", "overruled"),
    [
        ("-m 'not slow'", "-m not slow"),
        ("-mslow", "-m slow"),
        ("-k parser", "-k parser"),
        ("--deselect=tests/a.py::b", "--deselect tests/a.py::b"),
        ("--deselect tests/a.py::b", "--deselect tests/a.py::b"),
        ("--collect-only", "--collect-only"),
        ("--lf", "--lf"),
        ("--noconftest", "--noconftest"),
        ("-c other.ini", "-c other.ini"),
        ("--rootdir /", "--rootdir /"),
        ("-o python_files=x", "-o python_files=x"),
        ("-p evil", "-p evil"),
        ("-pevil", "-p evil"),
        ("--mypy", "--mypy"),
        ("tests", "tests"),
        ("--asyncio-mode=auto", "--asyncio-mode auto"),
    ],
)
def test_what_hides_tests_or_loads_code_is_overruled_and_named(text: str, overruled: str) -> None:
    assert sorted_out(text) == Choice([], [overruled])


def test_an_environments_plugin_keeps_its_option() -> None:
    choice = sorted_out("-p pytest_asyncio --asyncio-mode=auto", plugins=("pytest_asyncio",))

    assert choice == Choice(["--asyncio-mode=auto"], [])


def test_only_files_without_any_test_may_be_ignored(tmp_path: Path) -> None:
    for path, text in {
        "docs/conf.py": "project = 'x'\n",
        "src/app.py": 'def f():\n    """>>> f()"""\n',
        "tests/test_a.py": "",
    }.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)

    assert sorted_out("--ignore=docs", tmp_path).obeyed == ["--ignore=docs"]
    assert sorted_out("--ignore-glob=*/conf.py", tmp_path).obeyed == ["--ignore-glob=*/conf.py"]
    for hiding in ("src", "tests", ".", ""):
        assert sorted_out(f"--ignore={hiding}", tmp_path).obeyed == []
        assert sorted_out(f"--ignore={hiding}", tmp_path).overruled == [f"--ignore {hiding}"]


@given(st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["-p", "-W", "-m", "--cov", "-"]))))
def test_no_other_option_is_ever_obeyed(words: list[str]) -> None:
    allowed = ("--doctest", "--import-mode", "--strict", "--runxfail", "--pythonwarnings", "-W")
    waiting = chosen(words, PROJECT, ()).obeyed
    while waiting:
        word = waiting.pop(0)
        assert word == "-p" or word.startswith(allowed)
        if word in {"-p", "-W"}:
            waiting.pop(0)
