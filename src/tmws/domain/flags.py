"""What in a snapshot could bend the result of a check, found by reading alone.

A flag lowers the level of a verdict; it accuses nobody. Honest projects use fixtures,
markers, `sys.path` and targeted ignores, and none of that is flagged. What is: hooks
that decide outcomes, early exits, patched machinery, modules that shadow the library,
and settings or comments that silence whole files.
"""

from __future__ import annotations

import ast
import configparser
import io
import re
import sys
import tokenize
import tomllib
import warnings
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from typing import Any

from tmws.domain.claims import Check, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.snapshots import Snapshot, SnapshotFile

MAX_FLAGS = 50
# A mebibyte of ordinary code is read in half a second, of the most tedious in three.
MAX_READ_FILE_BYTES = 1024 * 1024
MAX_READ_BYTES = 4 * MAX_READ_FILE_BYTES

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
# Tested code without any of these words, in plain ASCII, needs no closer look.
_SUSPICIOUS = re.compile(
    rb"_exit|_pytest|pluggy|builtins|pytest|modules|f_locals|get_objects|get_referrers"
    rb"|/proc/|/dev/fd|/opt/tmws|__eq__[\s\S]{0,200}return|coding[:=]|[\x80-\xff]"
)
# Packages that the runner itself stands on; a module of that name could take their place.
RUNNER_PACKAGES = frozenset(
    {"_pytest", "iniconfig", "packaging", "pluggy", "pygments", "pytest", "sitecustomize"}
)
SHADOWABLE = RUNNER_PACKAGES | {"usercustomize"} | sys.stdlib_module_names - {"__main__"}

_Config = Mapping[str, Any]


def scan(check: Check, snapshot: Snapshot) -> tuple[str, ...]:
    """Return `file: what` for everything that could bend the result, at most 50."""
    return tuple(sorted(set(_found(check, snapshot))))[:MAX_FLAGS]


def _found(check: Check, snapshot: Snapshot) -> Iterator[str]:
    match check:
        case PytestCheck():
            yield from _pytest_flags(check, snapshot)
        case RuffCheck():
            yield from _ruff_flags(check, snapshot)
        case MypyCheck():
            yield from _mypy_flags(check, snapshot)
        case PythonCheck():
            pass  # how a script ends is the claim itself


def is_test_file(path: str) -> bool:
    """Tell whether pytest takes this file for tests or their set-up."""
    name = path.rpartition("/")[2]
    return fnmatch(name, "test_*.py") or fnmatch(name, "*_test.py") or name == "conftest.py"


