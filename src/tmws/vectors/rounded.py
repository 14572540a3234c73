"""A first look at many vectors: rounded to bytes they say how near each can be at most.

A search among many waits for memory, of which bytes are a quarter. What rounding takes away
is known row by row, so the bounds hold whatever the vectors are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import simsimd
from numpy.typing import NDArray

from tmws.ports import Vector
from tmws.vectors.pages import empty

_LARGEST = 127
_SMALLEST = np.finfo(np.float32).tiny
_ROWS_A_TURN = 256

# So many codes stay in the processor's cache as bytes and as float32.
_CODES_A_PRODUCT = 1 << 17

# Products of float32 are off by themselves: by less than a tenth of this share of the lengths.
_FLOATS_ARE_OFF = np.float32(1e-5)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what the product of a query with each row lies."""

    least: NDArray[np.float32]
    most: NDArray[np.float32]

    @property
    def tight(self) -> bool:
        """Whether they are the products themselves."""
        return self.least is self.most

    def of(self, places: NDArray[np.int64]) -> Bounds:
        """Return those of some rows."""
        if self.tight:
            return exactly(self.most[places])
        return Bounds(self.least[places], self.most[places])


def exactly(products: NDArray[np.float32]) -> Bounds:
    """Return the bounds of what is known."""
    return Bounds(products, products)


class Rounded:
    """Rows of float32, each as whole numbers from -127 to 127 and the unit they count."""

    _order: ClassVar[Literal["C", "F"]] = "C"

    def __init__(self, matrix: Vector, count: int) -> None:
        """Read the first `count` rows of a matrix; places are those of its rows."""
        self._codes: NDArray[np.int8] = empty(matrix.shape, np.int8, self._order)
        self._units = np.empty(len(matrix), np.float32)
        self._lengths = np.empty(len(matrix), np.float32)
        self._rests = np.empty(len(matrix), np.float32)
        # A few at a time stay in the processor's cache.
        for start in range(0, count, _ROWS_A_TURN):
            some = slice(start, min(start + _ROWS_A_TURN, count))
            self.put(some, matrix[some])

    def put(self, places: slice | list[int], vectors: Vector) -> None:
        """Take other vectors over into these places."""
        units = np.maximum(np.abs(vectors).max(axis=1), _SMALLEST) / np.float32(_LARGEST)
        codes = np.rint(vectors / units[:, None])
        kept = codes * units[:, None]
        self._codes[places] = codes
        self._units[places] = units
        self._lengths[places] = np.linalg.norm(kept, axis=1)
        self._rests[places] = np.linalg.norm(vectors - kept, axis=1)

    def move(self, source: int, place: int) -> None:
        """Put a row where another one was."""
        for column in (self._codes, self._units, self._lengths, self._rests):
            column[place] = column[source]

    def resize(self, count: int, capacity: int) -> None:
        """Have room for so many rows, of which the first `count` stay."""
        codes = empty((capacity, self._codes.shape[1]), np.int8, self._order)
        codes[:count] = self._codes[:count]
        self._codes = codes
        self._units = _resized(self._units, count, capacity)
        self._lengths = _resized(self._lengths, count, capacity)
        self._rests = _resized(self._rests, count, capacity)

    def bounds(self, query: Vector, some: slice) -> Bounds:
        """Return the bounds of these rows, of which there must be one.

        Of a row k + d and a query q = j + e, k and j are what the bytes say. The product is
        k·j + k·e + d·q, and by Cauchy and Schwarz the last two are at most |k||e| + |d||q|.
        """
        unit = max(np.abs(query).max(), _SMALLEST) / np.float32(_LARGEST)
        codes = np.rint(query / unit)
        near = _products(self._codes[some], codes.astype(np.int8)) * (self._units[some] * unit)
        length = np.linalg.norm(query)
        rest = np.linalg.norm(query - codes * unit) + _FLOATS_ARE_OFF * length
        off = self._lengths[some] * rest + self._rests[some] * length
        return Bounds(near - off, near + off)


class RoundedByAxis(Rounded):
    """The same with the axes one after another in memory.

    A short request says nothing on most axes of an embedder that hashes features: only those
    that it names are read.
    """

    _order = "F"

    def bounds(self, query: Vector, some: slice) -> Bounds:
        """Return the bounds of these rows.

        The query stays as it is, so that of k·q + d·q only the last is not known.
        """
        axes = np.flatnonzero(query)
        near = _along(axes, self._codes[some], query[axes]) * self._units[some]
        length = np.linalg.norm(query)
        off = (self._lengths[some] * _FLOATS_ARE_OFF + self._rests[some]) * length
        return Bounds(near - off, near + off)


def _along(
    axes: NDArray[np.int64], codes: NDArray[np.int8], named: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the products of all rows with what stands on these axes."""
    products = np.empty(len(codes), np.float32)
    columns = codes.T
    rows = _CODES_A_PRODUCT // max(1, len(axes))
    for start in range(0, len(codes), rows):
        some = slice(start, start + rows)
        np.matmul(named, columns[axes, some].astype(np.float32), out=products[some])
    return products


def _products(codes: NDArray[np.int8], query: NDArray[np.int8]) -> NDArray[np.float32]:
    # Called with `out=`, simsimd 6.5 gives away a reference to None that it does not own: up
    # to Python 3.11 the process dies of that after some thousand searches.
    products = simsimd.cdist(query[None], codes, "dot", out_dtype="float32")
    row: NDArray[np.float32] = np.asarray(products, np.float32)[0]
    return row


def _resized(column: NDArray[np.float32], count: int, capacity: int) -> NDArray[np.float32]:
    resized = np.empty(capacity, np.float32)
    resized[:count] = column[:count]
    return resized
