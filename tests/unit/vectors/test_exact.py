"""The exact index keeps what every index promises, and what only it can."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.ports import VectorRow
from tmws.testing.vector_suite import (
    LEVELS,
    MODEL,
    OWNERS,
    SPACE,
    SUITE,
    Check,
    Query,
    agrees,
    ask,
    expected,
    random_rows,
    unit_vectors,
)
from tmws.vectors.exact import ExactIndex

VECTORS = unit_vectors(12, seed=1)


@st.composite
def histories(draw: st.DrawFn) -> list[VectorRow]:
    """Rows of a few items, each revision once, in any order."""
    changes = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abcdef"),
                st.sampled_from(OWNERS),
                st.sampled_from(LEVELS),
                st.one_of(st.none(), st.integers(0, len(VECTORS) - 1)),
            ),
            max_size=25,
        )
    )
    rows = [
        VectorRow(item, owner, level, revision, None if at is None else VECTORS[at].tobytes())
        for revision, (item, owner, level, at) in enumerate(changes, start=1)
    ]
    return draw(st.permutations(rows))


def newest(rows: Sequence[VectorRow]) -> list[VectorRow]:
    latest = {row.pattern_id: row for row in sorted(rows, key=lambda row: row.revision)}
    return list(latest.values())


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
async def test_it_keeps_the_promise(check: Check) -> None:
    await check(ExactIndex())


@given(histories(), st.integers(1, 5), st.sampled_from((*OWNERS, "stranger")))
async def test_any_history_in_any_order_and_pieces_ends_in_the_newest_state(
    rows: list[VectorRow], pieces: int, caller: str
) -> None:
    index = ExactIndex()
    for piece in range(pieces):
        await index.refresh(SPACE, MODEL, rows[piece::pieces])
    query = Query(unit_vectors(1, seed=2)[0], caller=caller, granted=frozenset("ab"))
    right = expected(newest(rows), query)
    agrees(
        sorted(await ask(index, query), key=lambda match: match.pattern_id),
        sorted(right, key=lambda pair: pair[1]),
    )
    assert await index.count(SPACE, MODEL) == sum(row.vector is not None for row in newest(rows))


async def test_hidden_rows_change_nothing_in_what_a_stranger_sees() -> None:
    rows = random_rows(200)
    open_rows = [row for row in rows if row.level in {"public", "system"}]
    full, sparse = ExactIndex(), ExactIndex()
    await full.refresh(SPACE, MODEL, rows)
    await sparse.refresh(SPACE, MODEL, open_rows)
    for vector in unit_vectors(10, seed=3):
        query = Query(vector, caller="stranger")
        assert await ask(full, query, limit=7) == await ask(sparse, query, limit=7)


async def test_memory_shrinks_after_most_rows_are_removed() -> None:
    index = ExactIndex()
    rows = random_rows(4_000)
    await index.refresh(SPACE, MODEL, rows)
    gone = [VectorRow(row.pattern_id, row.owner_id, row.level, 9_000, None) for row in rows[100:]]
    await index.refresh(SPACE, MODEL, gone)
    query = Query(VECTORS[0])
    agrees(await ask(index, query), expected(rows[:100], query))
