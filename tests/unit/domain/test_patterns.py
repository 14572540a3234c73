"""Drafts of patterns and memories: what is refused, and the form that is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.canonical import Json
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied
from tmws.domain.patterns import (
    LARGEST_DATA_BYTES,
    MOST_GRANTS,
    Pattern,
    PatternDraft,
    normal_tags,
    require_slug,
    searchable,
    validated,
)
from tmws.domain.usage import Usage
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home", "work"), START)
NESTED: dict[str, Json] = {
    "a": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
}
ADMIN = Agent("agent_2", "root-admin", Role.ADMIN, ("home",), START)


def test_a_draft_comes_back_in_normal_form() -> None:
    draft = PatternDraft(
        name="  Cafe\u0301 ", category="build", summary=" \n", tags=("b", "a", "b"), data=None
    )
    kept = validated(draft, ALICE)
    assert (kept.name, kept.summary, kept.tags, kept.data) == ("Caf\u00e9", "", ("a", "b"), {})
    assert kept.namespace == "home"


def test_a_validated_draft_is_valid_and_the_same() -> None:
    once = validated(PatternDraft("name", "build", "words", {"steps": ["one"]}, ("x",)), ALICE)
    assert validated(once, ALICE) == once


@pytest.mark.parametrize(
    ("draft", "what"),
    [
        (PatternDraft("", "build"), "Pattern name is empty"),
        (PatternDraft("x" * 121, "build"), "limit is 120"),
        (PatternDraft("two\nlines", "build"), "U\\+000A"),
        (PatternDraft("x", "No Slug"), "Category 'No Slug'"),
        (PatternDraft("x", "build", "y" * 4001), "Summary has 4001"),
        (PatternDraft("x", "build", tags=("-",)), "Tag '-'"),
        (PatternDraft("x", "build", tags=tuple(f"t{i}" for i in range(21))), "21 tags"),
        (PatternDraft("x", "build", data={"a": float("nan")}), "no canonical JSON"),
        (PatternDraft("x", "build", data={"a": "y" * LARGEST_DATA_BYTES}), "limit is 65536"),
        (PatternDraft("x", "build", data={"a": ["b\u202e"]}), "Pattern data holds U\\+202E"),
        (PatternDraft("x", "build", data={"a": {"b\n": 1}}), "A key of the pattern data"),
        (PatternDraft("x", "build", data=NESTED), "Pattern data is nested deeper"),
        (PatternDraft("x", "build", level=AccessLevel.SHARED), "goes together"),
        (PatternDraft("x", "build", level=AccessLevel.SHARED, shared_with=("alice",)), "together"),
        (PatternDraft("x", "build", shared_with=("bob",)), "goes together"),
    ],
)
def test_a_broken_draft_is_refused_with_the_rule_it_breaks(draft: PatternDraft, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        validated(draft, ALICE)


def test_a_pattern_lies_where_its_author_belongs() -> None:
    with pytest.raises(NotFound, match="not one of yours"):
        validated(PatternDraft("x", "build", namespace="foreign"), ALICE)


def test_data_of_exactly_the_limit_is_kept() -> None:
    envelope = len('{"a":""}')
    draft = PatternDraft("x", "build", data={"a": "y" * (LARGEST_DATA_BYTES - envelope)})
    assert validated(draft, ALICE).data == draft.data


def test_sharing_leaves_the_author_out_and_counts_each_once() -> None:
    draft = PatternDraft(
        "x", "build", level=AccessLevel.SHARED, shared_with=("carol", "bob", "bob", "alice")
    )
    assert validated(draft, ALICE).shared_with == ("bob", "carol")


def test_sharing_with_too_many_is_refused() -> None:
    names = tuple(f"agent{i}" for i in range(MOST_GRANTS + 1))
    with pytest.raises(InvalidInput, match="limit is 50"):
        validated(PatternDraft("x", "build", level=AccessLevel.SHARED, shared_with=names), ALICE)


def test_only_an_admin_speaks_for_the_system() -> None:
    draft = PatternDraft("x", "build", level=AccessLevel.SYSTEM)
    with pytest.raises(PermissionDenied, match="Only an admin"):
        validated(draft, ALICE)
    assert validated(draft, ADMIN).level is AccessLevel.SYSTEM


@given(st.lists(st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?", fullmatch=True), max_size=20))
def test_tags_are_sorted_and_counted_once(tags: list[str]) -> None:
    assert normal_tags(tuple(tags)) == tuple(sorted(set(tags)))


@pytest.mark.parametrize("value", ["", "A", "-a", "a-", "_a", "a b", "x" * 51, "ü", "a\n"])
def test_what_is_no_slug_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 50"):
        require_slug(value, what="Category")


def test_every_word_of_the_data_is_searched_its_keys_and_numbers_are_not() -> None:
    data: dict[str, Json] = {
        "steps": ["run it", {"then": "stop"}],
        "count": 7,
        "done": True,
        "no": None,
    }
    text = searchable("name", "build", ("tag",), "words", data)
    assert text.split("\n") == ["name", "build", "tag", "words", "run it", "stop"]


def test_a_pattern_is_searched_by_what_it_holds() -> None:
    pattern = Pattern(
        "pattern_1", "home", "agent_1", "alice", "name", "build", "words", {"a": "b"}, ("tag",),
        AccessLevel.PRIVATE, 1, START, Usage(),
    )  # fmt: skip
    assert pattern.searchable() == "name\nbuild\ntag\nwords\nb"
