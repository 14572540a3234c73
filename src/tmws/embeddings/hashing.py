"""An embedder that needs nothing: no download, no model, the same vector everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np

from tmws.domain.text import STOP_WORDS, accented, grams, stem, words
from tmws.ports import ModelPlace, Vector

DIMENSION = 512

_STOP_WEIGHT = 0.1
# Enough for the same words to be nearer if they are spelled alike; a third of it was not.
_ACCENTED_WEIGHT = 0.7
_COUNT_POWER = 0.75
_LONGEST_TEXT = 20_000


class HashingEmbedder:
    """Feature hashing of stems and character grams (Weinberger et al., 2009).

    It sees spelling, not meaning: `delete` and `erase` are strangers to it. Two
    texts without a common feature have a cosine near 0. Text without a single
    word gives the first axis, so that every vector has unit length.
    """

    def __init__(self, place: ModelPlace | None = None) -> None:
        """There is no model, so there is no place that it lies in."""

    @property
    def id(self) -> str:
        """Name, size and version: a change of any feature is a new version.

        A change that leaves ASCII text alone may keep it, if a revision of the schema takes
        all other vectors away to be made anew, as revision 0025 did.
        """
        return f"hashing-{DIMENSION}-1"

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return DIMENSION

    @property
    def english_only(self) -> bool:
        """Spelling has no language."""
        return False

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Return one unit vector per text; characters after the 20,000th are not read."""
        return np.array([_vector(text) for text in texts], np.float32).reshape(-1, DIMENSION)

    async def aclose(self) -> None:
        """Nothing is open."""


def _vector(text: str) -> Vector:
    text = text[:_LONGEST_TEXT]
    counts = Counter(words(text))
    buckets: list[int] = []
    weights: list[float] = []
    for word, count in Counter(accented(text)).items():
        bucket, weight = _feature(f"a {word}", _ACCENTED_WEIGHT)
        buckets.append(bucket)
        weights.append(weight * count**_COUNT_POWER)
    for word, count in counts.items():
        # A word's tenth use says less than its first, but it says what a text is about.
        loudness = count**_COUNT_POWER
        for bucket, weight in _features(word):
            buckets.append(bucket)
            weights.append(weight * loudness)
    sums = np.bincount(np.array(buckets, np.int64), weights, DIMENSION)
    length = float(np.linalg.norm(sums))
    if length == 0.0:
        sums[0], length = 1.0, 1.0
    unit: Vector = (sums / length).astype(np.float32)
    return unit


@lru_cache(maxsize=8192)
def _features(word: str) -> tuple[tuple[int, float], ...]:
    """Return the buckets that a word adds to and the signed weight for each."""
    if word in STOP_WORDS:
        return (_feature(f"w {word}", _STOP_WEIGHT),)
    parts = grams(word, (3, 4)) if len(word) > 2 else []
    # All grams together weigh as much as the word, however long it is.
    share = max(1, len(parts)) ** -0.5
    return (_feature(f"w {stem(word)}", 1.0), *(_feature(f"g {part}", share) for part in parts))


def _feature(name: str, weight: float) -> tuple[int, float]:
    # CRC-32 is no secret hash and need not be: it is fast, spreads well, and is
    # the same on every platform and in every process.
    mixed = crc32(name.encode())
    return mixed % DIMENSION, weight if mixed >> 31 else -weight
