"""Injection through the claim: refused before anything is read or started.

Cases A1 to A12: dangerous options of every tool, shell syntax, argument files,
escapes from the workspace, characters that two programs read differently.
"""

from __future__ import annotations

import itertools
import shlex
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from tests.callers import always
from tests.integration.services import Installation, agent
from tmws.domain.claims import Check, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.commands import validate
from tmws.domain.errors import InvalidInput
from tmws.domain.notation import parse
from tmws.faces.mcp.server import McpServer

DANGEROUS_OPTIONS = {
    "pytest": (
        "-p evil", "-pevil", "-c x.ini", "--rootdir=/", "--confcutdir=/", "--basetemp=src",
        "--junitxml=x", "--log-file=x", "--debug", "--pastebin=all", "--pdbcls=evil:X",
        "--import-mode=append", "-W error::evil.Cls", "-o addopts=-pevil", "--override-ini=a=b",
        "-m -pevil", "-m", "--collect-only", "--co", "--deselect=x", "--ignore=tests",
        "--noconftest", "-x", "-n4", "--lf", "--pyargs os", "--doctest-modules", "--plugins=evil",
        "-s",
    ),
    "ruff check": (
        "--config=x.toml", "--fix", "--unsafe-fixes", "--add-noqa", "--output-file=x",
        "--cache-dir=x", "--stdin-filename=x", "--exit-zero", "--watch", "--ignore=ALL",
        "--select=E", "--exclude=*", "--isolated", "-e", "-n", "--diff", "--extend-exclude=src",
    ),
    "mypy": (
        "--python-executable=/bin/sh", "--cache-dir=x", "--install-types", "--html-report=x",
        "--junit-xml=x", "--shadow-file a b", "--custom-typeshed-dir=x", "--pdb", "-c pass",
        "--config-file=x", "-m os", "-p os", "--exclude=.", "--strict=1", "--non-interactive",
        "--follow-imports=skip", "--package-root=x",
    ),
    "python": (
        "-c pass", "-m os", "-i x.py", "-X importtime", "-W error", "-", "-S x.py", "--version",
    ),
}  # fmt: skip
PREFIXES = ("", "tests/", "tests/a.py::", "tests/a.py::test_a ")
SHELL = (
    ";rm -rf /", "$(id)", "`id`", "|sh", "&&id", "||id", ">x", "<x", "x\ny", "x\ry", "*", "?",
    "${IFS}", "'x'", '"x"', "!x", "x&", "\\x",
)  # fmt: skip
ESCAPES = (
    "../x", "/etc/passwd", "a/../../x", "a/..", "./x", ".", "..", "", "/", "//x", "a//b", "a/",
    "~/x", "~root", "@args", "@", "-", "--", "--fix", "-p", "C:\\x", "a\\b", "a:b", "file:///x",
    "/workspace/../etc", "/proc/self/environ", " x", "x ",
)  # fmt: skip
CHARACTERS = (
    "\0", "\x07", "\x1b[2J", "\x7f", "\x85", "\ud800", "\udcff", "\u202e", "\u2066", "\u200b",
    "\u200d", "\ufeff", "\u2028", "\u2029", "e\u0301", "\u212b", "\ue000", "\U000e0041",
)  # fmt: skip

COMMAND_LINES = tuple(
    f"{tool} {option}" for tool, options in DANGEROUS_OPTIONS.items() for option in options
) + tuple(
    f"{tool} -- {option}" for tool, options in DANGEROUS_OPTIONS.items() for option in options
)
# A command line may write these; as notation they are `x`, everything and `a`.
SHORTENED = {"./x", ".", "a/"}
TARGETS = (
    tuple(prefix + text for prefix, text in itertools.product(PREFIXES, SHELL))
    + ESCAPES
    + tuple(f"tests/x{character}y.py" for character in CHARACTERS)
    + tuple(f"tests/x.py::test_{character}" for character in CHARACTERS)
    + ("x" * 5000, "/".join(["x" * 200] * 30), "x" * 300)
)
NODE_IDS = (
    "x.py::a;b", "x.py::", "::a", "x.py::a::", "x.py::a::::b", "x::a", "x.py::-p", "x.py::a b",
    "x.py::a[", "x.py::a]", "x.py::a[b]c", "x.py::a[" + "b" * 201 + "]", "../x.py::a", "@x.py::a",
    "x.py::1a", "x.py::a[\u202e]", "x.py::a[\n]",
)  # fmt: skip
KEYWORDS = (
    "", "-p", "--x", "a;b", "a|b", "$(id)", "`id`", "a\nb", "a\0b", "a" * 129, "a&b", "a'b", 'a"b',
    "a/b", "a@b", "a=b", "\u202ea", "\u0430", "!a", "a\\b", " a", ".a", ")", "@a", "~a",
)  # fmt: skip


