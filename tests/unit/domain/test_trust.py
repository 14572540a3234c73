"""The trust score: what moves it, and what it never leaves."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmws.domain.claims import Verdict
from tmws.domain.trust import NO_RECORD, TrustScore

COUNTS = st.integers(0, 500)
SCORES = st.builds(TrustScore, COUNTS, COUNTS, COUNTS)


@given(SCORES)
def test_score_and_bounds_lie_in_order_between_0_and_1(score: TrustScore) -> None:
    assert 0 < score.low <= score.score <= score.high < 1


@settings(max_examples=40)
@given(SCORES)
def test_a_held_claim_never_lowers_and_a_failed_one_never_raises(score: TrustScore) -> None:
    up, down = score.after(Verdict.SUPPORTED), score.after(Verdict.REFUTED)
    assert up.score > score.score > down.score
    assert up.low >= score.low >= down.low
    assert up.high >= score.high - 1e-9
    assert down.high <= score.high + 1e-9


@settings(max_examples=40)
@given(SCORES)
def test_an_undecided_claim_moves_nothing_but_its_own_counter(score: TrustScore) -> None:
    after = score.after(Verdict.INCONCLUSIVE)
    assert (after.score, after.low, after.high) == (score.score, score.low, score.high)
    assert after == TrustScore(score.supported, score.refuted, score.inconclusive + 1)


@given(st.lists(st.sampled_from(Verdict), max_size=6))
def test_the_order_of_verdicts_says_nothing(verdicts: list[Verdict]) -> None:
    ends = set()
    for order in permutations(verdicts[:4]):
        score = NO_RECORD
        for verdict in order:
            score = score.after(verdict)
        ends.add(score)
    assert len(ends) == 1


def test_nobody_starts_trusted() -> None:
    assert NO_RECORD.score == 0.5
    assert NO_RECORD.low == pytest.approx(0.05, abs=1e-9)
    assert NO_RECORD.explanation().startswith("Unknown")


def test_the_explanation_counts_what_the_score_rests_on() -> None:
    text = TrustScore(8, 2, 3).explanation()
    assert "8 of 10 decided claims held" in text
    assert "0.75" in text
    assert "3 more could not be decided" in text
    assert "could not be decided" not in TrustScore(8, 2).explanation()
