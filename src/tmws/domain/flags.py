"""What in a snapshot could bend the result of a check, found by reading alone.

A flag lowers the level of a verdict; it accuses nobody. Honest projects use fixtures,
markers, `sys.path` and targeted ignores, and none of that is flagged. What is: hooks
that decide outcomes, early exits, patched machinery, modules that shadow the library,
and settings or comments that silence whole files.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

from tmws.domain.claims import (
    AddedCheck,
    Check,
    ComputedCheck,
    CoverageCheck,
    HeldCheck,
    MetricCheck,
    MypyCheck,
    NodeTestCheck,
    NpmTestCheck,
    PytestCheck,
    PythonCheck,
    RuffCheck,
    TimingCheck,
)
from tmws.domain.node_tests import SUFFIXES
from tmws.domain.reading import (
    HANDED_OVER,
    KNOWN_LIBRARIES,
    SHADOWABLE,
    Reading,
    is_test_file,
)
from tmws.domain.settings_files import Config, read_config, table
from tmws.domain.silencers import mypy_flags, ruff_flags
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.stand_ins import packages_of_tests, stand_ins

MAX_FLAGS = 50
# A mebibyte of ordinary code is read in half a second, of the most tedious in three.
MAX_READ_FILE_BYTES = 1024 * 1024
MAX_READ_BYTES = 4 * MAX_READ_FILE_BYTES

# Tested code without any of these words, in plain ASCII, needs no closer look.
_SUSPICIOUS = re.compile(
    rb"_exit|_pytest|pluggy|builtins|pytest|modules|f_locals|get_objects|get_referrers"
    rb"|/proc/|/dev/fd|/opt/tmws|__eq__[\s\S]{0,200}return|coding[:=]|[\x80-\xff]"
    rb"|__code__|__defaults__|__kwdefaults__|PYTEST_|[\"']\s*\+\s*[\"']|\btime\.\w+\s*="
)

# Where the runner lets a project's copy of a package of its own take effect, for the tests.
_HANDED_OVER_PLACES = frozenset(
    f"{folder}{name}{end}"
    for folder in ("", "src/")
    for name in HANDED_OVER
    for end in (".py", "/__init__.py")
)
_NODE_INSIDE = re.compile(
    rb"\bnode:inspector|[\"']inspector[\"'/]|HeapSnapshot|process\.binding"
    rb"|_linkedBinding|internalBinding|process\.dlopen|/proc/|/dev/fd|/opt/tmws|reallyExit"
    rb"|USE_MAIN_CONTEXT_DEFAULT_LOADER|\bexecArgv\b|connectToMainThread"
    # The name of a module that is put together, so that no reader finds it.
    rb"|(?:import|require|getBuiltinModule)\s*\(\s*[\"'`][^\"'`\n]*[\"'`]\s*\+\s*[\"'`]"
)
_MEASURES = re.compile(rb"\b(import|from)\b[^\n]*\bcoverage\b|[\"']coverage[\"'.]")


def scan(
    check: Check, snapshot: Snapshot, *, spared: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return `file: what` for everything that could bend the result, at most 50.

    Args:
        spared: paths of files that the claimant can't reach, or that nobody opened.
    """
    found = {
        flag for flag in _found(check, snapshot, spared) if flag.partition(": ")[0] not in spared
    }
    return tuple(sorted(found))[:MAX_FLAGS]


def _found(check: Check, snapshot: Snapshot, spared: frozenset[str]) -> Iterator[str]:
    match check:
        case PytestCheck():
            yield from _pytest_flags(check, snapshot, spared)
        case CoverageCheck():
            yield from _pytest_flags(check.tests, snapshot, spared)
            yield from _measuring(snapshot)
        case NodeTestCheck() | NpmTestCheck():
            yield from _node_flags(snapshot)
        case RuffCheck():
            yield from ruff_flags(check, snapshot)
        case MypyCheck():
            yield from mypy_flags(check, snapshot)
        case PythonCheck() | MetricCheck() | TimingCheck():
            pass  # how a script ends is the claim itself
        case HeldCheck() | ComputedCheck() | AddedCheck():
            pass  # answers are compared elsewhere


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


