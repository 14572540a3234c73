"""Memory for large arrays, in huge pages where the system has them.

What is read from one end to the other, or at a few hundred places at once, waits for the
tables that say where a page lies: of pages of 2 MB there are 512 times fewer. numpy asks
for them too, but what the C library hands it was mostly used before, in small pages.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from math import prod
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound=np.generic)

_PAGE_BYTES = 1 << 21

# The last page may be empty by this share of the array: memory counts as well.
_WASTED_SHARE = 16


def empty(
    shape: tuple[int, ...], kind: type[_Kind], order: Literal["C", "F"] = "C"
) -> NDArray[_Kind]:
    """Return an array of any content."""
    size = prod(shape) * np.dtype(kind).itemsize
    if size < _PAGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        return np.empty(shape, kind, order)
    mapped = -(-size // _PAGE_BYTES) * _PAGE_BYTES
    if (mapped - size) * _WASTED_SHARE > size:
        mapped = size
    # One page more, of which nothing is ever touched, to begin where a huge page begins.
    pages = mmap.mmap(-1, mapped + _PAGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel that was built without them refuses, and small ones serve
        pages.madvise(mmap.MADV_HUGEPAGE)
    memory = np.frombuffer(pages, np.uint8)
    start = -memory.ctypes.data % _PAGE_BYTES
    found: NDArray[Any] = memory[start : start + size].view(kind).reshape(shape, order=order)
    return found
