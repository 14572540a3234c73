"""Faults in tested code: valid, small, in what the tests speak of, unforeseeable."""

from __future__ import annotations

import ast

from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.mutation import Mutation, sample
from tmws.domain.snapshots import Snapshot, SnapshotFile

CODE = '''"""Says what it is."""
import os

LIMIT = 3


def add(a: int, b: int = 2) -> int:
    """Not to be changed 1 + 1."""
    return a + b


class Shop:
    def __init__(self, name):
        self.open = True
        self.name = name + "é"

    def is_big(self, size):
        if not self.open and size > 3:
            return False
        match size:
            case -1:
                return f"{size + 1}"
            case _:
                return "yes" if size in (1, 2) else "no"
'''
TESTS = "from app import add, Shop\n\ndef test():\n    assert add(1, 2) == 3\n    Shop('a')\n"


def snapshot(files: dict[str, str]) -> Snapshot:
    return Snapshot.of(SnapshotFile.of(path, text.encode()) for path, text in files.items())


def faults(files: dict[str, str], *, tests: str = TESTS, order: bytes = b"x") -> list[Mutation]:
    test_files = [SnapshotFile.of("tests/test_app.py", tests.encode())]
    return sample(snapshot(files), test_files, order=order, most=50)


def test_each_fault_is_valid_python_that_differs_in_one_place() -> None:
    found = faults({"src/app.py": CODE})
    assert len(found) >= 7
    for fault in found:
        text = fault.content.decode()
        assert ast.dump(ast.parse(text)) != ast.dump(ast.parse(CODE))
        changed = [
            number
            for number, (old, new) in enumerate(
                zip(CODE.splitlines(), text.splitlines(), strict=True), start=1
            )
            if old != new
        ]
        assert changed == [fault.line]


def test_documentation_annotations_and_what_runs_on_import_stay_as_they_are() -> None:
    for fault in faults({"src/app.py": CODE}):
        tree = ast.parse(fault.content)
        assert ast.get_docstring(tree) == "Says what it is."
        assert b"LIMIT = 3\n" in fault.content
        assert b"def add(a: int, b: int = 2) -> int:" in fault.content
        assert b"1 + 1." in fault.content


def test_functions_that_the_tests_name_come_first() -> None:
    other = "def unnamed(a):\n    return a + 1\n"
    found = faults({"src/app.py": CODE + "\n\n" + other})
    named = {"a + b → a - b", "True → False", "'é' → 'éx'", "name + 'é' → name - 'é'"}
    assert {fault.what for fault in found[:4]} == named
    assert {"size + 1 → size - 1"}.isdisjoint(fault.what for fault in found)


@given(st.binary(min_size=8, max_size=8))
def test_messages_are_changed_after_values(order: bytes) -> None:
    code = "def add(a, b):\n    if a == b:\n        print('x', 'y', 'z')\n    return a + b\n"
    found = faults({"src/app.py": code}, order=order)
    assert len(found) == 5
    assert {fault.what for fault in found[:2]} == {"a == b → a != b", "a + b → a - b"}


def test_modules_that_the_tests_import_are_preferred_to_others() -> None:
    found = faults({"src/app.py": CODE, "src/other.py": "def add(a):\n    return a * 7\n"})
    assert {fault.path for fault in found} == {"src/app.py"}
    only = faults({"src/other.py": "def other(a):\n    return a * 7\n"})
    assert {fault.path for fault in only} == {"src/other.py"}


def test_code_without_anything_to_change_has_no_faults() -> None:
    assert faults({"src/app.py": "def add(a, b):\n    return a\n"}) == []
    assert faults({"src/app.py": "def broken(:\n"}) == []
    assert sample(snapshot({}), [], order=b"x", most=5) == []


@given(st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8))
def test_the_order_follows_from_the_bytes_alone(first: bytes, second: bytes) -> None:
    assert faults({"a.py": CODE}, order=first) == faults({"a.py": CODE}, order=first)
    some = sample(
        snapshot({"a.py": CODE}),
        [SnapshotFile.of("tests/test_a.py", TESTS.encode())],
        order=second,
        most=2,
    )
    assert len(some) == 2


def test_chance_decides_which_of_equals_comes_first() -> None:
    orders = {faults({"a.py": CODE}, order=bytes([number]) * 8)[0].what for number in range(40)}
    assert len(orders) > 1


def test_a_fault_replaces_its_file_and_no_other() -> None:
    whole = snapshot({"src/app.py": CODE, "b.py": "x = 1\n"})
    fault = faults({"src/app.py": CODE})[0]
    faulty = fault.applied(whole)
    assert [file.path for file in faulty.files] == [file.path for file in whole.files]
    assert faulty.file("b.py") == whole.file("b.py")
    changed = faulty.file("src/app.py")
    assert changed is not None
    assert changed.content == fault.content
    assert str(fault).startswith("src/app.py:")
