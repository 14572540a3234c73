"""An inverted index of words whose weights are those of what the caller may read.

Okapi BM25 (Robertson et al., 1994) with every count, document frequencies and mean
length alike, taken over the readable documents of one search. FTS5 and tsvector count
all documents, so their scores tell, word by word, what stands in hidden ones.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
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
_NONE = array("I")


@dataclass(frozen=True, slots=True)
class Holding:
    """The documents that hold some words: those of the first word, of the second, and so on.

    Attributes:
        places: the documents of each word, ascending.
        counts: how often each holds it.
        sizes: how many documents there are of each word.
    """

    places: NDArray[np.int64]
    counts: NDArray[np.float32]
    sizes: NDArray[np.int64]

    def among(self, seen: NDArray[np.bool_]) -> Holding:
        """Return the same of these documents alone."""
        kept = seen[self.places]
        word = np.repeat(np.arange(len(self.sizes)), self.sizes)
        sizes = np.bincount(word[kept], minlength=len(self.sizes))
        return Holding(self.places[kept], self.counts[kept], sizes)


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

    def of(self, terms: Sequence[str]) -> Holding:
        """Return the documents that hold these words.

        All in one go: word by word it is a dozen small steps for each, in each namespace.
        """
        held = [self._held.get(term, _NONE) for term in terms]
        packed = np.frombuffer(b"".join(held), np.uint32)
        return Holding(
            places=(packed >> np.uint32(_COUNT_BITS)).astype(np.int64),
            counts=(packed & np.uint32(_MOST_COUNTED)).astype(np.float32),
            sizes=np.fromiter(map(len, held), np.int64, len(held)),
        )

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
        self._holding: dict[tuple[str, ...], Holding] = {}

    @cached_property
    def count(self) -> int:
        return int(np.count_nonzero(self.seen))

    @property
    def length(self) -> float:
        """How many words the documents have together."""
        lengths = self.postings.lengths.values
        return float((lengths if self._is_whole else lengths[self.seen]).sum())

    @property
    def _is_whole(self) -> bool:
        return self.count == len(self.seen)

    def holding(self, terms: tuple[str, ...]) -> Holding:
        """Return the documents that hold these words: it is asked for several times."""
        known = self._holding.get(terms)
        if known is None:
            known = self.postings.of(terms)
            if not self._is_whole:
                known = known.among(self.seen)
            self._holding[terms] = known
        return known


def spelt(terms: Sequence[str], parts: Sequence[Readable]) -> tuple[str, ...]:
    """Return the words, each unknown one replaced by the known one that was probably meant.

    Known is what stands in a readable document. Of several known words the most common
    one was meant. Words come once each.
    """
    holders = zip(terms, _holders(terms, parts), strict=True)
    return tuple(dict.fromkeys(term if held else _meant(term, parts) for term, held in holders))


def _meant(term: str, parts: Sequence[Readable]) -> str:
    near = sorted({word for part in parts for word in part.postings.near(term)})
    holders = _holders(near, parts)
    held = max(holders, default=0)
    return near[holders.index(held)] if held else term


def _holders(terms: Sequence[str], parts: Sequence[Readable]) -> list[int]:
    """Return how many readable documents hold each word."""
    total = np.zeros(len(terms), np.int64)
    for part in parts:
        total += part.holding(tuple(terms)).sizes
    return total.tolist()


def best(terms: Sequence[str], parts: Sequence[Readable], *, limit: int) -> list[dict[int, float]]:
    """Return the best matches of any of the words, for each part: document to score.

    All parts are weighed together, and together at most `limit` are returned; of equal
    ones the earlier document.
    """
    total = sum(part.count for part in parts)
    length = sum(part.length for part in parts)
    if not total or not length:
        return [{} for _ in parts]
    asked = tuple(dict.fromkeys(terms))
    weights = np.array(_rarities(asked, parts), np.float32)
    edges = np.cumsum([0, *(len(part.seen) for part in parts)])
    scores = np.zeros(edges[-1], np.float32)
    for part, start, end in zip(parts, edges, edges[1:], strict=False):
        held = part.holding(asked)
        load = _load(part.postings.lengths.values[held.places], length / total)
        added = np.repeat(weights, held.sizes) * held.counts
        added *= _SATURATION + 1
        added /= held.counts + load
        np.add.at(scores[start:end], held.places, added)
    return _first(scores, edges, limit)


def rarities(terms: Sequence[str], parts: Sequence[Readable]) -> dict[str, float]:
    """Return how much each word weighs among all that is readable; rare ones weigh more."""
    return dict(zip(terms, _rarities(terms, parts), strict=True))


def _rarities(terms: Sequence[str], parts: Sequence[Readable]) -> list[float]:
    total = sum(part.count for part in parts)
    return [_rarity(total, holding) for holding in _holders(terms, parts)]


def _rarity(total: int, holding: int) -> float:
    return math.log1p((total - holding + 0.5) / (holding + 0.5))


def _load(lengths: NDArray[np.float32], mean_length: float) -> NDArray[np.float32]:
    """Return what each document's length adds below its counts: a long one says less."""
    relative = lengths / np.float32(mean_length)
    load: NDArray[np.float32] = _SATURATION * (1 - _LENGTH_SHARE + _LENGTH_SHARE * relative)
    return load


def _first(
    scores: NDArray[np.float32], edges: NDArray[np.int64], limit: int
) -> list[dict[int, float]]:
    """Return the best of all, for each part: what lies between two edges."""
    least = 0.0
    if len(scores) > limit:
        least = float(np.partition(scores, len(scores) - limit)[len(scores) - limit])
    chosen = np.flatnonzero(scores > least)
    if least > 0.0:
        equal = np.flatnonzero(scores == least)[: limit - len(chosen)]
        chosen = np.sort(np.concatenate([chosen, equal]))
    found: list[dict[int, float]] = []
    for places, start in zip(
        np.split(chosen, np.searchsorted(chosen, edges[1:-1])), edges, strict=False
    ):
        found.append(dict(zip((places - start).tolist(), scores[places].tolist(), strict=True)))
    return found
