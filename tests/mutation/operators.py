"""What a fault looks like: one function for each kind, from a node to what may stand there."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Members:
    """Which members of which enumeration a module names: `{"Role": ("ADMIN", "AGENT")}`."""

    named: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, tree: ast.Module) -> Members:
        """Collect them from a module."""
        found: defaultdict[str, set[str]] = defaultdict(set)
        for node in ast.walk(tree):
            match node:
                case ast.Attribute(value=ast.Name(id=owner), attr=name) if _is_member(owner, name):
                    found[owner].add(name)
        return cls({owner: tuple(sorted(names)) for owner, names in found.items()})

    def after(self, owner: str, name: str) -> str | None:
        """Return the next one, after the last the first; None where there is no other."""
        names = self.named[owner]
        return names[(names.index(name) + 1) % len(names)] if len(names) > 1 else None


def _is_member(owner: str, name: str) -> bool:
    return owner[:1].isupper() and name.isupper()


def is_statement(node: ast.AST) -> bool:
    """Tell statements, which stand as they are, from expressions, which take brackets."""
    return isinstance(node, ast.stmt)


Operator = Callable[[ast.expr | ast.stmt, Members], Iterator[str]]

_NEGATED: dict[type[ast.cmpop], ast.cmpop] = {
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
_SHIFTED: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
}
_OTHER_SUM: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.Div(),
    ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Mult(),
    ast.Pow: ast.Mult(),
}
_OTHER_SET: dict[type[ast.operator], ast.operator] = {
    ast.BitAnd: ast.BitOr(),
    ast.BitOr: ast.BitAnd(),
    ast.BitXor: ast.BitOr(),
}
_OPPOSITE = {
    "all": "any", "any": "all", "max": "min", "min": "max",
    "and_": "or_", "or_": "and_", "in_": "not_in", "not_in": "in_", "is_": "is_not",
    "is_not": "is_", "outerjoin": "join",
}  # fmt: skip
_CLAUSES = {"and_", "or_", "where"}
_ALLOWS_ALL = {
    "readable_classes": "sa.true()",
    "readable_memories": "sa.true()",
    "readable_patterns": "sa.true()",
    "removed_patterns": "sa.true()",
    "shared_patterns": "sa.true()",
    "_readable_by": "sa.true()",
    "_visible_to": "sa.true()",
    "may_write": "True",
    "require_open": "None",
}
_LETS_PASS = {"disabled_name", "require_room", "take"}
_WAITS_TO_PASS = {
    "_gate.require", "_gate.require_enabled", "app.agents.require_enabled", "shelf.require_open_to",
    "quotas.add", "quotas.count", "quotas.give_back_writes", "quotas.release",
}  # fmt: skip
"""What refuses, or keeps an account, and gives nothing back to whoever may go on."""


def comparison(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Say the contrary of a comparison."""
    yield from _compared(node, _NEGATED)


