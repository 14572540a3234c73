"""Measures which lines and branches of the workspace's own files the tests execute.

Twice over the same data: by our rules, under which no comment and no setting of the
workspace leaves anything out, and by the project's own. The host compares the two.

A line counts when code of its file executes it. Whoever compiles other code under the
name of a measured file would have lines counted that never ran, and so would whoever asks
the interpreter itself to evaluate it or traces in our place; an audit hook, which nothing
in the process can take back, sees that.
"""

from __future__ import annotations

import ast
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import coverage
from coverage.exceptions import CoverageException
from coverage.parser import PythonParser
from coverage.python import PythonFileReporter
from tmws_channel import MAX_LISTED, MAX_TEXT, WORKSPACE, Send
from tmws_sources import Sources

FILES_PER_LINE = 20
OURS = "what the syntax says is not to be executed"
DOTS = re.compile(r"\s*\.\.\.\s*(#.*)?")
# Ways to have the interpreter evaluate code that no audit hook hears of.
EVALUATORS = re.compile(r"_?Py(Eval|Run|Frame|Function_New|Import_Exec)")
CONFIGURATION = (".coveragerc", ".coveragerc.toml", "setup.cfg", "tox.ini", "pyproject.toml")
# Settings that have more measured than happens in this one process.
FARTHER = ("run:concurrency", "run:parallel", "run:patch", "run:plugins", "run:dynamic_context")


class Measurement:
    """One measurement of the Python files below `source`, for the whole test run."""

    def __init__(self, source: str, *, branch: bool) -> None:
        root = Path(source)
        found = sorted(root.rglob("*.py")) if root.is_dir() else [root]
        self._files = [str(path) for path in found if path.is_file()]
        self._unmeant = {path: Unmeant(Path(path).read_bytes()) for path in self._files}
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
            elif event in {"ctypes.dlsym", "sys.settrace"}:
                if place := stranger(event, arguments):
                    foreign[place] = None
                return
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
        ours = self._numbers(path, [], [], self._by_syntax(path))
        if self._own.leaves_out(path):
            return [*ours, 0, 0, 0, 0]
        return [*ours, *self._numbers(path, self._own.excluded, self._own.partial)]

    def _by_syntax(self, path: str) -> PythonParser | None:
        """Return a parser that leaves out what is not meant to be executed, and was not."""
        executed = set(self._coverage.get_data().lines(path) or ())
        unmeant = self._unmeant[path].lines(executed)
        try:
            parser = BySyntax(path, unmeant)
            parser.parse_source()
        except CoverageException:
            return None
        return parser

    def _numbers(
        self,
        path: str,
        excluded: list[str],
        partial: list[str],
        parser: PythonParser | None = None,
    ) -> list[int]:
        for which, regexes in (("exclude", excluded), ("partial", partial)):
            self._coverage.clear_exclude(which)
            for regex in regexes:
                self._coverage.exclude(regex, which)
        try:
            reporter = PythonFileReporter(path, self._coverage)
            if parser is not None:
                reporter._parser = parser
            numbers = self._coverage._analyze(path, reporter).numbers
        except CoverageException:  # what does not compile was not executed
            lines = len(Path(path).read_bytes().splitlines())
            return [lines, 0, 0, 0]
        return [
            numbers.n_statements,
            numbers.n_executed,
            numbers.n_branches,
            numbers.n_executed_branches,
        ]


class BySyntax(PythonParser):
    """Reads a file without the lines that are named, whatever its comments say."""

    def __init__(self, path: str, unmeant: set[int]) -> None:
        super().__init__(filename=path, exclude=OURS)
        self._unmeant = unmeant

    def lines_matching(self, regex: str) -> set[int]:
        return set(self._unmeant) if regex == OURS else super().lines_matching(regex)


class Unmeant:
    """The lines of a file that nobody means to have executed, by its syntax alone.

    Bodies of `...`, and blocks under `if TYPE_CHECKING:` as long as none of their lines
    was executed. Comments and texts that read like those leave nothing out.
    """

    def __init__(self, text: bytes) -> None:
        self._dots: set[int] = set()
        self._blocks: list[tuple[int, set[int]]] = []
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
        rows = re.split(r"\r\n?|\n", text.decode("utf-8", "replace"))
        for node in ast.walk(tree):
            match node:
                case ast.If(test=test, body=body) if is_for_checkers(test):
                    inner = set(range(body[0].lineno, last(body[-1]) + 1))
                    self._blocks.append((node.lineno, inner))
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    self._dots.update(left_to_others(node, rows))
                case ast.Expr(value=ast.Constant(value=value)) if value is ...:
                    if DOTS.fullmatch(rows[node.lineno - 1]):
                        self._dots.add(node.lineno)

    def lines(self, executed: set[int]) -> set[int]:
        """Return the lines that are left out, where these lines were executed."""
        found = set(self._dots)
        for head, inner in self._blocks:
            if not inner & executed:
                found |= {head} | inner
        return found


def left_to_others(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, rows: list[str]
) -> range:
    """Return the lines of a definition whose whole body is `...` on its header's last line."""
    match node.body:
        case [ast.Expr(value=ast.Constant(value=value)) as dots] if value is ...:
            row, at = rows[dots.lineno - 1].encode(), dots.col_offset
            if row[:at].strip() and DOTS.fullmatch(row[at:].decode("utf-8", "replace")):
                first = min((each.lineno for each in node.decorator_list), default=node.lineno)
                return range(first, last(node) + 1)
    return range(0)


def is_for_checkers(test: ast.expr) -> bool:
    """Tell whether a condition is the one that only type checkers take for true."""
    match test:
        case ast.Name(id="TYPE_CHECKING"):
            return True
        case ast.Attribute(value=ast.Name(id="typing"), attr="TYPE_CHECKING"):
            return True
    return False


def last(node: ast.stmt) -> int:
    """Return the last line of a statement."""
    return node.end_lineno or node.lineno


def stranger(event: str, arguments: tuple[Any, ...]) -> str | None:
    """Return which file of the workspace evaluates or traces in our place, if one does."""
    if event == "ctypes.dlsym":
        name = arguments[1]
        if not isinstance(name, str | bytes) or not EVALUATORS.match(_text(name)):
            return None
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        place = frame.f_code.co_filename
        if place.startswith(f"{WORKSPACE}/"):
            return place
        if event == "sys.settrace" and "/bdb.py" not in place:
            return None
        frame = frame.f_back
    return None


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("latin-1")


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
