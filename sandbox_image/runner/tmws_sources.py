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
from importlib.util import source_hash
from pathlib import Path
from typing import Any

import pytest
from _pytest.assertion import rewrite
from _pytest.doctest import DoctestItem
from tmws_channel import WORKSPACE

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
        return [
            path
            for path, stamp in self._stamps.items()
            if path.endswith(".py")
            and path not in self._executed
            and _stamp(path) == stamp
            and _stat(path).st_atime_ns == NEVER_NS
        ]

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
            elif place.endswith(ends) and not _is_for_tests(place):
                meant = {f"{root}{end}" for root in ROOTS for end in ends} & self._texts.keys()
                if place not in meant:
                    yield from sorted(meant)

    def replaced(self, tests: Iterable[types.ModuleType]) -> Iterator[tuple[str, str]]:
        """Return file and name of plain functions that are no longer those of their file.

        Only those that the test modules name: stand-ins for what is far away are honest.
        """
        named = [(set(map(id, vars(test).values())), self._names(test)) for test in tests]
        for name, place in _imported():
            if place in self._texts and not _is_for_tests(place):
                last = name.rpartition(".")[2]
                for label, value in self._others(sys.modules[name], place):
                    short = label.rpartition(".")[2]
                    if any(id(value) in held or {short, last} <= said for held, said in named):
                        yield place, label

    def _others(self, module: types.ModuleType, path: str) -> Iterator[tuple[str, object]]:
        """Return what stands in a module under the name of a function that its file defines."""
        names = vars(module)
        text = self._texts[path]
        for name in map(bytes.decode, DEFINED.findall(text)):
            value = names.get(name)
            if isinstance(value, type):
                found = [(f"{name}.{each}", member) for each, member in vars(value).items()]
            else:
                found = [(name, value)] if name in names else []
            for label, member in found:
                is_method = label != name
                code = getattr(getattr(member, "__func__", member), "__code__", None)
                if getattr(code, "co_filename", None) == path or (is_method and code is None):
                    continue
                with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                    if label in self._plainly(path):
                        yield label, names[name]

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


def _imported() -> Iterator[tuple[str, str]]:
    """Return the modules that are loaded, each with its file."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(place, str):
            yield name, place


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
