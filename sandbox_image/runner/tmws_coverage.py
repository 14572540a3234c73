"""Measures which lines and branches of the workspace's own files the tests execute.

Twice over the same data: by our rules, under which no comment and no setting of the
workspace leaves anything out, and by the project's own. The host compares the two.

A line counts when code of its file executes it. Whoever compiles other code under the
name of a measured file would have lines counted that never ran; an audit hook, which
nothing in the process can take back, sees that.
"""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import coverage
from coverage.config import DEFAULT_EXCLUDE
from coverage.exceptions import CoverageException
from tmws_channel import MAX_LISTED, MAX_TEXT, WORKSPACE, Send
from tmws_sources import Sources

FILES_PER_LINE = 20
# `...` as a body and blocks for type checkers hold nothing that a test could execute.
OUR_EXCLUDES = tuple(regex for regex in DEFAULT_EXCLUDE if "pragma" not in regex)
CONFIGURATION = (".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml")
# Settings that have more measured than happens in this one process.
FARTHER = ("run:concurrency", "run:parallel", "run:patch", "run:plugins", "run:dynamic_context")


class Measurement:
    """One measurement of the Python files below `source`, for the whole test run."""

    def __init__(self, source: str, *, branch: bool) -> None:
        root = Path(source)
        found = sorted(root.rglob("*.py")) if root.is_dir() else [root]
        self._files = [str(path) for path in found if path.is_file()]
        self._coverage = coverage.Coverage(
            data_file=None, config_file=False, branch=branch, include=self._files, messages=False
        )
        self._own, self._beyond = own_rules()
        self._foreign: dict[str, None] = {}

    def of(self, sources: Sources, send: Send, tests: Callable[[], int]) -> int:
        """Run the tests, report what they executed, and return their status."""
        stop, report = self._coverage.stop, self._report
        self._watch(sources)
        self._coverage.start()
        try:
            return tests()
        finally:
            stop()
            report(send)

    def _watch(self, sources: Sources) -> None:
        measured, foreign, explains = frozenset(self._files), self._foreign, sources.compiles_to
        code_type, text_type = types.CodeType, str

        def hook(event: str, arguments: tuple[Any, ...]) -> None:
            if event in {"exec", "function.__new__"}:
                code = arguments[0]
            elif event == "object.__setattr__" and arguments[1] == "__code__":
                code = arguments[2]
            else:
                return
            if type(code) is code_type and type(code.co_filename) is text_type:
                path = code.co_filename
                if path in measured and not explains(path, code):
                    foreign[path] = None

        sys.addaudithook(hook)

    def _report(self, send: Send) -> None:
        """Send how much of each file was executed, by our rules and by the project's."""
        rows = [[path.removeprefix(WORKSPACE + "/"), *self._counted(path)] for path in self._files]
        for start in range(0, len(rows), FILES_PER_LINE):
            send("measured", files=rows[start : start + FILES_PER_LINE])
        foreign = [path.removeprefix(WORKSPACE + "/") for path in self._foreign]
        send(
            "coverage",
            foreign=[path[:MAX_TEXT] for path in foreign][:MAX_LISTED],
            beyond=self._beyond,
        )

    def _counted(self, path: str) -> list[int]:
        """Return executable and executed lines and branches: by our rules, by theirs."""
        ours = self._numbers(path, list(OUR_EXCLUDES), [])
        if self._own.leaves_out(path):
            return [*ours, 0, 0, 0, 0]
        return [*ours, *self._numbers(path, self._own.excluded, self._own.partial)]

    def _numbers(self, path: str, excluded: list[str], partial: list[str]) -> list[int]:
        for which, regexes in (("exclude", excluded), ("partial", partial)):
            self._coverage.clear_exclude(which)
            for regex in regexes:
                self._coverage.exclude(regex, which)
        try:
            numbers = self._coverage._analyze(path).numbers
        except CoverageException:  # what does not compile was not executed
            lines = len(Path(path).read_bytes().splitlines())
            return [lines, 0, 0, 0]
        return [
            numbers.n_statements,
            numbers.n_executed,
            numbers.n_branches,
            numbers.n_executed_branches,
        ]


class OwnRules:
    """What the project itself leaves out of its measurement."""

    def __init__(self, settings: coverage.Coverage) -> None:
        self.excluded = listed(settings, "report:exclude_lines")
        self.partial = listed(settings, "report:partial_branches")
        self._omitted = listed(settings, "run:omit") + listed(settings, "report:omit")
        self._included = listed(settings, "run:include") + listed(settings, "report:include")

    def leaves_out(self, path: str) -> bool:
        """Tell whether the project does not count this file."""
        return _any(path, self._omitted) or (
            bool(self._included) and not _any(path, self._included)
        )


def own_rules() -> tuple[OwnRules, list[str]]:
    """Return the project's rules, and which of its settings measure more than we do."""
    default = coverage.Coverage(data_file=None, config_file=False)
    for name in CONFIGURATION:
        if not Path(WORKSPACE, name).is_file():
            continue
        try:
            settings = coverage.Coverage(data_file=None, config_file=f"{WORKSPACE}/{name}")
        except CoverageException:
            continue
        if settings.config.config_file is None:
            continue
        farther = [
            option
            for option in FARTHER
            if settings.get_option(option) != default.get_option(option)
        ]
        return OwnRules(settings), farther
    return OwnRules(default), []


def listed(settings: coverage.Coverage, option: str) -> list[str]:
    """Return a list of the configuration, empty if it is not set."""
    value = settings.get_option(option)
    return [str(part) for part in value] if isinstance(value, list) else []


def _any(path: str, patterns: list[str]) -> bool:
    return any(fnmatch(path, pattern) for pattern in _absolute(patterns))


def _absolute(patterns: list[str]) -> Iterator[str]:
    for pattern in patterns:
        yield pattern if pattern.startswith(("*", "/")) else os.path.join(WORKSPACE, pattern)
