"""Python code read for what can decide a test's outcome from outside the test.

Reading accuses nobody: ordinary fixtures, markers and `sys.path` are passed over; hooks
that decide outcomes, early exits, patched machinery and reaching into others are named.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

DECISIVE_HOOKS = frozenset(
    {
        "pytest_cmdline_main",
        "pytest_collect_directory",
        "pytest_collect_file",
        "pytest_collection",
        "pytest_make_collect_report",
        "pytest_pycollect_makeitem",
        "pytest_pycollect_makemodule",
        "pytest_pyfunc_call",
        "pytest_report_teststatus",
        "pytest_runtest_call",
        "pytest_runtest_makereport",
        "pytest_runtest_protocol",
        "pytest_runtestloop",
    }
)
# Code of the test process that no test has business to replace.
MACHINERY = frozenset({"_pytest", "builtins", "pluggy", "pytest"})
# Attributes that hold an outcome, and those that reach into frames and closures.
OUTCOMES = frozenset({"excinfo", "exitstatus", "outcome", "testsfailed", "wasxfail"})
REACHES = frozenset(
    {
        "cell_contents",
        "f_back",
        "get_plugins",
        "list_name_plugin",
        "memmove",
        "pythonapi",
    }
)
EXIT_CALLS = frozenset({"atexit.register", "os._exit"})
# Ways to the objects of others that hardly any code needs, tested or testing.
MEMORY = frozenset({"f_locals", "get_objects", "get_referrers"})
CHANNEL_PATHS = re.compile(r"/proc/(self|\d+|\{)|/dev/fd|/opt/tmws")
# Packages that the runner itself stands on; a module of that name could take their place.
RUNNER_PACKAGES = frozenset(
    {"_pytest", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sitecustomize"}
)
SHADOWABLE = RUNNER_PACKAGES | {"usercustomize"} | sys.stdlib_module_names - {"__main__"}


def is_test_file(path: str) -> bool:
    """Tell whether pytest takes this file for tests or their set-up."""
    name = path.rpartition("/")[2]
    return fnmatch(name, "test_*.py") or fnmatch(name, "*_test.py") or name == "conftest.py"


class Reading:
    """One module, read for what can decide outcomes from outside a test."""

    def __init__(self, path: str, tree: ast.Module) -> None:
        self._tree = tree
        self._nodes = list(_telling(tree))
        self._is_test = is_test_file(path)
        self._is_conftest = path.rpartition("/")[2] == "conftest.py"
        self._aliases = dict(_imported(self._nodes))

    def flags(self) -> Iterator[str]:
        if self._is_conftest:
            yield from (f"defines {name}" for name in self._hooks())
        exits = {"os._exit", "sys.exit"} if self._is_test else {"os._exit"}
        for node in _executed_at_import(self._tree):
            if isinstance(node, ast.Call) and self._name(node.func) in exits:
                yield f"calls {self._name(node.func)} when it is imported"
        for node in self._nodes:
            yield from self._at(node)

    def _hooks(self) -> Iterator[str]:
        for node in self._nodes:
            match node:
                case ast.FunctionDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                    names = [name]
                case ast.ImportFrom(names=imported):
                    names = [alias.asname or alias.name for alias in imported]
                case ast.Constant(value=str(name)):
                    names = [name]
                case _:
                    continue
            yield from (name for name in names if name in DECISIVE_HOOKS)

    def _at(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                for target in targets:
                    yield from self._replaced(target)
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target):
                yield from self._replaced(target)
            case ast.Call(func=func, args=arguments):
                yield from self._called(self._name(func), arguments)
            case ast.Attribute(attr=name) if name in MEMORY or (self._is_test and name in REACHES):
                yield f"reaches for {name}"
            case ast.Constant(value=str(text)) if CHANNEL_PATHS.search(text):
                yield "names the runner's files or descriptors"
            case ast.ClassDef() if not self._is_test and _is_always_equal(node):
                yield f"class {node.name} equals everything"

    def _replaced(self, target: ast.expr) -> Iterator[str]:
        match target:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    yield from self._replaced(part)
            case ast.Attribute(attr=name):
                root = self._name(target).partition(".")[0]
                if root in MACHINERY:
                    yield f"replaces {self._name(target)}"
                elif self._is_test and name in OUTCOMES:
                    yield f"assigns {name}"
            case ast.Subscript(value=value, slice=key) if self._name(value) == "sys.modules":
                if isinstance(key, ast.Constant):
                    replaces = _is_machinery(str(key.value))
                else:
                    replaces = self._is_test
                if replaces:
                    yield "replaces an entry of sys.modules"

    def _called(self, name: str, arguments: list[ast.expr]) -> Iterator[str]:
        if name in {"setattr", "delattr"} and arguments:
            root = self._name(arguments[0]).partition(".")[0]
            if root in MACHINERY:
                yield f"replaces a part of {root}"
        elif self._is_test and name in EXIT_CALLS:
            yield f"calls {name}"

    def _name(self, node: ast.expr) -> str:
        """Return the dotted name of an expression with its import undone, or ""."""
        match node:
            case ast.Name(id=name):
                return self._aliases.get(name, name)
            case ast.Attribute(value=value, attr=name):
                owner = self._name(value)
                return f"{owner}.{name}" if owner else ""
        return ""


_TELLING = (
    ast.AnnAssign,
    ast.Assign,
    ast.Attribute,
    ast.AugAssign,
    ast.Call,
    ast.ClassDef,
    ast.Constant,
    ast.Delete,
    ast.FunctionDef,
    ast.Import,
    ast.ImportFrom,
    ast.Name,
)


def _telling(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk the nodes that `_Reading` looks at; three times as fast as `ast.walk`."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _TELLING):
            yield node
        for value in node.__dict__.values():
            if isinstance(value, list):
                waiting.extend([part for part in value if isinstance(part, ast.AST)])
            elif isinstance(value, ast.AST):
                waiting.append(value)


def _imported(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname or top, alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield (alias.asname or alias.name, f"{node.module}.{alias.name}")


def _executed_at_import(tree: ast.Module) -> Iterator[ast.AST]:
    """Walk what runs on import: not the bodies of functions, not the main block."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and _asks_for_main(node.test):
            continue
        yield node
        waiting.extend(ast.iter_child_nodes(node))


def _asks_for_main(test: ast.expr) -> bool:
    return any(
        isinstance(part, ast.Constant) and part.value == "__main__" for part in ast.walk(test)
    )


def _is_always_equal(node: ast.ClassDef) -> bool:
    return any(
        isinstance(member, ast.FunctionDef)
        and member.name == "__eq__"
        and isinstance(member.body[-1], ast.Return)
        and isinstance(member.body[-1].value, ast.Constant)
        and member.body[-1].value.value is True
        and len(member.body) == 1
        for member in node.body
    )


def _is_machinery(module: str) -> bool:
    top = module.partition(".")[0]
    return top in MACHINERY or top in SHADOWABLE
