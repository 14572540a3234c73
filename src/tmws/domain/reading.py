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
# What a function runs and takes for granted; nobody has to swap it.
INNARDS = frozenset({"__code__", "__defaults__", "__kwdefaults__"})
CLOCKS = frozenset({"monotonic", "perf_counter", "process_time", "sleep", "thread_time", "time"})
# How code finds out that it is being tested.
PROBES = frozenset({"PYTEST_CURRENT_TEST", "PYTEST_VERSION"})
FINDERS = frozenset({"sys.meta_path", "sys.path_hooks", "sys.path_importer_cache"})
# Libraries by which tests compare or make their cases; no other project is called so.
KNOWN_LIBRARIES = frozenset(
    """approvaltests attr attrs dirty_equals faker freezegun hamcrest hypothesis mock numpy pandas
    parameterized polars pydantic pytest_asyncio pytest_mock requests responses scipy sklearn
    sympy syrupy tensorflow testfixtures torch xarray""".split()
)
# Packages that the runner itself stands on; a module of that name could take their place.
RUNNER_PACKAGES = frozenset(
    {"_pytest", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sitecustomize"}
)
# Of those, what the runner leaves to the tests of a project that brings its own.
HANDED_OVER = frozenset({"iniconfig", "packaging", "pluggy", "pygments"})
# What the runner never imports, so that asking for it tells nobody of a test.
NOT_OF_THE_RUNNER = frozenset({"asyncio", "multiprocessing", "sqlite3", "tkinter"})
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
            if not self._is_test:
                yield from self._in_tested_code(node)

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
            case ast.Call(keywords=keywords) if self._is_test and self._is_thread(node, keywords):
                yield "asserts in a thread, whose failure nobody hears"
            case ast.Call(func=func, args=arguments):
                yield from self._called(self._name(func), arguments)
            case ast.Attribute(attr=name) if name in MEMORY or (self._is_test and name in REACHES):
                yield f"reaches for {name}"
            case ast.Constant(value=str(text)) if CHANNEL_PATHS.search(text):
                yield "names the runner's files or descriptors"
            case ast.FunctionDef(name=name) if self._is_test and name.startswith("test"):
                if any(map(_is_returned_comparison, node.body)):
                    yield f"{name} returns what it should assert"

    def _in_tested_code(self, node: ast.AST) -> Iterator[str]:
        """Name what tests may do, and the code under test has no honest need of."""
        match node:
            case ast.Constant(value=str(text)) if text in PROBES:
                yield f"asks for {text}"
            case ast.Compare(left=ast.Constant(value=str(name)), comparators=[where]):
                top = name.partition(".")[0]
                asks = _is_machinery(name) and top not in NOT_OF_THE_RUNNER
                if asks and self._name(where) == "sys.modules":
                    yield f"asks whether {name} is loaded"
            case ast.ClassDef() if _is_always_equal(node):
                yield f"class {node.name} equals everything"

    def _replaced(self, target: ast.expr) -> Iterator[str]:
        match target:
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    yield from self._replaced(part)
            case ast.Attribute(attr=name, value=owner) if name in INNARDS:
                # An idiom of named tuples: their constructor's defaults.
                if getattr(owner, "attr", "") not in {"__init__", "__new__"}:
                    yield f"replaces {name} of a function"
            case ast.Attribute(attr=name):
                root = self._name(target).partition(".")[0]
                if (
                    self._name(target).removesuffix("_ns") in {f"time.{clock}" for clock in CLOCKS}
                    or self._name(target) in FINDERS
                    or root in MACHINERY
                ):
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
        if self._is_test and name.rpartition(".")[0] in FINDERS:
            yield f"calls {name}"
        elif name in {"getattr", "setattr", "delattr"} and any(map(_is_put_together, arguments)):
            yield f"calls {name} with a name that is put together"
        elif name == "setattr" and any(_is_innards(argument) for argument in arguments):
            yield "replaces the innards of a function"
        elif name in {"setattr", "delattr"} and arguments:
            root = self._name(arguments[0]).partition(".")[0]
            if root in MACHINERY:
                yield f"replaces a part of {root}"
        elif self._is_test and name in EXIT_CALLS:
            yield f"calls {name}"

    def _is_thread(self, node: ast.Call, keywords: list[ast.keyword]) -> bool:
        """Tell whether a call makes a thread of a function that asserts."""
        started = {
            keyword.value.id
            for keyword in keywords
            if keyword.arg == "target" and isinstance(keyword.value, ast.Name)
        }
        return self._name(node.func).rpartition(".")[2] == "Thread" and any(
            isinstance(each, ast.FunctionDef)
            and each.name in started
            and any(isinstance(part, ast.Assert) for part in ast.walk(each))
            for each in self._nodes
        )

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
    ast.Compare,
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
    """Tell whether equality does not depend on what something is compared with."""
    return any(
        isinstance(member, ast.FunctionDef)
        and member.name == "__eq__"
        and len(member.args.args) == 2
        and any(map(_is_kind_word, ast.walk(member)))
        and not any(
            isinstance(part, ast.Name) and part.id == member.args.args[1].arg
            for statement in member.body
            for part in ast.walk(statement)
        )
        for member in node.body
    )


def _is_kind_word(node: ast.AST) -> bool:
    """Tell whether a statement returns anything but False or "not implemented"."""
    return (
        isinstance(node, ast.Return)
        and not (isinstance(node.value, ast.Constant) and not node.value.value)
        and not (isinstance(node.value, ast.Name) and node.value.id == "NotImplemented")
    )


def _is_returned_comparison(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Compare | ast.BoolOp)


def _is_put_together(node: ast.expr) -> bool:
    """Tell whether a text is written in pieces, so that no reader finds it."""
    return isinstance(node, ast.BinOp) and all(
        isinstance(part, ast.Constant) and isinstance(part.value, str)
        for part in (node.left, node.right)
    )


def _is_innards(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in INNARDS


def _is_machinery(module: str) -> bool:
    top = module.partition(".")[0]
    return top in MACHINERY or top in SHADOWABLE
