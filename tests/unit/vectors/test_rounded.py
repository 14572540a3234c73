"""Bounds taken from bytes hold for any rows, however those came to lie where they are."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tmws.ports import Vector
from tmws.vectors.rounded import Rounded, RoundedByAxis, exactly

KINDS = (Rounded, RoundedByAxis)
NUMBERS = st.floats(-1, 1, width=32)
EDGES = (0.0, 1.0, -1.0, 1e-3, 0.5 / 127, -1.5 / 127, float(np.float32(1e-40)))
WIDTH = 9
NOTHING = 1e-12
"""Squares of float32 below this vanish; similarities are told apart from 1e-5 on."""


@st.composite
def rows_and_query(draw: st.DrawFn) -> tuple[Vector, Vector]:
    width = draw(st.integers(1, 40))
    numbers = NUMBERS | st.sampled_from(EDGES)
    rows = draw(arrays(np.float32, (draw(st.integers(1, 6)), width), elements=numbers))
    return rows, draw(arrays(np.float32, width, elements=numbers))


@given(rows_and_query(), st.sampled_from(KINDS))
def test_every_product_lies_within_its_bounds(
    drawn: tuple[Vector, Vector], kind: type[Rounded]
) -> None:
    rows, query = drawn
    bounds = kind(rows, len(rows)).bounds(query, slice(0, len(rows)))
    right = rows.astype(np.float64) @ query.astype(np.float64)
    assert (bounds.least <= right + NOTHING).all()
    assert (right <= bounds.most + NOTHING).all()
    assert not bounds.tight


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1, 31, 384, 1_536, 4_096])
def test_bounds_are_near_each_other_and_hold_for_any_width(width: int, kind: type[Rounded]) -> None:
    chance = np.random.default_rng(width)
    raw = chance.standard_normal((50, width), np.float32)
    rows = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    bounds = kind(rows, 50).bounds(rows[7], slice(0, 50))
    right = rows.astype(np.float64) @ rows[7].astype(np.float64)
    assert (bounds.least <= right).all()
    assert (right <= bounds.most).all()
    assert (bounds.most - bounds.least < 0.06).all()


@given(st.data(), st.sampled_from(KINDS))
def test_rows_put_moved_and_resized_are_those_read_at_once(
    data: st.DataObject, kind: type[Rounded]
) -> None:
    rows = st.integers(0, 9).map(unit)
    held = [data.draw(rows)]
    rounded = kind(np.array(held), 1)
    for change in data.draw(st.lists(st.sampled_from(("put", "grow", "remove")), max_size=8)):
        place = data.draw(st.integers(0, len(held) - 1))
        if change == "put":
            held[place] = data.draw(rows)
            rounded.put([place], held[place][None])
        elif change == "grow":
            rounded.resize(len(held), len(held) + 3)
            held += [data.draw(rows), data.draw(rows)]
            rounded.put([len(held) - 2, len(held) - 1], np.array(held[-2:]))
        elif len(held) > 1:
            rounded.move(len(held) - 1, place)
            held[place] = held[-1]
            held.pop()
            rounded.resize(len(held), len(held))
    found = rounded.bounds(unit(77), slice(0, len(held)))
    right = kind(np.array(held), len(held)).bounds(unit(77), slice(0, len(held)))
    assert found.least.tolist() == right.least.tolist()
    assert found.most.tolist() == right.most.tolist()


def test_many_rows_are_compared_along_few_axes_or_all_however_many_go_together() -> None:
    chance = np.random.default_rng(5)
    rows = chance.standard_normal((3_000, 300), np.float32)
    rounded, some = RoundedByAxis(rows, 3_000), slice(700, 2_990)
    for named in (0, 1, 40, 300):
        query = np.zeros(300, np.float32)
        query[chance.permutation(300)[:named]] = 0.1
        bounds = rounded.bounds(query, some)
        right = rows[some].astype(np.float64) @ query.astype(np.float64)
        assert (bounds.least <= right).all()
        assert (right <= bounds.most).all()


def test_what_is_known_is_its_own_bound_and_so_are_some_of_it() -> None:
    some = exactly(np.arange(4, dtype=np.float32)).of(np.array([2, 3]))
    assert some.tight
    assert some.most.tolist() == [2.0, 3.0]


def test_the_native_product_keeps_the_count_of_references_to_none() -> None:
    rounded = Rounded(unit(1)[None], 1)
    before = sys.getrefcount(None)
    for _ in range(2_000):
        rounded.bounds(unit(2), slice(0, 1))
    assert abs(sys.getrefcount(None) - before) < 1_000


def unit(seed: int) -> Vector:
    raw = np.random.default_rng(seed).standard_normal(WIDTH, np.float32)
    row: Vector = raw / np.linalg.norm(raw)
    return row
