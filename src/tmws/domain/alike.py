"""How alike two texts are, by the terms they hold: to show duplicates, never to merge them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

NEARLY_THE_SAME = 0.8
"""Share of common terms from which two texts are shown as duplicates."""


def similarity(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of terms that both hold of those that either does (Jaccard), 0 to 1."""
    return _share(frozenset(one), frozenset(other))


class Seen:
    """Texts met so far, found again by the rarest of their terms."""

    def __init__(self) -> None:
        self._terms: dict[int, frozenset[str]] = {}
        self._holders: dict[str, list[int]] = defaultdict(list)

    def add(self, index: int, terms: Sequence[str]) -> None:
        """Keep a text."""
        self._terms[index] = frozenset(terms)
        for term in self._terms[index]:
            self._holders[term].append(index)

    def similarity(self, index: int, terms: Sequence[str]) -> float:
        """Return how alike a text is to the one kept at a place."""
        return _share(frozenset(terms), self._terms[index])

    def like(self, terms: Sequence[str]) -> tuple[int, float] | None:
        """Return the text that is most like this one, if it is nearly the same."""
        held = frozenset(terms)
        # Texts that share four terms in five share one of any fifth of them and one more.
        enough = len(held) - int(NEARLY_THE_SAME * len(held)) + 1
        rarest = sorted(held, key=lambda term: (len(self._holders.get(term, ())), term))[:enough]
        near = {index for term in rarest for index in self._holders.get(term, ())}
        ranked = [(_share(held, self._terms[index]), -index) for index in near]
        best, place = max(ranked, default=(0.0, 0))
        return (-place, best) if best >= NEARLY_THE_SAME else None


def _share(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0
