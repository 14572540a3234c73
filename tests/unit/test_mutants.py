"""The faults that `python -m tests.mutation` puts into our rules."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.mutation import target
from tests.mutation.mutants import mutants_of
from tests.mutation.operators import OPERATORS


def faults(source: str, operator: str) -> list[str]:
    return [each.after for each in mutants_of("x.py", source) if each.operator == operator]


@pytest.mark.parametrize(
    ("operator", "source", "after"),
    [
        ("arithmetic", "a - b", ["a + b"]),
        ("arithmetic", "-a", ["a"]),
        ("arithmetic", "a += b", ["a -= b"]),
        ("boolean", "a and b", ["a or b"]),
        ("boolean", "not a", ["a"]),
        ("boolean", "a & ~b", ["a | ~b", "b"]),
        ("boundary", "a < b", ["a <= b"]),
        ("boundary", "a <= b < c", ["a < b < c", "a <= b <= c"]),
        ("branch", "a if b else c", ["a", "c"]),
        ("clause", "a or b or c", ["b or c", "a or c", "a or b"]),
        ("clause", "sa.and_(a, b)", ["sa.and_(b)", "sa.and_(a)"]),
        ("clause", "rows.where(a)", ["rows.where()"]),
        ("comparison", "a < b", ["a >= b"]),
        ("comparison", "a not in b", ["a in b"]),
        ("constant", "a = 1", ["2"]),
        ("constant", "a = True", ["False"]),
        ("constant", "a = 'b'", ["'bx'"]),
        ("member", "Role.ADMIN, Role.AGENT", ["Role.AGENT", "Role.ADMIN"]),
        ("omission", "a.require(b)", ["pass"]),
        ("omission", "if a:\n    raise B", ["pass"]),
        ("opposite", "max(a, b)", ["min(a, b)"]),
        ("opposite", "sa.or_(a, b)", ["sa.and_(a, b)"]),
        ("permission", "rows.where(readable_patterns(caller))", ["sa.true()"]),
        ("permission", "require_member(author, draft.namespace)", ["draft.namespace"]),
        ("permission", "self._quotas.take(run, caller.id, WRITE, at=at)", ["None"]),
        ("permission", "agents.disabled_name(run, caller.id)", ["None"]),
        ("permission", "async def f():\n    await self._gate.require(RELY)", ["None"]),
        ("permission", "async def f():\n    await rules.require(RELY)", []),
        ("permission", "async def f():\n    await quotas.release(tx, id)", ["None"]),
        ("permission", "async def f():\n    await shelf.require_open_to(caller, a)", ["None"]),
        ("returned", "def f():\n    return a", ["return None"]),
        ("returned", "def f():\n    return a or b", ["return not (a or b)"]),
    ],
)
def test_each_kind_of_fault_says_the_contrary(operator: str, source: str, after: list[str]) -> None:
    assert sorted(faults(source, operator)) == sorted(after)


@pytest.mark.parametrize(
    "source",
    [
        '"""What it is for."""',
        "def f():\n    '''What it gives.'''",
        "a: list[1]",
        "def f(a: 1) -> 2: ...",
        "f'{1 + a}'",
        "import a",
        "match a:\n    case 1:\n        ...",
    ],
)
def test_what_says_nothing_is_left_alone(source: str) -> None:
    assert mutants_of("x.py", source) == []


def test_the_wording_of_an_error_is_left_alone_but_not_the_error() -> None:
    assert [each.after for each in mutants_of("x.py", "raise Refused('too long', 1 + 2)")] == [
        "pass"
    ]


def test_defaults_count_and_the_function_is_named() -> None:
    (mutant,) = mutants_of("x.py", "class A:\n    def f(self, b=1): ...")
    assert mutant.key == "x.py A.f: 1 → 2"


def test_only_the_named_functions_are_touched() -> None:
    source = "def f(): return 1 < a\ndef g(): return 2 < a"
    assert {each.function for each in mutants_of("x.py", source, ["g"])} == {"g"}


def test_the_same_fault_twice_is_told_apart() -> None:
    assert [each.key for each in mutants_of("x.py", "a = 1, 1")] == [
        "x.py : 1 → 2",
        "x.py : 1 → 2 #2",
    ]


def test_columns_are_those_of_the_text_whatever_the_alphabet() -> None:
    (mutant,) = mutants_of("x.py", "a['ä→🌱'] if b else c")[:1]
    assert mutant.content == "(a['ä→🌱'])"


@pytest.mark.parametrize("name", target.names())
def test_every_target_is_there_and_its_faults_are_programs(name: str) -> None:
    chosen = target.named(name)
    mutants = chosen.mutants()
    touched = {mutant.path for mutant in mutants}
    assert touched == chosen.sources.keys() | set(chosen.guarded)
    for path, functions in chosen.sources.items():
        inside = [mutant.function for mutant in mutants if mutant.path == path]
        assert all(any(f"{each}.".startswith(f"{one}.") for each in inside) for one in functions)
    for mutant in mutants:
        ast.parse(mutant.content)
    keys = Counter(mutant.key for mutant in mutants)
    assert keys.most_common(1)[0][1] == 1
    assert chosen.excused.keys() <= keys.keys()


def test_every_operator_finds_something_in_our_rules() -> None:
    found = {mutant.operator for name in target.names() for mutant in target.named(name).mutants()}
    assert found == OPERATORS.keys()
