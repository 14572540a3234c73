"""What entries add up to, and which difference from it is told of."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.register import Fact, Register

SHOP, SWITCH = ("workspace", "shop"), ("switched-off tool", "recall")
ROOT = {"root": "/srv/shop"}


def opened(name: str = "shop", root: str = "/srv/shop") -> tuple[str, dict[str, Any]]:
    return "workspace_registered", {"workspace": name, "root": root, "by": "ann"}


def after(*entries: tuple[str, dict[str, Any]]) -> Register:
    register = Register()
    for index, (kind, payload) in enumerate(entries):
        register.take(index, kind, payload)
    return register


def found(register: Register, stored: dict[Fact, dict[str, Any]]) -> list[tuple[Fact, int | None]]:
    return list(register.differences(stored))


def test_the_last_entry_about_a_thing_says_what_stands() -> None:
    register = after(opened(root="/old"), opened())
    assert found(register, {SHOP: ROOT}) == []
    assert found(register, {SHOP: {"root": "/old"}}) == [(SHOP, 1)]
    assert found(register, {}) == [(SHOP, 1)]


def test_what_was_taken_back_must_be_gone() -> None:
    off = ("tool_disabled", {"tool": "recall", "reason": "x"})
    register = after(off, ("tool_enabled", {"tool": "recall", "reason": "well"}))
    assert found(register, {}) == []
    assert found(register, {SWITCH: {"reason": "x"}}) == [(SWITCH, 1)]


def test_a_name_that_was_given_back_and_taken_again_is_what_it_became_last() -> None:
    removed = ("workspace_removed", {"workspace": "shop", "reason": "sold", "given_up": []})
    assert found(after(opened(), removed), {}) == []
    assert found(after(opened(), removed), {SHOP: ROOT}) == [(SHOP, 1)]
    assert found(after(opened(root="/old"), removed, opened()), {SHOP: ROOT}) == []


def test_a_quota_that_is_that_of_all_again_leaves_nothing_to_be_found() -> None:
    fact = ("quota of", "a")
    given = ("quota_set", {"agent": "a", "mib": 4, "daily_writes": None})
    taken = ("quota_set", {"agent": "a", "mib": None, "daily_writes": None})
    row = {"mib": 4, "daily_writes": None}
    assert found(after(given), {fact: row}) == []
    assert found(after(given), {fact: row | {"daily_writes": 9}}) == [(fact, 0)]
    assert found(after(given, taken), {}) == []
    assert found(after(given, taken), {fact: row}) == [(fact, 1)]


def test_what_no_entry_tells_of_is_told_without_a_place() -> None:
    assert found(after(), {SHOP: ROOT}) == [(SHOP, None)]


def test_what_entries_of_an_earlier_version_left_out_is_not_held_against_a_row() -> None:
    register = after(("agent_created", {"agent": "a", "name": "ann", "role": "agent"}))
    row = {"name": "ann", "role": "agent", "namespaces": ["lab"]}
    secret = {"secret_sha256": "ab"}
    assert found(register, {("agent", "a"): row, ("secret of", "a"): secret}) == []
    assert found(
        register, {("agent", "a"): row | {"role": "admin"}, ("secret of", "a"): secret}
    ) == [(("agent", "a"), 0)]


def test_an_erased_entry_excuses_its_kind_of_thing_up_to_it_and_no_other() -> None:
    register = after(opened(), ("tool_disabled", {"tool": "recall", "reason": "x"}))
    register.miss(2, "workspace_registered")
    assert found(register, {("workspace", "other"): ROOT, SWITCH: {"reason": "x"}}) == []
    assert found(register, {SHOP: ROOT}) == [(SWITCH, 1)]
    register.take(3, *opened())
    assert found(register, {SWITCH: {"reason": "x"}}) == [(SHOP, 3)]


@pytest.mark.parametrize("kind", ["verdict", "pattern_revised", "of a later version"])
def test_entries_of_other_kinds_change_nothing(kind: str) -> None:
    register = after(opened(), (kind, {}))
    register.miss(2, kind)
    assert found(register, {SHOP: ROOT}) == []


def test_an_answer_tells_of_each_stake_that_stands_after_it() -> None:
    stakes = [{"claim": "c", "by": by, "stake": 1, "draw": 0.5, "since": None} for by in "xy"]
    register = after(("reliance_answered", {"by": "x", "stands": stakes[:1]}))
    register.take(1, "reliance_released", {"by": "ann", "stands": [stakes[1] | {"stake": 0}]})
    row = {"stake": 1.0, "draw": 0.5, "since": None}
    one, other = ("stake", "of x on c"), ("stake", "of y on c")
    assert found(register, {one: row, other: row | {"stake": 0.0}}) == []
    assert found(register, {one: row, other: row}) == [(other, 1)]
    assert found(register, {other: row | {"stake": 0.0}}) == [(one, 0)]


def test_what_stood_when_answers_did_not_tell_is_excused_until_one_does() -> None:
    stake = {"claim": "c", "by": "x", "stake": 1, "draw": 0.5, "since": None}
    register = after(("reliance_answered", {"by": "x", "stake": 2}))
    row = {"stake": 2.0, "draw": 0.5, "since": None}
    assert found(register, {("stake", "of x on c"): row}) == []
    register.take(1, "reliance_answered", {"by": "x", "stands": [stake]})
    assert found(register, {("stake", "of x on c"): row}) == [(("stake", "of x on c"), 1)]


def test_an_entry_without_what_its_kind_tells_is_refused() -> None:
    with pytest.raises(KeyError):
        after(("workspace_registered", {"workspace": "shop"}))


NAMES = st.sampled_from(["a", "b", "c"])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["/x", "/y"])), max_size=8), NAMES)
def test_only_what_differs_is_told_and_where_it_was_told_last(
    opened_at: list[tuple[str, str]], changed: str
) -> None:
    register = after(*(opened(*each) for each in opened_at))
    rows = {("workspace", name): {"root": root} for name, root in opened_at}
    assert found(register, dict(rows)) == []
    rows["workspace", changed] = {"root": "/evil"}
    places = [index for index, (name, _) in enumerate(opened_at) if name == changed]
    fact = ("workspace", changed)
    assert found(register, dict(rows)) == [(fact, places[-1] if places else None)]
