"""Pages of ranked results, without gaps where an index knows more than a reader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tmws.domain.canonical import Json
from tmws.domain.errors import InvalidInput
from tmws.domain.ranking import Ranked

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Results with what is stored of them, best first.

    Attributes:
        end: place among all results at which the next page begins; None after the last.
    """

    hits: Sequence[tuple[Ranked, T]]
    end: int | None


def offset(place: Json) -> int:
    """Return the place among ranked results that a cursor names.

    Raises:
        InvalidInput: it names no such place.
    """
    if not isinstance(place, int) or place < 0:
        raise InvalidInput("The cursor is refused. Use next_cursor exactly as it was returned.")
    return place


async def filled(
    ranked: Sequence[Ranked],
    start: int,
    limit: int,
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]],
) -> Page[T]:
    """Return up to `limit` results from `start` on.

    Requests of a process share their indexes. One that began a moment earlier may find there
    what its own transaction does not see yet; later results then take that place.

    Args:
        read: returns what the reader's transaction sees of these ids.
    """
    hits: list[tuple[Ranked, T]] = []
    end = start
    while len(hits) < limit and end < len(ranked):
        more = ranked[end : end + limit - len(hits)]
        stored = await read([hit.item_id for hit in more])
        hits += [(hit, stored[hit.item_id]) for hit in more if hit.item_id in stored]
        end += len(more)
    return Page(hits, end if end < len(ranked) else None)