def _pytest_flags(check: PytestCheck, snapshot: Snapshot, spared: frozenset[str]) -> Iterator[str]:
    for path in _shadowing(snapshot):
        yield f"{path}: shadows a module that the test run stands on"
    yield from _plugin_options(snapshot)
    yield from _borrowed_names(snapshot)
    trees: dict[str, ast.Module] = {}
    left = MAX_READ_BYTES
    for file in _to_be_read(check, snapshot):
        if file.path in spared:
            continue
        left -= len(file.content)
        if left < 0 or len(file.content) > MAX_READ_FILE_BYTES:
            yield f"{file.path}: too much code to be read"
            return
        tree = syntax_tree(file)
        if tree is not None:
            trees[file.path] = tree
            yield from (f"{file.path}: {what}" for what in _read(file.path, tree))
    yield from _stand_ins(trees, used=frozenset(_used_fixtures(snapshot)))


def _stand_ins(trees: dict[str, ast.Module], *, used: frozenset[str]) -> Iterator[str]:
    try:
        yield from stand_ins(trees, used=used)
    except RecursionError:
        yield "the tests: nested too deeply to be read"


def _borrowed_names(snapshot: Snapshot) -> Iterator[str]:
    """Name modules that are called like a library by which tests compare."""
    project = str(table(read_config(snapshot, "pyproject.toml"), "project").get("name", ""))
    project = project.lower().replace("-", "_")
    for file in snapshot.python_files():
        top, _, rest = file.path.removeprefix("src/").partition("/")
        name = top.removesuffix(".py")
        whole = rest == "__init__.py" or top.endswith(".py")
        if whole and name in KNOWN_LIBRARIES and not project.startswith(name):
            yield f"{file.path}: takes the place of the library {name}"


def _node_flags(snapshot: Snapshot) -> Iterator[str]:
    """Name the scripts that reach for Node's inside, or for files that are ours."""
    for file in snapshot.files:
        if file.path.endswith(tuple(f".{suffix}" for suffix in SUFFIXES)):
            for found in dict.fromkeys(_NODE_INSIDE.findall(file.content)):
                yield f"{file.path}: reaches for {found.decode(errors='replace')}"


def _measuring(snapshot: Snapshot) -> Iterator[str]:
    """Name the files that take the measuring tool in hand themselves."""
    for file in snapshot.python_files():
        if file.path != "setup.py" and _MEASURES.search(file.content):
            yield f"{file.path}: takes part in measuring coverage"


def _read(path: str, tree: ast.Module) -> list[str]:
    try:
        return list(Reading(path, tree).flags())
    except RecursionError:
        return ["nested too deeply to be read"]


def _to_be_read(check: PytestCheck, snapshot: Snapshot) -> Iterator[SnapshotFile]:
    targets = [target.partition("::")[0] for target in check.targets]
    files = snapshot.python_files()
    packages = packages_of_tests(file.path for file in files)
    for file in files:
        tells = is_test_file(file.path) or file.path in packages or _SUSPICIOUS.search(file.content)
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
        if file.path in _HANDED_OVER_PLACES:
            continue
        if module in SHADOWABLE and folder not in packages:
            yield file.path
        elif module == "__init__":
            above, _, package = folder.rpartition("/")
            if package in SHADOWABLE and above not in packages:
                yield file.path


def _plugin_options(snapshot: Snapshot) -> Iterator[str]:
    for path, section in _pytest_settings(snapshot):
        words = _setting(section, "addopts")
        for plugin in re.findall(r"(?:^|\s)-p\s*(\S+)", " ".join(words)):
            if not plugin.startswith("no:") and plugin != "pytester":
                yield f"{path}: addopts loads the plugin {plugin}"


def _used_fixtures(snapshot: Snapshot) -> Iterator[str]:
    """Return the fixtures that the project's settings have every test use."""
    for _, section in _pytest_settings(snapshot):
        yield from _setting(section, "usefixtures")


def _setting(section: Config, name: str) -> list[str]:
    value = section.get(name, "")
    return list(map(str, value)) if isinstance(value, list) else str(value).split()


def _pytest_settings(snapshot: Snapshot) -> Iterator[tuple[str, Config]]:
    for path in (
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        ".pytest.toml",
        "pyproject.toml",
        "tox.ini",
        "setup.cfg",
    ):
        config = read_config(snapshot, path)
        for names in (("pytest",), ("tool:pytest",), ("tool", "pytest")):
            yield path, table(config, *names)
        yield path, table(config, "tool", "pytest", "ini_options")