def boundary(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Take the edge of a range in, or leave it out."""
    yield from _compared(node, _SHIFTED)


def _compared(node: ast.expr | ast.stmt, others: dict[type[ast.cmpop], ast.cmpop]) -> Iterator[str]:
    if not isinstance(node, ast.Compare):
        return
    for place, op in enumerate(node.ops):
        if type(op) in others:
            ops = [*node.ops[:place], others[type(op)], *node.ops[place + 1 :]]
            yield ast.unparse(ast.Compare(node.left, ops, node.comparators))


def boolean(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Take `and` for `or`, `&` for `|`, and leave `not` out."""
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            yield ast.unparse(ast.BoolOp(ast.Or(), values))
        case ast.BoolOp(op=ast.Or(), values=values):
            yield ast.unparse(ast.BoolOp(ast.And(), values))
        case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=operand):
            yield ast.unparse(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OTHER_SET:
            yield ast.unparse(ast.BinOp(left, _OTHER_SET[type(op)], right))


def clause(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Leave out one condition of several, in Python or in SQL."""
    match node:
        case ast.BoolOp(op=op, values=values):
            for place in range(len(values)):
                left = [*values[:place], *values[place + 1 :]]
                yield ast.unparse(ast.BoolOp(op, left) if len(left) > 1 else left[0])
        case ast.Call(func=ast.Attribute(attr=name), args=arguments) if name in _CLAUSES:
            # `or_()` of nothing is no condition at all; one left alone is enough.
            for place in range(len(arguments) if len(arguments) > 1 or name == "where" else 0):
                left = [*arguments[:place], *arguments[place + 1 :]]
                yield ast.unparse(ast.Call(node.func, left, node.keywords))


def constant(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Take another value."""
    match node:
        case ast.Constant(value=bool(value)):
            yield repr(not value)
        case ast.Constant(value=int(value)) if abs(value) < 10**9:
            yield repr(value + 1)
        case ast.Constant(value=float(value)):
            yield repr(value * 1.5 if value else 1.0)
        case ast.Constant(value=str(value)):
            yield repr(f"{value}x")


def member(node: ast.expr | ast.stmt, members: Members) -> Iterator[str]:
    """Take another member of the same enumeration."""
    match node:
        case ast.Attribute(value=ast.Name(id=owner), attr=name) if _is_member(owner, name):
            other = members.after(owner, name)
            if other is not None:
                yield f"{owner}.{other}"


def opposite(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Call the function that does the contrary: `max` for `min`, `or_` for `and_`."""
    match node:
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in _OPPOSITE:
            yield ast.unparse(ast.Call(ast.Name(_OPPOSITE[name]), arguments, node.keywords))
        case ast.Call(func=ast.Attribute(value=owner, attr=name)) if name in _OPPOSITE:
            other = ast.Attribute(owner, _OPPOSITE[name])
            yield ast.unparse(ast.Call(other, node.args, node.keywords))


def arithmetic(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Add for subtract, multiply for divide, and forget a minus."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OTHER_SUM:
            yield ast.unparse(ast.BinOp(left, _OTHER_SUM[type(op)], right))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            yield ast.unparse(operand)
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _OTHER_SUM:
            yield ast.unparse(ast.AugAssign(target, _OTHER_SUM[type(op)], value))
        case ast.AugAssign(target=target, op=op, value=value) if type(op) in _OTHER_SET:
            yield ast.unparse(ast.AugAssign(target, _OTHER_SET[type(op)], value))


def permission(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Allow everybody what a rule of access decides about."""
    match node:
        case ast.Call(func=ast.Name(id=name)) if name in _ALLOWS_ALL:
            yield _ALLOWS_ALL[name]
        case ast.Call(func=ast.Name("require_member"), args=[_, namespace]):
            yield ast.unparse(namespace)
        case ast.Call(func=ast.Attribute(attr=name)) if name in _LETS_PASS:
            yield "None"
        case ast.Await(value=ast.Call(func=ast.Attribute() as called)):
            if ast.unparse(called).removeprefix("self.") in _WAITS_TO_PASS:
                yield "None"


def branch(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Always take one branch."""
    match node:
        case ast.IfExp(body=body, orelse=orelse):
            yield ast.unparse(body)
            yield ast.unparse(orelse)


def returned(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Return nothing, or the contrary."""
    match node:
        case ast.Return(value=ast.Constant(value=None) | ast.Compare() | None):
            return  # nothing else to return, or said already by the comparison's contrary
        case ast.Return(value=ast.BoolOp() as answer):
            yield f"return not ({ast.unparse(answer)})"
        case ast.Return():
            yield "return None"


def omission(node: ast.expr | ast.stmt, _: Members) -> Iterator[str]:
    """Leave a step out: a call for what it does, a refusal, a sum."""
    match node:
        case ast.Expr(value=ast.Call() | ast.Await()) | ast.Raise() | ast.AugAssign():
            yield "pass"
        case ast.Continue() | ast.Break():
            yield "pass"


OPERATORS: dict[str, Operator] = {
    operator.__name__: operator
    for operator in (
        arithmetic, boolean, boundary, branch, clause, comparison, constant, member, omission,
        opposite, permission, returned,
    )
}  # fmt: skip
"""Every kind of fault, by the name that reports give it."""
