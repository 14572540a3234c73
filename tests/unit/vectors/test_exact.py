"""The exact index keeps what every index promises, and what only it can."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tmws.ports import Vector, VectorRow
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
    gone = [VectorRow(row.pattern_id, row.owner_id, row.level, 9_000, None) for row in rows[100:]]
    tracemalloc.start()
    await index.refresh(SPACE, MODEL, rows)
    full, _ = tracemalloc.get_traced_memory()
    await index.refresh(SPACE, MODEL, gone)
    left, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert left < full / 2
    query = Query(VECTORS[0])
    agrees(await ask(index, query), expected(rows[:100], query))


async def test_requests_that_name_few_axes_find_the_same_among_many() -> None:
    """Many rows are turned over for the first of them, and stay right however they change."""
    chance = np.random.default_rng(3)
    raw = chance.standard_normal((2500, 64), np.float32)
    known = {f"p{number:04}": row / np.linalg.norm(row) for number, row in enumerate(raw)}
    index = ExactIndex()
    await index.refresh(SPACE, MODEL, [row_of(*each) for each in known.items()])
    sparse = np.zeros(64, np.float32)
    sparse[[3, 17, 40]] = (0.6, -0.5, 0.6245)
    for turn in range(3):
        some = [f"p{number:04}" for number in range(turn, 2500, 20)]
        for query in (sparse, known["p0007"]):
            for among in (None, some):
                assert await nearest(index, query, among) == naive(known, query, among)
        fresh = {key: -known[key] for key in ("p0008", "p0009")}
        known |= fresh
        gone = f"p{100 + turn:04}"
        del known[gone]
        changed = [row_of(*each, revision=turn + 2) for each in fresh.items()]
        await index.refresh(
            SPACE, MODEL, [*changed, VectorRow(gone, "owner", "public", turn + 2, None)]
        )


@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(700, 1_500),
    limit=st.sampled_from((1, 20, 200, 2_000)),
    share=st.sampled_from((None, None, 0.9, 0.05)),
    alike=st.sampled_from((1, 7, 400)),
    named=st.sampled_from((48, 48, 9, 1)),
)
@settings(max_examples=30)
async def test_among_many_it_finds_what_comparing_all_finds(
    seed: int, count: int, limit: int, share: float | None, alike: int, named: int
) -> None:
    """Rounding before multiplying changes nothing, with ties, rights and changes of all kinds."""
    chance = np.random.default_rng(seed)
    rows = {row.pattern_id: row for row in exact_rows(chance, count, alike)}
    index = ExactIndex()
    await index.refresh(SPACE, MODEL, list(rows.values()))
    for turn in range(3):
        vector = vectors_of_sixty_fourths(chance, 1)[0]
        # Of every second request all axes say something.
        if turn != 1:
            vector[chance.permutation(len(vector))[named:]] = 0.0
        query = Query(
            vector,
            caller=OWNERS[(seed + turn) % 3],
            granted=frozenset(list(rows)[::5]),
            among=frozenset(key for key in rows if chance.random() < share) if share else None,
        )
        found = await ask(index, query, limit=limit)
        assert [(match.similarity, match.pattern_id) for match in found] == [
            (round(similarity, 5), key) for similarity, key in expected([*rows.values()], query)
        ][:limit]
        changed = exact_rows(
            chance, count // 3 + turn * count, alike, revision=(2 * turn + 1) * 9_000
        )
        gone = [
            VectorRow(key, "ann", "public", (2 * turn + 2) * 9_000, None) for key in list(rows)[::3]
        ]
        await index.refresh(SPACE, MODEL, [*changed, *gone])
        rows |= {row.pattern_id: row for row in changed}
        for row in gone:
            del rows[row.pattern_id]


@pytest.mark.parametrize("named", [48, 5])
async def test_two_threads_find_what_one_finds(named: int) -> None:
    """Among so many they share the work, of one large namespace and of several."""
    chance = np.random.default_rng(named)
    vectors = vectors_of_sixty_fourths(chance, 60_000)
    rows = [
        VectorRow(f"p{number:05}", OWNERS[number % 3], LEVELS[number % 4], 1, vector.tobytes())
        for number, vector in enumerate(vectors)
    ]
    spaces = {"large": rows[:45_000], "middle": rows[45_000:59_900], "small": rows[59_900:]}
    index = ExactIndex()
    for space, held in spaces.items():
        await index.refresh(space, MODEL, held)
    wanted = vectors_of_sixty_fourths(chance, 1)[0]
    wanted[chance.permutation(len(wanted))[named:]] = 0.0
    for among in (None, frozenset(row.pattern_id for row in rows if chance.random() < 0.3)):
        query = Query(wanted, caller="bob", among=among)
        found = await index.search_all(
            wanted,
            dict.fromkeys(spaces, among),
            embedder_id=MODEL,
            caller_id="bob",
            granted=(),
            limit=300,
        )
        assert [(match.similarity, match.pattern_id) for match in found] == [
            (round(similarity, 5), key) for similarity, key in expected(rows, query)[:300]
        ]
    await index.aclose()


async def test_what_rounding_hides_is_found() -> None:
    """Rows alike but for numbers too small to be told apart in bytes still come in order."""
    rows = np.zeros((2_000, 257), np.float32)
    rows[:, 0] = 0.99
    rows[np.arange(2_000), 1 + np.arange(2_000) % 256] = 0.0038
    rows[1_234, 1:] = 0.0038
    query = np.full(257, 1 / 17, np.float32)
    query[0] = 1 / 4
    index = ExactIndex()
    await index.refresh(
        SPACE, MODEL, [row_of(f"p{number:04}", row) for number, row in enumerate(rows)]
    )
    assert (await nearest(index, query, None))[:2] == ["p1234", "p0000"]


def exact_rows(
    chance: np.random.Generator, count: int, alike: int, *, revision: int = 1
) -> list[VectorRow]:
    """Return rows of which so many are equal each time."""
    vectors = vectors_of_sixty_fourths(chance, count // alike + 1)
    return [
        VectorRow(
            f"item-{number:04}",
            OWNERS[number % 3],
            LEVELS[number % 4],
            revision + number,
            vectors[number // alike].tobytes(),
        )
        for number in range(count)
    ]


def vectors_of_sixty_fourths(chance: np.random.Generator, count: int) -> Vector:
    """Return rows whose products are exact in float32, so that every order of adding agrees."""
    return chance.integers(-8, 9, (count, 48)).astype(np.float32) / np.float32(64)


def row_of(item_id: str, vector: Vector, revision: int = 1) -> VectorRow:
    return VectorRow(item_id, "owner", "public", revision, vector.tobytes())


async def nearest(index: ExactIndex, query: Vector, among: Sequence[str] | None) -> list[str]:
    found = await index.search(
        query,
        namespace=SPACE,
        embedder_id=MODEL,
        caller_id="owner",
        granted=(),
        limit=20,
        among=among,
    )
    return [match.pattern_id for match in found]


def naive(known: dict[str, Vector], query: Vector, among: Sequence[str] | None) -> list[str]:
    wanted = [key for key in (among or known) if key in known]
    return sorted(wanted, key=lambda key: (-round(float(known[key] @ query), 5), key))[:20]
