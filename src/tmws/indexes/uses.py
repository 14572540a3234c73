"""Past uses and what they were for, searched row by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tmws.domain.ranking import VOICES_OF_A_PATTERN
from tmws.domain.usage import WORD_WEIGHT
from tmws.indexes.columns import Column
from tmws.ports import Vector


@dataclass(frozen=True, slots=True)
class UseRow:
    """What SQL says about one use.

    Attributes:
        good: how well it went, 0 to 1.
        proven: a verdict proves it.
        share: how much of the use is credited to the pattern, in (0, 1].
        revision: rises with every change in the namespace.
        vectors: of what the use was for, by embedder id; an empty one was forgotten.
    """

    use_id: str
    pattern_id: str
    agent_id: str
    good: float
    proven: bool
    share: float
    at: datetime
    revision: int
    vectors: Mapping[str, bytes]


class NearUse(NamedTuple):
    """A use, and the cosine between what it was for and what is asked now."""

    use: UseRow
    similarity: float


class Uses:
    """The uses of the documents of one block."""

    def __init__(self) -> None:
        self._rows: list[UseRow] = []
        self._places: dict[str, int] = {}
        self._documents: Column[np.int64] = Column(np.int64)
        self._vectors: dict[str, Column[np.float32]] = {}
        # What each counts to its reporter, and to everybody else.
        self._shares: Column[np.float64] = Column(np.float64)
        self._worth: Column[np.float64] = Column(np.float64)
        self._reporters: Column[np.int32] = Column(np.int32)
        self._codes: dict[str, int] = {}
        self._words: Counter[tuple[str, int]] = Counter()

    def add(self, row: UseRow, document: int) -> None:
        """Take in a use of a document of this number, or what one more embedder made of it."""
        place = self._places.get(row.use_id)
        if place is None:
            place = self._places[row.use_id] = len(self._rows)
            self._rows.append(row)
            self._documents.append(document)
            self._reporters.append(self._codes.setdefault(row.agent_id, len(self._codes)))
            self._shares.append(row.share)
            self._worth.append(row.share * self._credit(row, document))
        for embedder, vector in row.vectors.items():
            self._put(embedder, place, np.frombuffer(vector, np.float32))

    def _credit(self, row: UseRow, document: int) -> float:
        """Return what others give for it: for mere word little, and not without end."""
        if row.proven:
            return 1.0
        said = (row.agent_id, document)
        self._words[said] += 1
        return WORD_WEIGHT if self._words[said] <= VOICES_OF_A_PATTERN else 0.0

    def _put(self, embedder: str, place: int, values: NDArray[np.float32]) -> None:
        """Keep a vector; a row of zeros stands where there is none, or none any more."""
        if not len(values) and embedder not in self._vectors:
            return
        column = self._vectors.setdefault(embedder, Column(np.float32, len(values)))
        while len(column) <= place:
            column.append(0.0)
        column[place] = values if len(values) else 0.0

    def seen(self, documents: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which uses are of documents that may be seen."""
        held: NDArray[np.bool_] = documents[self._documents.values]
        return held

    def counted(self, documents: NDArray[np.bool_], reporter_id: str) -> NDArray[np.float64]:
        """Return how many uses count of each of these documents, to whoever reported some."""
        worth = self._worth.values
        own = self._codes.get(reporter_id)
        if own is not None:
            worth = np.where(self._reporters.values == own, self._shares.values, worth)
        seen = worth * self.seen(documents)
        counted = np.bincount(self._documents.values, seen, len(documents))
        return counted.astype(np.float64, copy=False)

    def nearest(
        self, asked: Mapping[str, Vector], documents: NDArray[np.bool_], limit: int
    ) -> list[NearUse]:
        """Return at most `limit` of the nearest uses of these documents, nearest first.

        Similarity is the mean over the embedders that know both sides: spelling and
        meaning together picked the right use more often than either.
        """
        places = np.flatnonzero(self.seen(documents))
        if not len(places):
            return []
        total, known = np.zeros(len(places)), np.zeros(len(places))
        for embedder, query in asked.items():
            column = self._vectors.get(embedder)
            if column is None or not len(column):
                continue
            inside = places < len(column)
            similar = _products(column.values, query, places[inside])
            total[inside] += similar
            known[inside] += similar != 0.0
        similarities = np.round(np.divide(total, np.maximum(known, 1.0)), 5)
        order = _largest(similarities, limit)
        return [
            NearUse(self._rows[place], similarity)
            for place, similarity in zip(
                places[order].tolist(), similarities[order].tolist(), strict=True
            )
        ]


def _largest(values: NDArray[np.floating[Any]], limit: int) -> NDArray[np.int64]:
    """Return where the largest are, largest first, of equal ones the earlier."""
    among = np.arange(len(values))
    if 0 < limit < len(values):
        among = np.flatnonzero(values >= np.partition(values, -limit)[-limit])
    order: NDArray[np.int64] = among[np.argsort(-values[among], kind="stable")[:limit]]
    return order


def _products(
    matrix: NDArray[np.float32], query: Vector, places: NDArray[np.int64]
) -> NDArray[np.float32]:
    if len(places) * 4 < len(matrix):
        return matrix[places] @ query
    return (matrix @ query)[places]
