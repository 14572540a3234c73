"""How every index puts its results in order, so that equal questions get equal answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.ports import Match, VectorRow

OPEN_LEVELS = ("public", "system")
SHARED = "shared"
LEVELS = ("private", SHARED, *OPEN_LEVELS)

SPARE = 64
"""Fetched beyond the limit by an index that does not order equals by id itself."""

# Equal vectors can differ in the last bit by their place in a matrix; rounded they are
# equal again, and their order is by id wherever they lie.
DIGITS = 5


def nearest_first(found: Iterable[tuple[str, float]], limit: int) -> list[Match]:
    """Return the nearest of (id, cosine), equals by id."""
    far = sorted([(-round(min(1.0, max(-1.0, cosine)), DIGITS), key) for key, cosine in found])
    return [Match(key, -negative) for negative, key in far[:limit]]


def require_alike(rows: Sequence[VectorRow], dimension: int) -> None:
    """Refuse rows of an unknown level, or whose vectors have another length.

    Raises:
        InvalidInput: one does; the message names it.
    """
    for row in rows:
        if row.level not in LEVELS:
            raise InvalidInput(f"item {row.pattern_id}: no access level {row.level!r}.")
        if row.vector is not None and len(row.vector) != 4 * dimension:
            raise InvalidInput(
                f"item {row.pattern_id}: a vector of {len(row.vector)} bytes; "
                f"this index holds {dimension} float32 each."
            )


def dimension_of(rows: Iterable[VectorRow]) -> int:
    """Return the length of the first vector, 0 when all are removals."""
    return next((len(row.vector) // 4 for row in rows if row.vector is not None), 0)


def require_held(revision: int, after: int) -> None:
    """Refuse to go on after a revision that is not held any more.

    Raises:
        BackendUnavailable: the index was lost or cleared a moment ago.
    """
    if revision < after:
        raise BackendUnavailable("The vector index was cleared just now; exact vectors serve.")
