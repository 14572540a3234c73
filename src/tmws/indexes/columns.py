"""Arrays that grow."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Kind = TypeVar("_Kind", bound=np.generic)

_GROWTH = 1.5
_FIRST = 64


class Column(Generic[_Kind]):
    """A numpy array with room at its end; `width` above 0 makes rows of so many numbers."""

    def __init__(self, kind: type[_Kind], width: int = 0) -> None:
        self._data: NDArray[_Kind] = np.zeros((0, width) if width else 0, kind)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> NDArray[_Kind]:
        """What was appended, not copied: use it before the next change."""
        return self._data[: self._count]

    def append(self, value: Any) -> None:
        """Add one number, or one row of them."""
        self.extend(value, 1)

    def extend(self, values: ArrayLike, count: int) -> None:
        """Add so many numbers or rows; a single value stands for all of them."""
        needed = self._count + count
        if needed > len(self._data):
            room = max(_FIRST, needed, int(self._count * _GROWTH))
            grown = np.zeros((room, *self._data.shape[1:]), self._data.dtype)
            grown[: self._count] = self.values
            self._data = grown
        self._data[self._count : needed] = values
        self._count = needed

    def __setitem__(self, place: Any, value: Any) -> None:
        self.values[place] = value
