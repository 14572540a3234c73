"""A claim's own rules, and its way through JSON and back."""

from __future__ import annotations

import dataclasses
import json
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.claims_made import INCONCLUSIVE, REFUTED, SUPPORTED, open_claim
from tmws.domain.agents import Agent, Role
from tmws.domain.canonical import canonical_bytes
from tmws.domain.claims import Check, Judgement, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.verifications import (
    LONGEST_EFFORT_MINUTES,
    ClaimDraft,
    ClaimState,
    check_from_json,
    check_to_json,
    judgement_from_json,
    judgement_to_json,
    profile_of,
    validated,
)
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home", "work"), START)
DRAFT = ClaimDraft("It works.", "shop", PythonCheck("check.py"))
NAMES = st.text(st.characters(codec="utf-8"), max_size=20)
CHECKS = (
    st.builds(
        PytestCheck,
        st.lists(NAMES).map(tuple),
        st.none() | NAMES,
        st.none() | st.integers(0, 99),
        st.integers(0, 9),
    )
    | st.builds(RuffCheck, st.lists(NAMES).map(tuple))
    | st.builds(MypyCheck, st.lists(NAMES).map(tuple), st.booleans())
    | st.builds(PythonCheck, NAMES, st.integers(0, 125))
)


@given(CHECKS)
def test_a_check_reads_back_as_it_was_written(check: Check) -> None:
    assert check_from_json(json.loads(canonical_bytes(check_to_json(check)))) == check


@pytest.mark.parametrize("judgement", [SUPPORTED, REFUTED, INCONCLUSIVE])
def test_a_judgement_reads_back_as_it_was_written(judgement: Judgement) -> None:
    written = canonical_bytes(judgement_to_json(judgement))
    assert judgement_from_json(json.loads(written)) == judgement


def test_every_check_has_its_profile() -> None:
    checks = (PytestCheck(), RuffCheck(), MypyCheck(), PythonCheck("a.py"))
    assert [profile_of(check) for check in checks] == ["pytest", "ruff", "mypy", "python"]


def test_a_draft_comes_back_in_normal_form() -> None:
    kept = validated(dataclasses.replace(DRAFT, statement=" a\nb ", applied=("p", "q", "p")), ALICE)
    assert (kept.statement, kept.applied, kept.namespace) == ("a\nb", ("p", "q"), "home")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"statement": " "}, "Statement is empty"),
        ({"statement": "x" * 501}, "limit is 500"),
        ({"applied": tuple(f"p{i}" for i in range(21))}, "limit is 20"),
        ({"confidence": 0.49}, "a coin toss"),
        ({"confidence": 1.01}, "a coin toss"),
        ({"confidence": math.nan}, "a coin toss"),
        ({"effort_minutes": 0.0}, "more than 0"),
        ({"effort_minutes": LONGEST_EFFORT_MINUTES + 1}, "at most 43200"),
        ({"effort_minutes": math.nan}, "more than 0"),
    ],
)
def test_a_broken_draft_is_refused(change: dict[str, object], what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        validated(dataclasses.replace(DRAFT, **change), ALICE)  # type: ignore[arg-type]


def test_a_claim_belongs_where_its_author_does() -> None:
    with pytest.raises(NotFound, match="not one of yours"):
        validated(dataclasses.replace(DRAFT, namespace="foreign"), ALICE)


def test_a_claim_is_stalled_once_its_lease_is_over_and_nobody_closed_it() -> None:
    claim = open_claim()
    late = START + timedelta(minutes=1, microseconds=1)
    assert not claim.is_stalled(at=START + timedelta(minutes=1))
    assert claim.is_stalled(at=late)
    closed = dataclasses.replace(claim, state=ClaimState.CLOSED, lease_until=None)
    assert not closed.is_stalled(at=late)
    assert not dataclasses.replace(claim, state=ClaimState.ABANDONED).is_stalled(at=late)
