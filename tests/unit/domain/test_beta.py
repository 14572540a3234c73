"""The Beta distribution against exact sums and its own inverse."""

from __future__ import annotations

from math import comb, isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain import beta

PARAMETERS = st.floats(0.5, 500.0)


def binomial_tail(x: float, a: int, b: int) -> float:
    """P(X <= x) for whole a and b, as a finite sum (Abramowitz and Stegun, 26.5.24)."""
    n = a + b - 1
    return sum(comb(n, k) * x**k * (1 - x) ** (n - k) for k in range(a, n + 1))


@given(st.floats(0.001, 0.999), st.integers(1, 60), st.integers(1, 60))
def test_the_distribution_is_the_binomial_tail(x: float, a: int, b: int) -> None:
    assert isclose(beta.distribution(x, a, b), binomial_tail(x, a, b), abs_tol=1e-10)


@given(st.floats(0.001, 0.999), PARAMETERS, PARAMETERS)
def test_the_quantile_inverts_the_distribution(q: float, a: float, b: float) -> None:
    x = beta.quantile(q, a, b)
    assert beta.distribution(x - 1e-9, a, b) <= q <= beta.distribution(x + 1e-9, a, b)


@given(st.floats(0.001, 0.999), PARAMETERS, PARAMETERS)
def test_the_two_sides_mirror_each_other(x: float, a: float, b: float) -> None:
    assert isclose(beta.distribution(x, a, b), 1 - beta.distribution(1 - x, b, a), abs_tol=1e-10)


@given(st.floats(0.001, 0.998), st.floats(0.0, 0.001), PARAMETERS, PARAMETERS)
def test_the_quantile_never_falls(q: float, step: float, a: float, b: float) -> None:
    assert beta.quantile(q, a, b) <= beta.quantile(q + step, a, b) + 1e-12


@pytest.mark.parametrize(
    ("q", "a", "b", "value"),
    [
        (0.5, 1, 1, 0.5),
        (0.1, 1, 1, 0.1),
        (0.5, 7.5, 7.5, 0.5),
        (0.25, 2, 1, 0.5),  # P(X <= x) = x^2
        (0.05, 11, 1, 0.05 ** (1 / 11)),
        (0.95, 1, 11, 1 - 0.05 ** (1 / 11)),
    ],
)
def test_the_quantile_has_its_closed_forms(q: float, a: float, b: float, value: float) -> None:
    assert beta.quantile(q, a, b) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("count", [1_000, 100_000, 10_000_000])
def test_a_long_record_is_narrow_and_still_right(count: int) -> None:
    a, b = 0.9 * count, 0.1 * count
    deviation = (0.09 / count) ** 0.5
    # Far from 0 and 1 a Beta is nearly normal: 1.6449 deviations hold 90 %.
    assert beta.quantile(0.05, a, b) == pytest.approx(0.9 - 1.6449 * deviation, abs=2 / count)
    assert beta.quantile(0.95, a, b) == pytest.approx(0.9 + 1.6449 * deviation, abs=2 / count)


@pytest.mark.parametrize("count", [1e12, 1e15])
def test_a_record_beyond_all_bounds_still_gives_its_rate(count: float) -> None:
    assert beta.quantile(0.05, 0.9 * count, 0.1 * count) == pytest.approx(0.9, abs=1e-5)


def test_outside_the_interval_nothing_or_all_is_passed() -> None:
    assert beta.distribution(-0.1, 2, 3) == beta.distribution(0, 2, 3) == 0
    assert beta.distribution(1, 2, 3) == beta.distribution(1.1, 2, 3) == 1


@given(PARAMETERS, PARAMETERS)
def test_the_mean_is_a_probability(a: float, b: float) -> None:
    assert 0 < beta.mean(a, b) < 1
