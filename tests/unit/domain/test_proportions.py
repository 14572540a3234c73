"""Intervals and exact tests on counts, against published examples and against themselves."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.proportions import (
    Interval,
    binomial_tail,
    difference,
    discoveries,
    hypergeometric_tail,
    wilson,
)

Z_95 = 1.959964
counts = st.tuples(st.integers(0, 200), st.integers(1, 200)).map(
    lambda pair: (min(pair), max(pair))
)


def test_nothing_observed_has_no_interval() -> None:
    assert wilson(0, 0) is None


def test_the_score_interval_agrees_with_the_published_example() -> None:
    """Newcombe (1998), Statistics in Medicine 17:857, table I: 81 of 263 and 15 of 148."""
    for good, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)):
        found = wilson(good, count, z=Z_95)
        assert found is not None
        assert found == pytest.approx((good / count, low, high), abs=1e-4)


@given(counts)
def test_an_interval_holds_its_rate_and_stays_a_probability(pair: tuple[int, int]) -> None:
    found = wilson(*pair)
    assert found is not None
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0


@given(counts)
def test_more_of_the_same_narrows_the_interval(pair: tuple[int, int]) -> None:
    good, count = pair
    few, many = wilson(good, count), wilson(4 * good, 4 * count)
    assert few is not None
    assert many is not None
    assert many.high - many.low < few.high - few.low


def test_the_difference_agrees_with_the_published_example() -> None:
    """Newcombe (1998), Statistics in Medicine 17:873, table II (a): 56/70 against 48/80."""
    first, second = wilson(56, 70, z=Z_95), wilson(48, 80, z=Z_95)
    assert first is not None
    assert second is not None
    assert difference(first, second) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


@given(counts, counts)
def test_a_difference_turned_round_is_its_mirror(a: tuple[int, int], b: tuple[int, int]) -> None:
    first, second = wilson(*a), wilson(*b)
    assert first is not None
    assert second is not None
    there, back = difference(first, second), difference(second, first)
    assert -1.0 <= there.low <= there.value <= there.high <= 1.0
    assert there == pytest.approx(Interval(-back.value, -back.high, -back.low))


@given(st.integers(0, 60))
def test_the_coin_has_two_sides(count: int) -> None:
    for heads in range(count + 1):
        either = binomial_tail(heads, count) + binomial_tail(count - heads + 1, count)
        assert either == pytest.approx(1.0)


def test_five_of_five_is_one_chance_in_thirty_two() -> None:
    assert binomial_tail(5, 5) == 1 / 32
    assert binomial_tail(0, 5) == 1.0


def test_the_lady_tasting_tea() -> None:
    """Fisher (1935): at most 3 of 4 cups right is all but 1 of 70 ways."""
    assert hypergeometric_tail(3, 4, 4, 8) == pytest.approx(69 / 70)
    assert hypergeometric_tail(0, 4, 4, 8) == pytest.approx(1 / 70)


@given(counts, st.data())
def test_a_tail_is_a_probability_that_grows(pair: tuple[int, int], data: st.DataObject) -> None:
    good, count = pair
    drawn = data.draw(st.integers(0, count))
    tails = [hypergeometric_tail(k, drawn, good, count) for k in range(drawn + 1)]
    assert tails == sorted(tails)
    assert math.isclose(tails[-1], 1.0)


def test_discoveries_agree_with_the_published_example() -> None:
    """Benjamini and Hochberg (1995), section 4: four of fifteen pass at .05."""
    chances = [.0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344]  # fmt: skip
    assert discoveries(chances, tested=15, false_share=0.05) == 0.0095


@given(st.lists(st.floats(0, 1), max_size=30), st.integers(0, 1000))
def test_more_tests_never_let_more_pass(chances: list[float], others: int) -> None:
    few = discoveries(chances, tested=len(chances), false_share=0.1)
    many = discoveries(chances, tested=len(chances) + others, false_share=0.1)
    assert many <= few
