"""What can be found, in memory: SQL is the truth, this is its working copy.

One block for each kind and namespace holds the words of its documents, who may read
them, and the uses they were put to. Access is decided before anything is ranked, so what
is hidden changes neither order, number nor score of what is shown.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tmws.indexes import words
from tmws.indexes.columns import Column
from tmws.indexes.uses import NearUse, UseRow, Uses
from tmws.indexes.words import Postings, Readable
from tmws.ports import Vector

_LEVELS = {"private": 0, "shared": 1, "public": 2, "system": 3}
_NOWHERE = -1


@dataclass(frozen=True, slots=True)
class WordRow:
    """What SQL says about one document.

    Attributes:
        level: `private`, `shared`, `public` or `system`.
        revision: rises with every change in the namespace.
        terms: its words, spaces between them; None once it is removed.
    """

    item_id: str
    owner_id: str
    level: str
    revision: int
    terms: str | None


@dataclass(frozen=True, slots=True)
class Caller:
    """Who looks.

    Attributes:
        granted: ids of shared items that were opened to the caller.
    """

    id: str
    granted: Collection[str]


class Catalogue:
    """Every block that was asked for."""

    def __init__(self) -> None:
        self._blocks: dict[str, Block] = {}

    def block(self, name: str) -> Block:
        """Return a block; an empty one where nothing was loaded yet."""
        return self._blocks.setdefault(name, Block())


class Block:
    """The documents of one kind in one namespace, and their uses."""

    def __init__(self) -> None:
        self.revision = 0
        self.uses_revision = 0
        self.uses_undone = 0
        self.seen_at = 0
        """Revision of the namespace when it was last looked at, whatever was written then."""
        self.ids: list[str] = []
        self._codes: dict[str, int] = {}
        self._owner_codes: dict[str, int] = {}
        # By document; its words may be taken in anew, and then stand at another place.
        self._owners: Column[np.int32] = Column(np.int32)
        self._levels: Column[np.uint8] = Column(np.uint8)
        self._places: Column[np.int64] = Column(np.int64)
        # By place; nowhere stands for a document whose words were taken in anew, or removed.
        self._postings = Postings()
        self._documents: Column[np.int64] = Column(np.int64)
        self.uses = Uses()

    @property
    def state(self) -> tuple[int, int, int]:
        """What is another one once anything was taken over."""
        return self.revision, self.uses_revision, self.uses_undone

    def refresh(self, rows: Sequence[WordRow]) -> None:
        """Take over what changed, oldest first."""
        # Another search may have been faster.
        new = [row for row in rows if row.revision > self.revision]
        if not new:
            return
        codes = np.array([self._code(row.item_id) for row in new])
        more = len(self.ids) - len(self._places)
        self._owners.extend(0, more)
        self._levels.extend(0, more)
        self._places.extend(_NOWHERE, more)
        owners = self._owner_codes
        self._owners[codes] = [owners.setdefault(row.owner_id, len(owners)) for row in new]
        self._levels[codes] = [_LEVELS[row.level] for row in new]
        self._take_in(codes, [row.terms for row in new])
        self.revision = max(row.revision for row in new)

    def code(self, item_id: str) -> int | None:
        """Return the number of a document, None if it is not in this block."""
        return self._codes.get(item_id)

    def _code(self, item_id: str) -> int:
        code = self._codes.setdefault(item_id, len(self.ids))
        if code == len(self.ids):
            self.ids.append(item_id)
        return code

    def refresh_uses(self, undone: int, rows: Sequence[UseRow]) -> None:
        """Take over uses, oldest first; the documents they are of were taken over before.

        Args:
            undone: how often uses were taken back in the namespace. When that is more than
                before, the rows are all that there are, and nothing else is kept.
        """
        if undone < self.uses_undone:
            return  # another search has seen more
        if undone > self.uses_undone:
            self.uses_undone, self.uses_revision, self.uses = undone, 0, Uses()
        before = self.uses_revision
        for row in rows:
            if row.revision <= before:
                continue
            self.uses_revision = max(self.uses_revision, row.revision)
            if row.pattern_id in self._codes:
                self.uses.add(row, self._codes[row.pattern_id])

    def _take_in(self, codes: NDArray[np.int64], terms: Sequence[str | None]) -> None:
        """Place the words of these documents, nowhere for what was removed."""
        texts = [text.split() for text in terms if text is not None]
        living = np.array([text is not None for text in terms])
        first = self._postings.add(texts)
        self._documents.extend(codes[living], len(texts))
        new = np.full(len(terms), _NOWHERE)
        new[living] = np.arange(first, first + len(texts))
        old = self._places.values[codes]
        self._places[codes] = new
        touched = np.concatenate([old, new])
        touched = touched[touched != _NOWHERE]
        current = self._places.values[self._documents.values[touched]]
        self._documents[touched[current != touched]] = _NOWHERE

    def view(
        self,
        caller: Caller,
        *,
        member: bool,
        among: Collection[str] | None = None,
        but: str | None = None,
    ) -> View:
        """Return what a caller may see of the block.

        Args:
            member: the caller belongs to the namespace, so what is public is open to it.
            among: look at these ids only.
            but: look past this id.
        """
        levels = self._levels.values
        seen = levels >= _LEVELS["public" if member else "system"]
        if not seen.all():
            if caller.id in self._owner_codes:
                seen |= self._owners.values == self._owner_codes[caller.id]
            if caller.granted:
                seen |= self._mask(caller.granted) & (levels == _LEVELS["shared"])
        if among is not None:
            seen &= self._mask(among)
        if but is not None:
            seen &= ~self._mask([but])
        return View(self, seen & (self._places.values != _NOWHERE))

    def readable(self, seen: NDArray[np.bool_]) -> Readable:
        """Return the words of these documents."""
        # Nowhere is the last.
        return Readable(self._postings, np.append(seen, False)[self._documents.values])

    def named(self, scores: Mapping[int, float]) -> dict[str, float]:
        """Return scores by id that are given by place."""
        codes = self._documents.values[np.fromiter(scores, np.int64, len(scores))].tolist()
        return {self.ids[code]: score for code, score in zip(codes, scores.values(), strict=True)}

    def held(self, item_id: str, terms: Iterable[str]) -> frozenset[str]:
        """Return which of these words a document holds; none if it is not in this block."""
        code = self._codes.get(item_id)
        place = _NOWHERE if code is None else int(self._places.values[code])
        if place == _NOWHERE:
            return frozenset()
        return frozenset(term for term in terms if self._postings.holds(place, term))

    def _mask(self, ids: Collection[str]) -> NDArray[np.bool_]:
        chosen = np.zeros(len(self.ids), np.bool_)
        chosen[[self._codes[key] for key in ids if key in self._codes]] = True
        return chosen


class View:
    """A block as one caller may see it; good until the block changes."""

    def __init__(self, block: Block, seen: NDArray[np.bool_]) -> None:
        self._block = block
        self._seen = seen

    @property
    def count(self) -> int:
        """Number of documents that can be seen."""
        return int(np.count_nonzero(self._seen))

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all that can be seen."""
        ids = self._block.ids
        return frozenset(ids[code] for code in np.flatnonzero(self._seen).tolist())

    @property
    def uses(self) -> int:
        """Number of uses of what can be seen."""
        return int(np.count_nonzero(self._block.uses.seen(self._seen)))

    def counted(self, item_ids: Collection[str], caller_id: str) -> tuple[dict[str, float], float]:
        """Return how many uses count of each of these, and of all that can be seen."""
        counts = self._block.uses.counted(self._seen, caller_id)
        codes = {key: self._block.code(key) for key in item_ids}
        found = {key: float(counts[code]) for key, code in codes.items() if code is not None}
        return found, float(counts.sum())

    @cached_property
    def readable(self) -> Readable:
        """The words that can be seen."""
        return self._block.readable(self._seen)

    def named(self, scores: Mapping[int, float]) -> dict[str, float]:
        """Return scores by id that are given by place."""
        return self._block.named(scores)

    def held(self, item_id: str, terms: Iterable[str]) -> frozenset[str]:
        """Return which of these words a document holds; none if it is not in this block."""
        return self._block.held(item_id, terms)

    def nearest_uses(self, asked: Mapping[str, Vector], *, limit: int) -> list[NearUse]:
        """Return the uses of what can be seen whose purpose is nearest, nearest first."""
        return self._block.uses.nearest(asked, self._seen, limit)


