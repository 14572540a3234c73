"""Small faults put into tested code, to see whether its tests notice.

A test that passes whatever the code does proves nothing about it. Each fault changes a
value that a function computes; faults that tests cannot notice are expected, so one
noticed fault of a sample is what is asked for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from tmws.domain.flags import syntax_tree
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.trusted_refs import imported_modules

MOST_READ_FILES = 500

_OTHER_OPERATORS: dict[type[ast.AST], ast.operator | ast.cmpop] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Add(),
    ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Mult(),
    ast.Pow: ast.Mult(),
    ast.BitAnd: ast.BitOr(),
    ast.BitOr: ast.BitAnd(),
    ast.Lt: ast.GtE(),
    ast.LtE: ast.Gt(),
    ast.Gt: ast.LtE(),
    ast.GtE: ast.Lt(),
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One fault in one file.

    Attributes:
        what: `before → after`, for people.
        content: the whole file with the fault in it.
    """

    path: str
    line: int
    what: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.what}"

    def applied(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with this fault in it."""
        files = (
            SnapshotFile.of(file.path, self.content, executable=file.executable)
            if file.path == self.path
            else file
            for file in snapshot.files
        )
        return Snapshot.of(files, snapshot.left_out)


def sample(
    snapshot: Snapshot, tests: Iterable[SnapshotFile], *, order: bytes, most: int
) -> list[Mutation]:
    """Return faults for code that these tests speak of, the most telling first.

    Args:
        tests: trusted; what they name decides where faults are put.
        order: bytes that nobody can predict; they choose among equals.
    """
    spoken = _names_in(tests)
    drawn = [
        (site.function not in spoken.names, site.is_text, _shuffled(order, number), site)
        for number, site in enumerate(_sites(snapshot, spoken))
    ]
    places: dict[tuple[bool, str, str], list[_Site]] = {}
    for unnamed, _, _, site in sorted(drawn, key=lambda each: each[:3]):
        places.setdefault((unnamed, site.file.path, site.function), []).append(site)
    # First one fault in each function that the tests name, then second ones; then others.
    turns = (
        site.mutation()
        for rest in (False, True)
        for turn in range(most)
        for place, sites in places.items()
        if place[0] is rest
        for site in sites[turn : turn + 1]
    )
    return list(islice(dict.fromkeys(turns), most))


@dataclass(frozen=True, slots=True)
class _Spoken:
    modules: frozenset[str]
    names: frozenset[str]


def _names_in(tests: Iterable[SnapshotFile]) -> _Spoken:
    modules: set[str] = set()
    names: set[str] = set()
    for file in tests:
        tree = syntax_tree(file)
        if tree is None:
            continue
        modules.update(imported_modules(tree))
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                    names.add(name.rpartition(".")[2])
    return _Spoken(frozenset(modules), frozenset(names))


@dataclass(frozen=True, slots=True)
class _Site:
    file: SnapshotFile
    function: str
    node: ast.expr
    after: str

    @property
    def is_text(self) -> bool:
        """Tell whether a text is changed: often a message, which tests rarely read."""
        return isinstance(self.node, ast.Constant) and isinstance(self.node.value, str)

    def mutation(self) -> Mutation:
        """Put the fault into the text; nothing else of it changes."""
        lines = self.file.content.splitlines(keepends=True)
        assert self.node.end_lineno is not None
        assert self.node.end_col_offset is not None
        first, last = self.node.lineno - 1, self.node.end_lineno - 1
        before = b"".join(lines[:first]) + lines[first][: self.node.col_offset]
        rest = lines[last][self.node.end_col_offset :] + b"".join(lines[last + 1 :])
        text = f"({self.after})"
        what = f"{ast.unparse(self.node)} → {self.after}"
        return Mutation(self.file.path, first + 1, what[:120], before + text.encode() + rest)


def _sites(snapshot: Snapshot, spoken: _Spoken) -> Iterator[_Site]:
    """Find places for faults in the modules that the tests import, or else anywhere."""
    sources = [
        file
        for file in snapshot.files
        if file.path.endswith(".py") and (b"def " in file.content or b"lambda" in file.content)
    ]
    tops = {module.partition(".")[0] for module in spoken.modules}
    near = [file for file in sources if not tops.isdisjoint(_module_of(file.path).split("."))]
    for file in (near or sources)[:MOST_READ_FILES]:
        tree = syntax_tree(file)
        if tree is not None and _is_plain_text(file.content):
            yield from _in_functions(file, tree)


def _module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _is_plain_text(content: bytes) -> bool:
    """Tell whether columns of the tree are those of the text."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _in_functions(file: SnapshotFile, tree: ast.Module) -> Iterator[_Site]:
    waiting: list[tuple[ast.AST, str, str]] = [(tree, "", "")]
    while waiting:
        node, function, owner = waiting.pop()
        if isinstance(node, ast.ClassDef):
            owner = node.name
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            # A class is spoken of where its constructor is.
            function = owner if node.name == "__init__" and owner else node.name
            children: list[ast.AST] = list(node.body)
        elif isinstance(node, ast.JoinedStr | ast.pattern):
            continue  # parts without columns of their own; places where no expression may stand
        else:
            children = list(ast.iter_child_nodes(node))
        if function and isinstance(node, ast.expr):
            yield from (_Site(file, function, node, after) for after in _faults(node))
        waiting.extend((child, function, owner) for child in children if not _says_nothing(child))


def _says_nothing(node: ast.AST) -> bool:
    """Docstrings, and annotations, whose change nobody could notice."""
    return isinstance(node, ast.arguments) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def _faults(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OTHER_OPERATORS:
            other = _OTHER_OPERATORS[type(op)]
            if isinstance(other, ast.operator):
                yield ast.unparse(ast.BinOp(left, other, right))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OTHER_OPERATORS:
            other = _OTHER_OPERATORS[type(op)]
            if isinstance(other, ast.cmpop):
                yield ast.unparse(ast.Compare(left, [other], [right]))
        case ast.BoolOp(op=ast.And(), values=values):
            yield ast.unparse(ast.BoolOp(ast.Or(), values))
        case ast.BoolOp(op=ast.Or(), values=values):
            yield ast.unparse(ast.BoolOp(ast.And(), values))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield ast.unparse(operand)
        case ast.Constant(value=bool(value)):
            yield repr(not value)
        case ast.Constant(value=int(value) | float(value)) if abs(value) < 10**9:
            yield repr(value + 1)
        case ast.Constant(value=str(value)) if len(value) < 200:
            yield repr(value + "x")
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield ast.unparse(ast.IfExp(test, orelse, body))


def _shuffled(order: bytes, number: int) -> int:
    """Return a number that only whoever knows the bytes could foresee (a keyed mix)."""
    mixed = number + 1
    for byte in order:
        mixed = (mixed * 0x9E3779B97F4A7C15 + byte + (mixed >> 29)) & 0xFFFFFFFFFFFFFFFF
    return mixed
