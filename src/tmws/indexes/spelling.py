"""Known words that are written almost like an unknown one, without a look at all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from itertools import islice

SHORTEST = 4
"""Of shorter words too many are alike."""


_Place = tuple[int, str, str]


class Spellings:
    """The words of an index, found by a slip of the keyboard.

    A slip is one letter more, one fewer, another one, or two neighbours swapped, and never
    touches the first letter: people rarely get that one wrong. Then either the second
    letter is right too or the last two are, so that words are looked for by these.
    """

    def __init__(self, known: Collection[str]) -> None:
        """Args: known: only ever grows, and repeats itself in the same order."""
        self._known = known
        self._taken = 0
        self._places: defaultdict[_Place, list[str]] = defaultdict(list)

    def near(self, word: str) -> frozenset[str]:
        """Return the known words that are one slip away from this one."""
        if len(word) < SHORTEST or not (word.isalpha() or _has_marks(word)):
            return frozenset()
        self._catch_up()
        return frozenset(
            other
            for length in (len(word) - 1, len(word), len(word) + 1)
            for place in _places(word, length)
            for other in self._places.get(place, ())
            if is_one_slip(word, other)
        )

    def _catch_up(self) -> None:
        if self._taken == len(self._known):
            return
        for word in islice(self._known, self._taken, None):
            if len(word) >= SHORTEST - 1 and (word.isalpha() or _has_marks(word)):
                for place in _places(word, len(word)):
                    self._places[place].append(word)
        self._taken = len(self._known)


def _has_marks(word: str) -> bool:
    """Return whether what is no letter are marks: a slip in a number is another number."""
    return not word.isascii() and not any(map(str.isnumeric, word))


def _places(word: str, length: int) -> tuple[_Place, _Place]:
    """Return where words of this length stand that begin, or end, like this one."""
    return (length, word[:2], ""), (length, word[0], word[-2:])


def is_one_slip(one: str, other: str) -> bool:
    """Return whether one letter is more, fewer or another, or two neighbours are swapped.

    This is a distance of one as Damerau (1964) counts.
    """
    if abs(len(one) - len(other)) > 1 or one == other:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    while one and other and one[-1] == other[-1]:
        one, other = one[:-1], other[:-1]
    return max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1])
