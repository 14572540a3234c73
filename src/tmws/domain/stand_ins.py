"""Set-up that puts something else in the place of what the tests test.

Stand-ins for what is slow or far away are honest, and asked for by the tests that need
them. What set-up replaces for every test, although the tests themselves name it, is
named here.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tmws.domain.reading import is_test_file

TEST_FOLDERS = frozenset({"test", "tests"})
PATCHERS = frozenset({"patch", "setattr", "setitem"})
# How hooks and fixtures come by the module or function of a test.
TEST_PARTS = frozenset({"cls", "function", "module", "obj"})


@dataclass(frozen=True, slots=True)
class _Replaced:
    """Something of a module that set-up replaces."""

    module: str
    name: str
    for_all: bool


def stand_ins(trees: Mapping[str, ast.Module], *, used: Collection[str] = ()) -> Iterator[str]:
    """Return `file: what` for what set-up replaces although tests name it.

    Args:
        trees: the Python files that have a say, by path.
        used: names of fixtures that the project's settings have every test use.
    """
    tests = {path: tree for path, tree in trees.items() if is_test_file(path)}
    setups = dict(_setups(trees, tests))
    named = _named_in(tree for path, tree in tests.items() if path not in setups)
    test_modules = {path.rpartition("/")[2].removesuffix(".py") for path in tests}
    for path, tree in setups.items():
        for what in _replacements(tree, frozenset(used)):
            top = what.module.rpartition(".")[2]
            dotted = f"{what.module}.{what.name}"
            if top in test_modules:
                yield f"{path}: replaces {dotted} in a module of tests"
            elif what.for_all and (dotted in named or f"{top}.{what.name}" in named):
                yield f"{path}: replaces {dotted}, which tests name"
        if any(map(_reaches_into_a_test, ast.walk(tree))):
            yield f"{path}: replaces a name in a test's module"


def packages_of_tests(paths: Iterable[str]) -> frozenset[str]:
    """Return the `__init__.py` that are run whenever one of these tests is, and test nothing."""
    found: set[str] = set()
    for path in filter(is_test_file, paths):
        *folders, _ = path.split("/")
        for depth in range(len(folders), 0, -1):
            if depth == len(folders) or folders[depth - 1] in TEST_FOLDERS:
                found.add("/".join((*folders[:depth], "__init__.py")))
    return frozenset(found)


def _setups(
    trees: Mapping[str, ast.Module], tests: Mapping[str, ast.Module]
) -> Iterator[tuple[str, ast.Module]]:
    """Return what runs before tests: set-up files, plugins they name, packages of tests."""
    plugins = {name.replace(".", "/") for tree in tests.values() for name in _plugins(tree)}
    packages = packages_of_tests(trees)
    for path, tree in trees.items():
        module = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/")
        named = any(module == name or module.endswith(f"/{name}") for name in plugins)
        if path.endswith("conftest.py") or named or path in packages:
            yield path, tree


def _plugins(tree: ast.Module) -> Iterator[str]:
    """Return the modules that a test module or set-up file names as plugins."""
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="pytest_plugins")], value=value)
                | ast.AnnAssign(target=ast.Name(id="pytest_plugins"), value=ast.expr() as value)
            ):
                for part in ast.walk(value):
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield part.value


def _named_in(trees: Iterable[ast.Module]) -> frozenset[str]:
    """Return `module.name` of everything that these modules import or reach for."""
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                for alias in node.names:
                    found.update((f"{module}.{alias.name}", f"{_last(module)}.{alias.name}"))
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found.add(f"{node.value.id}.{node.attr}")
    return frozenset(found)


def _replacements(tree: ast.Module, used: frozenset[str]) -> Iterator[_Replaced]:
    aliases = dict(_modules(tree))
    waiting: list[tuple[ast.AST, bool]] = [(node, True) for node in tree.body]
    while waiting:
        node, for_all = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for_all = node.name.startswith("pytest_") or node.name in used or _is_for_all(node)
        yield from _replaced_at(node, aliases, for_all=for_all)
        waiting.extend((child, for_all) for child in ast.iter_child_nodes(node))


def _replaced_at(
    node: ast.AST, aliases: Mapping[str, str], *, for_all: bool
) -> Iterator[_Replaced]:
    match node:
        case ast.Assign(targets=targets):
            for target in targets:
                if isinstance(target, ast.Attribute) and (module := _module(target.value, aliases)):
                    yield _Replaced(module, target.attr, for_all)
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name), args=[ast.Constant(str(dotted)), *_]
        ) if name in PATCHERS:
            module, _, last = dotted.rpartition(".")
            yield _Replaced(module, last, for_all)
        case ast.Call(
            func=ast.Name(id=name) | ast.Attribute(attr=name),
            args=[owner, ast.Constant(str(last)), *_],
        ) if name in PATCHERS | {"object"} and (module := _module(owner, aliases)):
            yield _Replaced(module, last, for_all)


def _module(node: ast.expr, aliases: Mapping[str, str]) -> str:
    """Return the module that an expression stands for, or ""."""
    match node:
        case ast.Name(id=name):
            return aliases.get(name, "")
        case ast.Attribute(value=value, attr=attr):
            above = _module(value, aliases)
            return f"{above}.{attr}" if above else ""
        case ast.Subscript(value=ast.Attribute(attr="modules"), slice=ast.Constant(str(name))):
            return name
    return ""


def _modules(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                yield (alias.asname or top, alias.name if alias.asname else top)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}" if node.module else alias.name
                yield (alias.asname or alias.name, dotted)


def _is_for_all(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    # What is not written out may be true; so may what is unpacked.
    return any(
        keyword.arg in {"autouse", None}
        and (not isinstance(keyword.value, ast.Constant) or bool(keyword.value.value))
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        for keyword in decorator.keywords
    )


def _reaches_into_a_test(node: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=[ast.Attribute(value=ast.Attribute(attr=part))]):
            return part in TEST_PARTS
        case ast.Call(func=ast.Name(id="setattr"), args=[ast.Attribute(attr=part), *_]):
            return part in TEST_PARTS
    return False


def _last(module: str) -> str:
    return module.rpartition(".")[2]
