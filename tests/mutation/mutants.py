"""Small faults in our own rules, in an order that repeats, each by an operator with a name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from tests.mutation.operators import OPERATORS, Members, is_statement

LONGEST = 90
"""So many characters of a line of code say what it is."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one file.

    Attributes:
        path: from the root of the tree.
        function: qualified name of where it stands; empty for the module itself.
        line: where the fault begins.
        lines: of the simple statement that holds it, or of the head of a compound one.
        number: counts the same fault in the same function, from 1.
        content: the whole file with the fault in it; what stands below keeps its line.
    """

    path: str
    function: str
    operator: str
    line: int
    lines: range
    before: str
    after: str
    number: int
    content: str

    @property
    def key(self) -> str:
        """What names the fault, however the lines above it move."""
        again = f" #{self.number}" if self.number > 1 else ""
        return f"{self.path} {self.function}: {self.before} → {self.after}{again}"

    def __str__(self) -> str:
        changed = f"{shortened(self.before)} → {shortened(self.after)}"
        return f"{self.path}:{self.line} {self.operator}: {changed}"


def shortened(text: str) -> str:
    """Return both ends of a long text."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def mutants_of(path: str, source: str, functions: Sequence[str] = ()) -> list[Mutant]:
    """Return every fault that the operators know for a file, from top to bottom.

    Args:
        functions: take these functions and classes only; none for the whole file.
    """
    tree = ast.parse(source)
    members = Members.of(tree)
    seen: Counter[str] = Counter()
    found = []
    for node, function, lines in _sites(tree):
        if functions and not any(_inside(function, name) for name in functions):
            continue
        for name, operator in OPERATORS.items():
            for after in operator(node, members):
                made = _mutant(source, path, function, name, node, lines, after)
                seen[made.key] += 1
                found.append(replace(made, number=seen[made.key]))
    return sorted(found, key=lambda each: each.line)


def _inside(function: str, name: str) -> bool:
    return function == name or function.startswith(f"{name}.")


def _mutant(
    source: str,
    path: str,
    function: str,
    operator: str,
    node: ast.expr | ast.stmt,
    span: range,
    after: str,
) -> Mutant:
    lines = source.encode().splitlines(keepends=True)
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    first, last = node.lineno - 1, node.end_lineno - 1
    # What was written on several lines leaves as many, so that those below keep their number.
    empty = "\n" * (last - first)
    text = f"{after}{empty}" if is_statement(node) else f"({after}{empty})"
    content = (
        b"".join(lines[:first])
        + lines[first][: node.col_offset]
        + text.encode()
        + lines[last][node.end_col_offset :]
        + b"".join(lines[last + 1 :])
    ).decode()
    before = " ".join(ast.unparse(node).split())
    return Mutant(path, function, operator, node.lineno, span, before, after, 1, content)


def _sites(tree: ast.Module) -> Iterator[tuple[ast.expr | ast.stmt, str, range]]:
    """Yield what can be changed, the function it stands in, and the lines that run it.

    Left out is what says nothing (docstrings, annotations, decorators), the wording of
    errors, and what has no columns of its own (parts of f-strings, patterns of `match`).
    """
    waiting: list[tuple[ast.AST, str, range | None]] = [(tree, "", None)]
    while waiting:
        node, function, lines = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        if isinstance(node, ast.expr | ast.stmt):
            own = _lines(node)
            if lines is None and not _is_compound(node):
                lines = own
            yield node, function, lines or own
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                function = f"{function}.{node.name}".lstrip(".")
                children: list[ast.AST] = [*node.body]
                if not isinstance(node, ast.ClassDef):
                    children += [each for each in _defaults(node.args) if each]
            case ast.AnnAssign(value=value):
                children = [value] if value else []
            case ast.Raise() | ast.JoinedStr() | ast.pattern() | ast.Import() | ast.ImportFrom():
                children = []
            case ast.arguments():
                children = [each for each in _defaults(node) if each]
            case _:
                children = list(ast.iter_child_nodes(node))
        waiting.extend((child, function, lines) for child in children)


def _is_compound(node: ast.expr | ast.stmt) -> bool:
    return isinstance(node, ast.stmt) and (hasattr(node, "body") or hasattr(node, "cases"))


def _lines(node: ast.expr | ast.stmt) -> range:
    return range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _defaults(arguments: ast.arguments) -> list[ast.expr | None]:
    return [*arguments.defaults, *arguments.kw_defaults]
