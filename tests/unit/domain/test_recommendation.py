"""The score of a recommendation: linear, explained exactly, never turned by luck alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.analytics import Cause, Direction, Trend, Windows
from tmws.domain.recommendation import (
    LEAST_FIT,
    LEAST_OF_A_PROOF,
    MOST_OF_ONE,
    Candidate,
    Fit,
    NearUse,
    Part,
    Proof,
    Record,
    fitting,
    objections,
    weighed,
)
from tmws.domain.usage import WORD_WEIGHT, Prior
from tmws.testing.clock import START

SHARE = st.floats(0.0, 1.0)
DRAW = st.floats(0.001, 0.999)
PROOFS = st.lists(
    st.builds(Proof, st.sampled_from("abc"), st.sampled_from([0.0, 1.0]), st.none() | SHARE),
    max_size=12,
)
RECORDS = st.builds(
    Record,
    prior=st.builds(Prior, st.floats(0, 50), st.floats(0, 50)),
    word_good=st.floats(0.0, 20.0),
    word_bad=st.floats(0.0, 20.0),
    proofs=PROOFS,
    voices=st.integers(0, 10_000),
    seconds=st.none() | st.floats(0.0, 1e6),
    fresh_at=st.floats(-10.0, 4000.0).map(lambda days: START - timedelta(days=days)),
    author_bound=SHARE,
)
FITS = st.builds(
    Fit,
    pattern_id=st.sampled_from("pqrs"),
    relevance=st.floats(0.0, 0.5),
    uses=st.floats(0.0, 0.5),
    failures=SHARE,
)
CANDIDATES = st.builds(Candidate, fit=FITS, owner_id=st.just("o"), record=RECORDS)
BLANK = Record(Prior(), 0.0, 0.0, (), 0, None, START, 0.0)


def scored(candidate: Candidate, draw: float | None = None) -> float:
    draws = {} if draw is None else {candidate.pattern_id: draw}
    return weighed([candidate], at=START, draws=draws)[0].score


def candidate(record: Record, name: str = "p", relevance: float = 0.4) -> Candidate:
    return Candidate(Fit(name, relevance, 0.0, 0.0), "o", record)


@given(st.lists(CANDIDATES, max_size=8), st.dictionaries(st.sampled_from("pqrs"), DRAW))
def test_the_parts_sum_to_the_score(found: list[Candidate], draws: dict[str, float]) -> None:
    for each in weighed(found, at=START, draws=draws):
        assert sum(each.parts.values()) == pytest.approx(each.score, abs=1e-9)
        assert list(each.parts) == [part for part in Part if part in each.parts]


@given(st.lists(CANDIDATES, max_size=8, unique_by=lambda each: each.pattern_id))
def test_the_order_is_that_of_the_scores_and_the_same_each_time(found: list[Candidate]) -> None:
    once = weighed(found, at=START, draws={})
    assert once == weighed(found[::-1], at=START, draws={})
    assert [each.score for each in once] == sorted((each.score for each in once), reverse=True)
    assert all(Part.EXPLORATION not in each.parts for each in once)


@given(
    RECORDS,
    st.builds(Proof, st.sampled_from("abcd"), st.just(1.0), st.none() | SHARE),
    st.none() | DRAW,
)
def test_a_proven_success_never_lowers_the_score(
    record: Record, proof: Proof, draw: float | None
) -> None:
    before, after = candidate(record), candidate(replace(record, proofs=(*record.proofs, proof)))
    assert scored(after, draw) >= scored(before, draw) - 1e-6


@given(RECORDS, st.floats(0.0, 5.0), st.integers(0, 5), st.none() | DRAW)
def test_a_reported_success_never_lowers_the_score(
    record: Record, word: float, voices: int, draw: float | None
) -> None:
    more = replace(record, word_good=record.word_good + word, voices=record.voices + voices)
    assert scored(candidate(more), draw) >= scored(candidate(record), draw) - 1e-6


@given(RECORDS, st.builds(Proof, st.sampled_from("abcd"), st.just(0.0), SHARE), st.none() | DRAW)
def test_a_proven_failure_never_raises_the_score(
    record: Record, proof: Proof, draw: float | None
) -> None:
    before, after = candidate(record), candidate(replace(record, proofs=(*record.proofs, proof)))
    assert scored(after, draw) <= scored(before, draw) + 1e-6


@given(DRAW, DRAW, st.integers(3, 30), st.integers(3, 30))
def test_luck_never_puts_what_is_proven_bad_above_what_is_proven_good(
    lucky: float, unlucky: float, good: int, bad: int
) -> None:
    """Each by several agents: what one alone proved is worth only so much."""
    worked = replace(BLANK, proofs=[Proof(str(n), 1.0, 0.5) for n in range(good)])
    failed = replace(BLANK, proofs=[Proof(str(n), 0.0, 0.5) for n in range(bad)])
    found = [candidate(worked, "worked"), candidate(failed, "failed")]
    best = weighed(found, at=START, draws={"worked": unlucky, "failed": lucky})[0]
    assert best.candidate.pattern_id == "worked"


def test_luck_may_put_the_unproven_above_what_is_about_as_good() -> None:
    some = replace(BLANK, word_good=1.0, word_bad=1.0)
    found = [candidate(some, "known"), candidate(BLANK, "new")]
    assert weighed(found, at=START, draws={})[0].candidate.pattern_id == "known"
    lucky = weighed(found, at=START, draws={"known": 0.5, "new": 0.9})[0]
    assert lucky.candidate.pattern_id == "new"


@given(st.integers(1, 400), SHARE)
def test_one_agent_alone_proves_only_so_much(count: int, expected: float) -> None:
    alone = replace(BLANK, proofs=[Proof("a", 1.0, expected)] * count)
    assert sum(alone.parameters) <= sum(Prior().parameters) + MOST_OF_ONE + 1e-9
    several = replace(BLANK, proofs=[Proof(agent, 1.0, 0.5) for agent in "abcd"])
    assert scored(candidate(several)) > scored(candidate(alone))


def test_a_proof_counts_by_how_little_it_was_expected() -> None:
    assert Proof("a", 1.0, None).weight == WORD_WEIGHT
    assert Proof("a", 1.0, 0.99).weight == Proof("a", 0.0, 0.1).weight == LEAST_OF_A_PROOF
    assert Proof("a", 1.0, 0.5).weight == Proof("a", 0.0, 0.9).weight == 1.0
    assert Proof("a", 1.0, 0.7).weight == pytest.approx(0.6)


@given(st.lists(FITS, max_size=12))
def test_what_fits_half_as_well_as_the_best_is_left_and_nothing_else(found: list[Fit]) -> None:
    kept = fitting(found)
    best = max((each.total for each in found), default=0.0)
    described = max((each.relevance for each in found), default=0.0)
    for each in found:
        fits = each.total >= max(LEAST_FIT * best, 1e-6)
        assert (each in kept) is (fits or each.relevance >= max(LEAST_FIT * described, 1e-6))


def test_what_takes_far_longer_than_others_costs() -> None:
    found = [
        candidate(replace(BLANK, seconds=seconds), name)
        for name, seconds in (("quick", 1.0), ("usual", 10.0), ("slow", 100.0))
    ]
    parts = {each.candidate.pattern_id: each.parts for each in weighed(found, at=START, draws={})}
    assert parts["slow"][Part.COST] == -0.05
    assert Part.COST not in parts["quick"]
    assert Part.COST not in parts["usual"]


def test_what_speaks_against_it_is_said() -> None:
    [blank] = weighed([candidate(BLANK)], at=START, draws={})
    assert objections(blank, [], []) == (
        "unproven: hardly a verdict or report by others than its owner",
    )
    bad = replace(BLANK, word_bad=8.0)
    [failed] = weighed([candidate(bad)], at=START, draws={})
    near = [NearUse(0.9, 0.0, True, START), NearUse(0.4, 0.0, False, START)]
    far = NearUse(0.3, 0.0, True, START)
    well = NearUse(0.9, 1.0, True, START)
    falling = Trend("p", Direction.DECAYING, Cause.SUCCESS, Windows(), 0.012)
    assert objections(failed, [*near, far, well], [falling]) == (
        "failed in 2 similar past uses, 1 of them proven",
        f"its record supports a success rate of {failed.bound:.2f} at least",
        "decaying: success fell within eight weeks, by chance in 0.012",
    )
    good = replace(BLANK, word_good=8.0)
    assert objections(weighed([candidate(good)], at=START, draws={})[0], [well], []) == ()
