"""What is withheld, and what the comparison says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.proportions import wilson
from tmws.domain.uplift import Trials, Uplift, is_withheld, uniform

SALT, NAME = st.binary(min_size=1, max_size=32), st.text(max_size=40)
DAY, SHARE = st.integers(0, 40_000), st.floats(0.0, 1.0)


@given(SALT, NAME, NAME, DAY)
def test_a_share_of_nothing_withholds_nothing_and_of_all_everything(
    salt: bytes, agent: str, pattern: str, day: int
) -> None:
    for share, expected in ((0.0, False), (1.0, True)):
        told = is_withheld(salt, agent_id=agent, pattern_id=pattern, day=day, share=share)
        assert told is expected


@given(SALT, NAME, NAME, DAY, SHARE, SHARE)
def test_a_larger_share_withholds_all_that_a_smaller_does(
    salt: bytes, agent: str, pattern: str, day: int, one: float, other: float
) -> None:
    small, large = [
        is_withheld(salt, agent_id=agent, pattern_id=pattern, day=day, share=share)
        for share in sorted((one, other))
    ]
    assert large or not small


def test_the_share_is_kept_over_agents_and_days() -> None:
    held = sum(
        is_withheld(b"salt", agent_id=f"agent {n % 50}", pattern_id="p", day=n // 50, share=0.1)
        for n in range(20_000)
    )
    assert held == pytest.approx(2_000, abs=4 * (20_000 * 0.1 * 0.9) ** 0.5)


def test_chance_lies_strictly_between_nothing_and_one() -> None:
    assert 0.0 < uniform(b"\x00" * 6) < uniform(b"\x80" + b"\x00" * 5) < uniform(b"\xff" * 6) < 1.0


def test_without_an_outcome_on_either_side_there_is_no_difference() -> None:
    assert Uplift().difference is None
    assert Uplift(shown=Trials(9, 5, 5.0)).difference is None
    assert Uplift(Trials(9, 5, 5.0), Trials(9, 0)).difference is None


def test_the_difference_has_an_interval_that_narrows_with_outcomes() -> None:
    few = Uplift(Trials(10, 10, 8.0), Trials(10, 10, 5.0)).difference
    many = Uplift(Trials(1000, 1000, 800.0), Trials(1000, 1000, 500.0)).difference
    assert few is not None
    assert many is not None
    assert few.value == pytest.approx(0.3) == pytest.approx(many.value)
    assert few.low < 0.0 < many.low < 0.3 < many.high < few.high


@given(*[st.integers(0, 50)] * 4)
def test_sums_are_those_of_their_parts(a: int, b: int, c: int, d: int) -> None:
    one, other = Uplift(Trials(a, a, a / 2), Trials(b, b, 0.0)), Uplift(Trials(c), Trials(d, d, d))
    both = one + other
    assert both.shown == Trials(a + c, a, a / 2)
    assert both.withheld == Trials(b + d, b + d, float(d))
    assert (both.difference is None) is not (wilson(0, a) is not None and b + d > 0)
