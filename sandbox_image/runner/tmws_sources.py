"""What the files of the workspace said before any of their code ran.

A set-up file can rewrite a test, or have something else imported in its place. So test
modules are compiled from the text that was sent, and a test that its file defines
plainly must be the function that pytest is about to call.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.util import source_hash
from pathlib import Path
from typing import Any

import pytest
from _pytest.assertion import rewrite
from _pytest.doctest import DoctestItem
from tmws_channel import OUR_FOLDER, WORKSPACE

# Where code of the workspace can put files, beside the workspace itself.
WRITABLE = ("/tmp/", "/dev/shm/")  # noqa: S108

# Where tests may stand: modules, and texts with examples in them.
KINDS = ("*.py", "*.txt", "*.rst", "*.md")

# Where modules of a project are taken from when they are installed.
ROOTS = (f"{WORKSPACE}/src", WORKSPACE)
DEFINED = re.compile(rb"^(?:async\s+def|def|class)\s+(\w+)", re.MULTILINE)

# A time of last reading that no file can have by itself.
NEVER_NS = 1_000_000_007

_compile: Callable[..., Any] = compile
_stat, _rewrite_asserts, _rewrite_others = os.stat, rewrite.rewrite_asserts, rewrite._rewrite_test


class Sources:
    """The Python files below the workspace, as they were sent."""

    def __init__(self) -> None:
        paths = [path for kind in KINDS for path in sorted(Path(WORKSPACE).rglob(kind))]
        self._texts = {str(path): path.read_bytes() for path in paths if path.is_file()}
        self._executed: set[str] = set()
        self._sees_reading = self._watch_reading()
        self._stamps = {path: _stamp(path) for path in self._texts}
        self._plain: dict[str, set[str]] = {}
        self._codes: dict[str, set[types.CodeType]] = {}
        self._compiled: set[str] = set()
        self._strings: dict[str, set[str]] = {}
        rewrite._rewrite_test = self._rewrite_test

    def changed(self) -> Iterator[str]:
        """Name the files that are no longer those that were sent.

        The inode's change time tells of a file that was put back as it was.
        """
        yield from (path for path, stamp in self._stamps.items() if _stamp(path) != stamp)

    def unread(self) -> list[str]:
        """Return the Python files that nobody read since the run began, by whatever name.

        The kernel notes the time of reading with the file itself, for every process;
        who sets it back changes the inode, and `changed` says so.
        """
        if not self._sees_reading:
            return []
        return [path for path in self._stamps if path.endswith(".py") and self._is_unopened(path)]

    def _is_unopened(self, path: str) -> bool:
        """Tell whether nobody read the file since the run began."""
        return (
            path not in self._executed
            and _stamp(path) == self._stamps[path]
            and _stat(path).st_atime_ns == NEVER_NS
        )

    def _watch_reading(self) -> bool:
        """Mark every file as never read; tell whether reading one would be seen."""
        for path in self._texts:
            _mark_unread(path)
        for path, text in self._texts.items():
            if text:
                Path(path).read_bytes()
                seen = _stat(path).st_atime_ns != NEVER_NS
                _mark_unread(path)
                return seen
        return False

    def elsewhere(self) -> Iterator[str]:
        """Name the files in whose place others were imported: from outside, or a twin.

        Of two modules of one name that were sent, those of the project's own roots are
        taken for what is meant, and others, beside the tests perhaps, for stand-ins.
        """
        for name, place in _imported():
            path = f"/{name.replace('.', '/')}"
            ends = (f"{path}.py", f"{path}/__init__.py")
            if place.startswith(WRITABLE):
                yield from (sent for sent in self._texts if sent.endswith(ends))
            elif not _is_for_tests(ends[0]):
                meant = {f"{root}{end}" for root in ROOTS for end in ends} & self._texts.keys()
                if not place.endswith(ends) and self._sees_reading:
                    # A package may put something made at run time in its own place.
                    meant = {each for each in meant if self._is_unopened(each)}
                if place not in meant:
                    yield from sorted(meant)

    def replaced(self, tests: Iterable[types.ModuleType]) -> Iterator[tuple[str, str]]:
        """Return file and name of plain functions that are no longer those of their file.

        Of a library, those that are now code of the workspace. Only what the test modules
        name counts: stand-ins for what is far away are honest.
        """
        said = [Named(set(map(id, vars(test).values())), self._names(test)) for test in tests]
        for name, place in _imported():
            if place in self._texts and _is_for_tests(place):
                continue
            others = self._others if place in self._texts else _borrowed
            for label, value in others(sys.modules[name], place):
                last = {label.rpartition(".")[2], name.rpartition(".")[2]}
                if not any(id(value) in named.things or last <= named.words for named in said):
                    continue
                if place not in self._texts:
                    yield name, label
                elif not self._is_own(label, value, place):
                    yield place, label

    def _others(self, module: types.ModuleType, path: str) -> Iterator[tuple[str, object]]:
        """Return what stands in a module under the names that its file defines."""
        names = vars(module)
        for name in map(bytes.decode, DEFINED.findall(self._texts[path])):
            if name in names:
                value = names[name]
                yield name, value
                if issubclass(type(value), type):
                    yield from ((f"{name}.{each}", value) for each in vars(value))

    def _is_own(self, label: str, value: object, path: str) -> bool:
        """Tell whether this is what the file defines plainly under this name, if it does."""
        owner, _, last = label.rpartition(".")
        function = vars(value)[last] if owner else value
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            return label not in self._plainly(path) or self._holds(path, _code(function))
        return True

    def _names(self, module: types.ModuleType) -> set[str]:
        """Return the names that the code of a test module says."""
        path = getattr(module, "__file__", None)
        said = {name for code in self._codes.get(str(path), ()) for name in code.co_names}
        return said | vars(module).keys()

    def compiles_to(self, path: str, code: types.CodeType) -> bool:
        """Tell whether `code` is a part of what the file at `path` says, as it was sent."""
        with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError, KeyError):
            return self._holds(path, code)
        return False

    def explain(self, item: pytest.Item, code: object) -> bool:
        """Tell whether `code` is what the item's file defines, as far as that is plain."""
        path = str(item.path)
        if isinstance(item, DoctestItem):
            return self._explain_examples(item, path)
        if not isinstance(item, pytest.Function) or path not in self._texts:
            return True
        try:
            return _qualified(item) not in self._plainly(path) or self._holds(path, code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False  # yet something was imported in its place

    def _explain_examples(self, item: DoctestItem, path: str) -> bool:
        """Tell whether the examples stand in the file as they are about to be tried."""
        text = self._texts.get(path, b"")
        if not path.endswith(".py"):
            return item.dtest.docstring == text.decode("utf-8", "replace").replace("\r\n", "\n")
        if path not in self._strings:
            self._strings[path] = set(_strings(text, path))
        return item.dtest.docstring in self._strings[path]

    def _plainly(self, path: str) -> set[str]:
        """Return the functions that the file defines plainly."""
        if path not in self._plain:
            self._plain[path] = set(_plain(_parsed(self._texts[path], path).body))
        return self._plain[path]

    def _holds(self, path: str, code: object) -> bool:
        """Tell whether `code` is a part of the file's text, rewritten by pytest or plain."""
        if code in self._codes.get(path, ()):
            return True
        if path not in self._compiled:
            # pytest does not rewrite what something else imported first.
            self._keep(path, _compile(self._texts[path], path, "exec", dont_inherit=True))
            self._compiled.add(path)
        return code in self._codes[path]

    def _rewrite_test(self, fn: Path, config: pytest.Config) -> tuple[bytes, types.CodeType]:
        """Do what pytest does, on the text that was sent."""
        path = str(fn)
        text = self._texts.get(path)
        if text is None:
            return _rewrite_others(fn, config)
        self._executed.add(path)
        tree = _parsed(text, path)
        self._plain[path] = set(_plain(tree.body))
        _rewrite_asserts(tree, text, path, config)
        code = _compile(tree, path, "exec", dont_inherit=True)
        self._keep(path, code)
        return source_hash(text), code

    def _keep(self, path: str, code: types.CodeType) -> None:
        self._codes.setdefault(path, set()).update(_within(code))


def _parsed(text: bytes, path: str) -> ast.Module:
    tree = _compile(text, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree


def _strings(text: bytes, path: str) -> Iterator[str]:
    """Return the string constants of a module, its docstrings among them."""
    try:
        nodes = ast.walk(_parsed(text, path))
        yield from (
            node.value
            for node in nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # nothing was plainly written here


@dataclass(frozen=True, slots=True)
class Named:
    """What a test module knows by name: the things themselves, and the words of its code."""

    things: set[int]
    words: set[str]


def _imported() -> Iterator[tuple[str, str]]:
    """Return the modules that are loaded, each with its file, "" if it has none."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__dict__", {}).get("__file__")
        if hasattr(module, "__dict__"):
            yield name, place if isinstance(place, str) else ""


def _borrowed(module: types.ModuleType, place: str) -> Iterator[tuple[str, object]]:
    """Return the functions of the workspace that stand in a module of another place."""
    if (
        not place.startswith((f"{WORKSPACE}/", OUR_FOLDER))
        and vars(module).get("__name__") != "__main__"
    ):
        for name, value in list(vars(module).items()):
            code = _code(value)
            if code is not None and code.co_filename.startswith(f"{WORKSPACE}/"):
                yield name, value


def _code(value: object) -> types.CodeType | None:
    """Return the code of a plain function; nothing else is asked for any attribute.

    A proxy for what is not there yet raises whatever it likes, even for its class.
    """
    kind = type(value)
    if kind is staticmethod or kind is classmethod or kind is types.MethodType:
        value = value.__func__  # type: ignore[attr-defined]
    return value.__code__ if type(value) is types.FunctionType else None


def _is_for_tests(path: str) -> bool:
    """Tell whether a file is a test module or set-up, of which there may be many of a name."""
    name = path.rpartition("/")[2]
    return name == "conftest.py" or name.startswith("test_") or name.endswith("_test.py")


def _mark_unread(path: str) -> None:
    os.utime(path, ns=(NEVER_NS, _stat(path).st_mtime_ns))


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = _stat(path)
    except OSError:
        return None
    return status.st_ino, status.st_ctime_ns


def _qualified(item: pytest.Function) -> str:
    """Return the test's qualified name inside its file."""
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    return ".".join((*classes, item.originalname))


def _plain(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Return the functions that nothing in their file wraps or replaces.

    Marks of pytest leave a function what it is; other decorators may not.
    """
    bound = Counter(name for node in body for name in _bound(node))
    for node in body:
        match node:
            case ast.FunctionDef(name=name) if all(map(_is_mark, node.decorator_list)):
                if bound[name] == 1:
                    yield prefix + name
            case ast.ClassDef(name=name, decorator_list=[], keywords=[]):
                if bound[name] == 1:
                    yield from _plain(node.body, f"{prefix}{name}.")


def _bound(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
        return
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            yield part.id
        elif isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield part.name


def _is_mark(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called).startswith("pytest.mark.")


def _within(code: types.CodeType) -> Iterator[types.CodeType]:
    waiting = [code]
    while waiting:
        code = waiting.pop()
        yield code
        waiting.extend(part for part in code.co_consts if isinstance(part, types.CodeType))
