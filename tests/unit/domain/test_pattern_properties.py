"""Drafts of any text: refused with the rule, or kept in a form that is itself valid."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.agents import Agent, Role
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import (
    LONGEST_NAME,
    LONGEST_SUMMARY,
    MOST_COMPLEX,
    PatternDraft,
    require_complexity,
    require_weight,
    validated,
)
from tmws.exchange.found import slug
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home",), START)
HIDING = {"Cc", "Cs", "Zl", "Zp"}

texts = st.text(max_size=150) | st.text(
    st.sampled_from("a\u0301é日🙂 \t\n\u200d\u202e\u2066\u0000\u007f\ud800\u2028\ufeff"), max_size=8
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def hides(text: str) -> bool:
    """Say whether a character of it hides, reorders or breaks text."""
    return any(
        unicodedata.category(each) in HIDING
        or (unicodedata.category(each) == "Cf" and each not in "\u200c\u200d")
        for each in text
        if each not in "\n\r\t"
    )


@given(texts, texts, st.dictionaries(texts, values, max_size=3))
def test_what_is_kept_hides_nothing_and_stays_the_same(
    name: str, summary: str, data: dict[str, Json]
) -> None:
    try:
        kept = validated(PatternDraft(name, "build", summary, data), ALICE)
    except InvalidInput:
        return
    assert 0 < len(kept.name) <= LONGEST_NAME
    assert len(kept.summary) <= LONGEST_SUMMARY
    told = canonical_bytes(kept.data).decode()
    assert not hides(kept.name + kept.summary + told)
    assert not set("\n\r\t") & set(kept.name)
    assert validated(kept, ALICE) == kept


@given(texts.filter(hides))
def test_hidden_characters_are_refused_wherever_they_stand(text: str) -> None:
    for draft in (
        PatternDraft(f"a{text}b", "build"),
        PatternDraft("a", "build", f"a{text}b"),
        PatternDraft("a", "build", data={"a": [f"a{text}b"]}),
        PatternDraft("a", "build", data={f"a{text}b": 1}),
        PatternDraft("a", f"a{text}b"),
        PatternDraft("a", "build", tags=(f"a{text}b",)),
        PatternDraft("a", "build", subcategory=f"a{text}b"),
    ):
        with pytest.raises(InvalidInput):
            validated(draft, ALICE)


@given(st.integers() | st.none())
def test_complexity_is_one_to_ten_or_unsaid(value: int | None) -> None:
    if value is None or 1 <= value <= MOST_COMPLEX:
        assert require_complexity(value) == value
        return
    with pytest.raises(InvalidInput, match="give 1 to 10"):
        require_complexity(value)


@given(st.floats())
def test_a_weight_is_a_share(value: float) -> None:
    if 0 <= value <= 1:
        assert require_weight(value) == value
        return
    with pytest.raises(InvalidInput, match="give 0 to 1"):
        require_weight(value)


@given(texts)
def test_a_slug_is_made_of_any_text(text: str) -> None:
    made = slug(text, otherwise="note")
    assert validated(PatternDraft("a", made, tags=(made,)), ALICE).category == made
