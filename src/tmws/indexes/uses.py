"""Past uses and what they were for, searched row by row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


@dataclass(frozen=True, slots=True)
class NearUse:
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

    def add(self, row: UseRow, document: int) -> None:
        """Take in a use of a document of this number, or what one more embedder made of it."""
        place = self._places.get(row.use_id)
        if place is None:
            place = self._places[row.use_id] = len(self._rows)
            self._rows.append(row)
            self._documents.append(document)
        for embedder, vector in row.vectors.items():
            self._put(embedder, place, np.frombuffer(vector, np.float32))

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
