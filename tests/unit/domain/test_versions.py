"""Versions: what a revision may change, who may write one, and how two differ."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.errors import InvalidInput
from tmws.domain.versions import Change, Content, Revision, difference, may_write, revised
from tmws.testing.clock import START

CONTENT = Content("retry", "build", "ci", "words", {"a": [1]}, ("x",), 3, 0.5)

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.text(max_size=3)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("a/~", max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def applied(document: Any, changes: list[Change]) -> Any:
    """Apply a JSON Patch as RFC 6902 says."""
    root = {"": copy.deepcopy(document)}
    for change in changes:
        *parents, last = [
            part.replace("~1", "/").replace("~0", "~") for part in ("/" + change.path).split("/")
        ][1:]
        holder: Any = root
        for part in parents:
            holder = holder[int(part) if isinstance(holder, list) else part]
        key: Any = int(last) if isinstance(holder, list) else last
        if change.op != "add":
            assert holder[key] == change.was
        if change.op == "remove":
            del holder[key]
        elif change.op == "add" and isinstance(holder, list):
            holder.insert(key, change.value)
        else:
            holder[key] = change.value
    return root[""]


def same(one: Any, other: Any) -> bool:
    return repr(difference(one, other)) == "[]"


@given(documents, documents)
def test_the_steps_of_a_difference_make_the_new_of_the_old(old: Any, new: Any) -> None:
    changes = difference(old, new)
    assert same(applied(old, changes), new)
    assert (changes == []) is same(old, new)


@given(documents)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert difference(value, copy.deepcopy(value)) == []


def test_a_difference_reads_as_a_json_patch_with_what_was() -> None:
    old: dict[str, Any] = {"steps": ["a", "b", "c"], "n": 1, "a/b": {"~": True}}
    new: dict[str, Any] = {"steps": ["a", "x", "c", "d"], "m": None, "a/b": {"~": 1}}
    assert [change.as_json() for change in difference(old, new)] == [
        {"op": "replace", "path": "/a~1b/~0", "value": 1, "was": True},
        {"op": "add", "path": "/m", "value": None},
        {"op": "remove", "path": "/n", "was": 1},
        {"op": "replace", "path": "/steps/1", "value": "x", "was": "b"},
        {"op": "add", "path": "/steps/3", "value": "d"},
    ]


def test_a_revision_leaves_what_it_does_not_name() -> None:
    assert revised(CONTENT, Revision(summary="other")) == replace(CONTENT, summary="other")
    cleared = revised(CONTENT, Revision(summary=" ", subcategory="", tags=(), data={}))
    assert (cleared.summary, cleared.subcategory, cleared.tags, cleared.data) == ("", None, (), {})
    every = Revision(" new ", "test", "unit", "s", {"b": 1}, ("z", "y"), 9, 1.0)
    assert revised(CONTENT, every) == Content(
        "new", "test", "unit", "s", {"b": 1}, ("y", "z"), 9, 1.0
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (Revision(), "Nothing would change"),
        (Revision(summary="words", tags=("x", "x")), "Nothing would change"),
        (Revision(name=""), "Pattern name is empty"),
        (Revision(category=""), "Category ''"),
        (Revision(subcategory="No"), "Subcategory 'No'"),
        (Revision(complexity=0), "complexity 0 is refused"),
        (Revision(complexity=11), "give 1 to 10"),
        (Revision(learning_weight=1.5), "learning_weight 1.5 is refused"),
        (Revision(learning_weight=float("nan")), "give 0 to 1"),
        (Revision(data={"a": "\u202e"}), "U\\+202E"),
        (Revision(summary="x" * 4001), "limit is 4000"),
        (Revision(tags=("A",)), "Tag 'A'"),
    ],
)
def test_a_broken_revision_is_refused_with_the_rule_it_breaks(change: Revision, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        revised(CONTENT, change)


@pytest.mark.parametrize(
    ("role", "own", "level", "may"),
    [
        (role, own, level, role is Role.ADMIN if level is AccessLevel.SYSTEM else own)
        for role in Role
        for own in (True, False)
        for level in AccessLevel
    ],
)
def test_owners_write_their_own_and_admins_what_is_systems(
    role: Role, own: bool, level: AccessLevel, may: bool
) -> None:
    agent = Agent("agent_1", "alice", role, ("home",), START)
    assert may_write(agent, owner_id="agent_1" if own else "agent_2", level=level) is may
