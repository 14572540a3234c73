"""An inverted index of words whose weights are those of what the caller may read.

Okapi BM25 (Robertson et al., 1994) with every count, document frequencies and mean
length alike, taken over the readable documents of one search. FTS5 and tsvector count
all documents, so their scores tell, word by word, what stands in hidden ones.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from tmws.indexes.columns import Column
from tmws.indexes.spelling import Spellings

_SATURATION = 1.2
_LENGTH_SHARE = 0.4
_COUNT_BITS = 8
_MOST_COUNTED = (1 << _COUNT_BITS) - 1
_PLACE_BITS = 32 - _COUNT_BITS


class Postings:
    """Which documents hold a word and how often; documents are numbered as they come."""

    def __init__(self) -> None:
        # A number holds both: the document above, the count in the lowest eight bits.
        self._held: dict[str, array[int]] = {}
        self._spellings = Spellings(self._held)
        self.lengths: Column[np.float32] = Column(np.float32)

    def add(self, documents: Sequence[Sequence[str]]) -> int:
        """Take in the words of documents and return the number of the first."""
        first = len(self.lengths)
        lengths = np.fromiter(map(len, documents), np.int64, len(documents))
        self.lengths.extend(lengths, len(documents))
        told = list(chain.from_iterable(documents))
        terms = list(dict.fromkeys(told))
        numbers = dict(zip(terms, range(len(terms)), strict=True))
        # Sorted by word, then by document, in one go: word by word it took twenty times as long.
        held = np.fromiter(map(numbers.__getitem__, told), np.int64, len(told)) << _PLACE_BITS
        held |= np.repeat(np.arange(first, first + len(documents)), lengths)
        pairs, counts = np.unique(held, return_counts=True)
        packed = (pairs << _COUNT_BITS | np.minimum(counts, _MOST_COUNTED)).astype(np.uint32)
        edges = np.searchsorted(pairs, np.arange(len(terms) + 1) << _PLACE_BITS).tolist()
        for term, (start, end) in zip(terms, pairwise(edges), strict=True):
            self._held.setdefault(term, array("I")).frombytes(packed[start:end].tobytes())
        return first

    def of(self, term: str) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return the documents that hold a word, ascending, and how often each does."""
        held = self._held.get(term)
        if held is None:
            return np.empty(0, np.uint32), np.empty(0, np.float32)
        packed = np.frombuffer(held, np.uint32)
        places: NDArray[np.uint32] = packed >> np.uint32(_COUNT_BITS)
        return places, (packed & np.uint32(_MOST_COUNTED)).astype(np.float32)

    def near(self, term: str) -> frozenset[str]:
        """Return the words that are one slip of the keyboard away from this one."""
        return self._spellings.near(term)

    def holds(self, place: int, term: str) -> bool:
        """Say whether a document holds a word."""
        held = self._held.get(term)
        if held is None:
            return False
        packed = np.frombuffer(held, np.uint32)
        at = int(np.searchsorted(packed, np.uint32(place << _COUNT_BITS)))
        return at < len(packed) and int(packed[at]) >> _COUNT_BITS == place


class Readable:
    """The documents of some postings that one search may see; good until these change."""

    def __init__(self, postings: Postings, seen: NDArray[np.bool_]) -> None:
        self.postings = postings
        self.seen = seen
        self._holding: dict[str, tuple[NDArray[np.uint32], NDArray[np.float32]]] = {}

    @cached_property
    def count(self) -> int:
        return int(np.count_nonzero(self.seen))

    def holding(self, term: str) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
        """Return the documents that hold a word, and how often: it is asked for twice."""
        known = self._holding.get(term)
        if known is None:
            places, counts = self.postings.of(term)
            seen = self.seen[places]
            known = self._holding[term] = places[seen], counts[seen]
        return known


def spelt(terms: Sequence[str], parts: Sequence[Readable]) -> tuple[str, ...]:
    """Return the words, each unknown one replaced by the known one that was probably meant.

    Known is what stands in a readable document. Of several known words the most common
    one was meant. Words come once each.
    """
    return tuple(dict.fromkeys(_meant(term, parts) for term in terms))


def _meant(term: str, parts: Sequence[Readable]) -> str:
    if _holders(term, parts):
        return term
    near = sorted({word for part in parts for word in part.postings.near(term)})
    meant = max(near, key=lambda word: _holders(word, parts), default=term)
    return meant if _holders(meant, parts) else term


def _holders(term: str, parts: Sequence[Readable]) -> int:
    return sum(len(part.holding(term)[0]) for part in parts)


def best(terms: Sequence[str], parts: Sequence[Readable], *, limit: int) -> list[dict[int, float]]:
    """Return the best matches of any of the words, for each part: document to score.

    All parts are weighed together, and together at most `limit` are returned; of equal
    ones the earlier document.
    """
    total = sum(part.count for part in parts)
    length = sum(float(part.postings.lengths.values[part.seen].sum()) for part in parts)
    if not total or not length:
        return [{} for _ in parts]
    loads = [_load(part, length / total) for part in parts]
    scores = [np.zeros(len(part.seen), np.float32) for part in parts]
    for term in dict.fromkeys(terms):
        holding = [part.holding(term) for part in parts]
        rarity = _rarity(total, sum(len(places) for places, _ in holding))
        for score, load, (places, counts) in zip(scores, loads, holding, strict=True):
            score[places] += rarity * counts * (_SATURATION + 1) / (counts + load[places])
    return _first(scores, limit)


def rarities(terms: Sequence[str], parts: Sequence[Readable]) -> dict[str, float]:
    """Return how much each word weighs among all that is readable; rare ones weigh more."""
    total = sum(part.count for part in parts)
    return {term: _rarity(total, _holders(term, parts)) for term in terms}


def _rarity(total: int, holding: int) -> float:
    return math.log1p((total - holding + 0.5) / (holding + 0.5))


def _load(part: Readable, mean_length: float) -> NDArray[np.float32]:
    """Return what each document's length adds below its counts: a long one says less."""
    relative = part.postings.lengths.values / np.float32(mean_length)
    load: NDArray[np.float32] = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * relative)
    return load


def _first(scores: Sequence[NDArray[np.float32]], limit: int) -> list[dict[int, float]]:
    places = [np.flatnonzero(score) for score in scores]
    values = np.concatenate([score[where] for score, where in zip(scores, places, strict=True)])
    edge, at_edge = 0.0, 0
    if len(values) > limit:
        edge = float(np.partition(values, len(values) - limit)[len(values) - limit])
        at_edge = limit - int(np.count_nonzero(values > edge))
    found: list[dict[int, float]] = []
    for score, where in zip(scores, places, strict=True):
        above = where[score[where] > edge]
        equal = where[score[where] == edge][:at_edge]
        at_edge -= len(equal)
        chosen = np.concatenate([above, equal])
        found.append(dict(zip(chosen.tolist(), score[chosen].tolist(), strict=True)))
    return found
