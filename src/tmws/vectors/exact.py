"""Exact nearest neighbours in memory: SQL is the truth, this is its working copy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tmws.ports import Match, Vector, VectorRow
from tmws.vectors.order import (
    DIGITS,
    LEVELS,
    OPEN_LEVELS,
    SHARED,
    dimension_of,
    nearest_first,
    require_alike,
    require_held,
)
from tmws.vectors.rounded import Bounds, Rounded, RoundedByAxis, exactly
from tmws.vectors.side_by_side import SideBySide, one_by_one

_CODES = {level: code for code, level in enumerate(LEVELS)}
_FIRST_OPEN = min(_CODES[level] for level in OPEN_LEVELS)
_GROWTH = 1.5

# A request that names a smaller share of the axes is compared along these alone.
_SPARSE_SHARE = 4

# Fewer rows, or a smaller share of a block, are multiplied as fast as bounded.
_ROWS_WORTH_ROUNDING, _SHARE_WORTH_ROUNDING = 512, 8

# Among fewer rows a search is over before a second thread has begun. Where only some axes are
# read, the steps are so small that two threads wait for each other longer than they gain.
_ROWS_WORTH_A_THREAD, _ROWS_A_PIECE = 50_000, 20_000


class ExactIndex:
    """One block of vectors per namespace and embedder, searched row by row.

    Rows may arrive in any order and more than once: the highest revision of a
    pattern wins. Safe to share between threads.
    """

    def __init__(self) -> None:
        # A second BLAS thread halves nothing here and made p95 ten times p50.
        threadpool_limits(limits=1, user_api="blas")
        self._blocks: dict[tuple[str, str], _Block] = {}
        self._lock = Lock()
        self._threads = SideBySide()

    async def revision(self, namespace: str, embedder_id: str) -> int:
        """Return the highest revision that was loaded, 0 when nothing is."""
        block = self._blocks.get((namespace, embedder_id))
        return block.revision if block else 0

    async def count(self, namespace: str, embedder_id: str) -> int:
        """Return how many vectors can be found."""
        block = self._blocks.get((namespace, embedder_id))
        return block.count if block else 0

    async def refresh(
        self, namespace: str, embedder_id: str, rows: Sequence[VectorRow], *, after: int = 0
    ) -> None:
        """Take over what changed.

        Raises:
            InvalidInput: a vector has another length than the block's; nothing was taken over.
        """
        if not rows:
            return
        with self._lock:
            block = self._blocks.get((namespace, embedder_id))
            if block is None:
                block = _Block(dimension_of(rows))
            require_held(block.revision, after)
            block.check(rows)
            block.apply(rows)
            self._blocks[namespace, embedder_id] = block

    async def search(
        self,
        query: Vector,
        *,
        namespace: str,
        embedder_id: str,
        caller_id: str,
        granted: Collection[str],
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Match]:
        """Return at most `limit` nearest patterns that the caller may read, nearest first.

        Access is decided before anything is ranked, so what is hidden changes
        neither order nor number of what is shown. Equal similarities are ordered
        by id.

        Args:
            query: shape (dimension,), unit length.
            granted: ids of shared patterns that were opened to the caller.
            among: look at these ids only.
        """
        return await self.search_all(
            query,
            {namespace: among},
            embedder_id=embedder_id,
            caller_id=caller_id,
            granted=granted,
            limit=limit,
        )

    async def search_all(
        self,
        query: Vector,
        spaces: Mapping[str, Collection[str] | None],
        *,
        embedder_id: str,
        caller_id: str,
        granted: Collection[str],
        limit: int,
    ) -> list[Match]:
        """Return the same of several namespaces together."""
        with self._lock:
            held = [
                (block, among)
                for namespace, among in spaces.items()
                if (block := self._blocks.get((namespace, embedder_id)))
            ]
            many = sum(block.count for block, _ in held) >= _ROWS_WORTH_A_THREAD
            done = self._threads.done if many and query.all() else one_by_one
            compared = done(
                [
                    work
                    for block, among in held
                    for work in block.compared(query, block.readable(caller_id, granted, among))
                ]
            )
            return _nearest(query, compared, limit, done)

    async def clear(self) -> None:
        """Forget every block."""
        with self._lock:
            self._blocks.clear()

    async def aclose(self) -> None:
        """End what runs beside."""
        self._threads.close()


_Places = NDArray[np.int64] | range
"""Where rows are, ascending; a range where they stand one behind the other."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """Some rows of a block, and between what their similarities lie."""

    block: _Block
    places: _Places
    bounds: Bounds

    def reaching(self, edge: float) -> _Compared:
        """Return those that may be this near."""
        near = np.flatnonzero(self.bounds.most >= edge)
        places, bounds = self.places, self.bounds.of(near)
        found = near + places.start if isinstance(places, range) else places[near]
        return _Compared(self.block, found, bounds)

    def settled(self, query: Vector) -> _Compared:
        """Return the same with their similarities."""
        if self.bounds.tight:
            return self
        return self.block.multiplied(query, self.places)

    def named(self) -> Iterable[tuple[str, float]]:
        """Return their ids and similarities."""
        return zip(self.block.ids(self.places), self.bounds.most.tolist(), strict=True)


_Done = Callable[[Sequence[Callable[[], _Compared]]], list[_Compared]]


def _nearest(query: Vector, compared: Sequence[_Compared], limit: int, done: _Done) -> list[Match]:
    """Return the nearest of all, equals by id; `done` does pieces of work, in whatever thread."""
    if limit < 1 or not compared:
        return []
    edge = _edge(compared, limit)
    settled = done([partial(each.reaching(edge).settled, query) for each in compared])
    edge = _edge(settled, limit)
    return nearest_first(
        chain.from_iterable(each.reaching(edge).named() for each in settled), limit
    )


def _edge(compared: Sequence[_Compared], limit: int) -> float:
    """Return what the nearest reach at least, all that equal the last of them included."""
    least = np.concatenate([each.bounds.least for each in compared])
    if limit >= len(least):
        return -np.inf
    return float(np.partition(least, len(least) - limit)[len(least) - limit]) - 2 * 10.0**-DIGITS


class _Block:
    """The vectors of one namespace, packed: the last row moves into a removed one's place."""

    def __init__(self, dimension: int) -> None:
        self.revision = 0
        self.count = 0
        self._dimension = dimension
        self._matrix = np.empty((0, dimension), np.float32)
        self._rounded: Rounded | None = None
        self._levels = np.empty(0, np.uint8)
        self._owners = np.empty(0, np.int32)
        self._owner_codes: dict[str, int] = {}
        self._ids: list[str] = []
        self._places: dict[str, int] = {}
        self._revisions: dict[str, int] = {}

    def check(self, rows: Sequence[VectorRow]) -> None:
        require_alike(rows, self._dimension or dimension_of(rows))

    def apply(self, rows: Sequence[VectorRow]) -> None:
        if not self._dimension:
            self._dimension = dimension_of(rows)
            self._matrix = np.empty((len(self._levels), self._dimension), np.float32)
        newest: dict[str, VectorRow] = {}
        for row in rows:
            # Tombstones stay in _revisions, so an old row cannot bring a pattern back.
            if row.revision < self._revisions.get(row.pattern_id, 0):
                continue
            self._revisions[row.pattern_id] = row.revision
            newest[row.pattern_id] = row
        for row in newest.values():
            if row.vector is None:
                self._remove(row.pattern_id)
            self.revision = max(self.revision, row.revision)
        if stored := {key: row for key, row in newest.items() if row.vector is not None}:
            self._put(stored)
        self._release()

    def _put(self, rows: Mapping[str, VectorRow]) -> None:
        self._reserve(len(rows.keys() - self._places.keys()))
        for key in rows:
            if key not in self._places:
                self._places[key] = self.count
                self._ids.append(key)
                self.count += 1
        places = [self._places[key] for key in rows]
        vectors = b"".join(row.vector for row in rows.values() if row.vector is not None)
        owners = self._owner_codes
        matrix = np.frombuffer(vectors, np.float32).reshape(-1, self._dimension)
        self._matrix[places] = matrix
        if self._rounded is not None:
            self._rounded.put(places, matrix)
        self._levels[places] = [_CODES[row.level] for row in rows.values()]
        self._owners[places] = [owners.setdefault(r.owner_id, len(owners)) for r in rows.values()]

    def _remove(self, pattern_id: str) -> None:
        place = self._places.pop(pattern_id, None)
        if place is None:
            return
        self.count -= 1
        last_id = self._ids.pop()
        if last_id == pattern_id:
            return
        self._ids[place] = last_id
        self._places[last_id] = place
        for column in (self._matrix, self._levels, self._owners):
            column[place] = column[self.count]
        if self._rounded is not None:
            self._rounded.move(self.count, place)

    def _reserve(self, more: int) -> None:
        needed = self.count + more
        if needed > len(self._levels):
            grown = int(self.count * _GROWTH) if self.count else 0
            self._resize(max(needed, grown))

    def _release(self) -> None:
        if len(self._levels) > 1024 and self.count * 4 < len(self._levels):
            self._resize(self.count)

    def _resize(self, capacity: int) -> None:
        matrix = np.empty((capacity, self._dimension), np.float32)
        levels = np.empty(capacity, np.uint8)
        owners = np.empty(capacity, np.int32)
        matrix[: self.count] = self._matrix[: self.count]
        levels[: self.count] = self._levels[: self.count]
        owners[: self.count] = self._owners[: self.count]
        self._matrix, self._levels, self._owners = matrix, levels, owners
        if self._rounded is not None:
            self._rounded.resize(self.count, capacity)

    def readable(
        self, caller_id: str, granted: Collection[str], among: Collection[str] | None
    ) -> _Places:
        """Return where the rows are that the caller may read."""
        levels = self._levels[: self.count]
        seen = levels >= _FIRST_OPEN
        whole = bool(seen.all())
        if whole and among is None:
            return range(self.count)
        if not whole:
            if caller_id in self._owner_codes:
                seen |= self._owners[: self.count] == self._owner_codes[caller_id]
            if granted:
                seen |= self.mask(granted) & (levels == _CODES[SHARED])
        if among is not None:
            seen &= self.mask(among)
        return np.flatnonzero(seen)

    def mask(self, pattern_ids: Collection[str]) -> NDArray[np.bool_]:
        chosen = np.zeros(self.count, np.bool_)
        places = [self._places[key] for key in pattern_ids if key in self._places]
        chosen[places] = True
        return chosen

    def ids(self, places: _Places) -> list[str]:
        numbers = places if isinstance(places, range) else places.tolist()
        return [self._ids[place] for place in numbers]

    def compared(self, query: Vector, places: _Places) -> Sequence[Callable[[], _Compared]]:
        """Return what says how near these rows are, or of many only how near they may be."""
        few = len(places) * _SHARE_WORTH_ROUNDING < self.count
        if few or len(places) < _ROWS_WORTH_ROUNDING:
            return [partial(self.multiplied, query, places)]
        bounds = self._kept_rounded(query).bounds
        ends = [*range(_ROWS_A_PIECE, self.count, _ROWS_A_PIECE), self.count]
        return [
            partial(self._bounded, partial(bounds, query), places, slice(start, end))
            for start, end in pairwise([0, *ends])
        ]

    def _bounded(
        self, bounds: Callable[[slice], Bounds], places: _Places, some: slice
    ) -> _Compared:
        if isinstance(places, range):
            return _Compared(self, places[some], bounds(some))
        first, end = np.searchsorted(places, (some.start, some.stop))
        found, mine = bounds(some), places[first:end]
        whole = len(mine) == some.stop - some.start
        return _Compared(self, mine, found if whole else found.of(mine - some.start))

    def multiplied(self, query: Vector, places: _Places) -> _Compared:
        """Return how near these rows are."""
        return _Compared(self, places, exactly(self._products(query, places)))

    def _products(self, query: Vector, places: _Places) -> NDArray[np.float32]:
        matrix = self._matrix[: self.count]
        if not len(places):
            return np.empty(0, np.float32)
        if isinstance(places, range):
            return matrix[places.start : places.stop] @ query
        if len(places) * 4 >= self.count:
            return (matrix @ query)[places]
        return matrix[places] @ query

    def _kept_rounded(self, query: Vector) -> Rounded:
        """Return the rows in bytes, turned over once a request names few axes."""
        kind = RoundedByAxis if _is_sparse(query) else Rounded
        if not isinstance(self._rounded, kind):
            self._rounded = kind(self._matrix, self.count)
        return self._rounded


def _is_sparse(query: Vector) -> bool:
    return int(np.count_nonzero(query)) * _SPARSE_SHARE < len(query)
