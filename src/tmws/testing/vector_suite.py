"""What every vector index promises, as checks that any backend can run on itself.

Each check is a function that takes an empty `VectorIndex` and raises `AssertionError`
when a promise is broken. `SUITE` holds them all:

    @pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
    def test_my_index(check):
        check(MyIndex())

What is right is computed here, item by item in double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np

from tmws.ports import Match, Vector, VectorIndex, VectorRow

Check = Callable[[VectorIndex], None]

DIMENSION = 16
LIMIT = 10
LEVELS = ("private", "shared", "public", "system")
OWNERS = ("ann", "bob", "eve")
SPACE, MODEL = "shop", "model-1"
_NEAR = 1e-4


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


def ask(
    index: VectorIndex, query: Query, *, limit: int = LIMIT, space: str = SPACE, model: str = MODEL
) -> list[Match]:
    """Put the query to the index."""
    among: Collection[str] | None = query.among
    return index.search(
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


def finds_what_is_nearest(index: VectorIndex) -> None:
    """Every caller gets exactly the nearest of what it may see."""
    rows = random_rows(300)
    index.refresh(SPACE, MODEL, rows)
    for number, vector in enumerate(unit_vectors(20, seed=8)):
        query = Query(vector, caller=OWNERS[number % len(OWNERS)])
        agrees(ask(index, query), expected(rows, query))


def hides_what_may_not_be_seen(index: VectorIndex) -> None:
    """A stranger finds open rows only, however near the hidden ones are."""
    rows = random_rows(120)
    index.refresh(SPACE, MODEL, rows)
    for vector in unit_vectors(5, seed=9):
        query = Query(vector, caller="stranger")
        agrees(ask(index, query, limit=1_000), expected(rows, query), limit=1_000)


def opens_what_is_shared_by_name(index: VectorIndex) -> None:
    """A grant opens a shared row; it does not open a private one."""
    rows = random_rows(120)
    index.refresh(SPACE, MODEL, rows)
    everything = frozenset(row.pattern_id for row in rows)
    query = Query(unit_vectors(1, seed=10)[0], caller="stranger", granted=everything)
    found = {match.pattern_id for match in ask(index, query, limit=1_000)}
    assert found == {row.pattern_id for row in rows if row.level != "private"}


def looks_only_among(index: VectorIndex) -> None:
    """`among` leaves the rest out before anything is ranked; unknown ids do no harm."""
    rows = random_rows(120)
    index.refresh(SPACE, MODEL, rows)
    chosen = frozenset(row.pattern_id for row in rows[::7]) | {"nobody-knows"}
    for some in (chosen, frozenset[str]()):
        query = Query(unit_vectors(1, seed=11)[0], among=some)
        agrees(ask(index, query), expected(rows, query))


def keeps_the_newest_revision(index: VectorIndex) -> None:
    """Rows may come late, twice and out of order: the highest revision stays."""
    old, new = random_rows(60), random_rows(60, seed=12, revision=100)
    index.refresh(SPACE, MODEL, new[30:])
    index.refresh(SPACE, MODEL, [*new[:30], *old])
    index.refresh(SPACE, MODEL, old)
    query = Query(unit_vectors(1, seed=13)[0])
    agrees(ask(index, query), expected(new, query))
    assert index.revision(SPACE, MODEL) == new[-1].revision


def forgets_what_was_removed(index: VectorIndex) -> None:
    """A removed row is not found again, not even when an older one arrives late."""
    rows = random_rows(60)
    index.refresh(SPACE, MODEL, rows)
    gone = [
        VectorRow(row.pattern_id, row.owner_id, row.level, 1_000 + number, None)
        for number, row in enumerate(rows[::2])
    ]
    index.refresh(SPACE, MODEL, gone)
    index.refresh(SPACE, MODEL, rows)
    query = Query(unit_vectors(1, seed=14)[0])
    agrees(ask(index, query, limit=100), expected(rows[1::2], query), limit=100)


def follows_a_change_of_access(index: VectorIndex) -> None:
    """What is no longer public is gone for strangers with the next refresh."""
    (row,) = random_rows(1)
    query = Query(unit_vectors(1, seed=15)[0], caller="stranger")
    for revision, level in enumerate(("public", "private", "system", "shared"), start=1):
        changed = VectorRow(row.pattern_id, row.owner_id, level, revision, row.vector)
        index.refresh(SPACE, MODEL, [changed])
        assert bool(ask(index, query)) == (level in {"public", "system"})


def keeps_spaces_and_models_apart(index: VectorIndex) -> None:
    """A namespace knows nothing of another one, a model nothing of another model."""
    rows = random_rows(12)
    index.refresh(SPACE, MODEL, rows)
    query = Query(unit_vectors(1, seed=16)[0])
    assert ask(index, query, space="elsewhere") == []
    assert ask(index, query, model="model-2") == []
    assert index.revision("elsewhere", MODEL) == index.revision(SPACE, "model-2") == 0


def orders_equals_by_id(index: VectorIndex) -> None:
    """Equal vectors come in the order of their ids, whatever order they were loaded in."""
    vector = unit_vectors(1, seed=17)[0]
    rows = [
        VectorRow(f"twin-{number:03}", "ann", "public", number + 1, vector.tobytes())
        for number in range(50)
    ]
    index.refresh(SPACE, MODEL, rows[::-1])
    found = ask(index, Query(vector), limit=20)
    assert [match.pattern_id for match in found] == [row.pattern_id for row in rows[:20]]


def answers_when_empty(index: VectorIndex) -> None:
    """Nothing loaded, nothing asked for, nothing found: no error."""
    query = Query(unit_vectors(1, seed=18)[0])
    assert ask(index, query) == []
    index.refresh(SPACE, MODEL, [])
    assert index.revision(SPACE, MODEL) == 0
    index.refresh(SPACE, MODEL, random_rows(3))
    assert ask(index, query, limit=0) == []


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
)