def spelt(terms: Sequence[str], views: Sequence[View]) -> tuple[str, ...]:
    """Return the words, each that nothing readable holds as it was probably meant."""
    return words.spelt(terms, [view.readable for view in views])


def matching(terms: Sequence[str], views: Sequence[View], *, limit: int) -> dict[str, float]:
    """Return the best matches of any of the words: id to score, higher is better."""
    found = words.best(terms, [view.readable for view in views], limit=limit)
    return {
        item_id: score
        for view, scores in zip(views, found, strict=True)
        for item_id, score in view.named(scores).items()
    }


def covered(item_id: str, terms: Sequence[str], views: Sequence[View]) -> tuple[float, float]:
    """Return the weight of the words that a document holds, and of all these words."""
    weights = words.rarities(terms, [view.readable for view in views])
    held = frozenset().union(*(view.held(item_id, terms) for view in views))
    # Exact sums: a set has another order in every process, and scores rest on these.
    return math.fsum(weights[term] for term in held), math.fsum(weights.values())


def common(item_ids: Collection[str], views: Sequence[View], *, caller_id: str) -> dict[str, float]:
    """Return the share of each of these in all uses that count to the caller.

    One use of something else is added: what alone was ever used may still not be all.
    """
    if not item_ids:
        return {}
    counted = [view.counted(item_ids, caller_id) for view in views]
    total = 1.0 + sum(every for _, every in counted)
    return {key: count / total for found, _ in counted for key, count in found.items()}


def nearest_uses(
    asked: Mapping[str, Vector], views: Sequence[View], *, limit: int
) -> list[NearUse]:
    """Return the uses whose purpose is nearest in any of the views, nearest first."""
    near = [
        (-use.similarity, use.use.use_id, use)
        for view in views
        for use in view.nearest_uses(asked, limit=limit)
    ]
    return [use for _, _, use in sorted(near)[:limit]]