@pytest.mark.parametrize("text", COMMAND_LINES)
def test_a_dangerous_option_is_refused_in_a_command_line(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse(text)


@pytest.mark.parametrize("target", TARGETS)
def test_a_dangerous_target_is_refused_by_every_profile(target: str) -> None:
    checks: tuple[Check, ...] = (
        PytestCheck((target,)),
        PytestCheck(("tests", target)),
        RuffCheck((target,)),
        MypyCheck((target,)),
        PythonCheck(target),
    )
    for check in checks:
        with pytest.raises(InvalidInput):
            validate(check)


@pytest.mark.parametrize("target", NODE_IDS)
def test_a_broken_test_id_is_refused(target: str) -> None:
    for check in (PytestCheck((target,)), RuffCheck((target,)), MypyCheck((target,))):
        with pytest.raises(InvalidInput):
            validate(check)


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_dangerous_keyword_is_refused(keyword: str) -> None:
    with pytest.raises(InvalidInput):
        validate(PytestCheck(keyword=keyword))


@pytest.mark.parametrize("variable", ["PYTHONPATH=.", "LD_PRELOAD=x.so", "PYTEST_ADDOPTS=-pevil"])
def test_a_variable_before_the_command_is_refused(variable: str) -> None:
    with pytest.raises(InvalidInput):
        parse(f"{variable} pytest tests")


def test_every_refusal_is_short_printable_and_names_the_allowed_form() -> None:
    for target in (*TARGETS, *NODE_IDS):
        with pytest.raises(InvalidInput) as refusal:
            validate(PytestCheck((target,)))
        assert refusal.value.message.isprintable()
        assert len(refusal.value.message) <= 300
        assert "Give a" in refusal.value.message


def test_there_are_at_least_two_hundred_attempts() -> None:
    attempts = {*COMMAND_LINES, *TARGETS, *NODE_IDS, *KEYWORDS}

    assert len(attempts) >= 300


async def test_every_attempt_is_refused_at_the_face_before_anything_starts(tmp_path: Path) -> None:
    place = Installation(f"sqlite:///{tmp_path / 'tmws.db'}", tmp_path / "data")
    commands = [{"command": text} for text in COMMAND_LINES]
    commands += [
        {"command": f"pytest {shlex.quote(text)}"}
        for text in (*TARGETS, *NODE_IDS)
        if text not in SHORTENED
    ]
    commands += [{"command": f"pytest -k {shlex.quote(text)}"} for text in KEYWORDS]
    commands += [{"command": f"pytest tests {text}"} for text in SHELL]
    typed: list[dict[str, Any]] = [
        {"check": {"profile": profile, "targets": [text]}}
        for profile, text in itertools.product(("pytest", "ruff", "mypy"), (*TARGETS, *NODE_IDS))
    ]
    typed += [{"check": {"profile": "python", "script": text}} for text in TARGETS]
    typed += [{"check": {"profile": "pytest", "keyword": text}} for text in KEYWORDS]
    async with place.open() as app:
        await app.workspaces.add("shop", place.workspace(), by="test")
        alice = await agent(app, "alice")
        started = []
        async with Client(McpServer(app, always(alice))) as client:
            for attempt in (*commands, *typed):
                claim = {"statement": "It holds.", "workspace": "shop", **attempt}
                result = await client.call_tool("verify_claim", claim)
                if not result.is_error:
                    started.append(attempt)
        assert started == []
        assert len(commands) + len(typed) >= 900
        assert app.verification.refused > 450  # the others broke the schema before
        assert await app.verification.newest(limit=1) == []
    assert place.sandbox.requests == []