def syntax_tree(file: SnapshotFile) -> ast.Module | None:
    """Return the file's tree, None if it is too large or not Python that can be read."""
    if len(file.content) > MAX_READ_FILE_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(file.content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _pytest_flags(check: PytestCheck, snapshot: Snapshot) -> Iterator[str]:
    for path in _shadowing(snapshot):
        yield f"{path}: shadows a module that the test run stands on"
    yield from _plugin_options(snapshot)
    left = MAX_READ_BYTES
    for file in _to_be_read(check, snapshot):
        left -= len(file.content)
        if left < 0 or len(file.content) > MAX_READ_FILE_BYTES:
            yield f"{file.path}: too much code to be read"
            return
        tree = syntax_tree(file)
        if tree is not None:
            yield from (f"{file.path}: {what}" for what in _read(file.path, tree))


def _read(path: str, tree: ast.Module) -> list[str]:
    try:
        return list(_Reading(path, tree).flags())
    except RecursionError:
        return ["nested too deeply to be read"]


def _to_be_read(check: PytestCheck, snapshot: Snapshot) -> Iterator[SnapshotFile]:
    targets = [target.partition("::")[0] for target in check.targets]
    for file in snapshot.python_files():
        tells = is_test_file(file.path) or _SUSPICIOUS.search(file.content)
        if tells and _has_a_say(file.path, targets):
            yield file


def _has_a_say(path: str, targets: list[str]) -> bool:
    """Tell whether a file is loaded when these targets are tested.

    Tests and set-up of other folders are not; what is not a test may be imported
    from anywhere.
    """
    if not targets or not is_test_file(path):
        return True
    folder, _, name = path.rpartition("/")
    return any(
        path == target
        or path.startswith(f"{target}/")
        or (name == "conftest.py" and (not folder or target.startswith(f"{folder}/")))
        for target in targets
    )


def _shadowing(snapshot: Snapshot) -> Iterator[str]:
    packages = {
        file.path.rpartition("/")[0]
        for file in snapshot.files
        if file.path.rpartition("/")[2] == "__init__.py"
    }
    for file in snapshot.python_files():
        folder, _, name = file.path.rpartition("/")
        module = name.partition(".")[0]
        if module in SHADOWABLE and folder not in packages:
            yield file.path
        elif module == "__init__":
            above, _, package = folder.rpartition("/")
            if package in SHADOWABLE and above not in packages:
                yield file.path


class _Reading:
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


def _plugin_options(snapshot: Snapshot) -> Iterator[str]:
    for path in (
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        "pyproject.toml",
        "tox.ini",
        "setup.cfg",
    ):
        config = read_config(snapshot, path)
        for section in (
            _table(config, "pytest"),
            _table(config, "tool:pytest"),
            _table(config, "tool", "pytest"),
            _table(config, "tool", "pytest", "ini_options"),
        ):
            value = section.get("addopts", "")
            words = value if isinstance(value, list) else str(value).split()
            for plugin in re.findall(r"(?:^|\s)-p\s*(\S+)", " ".join(map(str, words))):
                if not plugin.startswith("no:") and plugin != "pytester":
                    yield f"{path}: addopts loads the plugin {plugin}"


def _ruff_flags(check: RuffCheck, snapshot: Snapshot) -> Iterator[str]:
    for file in snapshot.python_files(check.targets):
        for comment in _comments(file, _NOQA):
            if re.match(r"#\s*(ruff|flake8)\s*:\s*noqa", comment, re.IGNORECASE):
                yield f"{file.path}: a comment silences the whole file"
    for file in snapshot.files:
        name = file.path.rpartition("/")[2]
        if name in {"ruff.toml", ".ruff.toml", "pyproject.toml"}:
            config = read_config(snapshot, file.path)
            ruff = _table(config, "tool", "ruff") if name == "pyproject.toml" else config
            lint = _table(ruff, "lint")
            for section in (ruff, lint):
                yield from (f"{file.path}: {what}" for what in _blinding(section))
            if _list(lint.get("exclude")):
                yield f"{file.path}: lint.exclude leaves out files"


def _blinding(section: _Config) -> Iterator[str]:
    """Name the settings that leave ruff nothing to find."""
    for name in ("ignore", "extend-ignore"):
        if "ALL" in _list(section.get(name)):
            yield f"{name} holds ALL"
    if section.get("select") == []:
        yield "select is empty"
    for name in ("per-file-ignores", "extend-per-file-ignores"):
        for pattern, codes in _table(section, name).items():
            if "ALL" in _list(codes) or pattern in {"*", "**", "*.py", "**/*.py", "**/*"}:
                yield f"{name} silences {pattern}"


def ignored_types(files: Iterable[SnapshotFile]) -> int:
    """Return how many `type: ignore` comments these files hold."""
    return sum(len(_TYPE_IGNORE.findall(file.content)) for file in files)


def _mypy_flags(check: MypyCheck, snapshot: Snapshot) -> Iterator[str]:
    for file in snapshot.python_files(check.targets):
        for comment in _comments(file, _MYPY):
            if re.match(r"#\s*mypy\s*:.*(ignore.errors|disable.error.code)", comment):
                yield f"{file.path}: a comment silences the whole file"
        if _ignores_from_the_top(file):
            yield f"{file.path}: a type: ignore at its top silences the whole file"
    for path in ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"):
        for name, section in _mypy_sections(read_config(snapshot, path)):
            if str(section.get("ignore_errors", "")).lower() in {"true", "1", "yes", "on"}:
                yield f"{path}: ignore_errors in {name}"
            if str(section.get("follow_imports", "")).lower() == "skip":
                yield f"{path}: follow_imports = skip in {name}"
            if section.get("plugins"):
                yield f"{path}: plugins are not loaded here"


def _mypy_sections(config: _Config) -> Iterator[tuple[str, _Config]]:
    for name, section in config.items():
        if isinstance(section, Mapping) and (name == "mypy" or name.startswith("mypy-")):
            yield (name, section)
    mypy = _table(config, "tool", "mypy")
    yield ("tool.mypy", mypy)
    for override in _list(mypy.get("overrides")):
        if isinstance(override, Mapping):
            yield ("an override", override)


def _ignores_from_the_top(file: SnapshotFile) -> bool:
    for token in _tokens(file) if _TYPE_IGNORE.search(file.content) else ():
        if token.type == tokenize.COMMENT:
            if re.match(r"#\s*type\s*:\s*ignore", token.string):
                return True
        elif token.type not in {tokenize.ENCODING, tokenize.NL, tokenize.NEWLINE}:
            return False
    return False


_NOQA = re.compile(rb"(ruff|flake8)\s*:\s*noqa", re.IGNORECASE)
_MYPY = re.compile(rb"#\s*mypy\s*:")
_TYPE_IGNORE = re.compile(rb"#\s*type\s*:\s*ignore")


def _comments(file: SnapshotFile, hint: re.Pattern[bytes]) -> Iterator[str]:
    """Return the comments of a file that may hold one like `hint`."""
    if hint.search(file.content):
        yield from (token.string for token in _tokens(file) if token.type == tokenize.COMMENT)


def _tokens(file: SnapshotFile) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.tokenize(io.BytesIO(file.content).readline)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return  # what cannot be read is the tool's finding, not ours


def read_config(snapshot: Snapshot, path: str) -> _Config:
    """Return a configuration file as tables, empty if absent or unreadable."""
    file = snapshot.file(path)
    if file is None:
        return {}
    try:
        text = file.content.decode("utf-8")
        if path.endswith(".toml"):
            return tomllib.loads(text)
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, configparser.Error, RecursionError):
        return {}
    return {name: dict(parser[name]) for name in parser.sections()}


def _table(config: _Config, *names: str) -> _Config:
    for name in names:
        value = config.get(name)
        if not isinstance(value, Mapping):
            return {}
        config = value
    return config


def _list(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
