"""What every vector index promises, as checks that any backend can run on itself.

Each check is an async function that takes an empty `VectorIndex` and raises
`AssertionError` when a promise is broken. `SUITE` holds them all:

    @pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
    async def test_my_index(check, my_index):
        await check(my_index)

What is right is computed here, item by item in double precision. An approximate index
must find the same among few, and nearly the same (`LEAST_RECALL`) among many.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.ports import Match, Vector, VectorIndex, VectorRow

Check = Callable[[VectorIndex], Awaitable[None]]

DIMENSION = 16
LIMIT = 10
LEVELS = ("private", "shared", "public", "system")
OWNERS = ("ann", "bob", "eve")
SPACE, MODEL = "shop", "model-1"
LEAST_RECALL = 0.95
_NEAR = 1e-4
_MANY, _STEP, _WIDE = 2_000, 500, 64
_SHARES = {"one-percent": 0.01, "five-percent": 0.05, "half": 0.5}


@dataclass(frozen=True, slots=True)
class Query:
    """Who asks for what, and what was opened to them."""

    vector: Vector
    caller: str = "ann"
    granted: frozenset[str] = frozenset()
    among: frozenset[str] | None = None


def random_rows(count: int, *, seed: int = 7, revision: int = 1) -> list[VectorRow]:
    """Return rows of every owner and level, the same ones for the same seed."""
    vectors = unit_vectors(count, seed=seed)
    return [
        VectorRow(
            pattern_id=f"item-{number:04}",
            owner_id=OWNERS[number % len(OWNERS)],
            level=LEVELS[number // len(OWNERS) % len(LEVELS)],
            revision=revision + number,
            vector=vectors[number].tobytes(),
        )
        for number in range(count)
    ]


def unit_vectors(count: int, *, seed: int) -> Vector:
    """Return random float32 rows of unit length."""
    raw = np.random.default_rng(seed).standard_normal((count, DIMENSION))
    rows: Vector = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    return rows


def may_find(row: VectorRow, query: Query) -> bool:
    """Return whether the caller may learn that this row exists."""
    opened = row.level == "shared" and row.pattern_id in query.granted
    allowed = row.level in {"public", "system"} or row.owner_id == query.caller or opened
    return allowed and (query.among is None or row.pattern_id in query.among)


def expected(rows: Sequence[VectorRow], query: Query) -> list[tuple[float, str]]:
    """Return all that may be found as (similarity, id), nearest first."""
    wanted = query.vector.astype(np.float64)
    found = [
        (float(np.frombuffer(row.vector, np.float32).astype(np.float64) @ wanted), row.pattern_id)
        for row in rows
        if row.vector is not None and may_find(row, query)
    ]
    return sorted(found, key=lambda pair: (-pair[0], pair[1]))


async def ask(
    index: VectorIndex, query: Query, *, limit: int = LIMIT, space: str = SPACE, model: str = MODEL
) -> list[Match]:
    """Put the query to the index."""
    among: Collection[str] | None = query.among
    return await index.search(
        query.vector,
        namespace=space,
        embedder_id=model,
        caller_id=query.caller,
        granted=query.granted,
        limit=limit,
        among=among,
    )


def agrees(found: Sequence[Match], right: Sequence[tuple[float, str]], limit: int = LIMIT) -> None:
    """Compare ids and similarities with the first `limit` of what is right."""
    assert [match.pattern_id for match in found] == [key for _, key in right[:limit]]
    for match, (similarity, _) in zip(found, right, strict=False):
        assert abs(match.similarity - similarity) < _NEAR


async def finds_what_is_nearest(index: VectorIndex) -> None:
    """Every caller gets exactly the nearest of what it may see."""
    rows = random_rows(300)
    await index.refresh(SPACE, MODEL, rows)
    for number, vector in enumerate(unit_vectors(20, seed=8)):
        query = Query(vector, caller=OWNERS[number % len(OWNERS)])
        agrees(await ask(index, query), expected(rows, query))


async def hides_what_may_not_be_seen(index: VectorIndex) -> None:
    """A stranger finds open rows only, however near the hidden ones are."""
    rows = random_rows(120)
    await index.refresh(SPACE, MODEL, rows)
    for vector in unit_vectors(5, seed=9):
        query = Query(vector, caller="stranger")
        agrees(await ask(index, query, limit=1_000), expected(rows, query), limit=1_000)


async def opens_what_is_shared_by_name(index: VectorIndex) -> None:
    """A grant opens a shared row; it does not open a private one."""
    rows = random_rows(120)
    await index.refresh(SPACE, MODEL, rows)
    everything = frozenset(row.pattern_id for row in rows)
    query = Query(unit_vectors(1, seed=10)[0], caller="stranger", granted=everything)
    found = {match.pattern_id for match in await ask(index, query, limit=1_000)}
    assert found == {row.pattern_id for row in rows if row.level != "private"}


async def looks_only_among(index: VectorIndex) -> None:
    """`among` leaves the rest out before anything is ranked; unknown ids do no harm."""
    rows = random_rows(120)
    await index.refresh(SPACE, MODEL, rows)
    chosen = frozenset(row.pattern_id for row in rows[::7]) | {"nobody-knows"}
    for some in (chosen, frozenset[str]()):
        query = Query(unit_vectors(1, seed=11)[0], among=some)
        agrees(await ask(index, query), expected(rows, query))


async def keeps_the_newest_revision(index: VectorIndex) -> None:
    """Rows may come late, twice and out of order: the highest revision stays."""
    old, new = random_rows(60), random_rows(60, seed=12, revision=100)
    await index.refresh(SPACE, MODEL, new[30:])
    await index.refresh(SPACE, MODEL, [*new[:30], *old])
    await index.refresh(SPACE, MODEL, old)
    query = Query(unit_vectors(1, seed=13)[0])
    agrees(await ask(index, query), expected(new, query))
    assert await index.revision(SPACE, MODEL) == new[-1].revision


async def forgets_what_was_removed(index: VectorIndex) -> None:
    """A removed row is not found again, not even when an older one arrives late."""
    rows = random_rows(60)
    await index.refresh(SPACE, MODEL, rows)
    gone = [
        VectorRow(row.pattern_id, row.owner_id, row.level, 1_000 + number, None)
        for number, row in enumerate(rows[::2])
    ]
    await index.refresh(SPACE, MODEL, gone)
    await index.refresh(SPACE, MODEL, rows)
    query = Query(unit_vectors(1, seed=14)[0])
    agrees(await ask(index, query, limit=100), expected(rows[1::2], query), limit=100)


async def follows_a_change_of_access(index: VectorIndex) -> None:
    """What is no longer public is gone for strangers with the next refresh."""
    (row,) = random_rows(1)
    query = Query(unit_vectors(1, seed=15)[0], caller="stranger")
    for revision, level in enumerate(("public", "private", "system", "shared"), start=1):
        changed = VectorRow(row.pattern_id, row.owner_id, level, revision, row.vector)
        await index.refresh(SPACE, MODEL, [changed])
        assert bool(await ask(index, query)) == (level in {"public", "system"})


async def keeps_spaces_and_models_apart(index: VectorIndex) -> None:
    """A namespace knows nothing of another one, a model nothing of another model."""
    rows = random_rows(12)
    await index.refresh(SPACE, MODEL, rows)
    query = Query(unit_vectors(1, seed=16)[0])
    assert await ask(index, query, space="elsewhere") == []
    assert await ask(index, query, model="model-2") == []
    assert await index.revision("elsewhere", MODEL) == await index.revision(SPACE, "model-2") == 0


async def orders_equals_by_id(index: VectorIndex) -> None:
    """Equal vectors come in the order of their ids, whatever order they were loaded in."""
    vector = unit_vectors(1, seed=17)[0]
    rows = [
        VectorRow(f"twin-{number:03}", "ann", "public", number + 1, vector.tobytes())
        for number in range(50)
    ]
    await index.refresh(SPACE, MODEL, rows[::-1])
    found = await ask(index, Query(vector), limit=20)
    assert [match.pattern_id for match in found] == [row.pattern_id for row in rows[:20]]


async def answers_when_empty(index: VectorIndex) -> None:
    """Nothing loaded, nothing asked for, nothing found: no error."""
    query = Query(unit_vectors(1, seed=18)[0])
    assert await ask(index, query) == []
    await index.refresh(SPACE, MODEL, [])
    assert await index.revision(SPACE, MODEL) == 0
    await index.refresh(SPACE, MODEL, random_rows(3))
    assert await ask(index, query, limit=0) == []


async def counts_what_can_be_found(index: VectorIndex) -> None:
    """What was removed is not counted, what was changed is counted once."""
    rows = random_rows(20)
    await index.refresh(SPACE, MODEL, rows)
    await index.refresh(SPACE, MODEL, random_rows(5, seed=19, revision=100))
    gone = [VectorRow(row.pattern_id, "", "private", 200, None) for row in rows[-3:]]
    await index.refresh(SPACE, MODEL, gone)
    assert await index.count(SPACE, MODEL) == 17
    assert await index.count("elsewhere", MODEL) == 0


async def starts_anew_once_cleared(index: VectorIndex) -> None:
    """After `clear` nothing is left, and the same rows can be taken over again."""
    rows = random_rows(60)
    query = Query(unit_vectors(1, seed=20)[0])
    await index.refresh(SPACE, MODEL, rows)
    await index.clear()
    assert await index.revision(SPACE, MODEL) == await index.count(SPACE, MODEL) == 0
    assert await ask(index, query) == []
    await index.refresh(SPACE, MODEL, rows)
    agrees(await ask(index, query), expected(rows, query))


async def does_not_go_on_after_what_it_lost(index: VectorIndex) -> None:
    """Rows that come after others are refused once those others are gone."""
    rows = random_rows(20)
    await index.refresh(SPACE, MODEL, rows[:10])
    await index.refresh(SPACE, MODEL, rows[10:15], after=10)
    await index.clear()
    try:
        await index.refresh(SPACE, MODEL, rows[15:], after=15)
    except BackendUnavailable:
        assert await index.revision(SPACE, MODEL) == 0
        return
    raise AssertionError("rows were taken over whose forerunners are missing")


async def refuses_what_does_not_belong(index: VectorIndex) -> None:
    """A vector of another length, or an unknown level, spoils the whole refresh."""
    await index.refresh(SPACE, MODEL, random_rows(3))
    longer = np.ones(DIMENSION + 1, np.float32).tobytes()
    (fine,) = random_rows(1, revision=50)
    for odd in (
        VectorRow("odd", "ann", "public", 99, longer),
        VectorRow("odd", "ann", "friends", 99, fine.vector),
    ):
        try:
            await index.refresh(SPACE, MODEL, [fine, odd])
        except InvalidInput:
            continue
        raise AssertionError(f"{odd.level}, {len(odd.vector or b'')} bytes: was taken over")
    assert await index.revision(SPACE, MODEL) == await index.count(SPACE, MODEL) == 3


async def finds_enough_where_most_is_hidden(index: VectorIndex) -> None:
    """Recall@10 holds however few of many rows the caller may see or asked for."""
    rows = _crowd()
    for start in range(0, len(rows), _STEP):
        await index.refresh(SPACE, MODEL, rows[start : start + _STEP])
    vectors = np.array([np.frombuffer(row.vector or b"", np.float32) for row in rows])
    for caller in _SHARES:
        asked = (Query(query, caller) for query in _near(vectors, seed=21))
        by_access = [await _recall(index, rows, query) for query in asked]
        assert sum(by_access) / len(by_access) >= LEAST_RECALL, f"{caller}: {by_access}"
        chosen = frozenset(row.pattern_id for row in rows if row.owner_id == caller)
        asked = (Query(query, caller, among=chosen) for query in _near(vectors, seed=22))
        by_choice = [await _recall(index, rows, query) for query in asked]
        assert sum(by_choice) / len(by_choice) >= LEAST_RECALL, f"{caller}, chosen: {by_choice}"


SUITE: tuple[Check, ...] = (
    finds_what_is_nearest,
    hides_what_may_not_be_seen,
    opens_what_is_shared_by_name,
    looks_only_among,
    keeps_the_newest_revision,
    forgets_what_was_removed,
    follows_a_change_of_access,
    keeps_spaces_and_models_apart,
    orders_equals_by_id,
    answers_when_empty,
    counts_what_can_be_found,
    starts_anew_once_cleared,
    does_not_go_on_after_what_it_lost,
    refuses_what_does_not_belong,
    finds_enough_where_most_is_hidden,
)


def _crowd() -> list[VectorRow]:
    """Return many private rows in clusters, as texts are; `_SHARES` says whose they are."""
    chance = np.random.default_rng(23)
    centres = chance.standard_normal((80, _WIDE))
    raw = centres[chance.integers(0, len(centres), _MANY)]
    raw = raw + 0.7 * chance.standard_normal((_MANY, _WIDE))
    vectors = (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)
    owners = chance.choice(
        [*_SHARES, "nobody"], _MANY, p=[*_SHARES.values(), 1 - sum(_SHARES.values())]
    )
    return [
        VectorRow(f"item-{number:05}", str(owner), "private", number + 1, vector.tobytes())
        for number, (owner, vector) in enumerate(zip(owners, vectors, strict=True))
    ]


def _near(vectors: Vector, *, seed: int) -> list[Vector]:
    """Return queries near some of the vectors."""
    chance = np.random.default_rng(seed)
    some = vectors[chance.integers(0, len(vectors), 15)]
    raw = some + 0.05 * chance.standard_normal(some.shape)
    return list((raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32))


async def _recall(index: VectorIndex, rows: Sequence[VectorRow], query: Query) -> float:
    right = {key for _, key in expected(rows, query)[:LIMIT]}
    found = {match.pattern_id for match in await ask(index, query)}
    assert len(found) <= LIMIT
    return len(found & right) / len(right)
